from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_9_kind import (
    ReasonDocumentType9Kind,
    check_reason_document_type_9_kind,
)

T = TypeVar("T", bound="ReasonDocumentType9")


@_attrs_define
class ReasonDocumentType9:
    """It is on the member's own list.

    Attributes:
        kind (ReasonDocumentType9Kind):
    """

    kind: ReasonDocumentType9Kind
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        kind: str = self.kind

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "kind": kind,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        kind = check_reason_document_type_9_kind(d.pop("kind"))

        reason_document_type_9 = cls(
            kind=kind,
        )

        reason_document_type_9.additional_properties = d
        return reason_document_type_9

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
