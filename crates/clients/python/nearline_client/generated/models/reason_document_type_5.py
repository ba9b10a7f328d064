from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_5_kind import (
    ReasonDocumentType5Kind,
    check_reason_document_type_5_kind,
)

T = TypeVar("T", bound="ReasonDocumentType5")


@_attrs_define
class ReasonDocumentType5:
    """It was begun and not finished.

    Attributes:
        duration_s (int): Length in seconds.
        kind (ReasonDocumentType5Kind):
        watched_s (int): Seconds watched.
    """

    duration_s: int
    kind: ReasonDocumentType5Kind
    watched_s: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        duration_s = self.duration_s

        kind: str = self.kind

        watched_s = self.watched_s

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "duration_s": duration_s,
                "kind": kind,
                "watched_s": watched_s,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        duration_s = d.pop("duration_s")

        kind = check_reason_document_type_5_kind(d.pop("kind"))

        watched_s = d.pop("watched_s")

        reason_document_type_5 = cls(
            duration_s=duration_s,
            kind=kind,
            watched_s=watched_s,
        )

        reason_document_type_5.additional_properties = d
        return reason_document_type_5

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
