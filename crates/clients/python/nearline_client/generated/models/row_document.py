from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.because_document import BecauseDocument
    from ..models.ranked_title import RankedTitle


T = TypeVar("T", bound="RowDocument")


@_attrs_define
class RowDocument:
    """A row of a page.

    Attributes:
        expected_take (float): Share of impressions in such rows that is expected to be played: what rows are ordered
            by.
        measured (bool): Whether that share was measured; false: it is the one that such rows start with.
        row (str): `continue_watching`, `top_picks`, `because_you_watched`, `because_you_like`, `trending_now`,
            `new_for_you` or
            `my_list`: send it back as `row` of impressions.
        titles (list[RankedTitle]): Titles, best first.
        because (BecauseDocument | None | Unset):
        genre (None | str | Unset): The genre that it is of, of `because_you_like`: the member plays more of it than
            others do.
    """

    expected_take: float
    measured: bool
    row: str
    titles: list[RankedTitle]
    because: BecauseDocument | None | Unset = UNSET
    genre: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.because_document import BecauseDocument  # noqa: PLC0415

        expected_take = self.expected_take

        measured = self.measured

        row = self.row

        titles = []
        for titles_item_data in self.titles:
            titles_item = titles_item_data.to_dict()
            titles.append(titles_item)

        because: dict[str, Any] | None | Unset
        if isinstance(self.because, Unset):
            because = UNSET
        elif isinstance(self.because, BecauseDocument):
            because = self.because.to_dict()
        else:
            because = self.because

        genre: None | str | Unset
        if isinstance(self.genre, Unset):
            genre = UNSET
        else:
            genre = self.genre

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "expected_take": expected_take,
                "measured": measured,
                "row": row,
                "titles": titles,
            }
        )
        if because is not UNSET:
            field_dict["because"] = because
        if genre is not UNSET:
            field_dict["genre"] = genre

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.because_document import BecauseDocument  # noqa: PLC0415
        from ..models.ranked_title import RankedTitle  # noqa: PLC0415

        d = dict(src_dict)
        expected_take = d.pop("expected_take")

        measured = d.pop("measured")

        row = d.pop("row")

        titles = []
        _titles = d.pop("titles")
        for titles_item_data in _titles:
            titles_item = RankedTitle.from_dict(titles_item_data)

            titles.append(titles_item)

        def _parse_because(data: object) -> BecauseDocument | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                because_type_0 = BecauseDocument.from_dict(data)

                return because_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(BecauseDocument | None | Unset, data)

        because = _parse_because(d.pop("because", UNSET))

        def _parse_genre(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        genre = _parse_genre(d.pop("genre", UNSET))

        row_document = cls(
            expected_take=expected_take,
            measured=measured,
            row=row,
            titles=titles,
            because=because,
            genre=genre,
        )

        row_document.additional_properties = d
        return row_document

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
