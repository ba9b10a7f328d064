from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="PlacementDocument")


@_attrs_define
class PlacementDocument:
    """How a title came to its place.

    Attributes:
        explored (bool): Whether it stands there because it is new, so that it is found out who likes it.
        propensity (float): Probability that it stands there, given the titles before it, above 0 to 1.
    """

    explored: bool
    propensity: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        explored = self.explored

        propensity = self.propensity

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "explored": explored,
                "propensity": propensity,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        explored = d.pop("explored")

        propensity = d.pop("propensity")

        placement_document = cls(
            explored=explored,
            propensity=propensity,
        )

        placement_document.additional_properties = d
        return placement_document

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
