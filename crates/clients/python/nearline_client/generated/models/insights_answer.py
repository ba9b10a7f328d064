from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.counts_document import CountsDocument
    from ..models.dimension_document import DimensionDocument


T = TypeVar("T", bound="InsightsAnswer")


@_attrs_define
class InsightsAnswer:
    """How a title does.

    Attributes:
        dimensions (list[DimensionDocument]): The same by dimension: everything first, then countries, devices,
            positions and rows.
        plays_ever (int): Plays and first ratings since the beginning of the log.
        title (str): The title.
        totals (CountsDocument): Sums of counts.
        name (None | str | Unset): Its name, if the catalogue has it.
    """

    dimensions: list[DimensionDocument]
    plays_ever: int
    title: str
    totals: CountsDocument
    name: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        dimensions = []
        for dimensions_item_data in self.dimensions:
            dimensions_item = dimensions_item_data.to_dict()
            dimensions.append(dimensions_item)

        plays_ever = self.plays_ever

        title = self.title

        totals = self.totals.to_dict()

        name: None | str | Unset
        if isinstance(self.name, Unset):
            name = UNSET
        else:
            name = self.name

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "dimensions": dimensions,
                "plays_ever": plays_ever,
                "title": title,
                "totals": totals,
            }
        )
        if name is not UNSET:
            field_dict["name"] = name

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.counts_document import CountsDocument  # noqa: PLC0415
        from ..models.dimension_document import DimensionDocument  # noqa: PLC0415

        d = dict(src_dict)
        dimensions = []
        _dimensions = d.pop("dimensions")
        for dimensions_item_data in _dimensions:
            dimensions_item = DimensionDocument.from_dict(dimensions_item_data)

            dimensions.append(dimensions_item)

        plays_ever = d.pop("plays_ever")

        title = d.pop("title")

        totals = CountsDocument.from_dict(d.pop("totals"))

        def _parse_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        name = _parse_name(d.pop("name", UNSET))

        insights_answer = cls(
            dimensions=dimensions,
            plays_ever=plays_ever,
            title=title,
            totals=totals,
            name=name,
        )

        insights_answer.additional_properties = d
        return insights_answer

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
