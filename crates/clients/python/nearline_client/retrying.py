"""When to try again, and when no more."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .problems import Failure, Unavailable

log = logging.getLogger("nearline_client")


@dataclass(frozen=True)
class Retry:
    """How long a call goes on. Waits double from `first_s` to `most_s`, each with jitter of up to a half; the engine's
    `Retry-After` is the least that is waited.
    """

    deadline_s: float = 30.0
    first_s: float = 0.1
    most_s: float = 5.0

    def __post_init__(self) -> None:
        if not (self.deadline_s > 0 and 0 < self.first_s <= self.most_s):
            raise ValueError(f"{self}: wanted are deadline_s > 0 and 0 < first_s <= most_s")


class Attempts:
    """The attempts of one call."""

    def __init__(self, retry: Retry, deadline_s: float | None = None) -> None:
        self._retry = retry
        self._deadline_s = retry.deadline_s if deadline_s is None else deadline_s
        self._until = time.monotonic() + self._deadline_s
        self._next_s = retry.first_s
        self._answered: Failure | None = None
        self.count = 0

    def left_s(self) -> float:
        """Seconds until the deadline; not below 0."""
        return max(0.0, self._until - time.monotonic())

    def progressed(self) -> None:
        """Waits are short again."""
        self._next_s = self._retry.first_s

    def begin_anew(self, lasted_s: float) -> None:
        """The deadline counts from now: a connection ended that was open for so long."""
        self._until = time.monotonic() + self._deadline_s
        self._answered = None
        if lasted_s >= self._retry.most_s:
            self.progressed()

    def wait(self, failure: Failure) -> None:
        """Waits before the next attempt.

        Raises `Unavailable` at once if the deadline ends before the next attempt may be made. An attempt that the deadline
        cut off says nothing: the answer before it is told.
        """
        self.count += 1
        left = self.left_s()
        if failure.status is not None:
            self._answered = failure
        elif left == 0 and self._answered is not None:
            failure = self._answered
        pause = _seconds(failure.retry_after) + self._next_s * random.uniform(0.5, 1.0)
        if pause >= left:
            raise Unavailable(self.count, failure)
        self._next_s = min(self._next_s * 2, self._retry.most_s)
        log.debug("attempt %d: %s; again in %.2f s", self.count, failure.detail, pause)
        time.sleep(pause)


def _seconds(retry_after: str | None) -> float:
    """`Retry-After` in seconds, which may be a date; 0 where there is none or it cannot be read."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
