"""What became of events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .generated.models import EventDocument, EventResult, EventStatus
from .problems import NearlineError

# An event: the generated document, or a mapping of the same fields.
Event = EventDocument | Mapping[str, Any]

# What one request takes; the engine's own defaults are 10,000 events and 8 MiB.
BATCH_EVENTS = 1_000
BATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What became of one event.

    | status | what to do |
    | --- | --- |
    | `accepted` | nothing: it is in the log at `position` |
    | `duplicate` | nothing: it was there already, at `position` |
    | `conflict` | give it an id of its own: its member has another event of this id |
    | `rejected` | mend it: `reason` and `detail` say what is wrong |
    | `unavailable` | publish it again with the same id |
    """

    id: str | None
    member: str | None
    status: EventStatus
    position: int | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Published:
    """What became of each event, in the order given."""

    outcomes: Sequence[Outcome] = field(default_factory=tuple)

    def of(self, status: EventStatus) -> list[Outcome]:
        """The outcomes of one status."""
        return [outcome for outcome in self.outcomes if outcome.status == status]

    def position(self, member: str) -> int | None:
        """The position to give as `after` when this member is asked for; None if nothing of the member is in the log."""
        positions = [
            outcome.position
            for outcome in self.outcomes
            if outcome.member == member and outcome.status in ("accepted", "duplicate") and outcome.position is not None
        ]
        return max(positions, default=None)


class Unpublished(NearlineError):
    """Not all events are known to be in the log. `published` says of each what is known; `__cause__` says why.

    Publish those that are `unavailable` again, with the same ids: what the log has already is then a `duplicate`.
    """

    def __init__(self, published: Published, cause: NearlineError) -> None:
        self.published = published
        missing = len(published.of("unavailable"))
        super().__init__(f"{missing} of {len(published.outcomes)} events are not acknowledged: {cause}")


@dataclass(frozen=True)
class Entry:
    """An event on its way: as text, made once, so that each attempt sends the same bytes."""

    place: int
    id: str | None
    member: str | None
    text: bytes

    @classmethod
    def of(cls, place: int, event: Event) -> Entry:
        """Raises `ValueError` or `TypeError` if the event cannot be written as JSON."""
        fields = event.to_dict() if isinstance(event, EventDocument) else dict(event)
        text = json.dumps(fields, allow_nan=False, default=_written, separators=(",", ":"))
        return cls(place, _text(fields.get("id")), _text(fields.get("member")), text.encode())

    def outcome(self, result: EventResult) -> Outcome:
        """The engine's result under the event's own id."""
        return Outcome(
            self.id,
            self.member,
            result.status,
            result.position or None,
            result.reason or None,
            result.detail or None,
        )


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in the order given, in batches of what one request takes."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == BATCH_EVENTS or size + len(entry.text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.text) + 1
    if batch:
        yield batch


def body(batch: Sequence[Entry]) -> bytes:
    """A batch as JSON array."""
    return b"[" + b",".join(entry.text for entry in batch) + b"]"


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
