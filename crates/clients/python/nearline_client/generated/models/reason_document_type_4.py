from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_4_kind import (
    ReasonDocumentType4Kind,
    check_reason_document_type_4_kind,
)

T = TypeVar("T", bound="ReasonDocumentType4")


@_attrs_define
class ReasonDocumentType4:
    """It is new, and got this place so that it is found out who likes it.

    Attributes:
        affinity (float): The member's affinity to its genres, 0 to 1.
        kind (ReasonDocumentType4Kind):
    """

    affinity: float
    kind: ReasonDocumentType4Kind
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        affinity = self.affinity

        kind: str = self.kind

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "affinity": affinity,
                "kind": kind,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        affinity = d.pop("affinity")

        kind = check_reason_document_type_4_kind(d.pop("kind"))

        reason_document_type_4 = cls(
            affinity=affinity,
            kind=kind,
        )

        reason_document_type_4.additional_properties = d
        return reason_document_type_4

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
