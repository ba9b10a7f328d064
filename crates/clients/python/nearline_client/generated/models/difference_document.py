from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.interval_document import IntervalDocument


T = TypeVar("T", bound="DifferenceDocument")


@_attrs_define
class DifferenceDocument:
    """A variant beside the control.

    Attributes:
        interval (IntervalDocument): An interval that holds 95 %.
        p_value (float): Two-sided two-proportion z test.
        take_rate (float): The variant's take rate less the control's.
    """

    interval: IntervalDocument
    p_value: float
    take_rate: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        interval = self.interval.to_dict()

        p_value = self.p_value

        take_rate = self.take_rate

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "interval": interval,
                "p_value": p_value,
                "take_rate": take_rate,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.interval_document import IntervalDocument  # noqa: PLC0415

        d = dict(src_dict)
        interval = IntervalDocument.from_dict(d.pop("interval"))

        p_value = d.pop("p_value")

        take_rate = d.pop("take_rate")

        difference_document = cls(
            interval=interval,
            p_value=p_value,
            take_rate=take_rate,
        )

        difference_document.additional_properties = d
        return difference_document

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
