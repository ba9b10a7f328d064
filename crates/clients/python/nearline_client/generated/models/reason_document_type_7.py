from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reason_document_type_7_kind import (
    ReasonDocumentType7Kind,
    check_reason_document_type_7_kind,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="ReasonDocumentType7")


@_attrs_define
class ReasonDocumentType7:
    """It is new or little played, and of genres that the member likes.

    Attributes:
        affinity (float): The member's affinity to its genres, 0 to 1.
        kind (ReasonDocumentType7Kind):
        plays (int): How often it was played.
        year (int | None | Unset): Year of release.
    """

    affinity: float
    kind: ReasonDocumentType7Kind
    plays: int
    year: int | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        affinity = self.affinity

        kind: str = self.kind

        plays = self.plays

        year: int | None | Unset
        if isinstance(self.year, Unset):
            year = UNSET
        else:
            year = self.year

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "affinity": affinity,
                "kind": kind,
                "plays": plays,
            }
        )
        if year is not UNSET:
            field_dict["year"] = year

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        affinity = d.pop("affinity")

        kind = check_reason_document_type_7_kind(d.pop("kind"))

        plays = d.pop("plays")

        def _parse_year(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        year = _parse_year(d.pop("year", UNSET))

        reason_document_type_7 = cls(
            affinity=affinity,
            kind=kind,
            plays=plays,
            year=year,
        )

        reason_document_type_7.additional_properties = d
        return reason_document_type_7

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
