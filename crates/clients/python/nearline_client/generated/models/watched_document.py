from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="WatchedDocument")


@_attrs_define
class WatchedDocument:
    """A title that a member watched.

    Attributes:
        at (str): When, RFC 3339.
        position (int): Position of the event in the log.
        title (str): The title.
        duration_s (int | None | Unset): Length in seconds; absent: unknown.
        watched_s (int | None | Unset): Seconds watched; absent: unknown.
    """

    at: str
    position: int
    title: str
    duration_s: int | None | Unset = UNSET
    watched_s: int | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        at = self.at

        position = self.position

        title = self.title

        duration_s: int | None | Unset
        if isinstance(self.duration_s, Unset):
            duration_s = UNSET
        else:
            duration_s = self.duration_s

        watched_s: int | None | Unset
        if isinstance(self.watched_s, Unset):
            watched_s = UNSET
        else:
            watched_s = self.watched_s

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "at": at,
                "position": position,
                "title": title,
            }
        )
        if duration_s is not UNSET:
            field_dict["duration_s"] = duration_s
        if watched_s is not UNSET:
            field_dict["watched_s"] = watched_s

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        at = d.pop("at")

        position = d.pop("position")

        title = d.pop("title")

        def _parse_duration_s(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        duration_s = _parse_duration_s(d.pop("duration_s", UNSET))

        def _parse_watched_s(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        watched_s = _parse_watched_s(d.pop("watched_s", UNSET))

        watched_document = cls(
            at=at,
            position=position,
            title=title,
            duration_s=duration_s,
            watched_s=watched_s,
        )

        watched_document.additional_properties = d
        return watched_document

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
