from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.ranked_title import RankedTitle


T = TypeVar("T", bound="SimilarAnswer")


@_attrs_define
class SimilarAnswer:
    """Titles that follow a title.

    Attributes:
        title (str): The title asked about.
        titles (list[RankedTitle]): Titles, most similar first.
    """

    title: str
    titles: list[RankedTitle]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        title = self.title

        titles = []
        for titles_item_data in self.titles:
            titles_item = titles_item_data.to_dict()
            titles.append(titles_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "title": title,
                "titles": titles,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.ranked_title import RankedTitle  # noqa: PLC0415

        d = dict(src_dict)
        title = d.pop("title")

        titles = []
        _titles = d.pop("titles")
        for titles_item_data in _titles:
            titles_item = RankedTitle.from_dict(titles_item_data)

            titles.append(titles_item)

        similar_answer = cls(
            title=title,
            titles=titles,
        )

        similar_answer.additional_properties = d
        return similar_answer

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
