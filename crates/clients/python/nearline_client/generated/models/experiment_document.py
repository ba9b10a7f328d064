from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.sample_ratio_document import SampleRatioDocument
    from ..models.variant_result import VariantResult


T = TypeVar("T", bound="ExperimentDocument")


@_attrs_define
class ExperimentDocument:
    """An experiment.

    Attributes:
        definition (str): What it is defined as, in short: what is counted is counted under this definition alone, and
            begins anew
            where salt, share, place in the list, variants, weights or settings are others.
        name (str): Its name.
        share (float): Share of all members that take part.
        variants (list[VariantResult]): Its variants, the control first.
        sample_ratio (None | SampleRatioDocument | Unset):
    """

    definition: str
    name: str
    share: float
    variants: list[VariantResult]
    sample_ratio: None | SampleRatioDocument | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.sample_ratio_document import SampleRatioDocument  # noqa: PLC0415

        definition = self.definition

        name = self.name

        share = self.share

        variants = []
        for variants_item_data in self.variants:
            variants_item = variants_item_data.to_dict()
            variants.append(variants_item)

        sample_ratio: dict[str, Any] | None | Unset
        if isinstance(self.sample_ratio, Unset):
            sample_ratio = UNSET
        elif isinstance(self.sample_ratio, SampleRatioDocument):
            sample_ratio = self.sample_ratio.to_dict()
        else:
            sample_ratio = self.sample_ratio

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "definition": definition,
                "name": name,
                "share": share,
                "variants": variants,
            }
        )
        if sample_ratio is not UNSET:
            field_dict["sample_ratio"] = sample_ratio

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.sample_ratio_document import SampleRatioDocument  # noqa: PLC0415
        from ..models.variant_result import VariantResult  # noqa: PLC0415

        d = dict(src_dict)
        definition = d.pop("definition")

        name = d.pop("name")

        share = d.pop("share")

        variants = []
        _variants = d.pop("variants")
        for variants_item_data in _variants:
            variants_item = VariantResult.from_dict(variants_item_data)

            variants.append(variants_item)

        def _parse_sample_ratio(data: object) -> None | SampleRatioDocument | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                sample_ratio_type_0 = SampleRatioDocument.from_dict(data)

                return sample_ratio_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SampleRatioDocument | Unset, data)

        sample_ratio = _parse_sample_ratio(d.pop("sample_ratio", UNSET))

        experiment_document = cls(
            definition=definition,
            name=name,
            share=share,
            variants=variants,
            sample_ratio=sample_ratio,
        )

        experiment_document.additional_properties = d
        return experiment_document

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
