from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_6_kind import (
    ReasonDocumentType6Kind,
    check_reason_document_type_6_kind,
)

T = TypeVar("T", bound="ReasonDocumentType6")


@_attrs_define
class ReasonDocumentType6:
    """It is played much right now.

    Attributes:
        dimension (str): Where: `all`, `country:BR`, `device:tv`.
        kind (ReasonDocumentType6Kind):
        weight (float): Its decayed plays, relative to the most played title.
    """

    dimension: str
    kind: ReasonDocumentType6Kind
    weight: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        dimension = self.dimension

        kind: str = self.kind

        weight = self.weight

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "dimension": dimension,
                "kind": kind,
                "weight": weight,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        dimension = d.pop("dimension")

        kind = check_reason_document_type_6_kind(d.pop("kind"))

        weight = d.pop("weight")

        reason_document_type_6 = cls(
            dimension=dimension,
            kind=kind,
            weight=weight,
        )

        reason_document_type_6.additional_properties = d
        return reason_document_type_6

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
