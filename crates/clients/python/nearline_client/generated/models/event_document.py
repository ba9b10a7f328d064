from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.event_document_type import EventDocumentType, check_event_document_type
from ..types import UNSET, Unset

T = TypeVar("T", bound="EventDocument")


@_attrs_define
class EventDocument:
    """An event as publishers send it. Further fields are kept and ignored.

    Attributes:
        at (datetime.datetime): When it happened: RFC 3339 with an offset.
        id (str): Id, unique among all events: `[A-Za-z0-9_-]{1,64}`.
        member (str): The member: an id.
        type_ (EventDocumentType): `impression`, `play`, `progress`, `thumb`, `rating`, `list_add`, `list_remove` or
            `forget`.
        artwork (None | str | Unset): Artwork shown: an id.
        country (None | str | Unset): Country, ISO 3166-1 alpha-2.
        device (None | str | Unset): Device: an id.
        duration_s (float | None | Unset): Length of the title in seconds.
        position (int | None | Unset): Position in the row, from 0.
        propensity (float | None | Unset): Probability with which the artwork was chosen, above 0, at most 1.
        request (None | str | Unset): The page request that showed the title: an id.
        row (None | str | Unset): Row of the page: an id.
        segment (None | str | Unset): Segment that the artwork was chosen for, as it was answered: an id.
        title (None | str | Unset): The title: an id; not needed by `forget`.
        value (float | None | Unset): Thumb (−1, 1, 2) or rating (0.5 to 5).
        watched_s (float | None | Unset): Seconds watched so far; needed by `progress`.
    """

    at: datetime.datetime
    id: str
    member: str
    type_: EventDocumentType
    artwork: None | str | Unset = UNSET
    country: None | str | Unset = UNSET
    device: None | str | Unset = UNSET
    duration_s: float | None | Unset = UNSET
    position: int | None | Unset = UNSET
    propensity: float | None | Unset = UNSET
    request: None | str | Unset = UNSET
    row: None | str | Unset = UNSET
    segment: None | str | Unset = UNSET
    title: None | str | Unset = UNSET
    value: float | None | Unset = UNSET
    watched_s: float | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        at = self.at.isoformat()

        id = self.id

        member = self.member

        type_: str = self.type_

        artwork: None | str | Unset
        if isinstance(self.artwork, Unset):
            artwork = UNSET
        else:
            artwork = self.artwork

        country: None | str | Unset
        if isinstance(self.country, Unset):
            country = UNSET
        else:
            country = self.country

        device: None | str | Unset
        if isinstance(self.device, Unset):
            device = UNSET
        else:
            device = self.device

        duration_s: float | None | Unset
        if isinstance(self.duration_s, Unset):
            duration_s = UNSET
        else:
            duration_s = self.duration_s

        position: int | None | Unset
        if isinstance(self.position, Unset):
            position = UNSET
        else:
            position = self.position

        propensity: float | None | Unset
        if isinstance(self.propensity, Unset):
            propensity = UNSET
        else:
            propensity = self.propensity

        request: None | str | Unset
        if isinstance(self.request, Unset):
            request = UNSET
        else:
            request = self.request

        row: None | str | Unset
        if isinstance(self.row, Unset):
            row = UNSET
        else:
            row = self.row

        segment: None | str | Unset
        if isinstance(self.segment, Unset):
            segment = UNSET
        else:
            segment = self.segment

        title: None | str | Unset
        if isinstance(self.title, Unset):
            title = UNSET
        else:
            title = self.title

        value: float | None | Unset
        if isinstance(self.value, Unset):
            value = UNSET
        else:
            value = self.value

        watched_s: float | None | Unset
        if isinstance(self.watched_s, Unset):
            watched_s = UNSET
        else:
            watched_s = self.watched_s

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "at": at,
                "id": id,
                "member": member,
                "type": type_,
            }
        )
        if artwork is not UNSET:
            field_dict["artwork"] = artwork
        if country is not UNSET:
            field_dict["country"] = country
        if device is not UNSET:
            field_dict["device"] = device
        if duration_s is not UNSET:
            field_dict["duration_s"] = duration_s
        if position is not UNSET:
            field_dict["position"] = position
        if propensity is not UNSET:
            field_dict["propensity"] = propensity
        if request is not UNSET:
            field_dict["request"] = request
        if row is not UNSET:
            field_dict["row"] = row
        if segment is not UNSET:
            field_dict["segment"] = segment
        if title is not UNSET:
            field_dict["title"] = title
        if value is not UNSET:
            field_dict["value"] = value
        if watched_s is not UNSET:
            field_dict["watched_s"] = watched_s

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        at = datetime.datetime.fromisoformat(d.pop("at"))

        id = d.pop("id")

        member = d.pop("member")

        type_ = check_event_document_type(d.pop("type"))

        def _parse_artwork(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        artwork = _parse_artwork(d.pop("artwork", UNSET))

        def _parse_country(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        country = _parse_country(d.pop("country", UNSET))

        def _parse_device(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        device = _parse_device(d.pop("device", UNSET))

        def _parse_duration_s(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        duration_s = _parse_duration_s(d.pop("duration_s", UNSET))

        def _parse_position(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        position = _parse_position(d.pop("position", UNSET))

        def _parse_propensity(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        propensity = _parse_propensity(d.pop("propensity", UNSET))

        def _parse_request(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        request = _parse_request(d.pop("request", UNSET))

        def _parse_row(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        row = _parse_row(d.pop("row", UNSET))

        def _parse_segment(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        segment = _parse_segment(d.pop("segment", UNSET))

        def _parse_title(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        title = _parse_title(d.pop("title", UNSET))

        def _parse_value(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        value = _parse_value(d.pop("value", UNSET))

        def _parse_watched_s(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        watched_s = _parse_watched_s(d.pop("watched_s", UNSET))

        event_document = cls(
            at=at,
            id=id,
            member=member,
            type_=type_,
            artwork=artwork,
            country=country,
            device=device,
            duration_s=duration_s,
            position=position,
            propensity=propensity,
            request=request,
            row=row,
            segment=segment,
            title=title,
            value=value,
            watched_s=watched_s,
        )

        event_document.additional_properties = d
        return event_document

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
