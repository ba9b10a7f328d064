from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.trending_title import TrendingTitle


T = TypeVar("T", bound="TrendingAnswer")


@_attrs_define
class TrendingAnswer:
    """What is taken and played most right now.

    Attributes:
        dimension (str): Where: `all`, `country:BR`, `device:tv`, or two of them, averaged. `all` if nothing is
            played where it was asked for.
        titles (list[TrendingTitle]): Titles, best first.
    """

    dimension: str
    titles: list[TrendingTitle]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        dimension = self.dimension

        titles = []
        for titles_item_data in self.titles:
            titles_item = titles_item_data.to_dict()
            titles.append(titles_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "dimension": dimension,
                "titles": titles,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.trending_title import TrendingTitle  # noqa: PLC0415

        d = dict(src_dict)
        dimension = d.pop("dimension")

        titles = []
        _titles = d.pop("titles")
        for titles_item_data in _titles:
            titles_item = TrendingTitle.from_dict(titles_item_data)

            titles.append(titles_item)

        trending_answer = cls(
            dimension=dimension,
            titles=titles,
        )

        trending_answer.additional_properties = d
        return trending_answer

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
