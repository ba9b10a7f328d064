from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="TitlePatch")


@_attrs_define
class TitlePatch:
    """Fields to change of a title, as a JSON merge patch (RFC 7396): those left out stay, `null` takes one out.

    Attributes:
        artworks (list[str] | None | Unset): Ids of its artworks.
        available (bool | None | Unset): Whether it may be offered at all.
        countries (list[str] | None | Unset): Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
        genres (list[str] | None | Unset): Genres, most telling first.
        maturity (int | None | Unset): Youngest age it is meant for, in years.
        name (None | str | Unset): Name for people.
        year (int | None | Unset): Year of release.
    """

    artworks: list[str] | None | Unset = UNSET
    available: bool | None | Unset = UNSET
    countries: list[str] | None | Unset = UNSET
    genres: list[str] | None | Unset = UNSET
    maturity: int | None | Unset = UNSET
    name: None | str | Unset = UNSET
    year: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        artworks: list[str] | None | Unset
        if isinstance(self.artworks, Unset):
            artworks = UNSET
        elif isinstance(self.artworks, list):
            artworks = self.artworks

        else:
            artworks = self.artworks

        available: bool | None | Unset
        if isinstance(self.available, Unset):
            available = UNSET
        else:
            available = self.available

        countries: list[str] | None | Unset
        if isinstance(self.countries, Unset):
            countries = UNSET
        elif isinstance(self.countries, list):
            countries = self.countries

        else:
            countries = self.countries

        genres: list[str] | None | Unset
        if isinstance(self.genres, Unset):
            genres = UNSET
        elif isinstance(self.genres, list):
            genres = self.genres

        else:
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

        field_dict.update({})
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

        def _parse_artworks(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                artworks_type_0 = cast(list[str], data)

                return artworks_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        artworks = _parse_artworks(d.pop("artworks", UNSET))

        def _parse_available(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        available = _parse_available(d.pop("available", UNSET))

        def _parse_countries(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                countries_type_0 = cast(list[str], data)

                return countries_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        countries = _parse_countries(d.pop("countries", UNSET))

        def _parse_genres(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                genres_type_0 = cast(list[str], data)

                return genres_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        genres = _parse_genres(d.pop("genres", UNSET))

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

        title_patch = cls(
            artworks=artworks,
            available=available,
            countries=countries,
            genres=genres,
            maturity=maturity,
            name=name,
            year=year,
        )

        return title_patch
