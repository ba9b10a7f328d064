from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.event_result import EventResult


T = TypeVar("T", bound="EventsAnswer")


@_attrs_define
class EventsAnswer:
    """What became of all events of a request.

    Attributes:
        accepted (int): Events stored.
        conflicts (int): Events not stored, since their member has another event of the same id.
        duplicates (int): Events that had been stored before.
        rejected (int): Events refused.
        results (list[EventResult]): Each event, in the order sent.
    """

    accepted: int
    conflicts: int
    duplicates: int
    rejected: int
    results: list[EventResult]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        accepted = self.accepted

        conflicts = self.conflicts

        duplicates = self.duplicates

        rejected = self.rejected

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "accepted": accepted,
                "conflicts": conflicts,
                "duplicates": duplicates,
                "rejected": rejected,
                "results": results,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event_result import EventResult  # noqa: PLC0415

        d = dict(src_dict)
        accepted = d.pop("accepted")

        conflicts = d.pop("conflicts")

        duplicates = d.pop("duplicates")

        rejected = d.pop("rejected")

        results = []
        _results = d.pop("results")
        for results_item_data in _results:
            results_item = EventResult.from_dict(results_item_data)

            results.append(results_item)

        events_answer = cls(
            accepted=accepted,
            conflicts=conflicts,
            duplicates=duplicates,
            rejected=rejected,
            results=results,
        )

        events_answer.additional_properties = d
        return events_answer

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
