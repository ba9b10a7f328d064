from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.event_result import EventResult


T = TypeVar("T", bound="PublishProblem")


@_attrs_define
class PublishProblem:
    """The log did not acknowledge some events. `results` says what became of each; absent where none was tried.

    Attributes:
        detail (str): What exactly was wrong, and what is expected.
        status (int): HTTP status.
        title (str): The kind of problem, in words.
        type_ (str): Stable identifier of the kind of problem: `/problems/<code>`.
        instance (None | str | Unset): The path that was asked.
        accepted (int | Unset): Events stored.
        conflicts (int | Unset): Events not stored, since their member has another event of the same id.
        duplicates (int | Unset): Events that had been stored before.
        rejected (int | Unset): Events refused.
        results (list[EventResult] | Unset): Each event, in the order sent.
        unavailable (int | Unset): Events that the log did not acknowledge.
    """

    detail: str
    status: int
    title: str
    type_: str
    instance: None | str | Unset = UNSET
    accepted: int | Unset = UNSET
    conflicts: int | Unset = UNSET
    duplicates: int | Unset = UNSET
    rejected: int | Unset = UNSET
    results: list[EventResult] | Unset = UNSET
    unavailable: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        detail = self.detail

        status = self.status

        title = self.title

        type_ = self.type_

        instance: None | str | Unset
        if isinstance(self.instance, Unset):
            instance = UNSET
        else:
            instance = self.instance

        accepted = self.accepted

        conflicts = self.conflicts

        duplicates = self.duplicates

        rejected = self.rejected

        results: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.results, Unset):
            results = []
            for results_item_data in self.results:
                results_item = results_item_data.to_dict()
                results.append(results_item)

        unavailable = self.unavailable

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "detail": detail,
                "status": status,
                "title": title,
                "type": type_,
            }
        )
        if instance is not UNSET:
            field_dict["instance"] = instance
        if accepted is not UNSET:
            field_dict["accepted"] = accepted
        if conflicts is not UNSET:
            field_dict["conflicts"] = conflicts
        if duplicates is not UNSET:
            field_dict["duplicates"] = duplicates
        if rejected is not UNSET:
            field_dict["rejected"] = rejected
        if results is not UNSET:
            field_dict["results"] = results
        if unavailable is not UNSET:
            field_dict["unavailable"] = unavailable

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event_result import EventResult  # noqa: PLC0415

        d = dict(src_dict)
        detail = d.pop("detail")

        status = d.pop("status")

        title = d.pop("title")

        type_ = d.pop("type")

        def _parse_instance(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        instance = _parse_instance(d.pop("instance", UNSET))

        accepted = d.pop("accepted", UNSET)

        conflicts = d.pop("conflicts", UNSET)

        duplicates = d.pop("duplicates", UNSET)

        rejected = d.pop("rejected", UNSET)

        _results = d.pop("results", UNSET)
        results: list[EventResult] | Unset = UNSET
        if _results is not UNSET:
            results = []
            for results_item_data in _results:
                results_item = EventResult.from_dict(results_item_data)

                results.append(results_item)

        unavailable = d.pop("unavailable", UNSET)

        publish_problem = cls(
            detail=detail,
            status=status,
            title=title,
            type_=type_,
            instance=instance,
            accepted=accepted,
            conflicts=conflicts,
            duplicates=duplicates,
            rejected=rejected,
            results=results,
            unavailable=unavailable,
        )

        publish_problem.additional_properties = d
        return publish_problem

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
