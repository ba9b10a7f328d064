from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.open_impression_document import OpenImpressionDocument
    from ..models.opinion_document import OpinionDocument
    from ..models.watched_document import WatchedDocument


T = TypeVar("T", bound="MemberDocument")


@_attrs_define
class MemberDocument:
    """A member's state. One that nothing is known of has empty lists.

    Attributes:
        history (list[WatchedDocument]): Titles watched or rated, most recent last.
        list_ (list[str]): The member's own list.
        member (str): The member.
        open_impressions (list[OpenImpressionDocument]): Impressions that may still be played.
        open_plays (int): Plays that wait for a late impression.
        opinions (list[OpinionDocument]): Thumbs and ratings.
        position (int): Position of the log that this state reflects.
        recent_ids (int): Event ids remembered against duplicates.
        seen (list[str]): Titles seen before those of the history.
        source (str): `live` or `store`.
        erased_at (None | str | Unset): When the member was erased, RFC 3339.
        newest_at (None | str | Unset): Newest event time, RFC 3339.
    """

    history: list[WatchedDocument]
    list_: list[str]
    member: str
    open_impressions: list[OpenImpressionDocument]
    open_plays: int
    opinions: list[OpinionDocument]
    position: int
    recent_ids: int
    seen: list[str]
    source: str
    erased_at: None | str | Unset = UNSET
    newest_at: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        history = []
        for history_item_data in self.history:
            history_item = history_item_data.to_dict()
            history.append(history_item)

        list_ = self.list_

        member = self.member

        open_impressions = []
        for open_impressions_item_data in self.open_impressions:
            open_impressions_item = open_impressions_item_data.to_dict()
            open_impressions.append(open_impressions_item)

        open_plays = self.open_plays

        opinions = []
        for opinions_item_data in self.opinions:
            opinions_item = opinions_item_data.to_dict()
            opinions.append(opinions_item)

        position = self.position

        recent_ids = self.recent_ids

        seen = self.seen

        source = self.source

        erased_at: None | str | Unset
        if isinstance(self.erased_at, Unset):
            erased_at = UNSET
        else:
            erased_at = self.erased_at

        newest_at: None | str | Unset
        if isinstance(self.newest_at, Unset):
            newest_at = UNSET
        else:
            newest_at = self.newest_at

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "history": history,
                "list": list_,
                "member": member,
                "open_impressions": open_impressions,
                "open_plays": open_plays,
                "opinions": opinions,
                "position": position,
                "recent_ids": recent_ids,
                "seen": seen,
                "source": source,
            }
        )
        if erased_at is not UNSET:
            field_dict["erased_at"] = erased_at
        if newest_at is not UNSET:
            field_dict["newest_at"] = newest_at

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.open_impression_document import OpenImpressionDocument  # noqa: PLC0415
        from ..models.opinion_document import OpinionDocument  # noqa: PLC0415
        from ..models.watched_document import WatchedDocument  # noqa: PLC0415

        d = dict(src_dict)
        history = []
        _history = d.pop("history")
        for history_item_data in _history:
            history_item = WatchedDocument.from_dict(history_item_data)

            history.append(history_item)

        list_ = cast(list[str], d.pop("list"))

        member = d.pop("member")

        open_impressions = []
        _open_impressions = d.pop("open_impressions")
        for open_impressions_item_data in _open_impressions:
            open_impressions_item = OpenImpressionDocument.from_dict(
                open_impressions_item_data
            )

            open_impressions.append(open_impressions_item)

        open_plays = d.pop("open_plays")

        opinions = []
        _opinions = d.pop("opinions")
        for opinions_item_data in _opinions:
            opinions_item = OpinionDocument.from_dict(opinions_item_data)

            opinions.append(opinions_item)

        position = d.pop("position")

        recent_ids = d.pop("recent_ids")

        seen = cast(list[str], d.pop("seen"))

        source = d.pop("source")

        def _parse_erased_at(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        erased_at = _parse_erased_at(d.pop("erased_at", UNSET))

        def _parse_newest_at(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        newest_at = _parse_newest_at(d.pop("newest_at", UNSET))

        member_document = cls(
            history=history,
            list_=list_,
            member=member,
            open_impressions=open_impressions,
            open_plays=open_plays,
            opinions=opinions,
            position=position,
            recent_ids=recent_ids,
            seen=seen,
            source=source,
            erased_at=erased_at,
            newest_at=newest_at,
        )

        member_document.additional_properties = d
        return member_document

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
