from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="CountsDocument")


@_attrs_define
class CountsDocument:
    """Sums of counts.

    Attributes:
        attributed_plays (int): How many of those impressions were played.
        impressions (int): How often it was shown.
        plays (int): Plays and first ratings, attributed or not; of a row or a position, its attributed plays.
        quality_plays (int): How many of those plays were watched for long enough (`fold.quality_seconds`).
        take_rate (float | None | Unset): Attributed plays per impression; absent without impressions.
    """

    attributed_plays: int
    impressions: int
    plays: int
    quality_plays: int
    take_rate: float | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        attributed_plays = self.attributed_plays

        impressions = self.impressions

        plays = self.plays

        quality_plays = self.quality_plays

        take_rate: float | None | Unset
        if isinstance(self.take_rate, Unset):
            take_rate = UNSET
        else:
            take_rate = self.take_rate

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "attributed_plays": attributed_plays,
                "impressions": impressions,
                "plays": plays,
                "quality_plays": quality_plays,
            }
        )
        if take_rate is not UNSET:
            field_dict["take_rate"] = take_rate

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        attributed_plays = d.pop("attributed_plays")

        impressions = d.pop("impressions")

        plays = d.pop("plays")

        quality_plays = d.pop("quality_plays")

        def _parse_take_rate(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        take_rate = _parse_take_rate(d.pop("take_rate", UNSET))

        counts_document = cls(
            attributed_plays=attributed_plays,
            impressions=impressions,
            plays=plays,
            quality_plays=quality_plays,
            take_rate=take_rate,
        )

        counts_document.additional_properties = d
        return counts_document

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
