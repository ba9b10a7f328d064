from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_8_kind import (
    ReasonDocumentType8Kind,
    check_reason_document_type_8_kind,
)

T = TypeVar("T", bound="ReasonDocumentType8")


@_attrs_define
class ReasonDocumentType8:
    """It is of a genre that the member plays more than others do.

    Attributes:
        genre (str): The genre.
        kind (ReasonDocumentType8Kind):
        share (float): Share of the member's titles that is of it, 0 to 1.
    """

    genre: str
    kind: ReasonDocumentType8Kind
    share: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        genre = self.genre

        kind: str = self.kind

        share = self.share

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "genre": genre,
                "kind": kind,
                "share": share,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        genre = d.pop("genre")

        kind = check_reason_document_type_8_kind(d.pop("kind"))

        share = d.pop("share")

        reason_document_type_8 = cls(
            genre=genre,
            kind=kind,
            share=share,
        )

        reason_document_type_8.additional_properties = d
        return reason_document_type_8

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
