from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.counts_document import CountsDocument
    from ..models.epoch_document import EpochDocument


T = TypeVar("T", bound="DimensionDocument")


@_attrs_define
class DimensionDocument:
    """Counts of one dimension.

    Attributes:
        dimension (str): `all`, `country:BR`, `device:tv`, `position:10-14`, `row:top10`.
        epochs (list[EpochDocument]): Epochs in which anything was counted, oldest first.
        totals (CountsDocument): Sums of counts.
    """

    dimension: str
    epochs: list[EpochDocument]
    totals: CountsDocument
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        dimension = self.dimension

        epochs = []
        for epochs_item_data in self.epochs:
            epochs_item = epochs_item_data.to_dict()
            epochs.append(epochs_item)

        totals = self.totals.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "dimension": dimension,
                "epochs": epochs,
                "totals": totals,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.counts_document import CountsDocument  # noqa: PLC0415
        from ..models.epoch_document import EpochDocument  # noqa: PLC0415

        d = dict(src_dict)
        dimension = d.pop("dimension")

        epochs = []
        _epochs = d.pop("epochs")
        for epochs_item_data in _epochs:
            epochs_item = EpochDocument.from_dict(epochs_item_data)

            epochs.append(epochs_item)

        totals = CountsDocument.from_dict(d.pop("totals"))

        dimension_document = cls(
            dimension=dimension,
            epochs=epochs,
            totals=totals,
        )

        dimension_document.additional_properties = d
        return dimension_document

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
