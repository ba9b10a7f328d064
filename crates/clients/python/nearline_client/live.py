"""Server-sent events, as far as live rows need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """One event: its name, its id, its data."""

    name: str
    id: str | None
    data: str


def read(lines: Iterable[str]) -> Iterator[Sent]:
    """The events of a stream's lines. Comments are left out, and so is an event that the stream's end cuts off."""
    name = "message"
    id_: str | None = None
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Sent(name, id_, "\n".join(data))
            name, data = "message", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "id":
            id_ = value
        elif key == "data":
            data.append(value)
