from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.ranked_title import RankedTitle
    from ..models.variant_document import VariantDocument


T = TypeVar("T", bound="OrderAnswer")


@_attrs_define
class OrderAnswer:
    """Titles in the order in which a member is likely to want them.

    Attributes:
        learned (bool): Whether what was shown together before decided; otherwise the order is that of the ranking of
            all titles.
        left_out (list[str]): Ids of those that may not: not available in the country, not admitted by the filter, or
            thumbed down.
        member (str): The member.
        position (int): Position of the log that the member's state reflects; 0 for `popular`.
        recommendation_id (str): Id of this answer, fresh each time: send it back as `request` of impressions and plays,
            so that it is learned from.
        source (str): `live`, `store` or `popular`, as of recommendations.
        titles (list[RankedTitle]): The titles that may be offered, best first.
        variant (None | Unset | VariantDocument):
    """

    learned: bool
    left_out: list[str]
    member: str
    position: int
    recommendation_id: str
    source: str
    titles: list[RankedTitle]
    variant: None | Unset | VariantDocument = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.variant_document import VariantDocument  # noqa: PLC0415

        learned = self.learned

        left_out = self.left_out

        member = self.member

        position = self.position

        recommendation_id = self.recommendation_id

        source = self.source

        titles = []
        for titles_item_data in self.titles:
            titles_item = titles_item_data.to_dict()
            titles.append(titles_item)

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
                "learned": learned,
                "left_out": left_out,
                "member": member,
                "position": position,
                "recommendation_id": recommendation_id,
                "source": source,
                "titles": titles,
            }
        )
        if variant is not UNSET:
            field_dict["variant"] = variant

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.ranked_title import RankedTitle  # noqa: PLC0415
        from ..models.variant_document import VariantDocument  # noqa: PLC0415

        d = dict(src_dict)
        learned = d.pop("learned")

        left_out = cast(list[str], d.pop("left_out"))

        member = d.pop("member")

        position = d.pop("position")

        recommendation_id = d.pop("recommendation_id")

        source = d.pop("source")

        titles = []
        _titles = d.pop("titles")
        for titles_item_data in _titles:
            titles_item = RankedTitle.from_dict(titles_item_data)

            titles.append(titles_item)

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

        order_answer = cls(
            learned=learned,
            left_out=left_out,
            member=member,
            position=position,
            recommendation_id=recommendation_id,
            source=source,
            titles=titles,
            variant=variant,
        )

        order_answer.additional_properties = d
        return order_answer

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
