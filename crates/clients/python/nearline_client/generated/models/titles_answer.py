from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.title_result import TitleResult


T = TypeVar("T", bound="TitlesAnswer")


@_attrs_define
class TitlesAnswer:
    """What became of all titles of a request.

    Attributes:
        rejected (int): Titles refused.
        results (list[TitleResult]): Each title, in the order sent.
        stored (int): Titles stored.
    """

    rejected: int
    results: list[TitleResult]
    stored: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        rejected = self.rejected

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)

        stored = self.stored

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "rejected": rejected,
                "results": results,
                "stored": stored,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.title_result import TitleResult  # noqa: PLC0415

        d = dict(src_dict)
        rejected = d.pop("rejected")

        results = []
        _results = d.pop("results")
        for results_item_data in _results:
            results_item = TitleResult.from_dict(results_item_data)

            results.append(results_item)

        stored = d.pop("stored")

        titles_answer = cls(
            rejected=rejected,
            results=results,
            stored=stored,
        )

        titles_answer.additional_properties = d
        return titles_answer

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
