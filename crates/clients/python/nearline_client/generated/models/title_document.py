from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="TitleDocument")


@_attrs_define
class TitleDocument:
    """A title of the catalogue. The list of similar and trending titles shows what is in it.

    Attributes:
        id (str): Id, `[A-Za-z0-9_-]{1,64}`.
        artworks (list[str] | Unset): Ids of its artworks.
        available (bool | Unset): Whether it may be offered at all; left out where it may. Default: True.
        countries (list[str] | Unset): Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
        genres (list[str] | Unset): Genres, most telling first.
        maturity (int | None | Unset): Youngest age it is meant for, in years.
        name (None | str | Unset): Name for people.
        year (int | None | Unset): Year of release.
    """

    id: str
    artworks: list[str] | Unset = UNSET
    available: bool | Unset = True
    countries: list[str] | Unset = UNSET
    genres: list[str] | Unset = UNSET
    maturity: int | None | Unset = UNSET
    name: None | str | Unset = UNSET
    year: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        artworks: list[str] | Unset = UNSET
        if not isinstance(self.artworks, Unset):
            artworks = self.artworks

        available = self.available

        countries: list[str] | Unset = UNSET
        if not isinstance(self.countries, Unset):
            countries = self.countries

        genres: list[str] | Unset = UNSET
        if not isinstance(self.genres, Unset):
            genres = self.genres

        maturity: int | None | Unset
        if isinstance(self.maturity, Unset):
            maturity = UNSET
        else:
            maturity = self.maturity

        name: None | str | Unset
        if isinstance(self.name, Unset):
            name = UNSET
        else:
            name = self.name

        year: int | None | Unset
        if isinstance(self.year, Unset):
            year = UNSET
        else:
            year = self.year

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "id": id,
            }
        )
        if artworks is not UNSET:
            field_dict["artworks"] = artworks
        if available is not UNSET:
            field_dict["available"] = available
        if countries is not UNSET:
            field_dict["countries"] = countries
        if genres is not UNSET:
            field_dict["genres"] = genres
        if maturity is not UNSET:
            field_dict["maturity"] = maturity
        if name is not UNSET:
            field_dict["name"] = name
        if year is not UNSET:
            field_dict["year"] = year

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        artworks = cast(list[str], d.pop("artworks", UNSET))

        available = d.pop("available", UNSET)

        countries = cast(list[str], d.pop("countries", UNSET))

        genres = cast(list[str], d.pop("genres", UNSET))

        def _parse_maturity(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        maturity = _parse_maturity(d.pop("maturity", UNSET))

        def _parse_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        name = _parse_name(d.pop("name", UNSET))

        def _parse_year(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        year = _parse_year(d.pop("year", UNSET))

        title_document = cls(
            id=id,
            artworks=artworks,
            available=available,
            countries=countries,
            genres=genres,
            maturity=maturity,
            name=name,
            year=year,
        )

        return title_document
