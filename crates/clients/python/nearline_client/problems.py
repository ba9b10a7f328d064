"""What goes wrong, as exceptions. None of them holds a key."""

from __future__ import annotations

import httpx

from .generated.models import Problem

# What may pass by itself: the same request is good later. 502 and 504 come from what stands between.
PASSING = frozenset({408, 429, 502, 503, 504})


class NearlineError(Exception):
    """Anything that this client raises of the engine's answers."""


class Refused(NearlineError):
    """The engine does not take the request: sending it again does not help.

    `problem` is its RFC 9457 document, if it sent one; `code` its stable code, such as `key-missing`.
    """

    def __init__(self, status: int, problem: Problem | None) -> None:
        self.status = status
        self.problem = problem
        self.code = problem.type_.rpartition("/")[2] if problem else None
        super().__init__(told(status, problem))


class Unavailable(NearlineError):
    """The deadline ended, and the last attempt had failed with what may pass by itself.

    `status` and `problem` are those of the last answer; both None where there was none.
    """

    def __init__(self, attempts: int, failure: Failure) -> None:
        self.attempts = attempts
        self.status = failure.status
        self.problem = failure.problem
        super().__init__(f"gave up after {attempts} attempts; the last one: {failure.detail}")


class Failure:
    """Why one attempt failed, and when the engine wants the next."""

    def __init__(self, cause: httpx.Response | httpx.TransportError) -> None:
        self.status: int | None = None
        self.problem: Problem | None = None
        self.retry_after: str | None = None
        if isinstance(cause, httpx.TransportError):
            self.detail = f"no answer ({type(cause).__name__}: {cause})"
            return
        self.status = cause.status_code
        self.problem = problem_of(cause)
        self.retry_after = cause.headers.get("retry-after")
        self.detail = told(cause.status_code, self.problem)


def problem_of(response: httpx.Response) -> Problem | None:
    """The problem document of an answer; None where something in between answered otherwise."""
    try:
        return Problem.from_dict(response.json())
    except (ValueError, KeyError, TypeError):
        return None


def told(status: int, problem: Problem | None) -> str:
    """A status and its problem on one line."""
    if problem is None:
        return f"{status} without a problem document"
    return f"{status} {problem.type_.rpartition('/')[2]}: {problem.detail}"
