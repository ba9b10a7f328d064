from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="OpenImpressionDocument")


@_attrs_define
class OpenImpressionDocument:
    """An impression that may still be played.

    Attributes:
        artwork (str): Artwork shown; empty: not given.
        at (str): When, RFC 3339.
        row (str): Row of the page; empty: not given.
        title (str): The title.
        position (int | None | Unset): Position in the row.
    """

    artwork: str
    at: str
    row: str
    title: str
    position: int | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        artwork = self.artwork

        at = self.at

        row = self.row

        title = self.title

        position: int | None | Unset
        if isinstance(self.position, Unset):
            position = UNSET
        else:
            position = self.position

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "artwork": artwork,
                "at": at,
                "row": row,
                "title": title,
            }
        )
        if position is not UNSET:
            field_dict["position"] = position

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        artwork = d.pop("artwork")

        at = d.pop("at")

        row = d.pop("row")

        title = d.pop("title")

        def _parse_position(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        position = _parse_position(d.pop("position", UNSET))

        open_impression_document = cls(
            artwork=artwork,
            at=at,
            row=row,
            title=title,
            position=position,
        )

        open_impression_document.additional_properties = d
        return open_impression_document

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
