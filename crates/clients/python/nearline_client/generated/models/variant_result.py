from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.difference_document import DifferenceDocument
    from ..models.interval_document import IntervalDocument
    from ..models.variant_result_ranking import VariantResultRanking


T = TypeVar("T", bound="VariantResult")


@_attrs_define
class VariantResult:
    """How a variant does.

    Attributes:
        attributed_plays (int): How many of them were played.
        impressions (int): Titles shown.
        name (str): Its name.
        quality_plays (int): How many of those plays were watched for long enough to count as a good choice.
        ranking (VariantResultRanking): Settings of the ranking that differ from `[ranking]`.
        sampled_members (int): Distinct members that got an answer of it, of a sample, since the program started.
        share (float): Share of the experiment's members dealt to it.
        difference (DifferenceDocument | None | Unset):
        interval (IntervalDocument | None | Unset):
        take_rate (float | None | Unset): Attributed plays per impression; absent without impressions.
    """

    attributed_plays: int
    impressions: int
    name: str
    quality_plays: int
    ranking: VariantResultRanking
    sampled_members: int
    share: float
    difference: DifferenceDocument | None | Unset = UNSET
    interval: IntervalDocument | None | Unset = UNSET
    take_rate: float | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.difference_document import DifferenceDocument  # noqa: PLC0415
        from ..models.interval_document import IntervalDocument  # noqa: PLC0415

        attributed_plays = self.attributed_plays

        impressions = self.impressions

        name = self.name

        quality_plays = self.quality_plays

        ranking = self.ranking.to_dict()

        sampled_members = self.sampled_members

        share = self.share

        difference: dict[str, Any] | None | Unset
        if isinstance(self.difference, Unset):
            difference = UNSET
        elif isinstance(self.difference, DifferenceDocument):
            difference = self.difference.to_dict()
        else:
            difference = self.difference

        interval: dict[str, Any] | None | Unset
        if isinstance(self.interval, Unset):
            interval = UNSET
        elif isinstance(self.interval, IntervalDocument):
            interval = self.interval.to_dict()
        else:
            interval = self.interval

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
                "name": name,
                "quality_plays": quality_plays,
                "ranking": ranking,
                "sampled_members": sampled_members,
                "share": share,
            }
        )
        if difference is not UNSET:
            field_dict["difference"] = difference
        if interval is not UNSET:
            field_dict["interval"] = interval
        if take_rate is not UNSET:
            field_dict["take_rate"] = take_rate

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.difference_document import DifferenceDocument  # noqa: PLC0415
        from ..models.interval_document import IntervalDocument  # noqa: PLC0415
        from ..models.variant_result_ranking import VariantResultRanking  # noqa: PLC0415

        d = dict(src_dict)
        attributed_plays = d.pop("attributed_plays")

        impressions = d.pop("impressions")

        name = d.pop("name")

        quality_plays = d.pop("quality_plays")

        ranking = VariantResultRanking.from_dict(d.pop("ranking"))

        sampled_members = d.pop("sampled_members")

        share = d.pop("share")

        def _parse_difference(data: object) -> DifferenceDocument | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                difference_type_0 = DifferenceDocument.from_dict(data)

                return difference_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(DifferenceDocument | None | Unset, data)

        difference = _parse_difference(d.pop("difference", UNSET))

        def _parse_interval(data: object) -> IntervalDocument | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                interval_type_0 = IntervalDocument.from_dict(data)

                return interval_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(IntervalDocument | None | Unset, data)

        interval = _parse_interval(d.pop("interval", UNSET))

        def _parse_take_rate(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        take_rate = _parse_take_rate(d.pop("take_rate", UNSET))

        variant_result = cls(
            attributed_plays=attributed_plays,
            impressions=impressions,
            name=name,
            quality_plays=quality_plays,
            ranking=ranking,
            sampled_members=sampled_members,
            share=share,
            difference=difference,
            interval=interval,
            take_rate=take_rate,
        )

        variant_result.additional_properties = d
        return variant_result

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
