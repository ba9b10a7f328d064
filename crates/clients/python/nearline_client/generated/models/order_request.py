from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="OrderRequest")


@_attrs_define
class OrderRequest:
    """Titles to put in order.

    Attributes:
        titles (list[str]): Ids of the titles, in any order; of one that stands twice, the first counts.
    """

    titles: list[str]

    def to_dict(self) -> dict[str, Any]:
        titles = self.titles

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "titles": titles,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        titles = cast(list[str], d.pop("titles"))

        order_request = cls(
            titles=titles,
        )

        return order_request
