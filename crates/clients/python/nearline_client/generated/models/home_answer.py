from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.row_document import RowDocument
    from ..models.variant_document import VariantDocument


T = TypeVar("T", bound="HomeAnswer")


@_attrs_define
class HomeAnswer:
    """A member's home page.

    Attributes:
        member (str): The member.
        position (int): Position of the log that the member's state reflects; 0 for `popular`.
        recommendation_id (str): Id of this answer, fresh each time: send it back as `request` of impressions and plays.
            Under an
            experiment it ends in `-x-EXPERIMENT-VARIANT-DEFINITION`.
        rows (list[RowDocument]): Rows, the one most likely taken from first.
        source (str): `live`: every event folded counts; `store`: every event committed; `popular`: the member's
            own history was out of reach.
        next_ (None | str | Unset): Cursor of the page after this one; absent if there is none.
        variant (None | Unset | VariantDocument):
    """

    member: str
    position: int
    recommendation_id: str
    rows: list[RowDocument]
    source: str
    next_: None | str | Unset = UNSET
    variant: None | Unset | VariantDocument = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.variant_document import VariantDocument  # noqa: PLC0415

        member = self.member

        position = self.position

        recommendation_id = self.recommendation_id

        rows = []
        for rows_item_data in self.rows:
            rows_item = rows_item_data.to_dict()
            rows.append(rows_item)

        source = self.source

        next_: None | str | Unset
        if isinstance(self.next_, Unset):
            next_ = UNSET
        else:
            next_ = self.next_

        variant: dict[str, Any] | None | Unset
        if isinstance(self.variant, Unset):
            variant = UNSET
        elif isinstance(self.variant, VariantDocument):
            variant = self.variant.to_dict()
        else:
            variant = self.variant

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "member": member,
                "position": position,
                "recommendation_id": recommendation_id,
                "rows": rows,
                "source": source,
            }
        )
        if next_ is not UNSET:
            field_dict["next"] = next_
        if variant is not UNSET:
            field_dict["variant"] = variant

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.row_document import RowDocument  # noqa: PLC0415
        from ..models.variant_document import VariantDocument  # noqa: PLC0415

        d = dict(src_dict)
        member = d.pop("member")

        position = d.pop("position")

        recommendation_id = d.pop("recommendation_id")

        rows = []
        _rows = d.pop("rows")
        for rows_item_data in _rows:
            rows_item = RowDocument.from_dict(rows_item_data)

            rows.append(rows_item)

        source = d.pop("source")

        def _parse_next_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        next_ = _parse_next_(d.pop("next", UNSET))

        def _parse_variant(data: object) -> None | Unset | VariantDocument:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                variant_type_0 = VariantDocument.from_dict(data)

                return variant_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | VariantDocument, data)

        variant = _parse_variant(d.pop("variant", UNSET))

        home_answer = cls(
            member=member,
            position=position,
            recommendation_id=recommendation_id,
            rows=rows,
            source=source,
            next_=next_,
            variant=variant,
        )

        home_answer.additional_properties = d
        return home_answer

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
