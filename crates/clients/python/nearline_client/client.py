"""The client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar

import httpx

from . import live as sse
from .generated.api.events import publish_events
from .generated.api.members import erase_member, follow_recommendations, order, read_home, recommend
from .generated.api.titles import list_similar, list_trending
from .generated.models import (
    ErasureAnswer,
    EventDocument,
    EventResult,
    EventsAnswer,
    HomeAnswer,
    OrderAnswer,
    OrderRequest,
    RecommendationsAnswer,
    SimilarAnswer,
    TrendingAnswer,
)
from .problems import PASSING, Failure, NearlineError, Refused, problem_of
from .publishing import Entry, Event, Outcome, Published, Unpublished, batches, body
from .retrying import Attempts, Retry

if TYPE_CHECKING:
    from typing import Unpack

A = TypeVar("A")


class TitlesQuery(TypedDict, total=False):
    """What lists of titles are asked with; `filter` and `boost` are expressions (docs/http.md)."""

    limit: int
    country: str
    filter: str
    boost: str
    max_maturity: int


class OrderQuery(TypedDict, total=False):
    """What the order of titles is asked with."""

    country: str
    device: str
    after: int
    filter: str
    boost: str
    max_maturity: int


class LiveQuery(TitlesQuery, total=False):
    """What live rows are asked with."""

    device: str
    exclude: Sequence[str]
    explain: bool


class Query(LiveQuery, total=False):
    """What recommendations are asked with. `after` is a position that publishing gave for the same member: the answer
    reflects at least that event. `cursor` is `next` of the page before.
    """

    after: int
    cursor: str


class HomeQuery(Query, total=False):
    """What home pages are asked with."""

    rows: int


class _Bearer(httpx.Auth):
    """Shows the key with each request; nothing else has it."""

    def __init__(self, key: str) -> None:
        key = key.strip()
        if not key.isascii() or not key.isprintable() or " " in key or not key:
            raise ValueError("the key is not one that `nearline key new` made (it is not shown here)")
        self._header = f"Bearer {key}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class Nearline:
    """A client of one engine, or of the address that stands before several. Threads may share it.

    `url` is the public listener's, such as `http://127.0.0.1:7700`; `key` what `nearline key new` printed, where the
    engine asks for keys. `timeout_s` bounds each step of one attempt (connecting, and each wait for bytes); `retry` a call
    as a whole. Every call raises `Refused` or `Unavailable` (publishing: `Unpublished`).
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retry: Retry | None = None,
        timeout_s: float = 10.0,
        verify: Any = True,
    ) -> None:
        if httpx.URL(url).userinfo:
            raise ValueError("the URL holds a user or a password; give a key instead")
        self._url = url
        self._retry = retry or Retry()
        self._timeout_s = timeout_s
        auth = None if key is None else _Bearer(key)
        self._http = httpx.Client(base_url=url, auth=auth, verify=verify, headers={"user-agent": "nearline-python/0.1"})
        self._has_key = key is not None

    def __repr__(self) -> str:
        return f"Nearline({self._url!r}, key={'set' if self._has_key else None})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def publish(self, events: Event | Iterable[Event], *, deadline_s: float | None = None) -> Published:
        """Publishes one event or many, and says what became of each, in the order given.

        Batch after batch, each once the one before is acknowledged. What was not acknowledged is sent again under the same
        ids, so that it counts once. A rejected event does not stop the others, and is no exception: look at
        `Published.of("rejected")`. Raises `Unpublished` if the deadline ends first, or all is refused; and `ValueError` or
        `TypeError`, before anything is sent, for what cannot be written as JSON.
        """
        given = [events] if isinstance(events, EventDocument | Mapping) else events
        entries = [Entry.of(place, event) for place, event in enumerate(given)]
        known: list[Outcome] = [Outcome(entry.id, entry.member, "unavailable") for entry in entries]
        attempts = Attempts(self._retry, deadline_s)
        try:
            for batch in batches(entries):
                self._publish_batch(batch, known, attempts)
        except NearlineError as error:
            raise Unpublished(Published(known), error) from error
        return Published(known)

    def recommendations(self, member: str, **query: Unpack[Query]) -> RecommendationsAnswer:
        """Titles for a member, best first."""
        _check_id(member)
        return self._ask(recommend._get_kwargs(member, **_arguments(query)), RecommendationsAnswer.from_dict)

    def home(self, member: str, **query: Unpack[HomeQuery]) -> HomeAnswer:
        """A page of rows for a member, no title twice."""
        _check_id(member)
        return self._ask(read_home._get_kwargs(member, **_arguments(query)), HomeAnswer.from_dict)

    def order(self, member: str, titles: Sequence[str], **query: Unpack[OrderQuery]) -> OrderAnswer:
        """Titles that you have, in the order in which a member is likely to want them. Asking changes nothing."""
        _check_id(member)
        arguments = _arguments(query)
        body = OrderRequest(titles=list(titles))
        return self._ask(order._get_kwargs(member, body=body, **arguments), OrderAnswer.from_dict)

    def similar(self, title: str, *, by: str | None = None, **query: Unpack[TitlesQuery]) -> SimilarAnswer:
        """Titles like a title; `by="next"`: those that are watched after it."""
        _check_id(title)
        arguments = _arguments(query) | ({} if by is None else {"by": by})
        return self._ask(list_similar._get_kwargs(title, **arguments), SimilarAnswer.from_dict)

    def trending(self, *, device: str | None = None, **query: Unpack[TitlesQuery]) -> TrendingAnswer:
        """Titles by how they do just now."""
        arguments = _arguments(query) | ({} if device is None else {"device": device})
        return self._ask(list_trending._get_kwargs(**arguments), TrendingAnswer.from_dict)

    def erase(self, member: str) -> ErasureAnswer:
        """Erases a member: publishes `forget`. Erasing twice is harmless, so this is tried again as well."""
        _check_id(member)
        return self._ask(erase_member._get_kwargs(member), ErasureAnswer.from_dict)

    def live(self, member: str, **query: Unpack[LiveQuery]) -> Iterator[RecommendationsAnswer]:
        """A member's row, again whenever it changes, without end: leave the loop, or close the generator.

        A connection that ends is opened again where it ended. Raises `Unavailable` if that fails until the deadline, which
        counts from the end of the connection.
        """
        _check_id(member)
        last: str | None = None
        attempts = Attempts(self._retry)
        while True:
            resumed: dict[str, Any] = {} if last is None else {"last_event_id": last}
            request = follow_recommendations._get_kwargs(member, **_arguments(query), **resumed)
            # The engine sends a comment each 15 seconds.
            request["timeout"] = httpx.Timeout(self._timeout_s, read=60.0)
            opened: float | None = None
            try:
                with self._http.stream(**request) as response:
                    opened = time.monotonic() if response.status_code == 200 else None
                    if response.status_code != 200:
                        response.read()
                        self._raise_unless_passing(response)
                        failure = Failure(response)
                    else:
                        for sent in sse.read(response.iter_lines()):
                            last = sent.id
                            if sent.name == "recommendations":
                                yield RecommendationsAnswer.from_dict(json.loads(sent.data))
                                attempts.progressed()
                        failure = Failure(httpx.RemoteProtocolError("the stream ended"))
            except httpx.TransportError as error:
                failure = Failure(error)
            if opened is not None:
                attempts.begin_anew(time.monotonic() - opened)
            attempts.wait(failure)

    def _ask(self, request: dict[str, Any], read: Callable[[Mapping[str, Any]], A]) -> A:
        attempts = Attempts(self._retry)
        while True:
            answer = self._attempt(request, attempts)
            if isinstance(answer, httpx.Response):
                if answer.is_success:
                    return _read(answer, read)
                raise Refused(answer.status_code, problem_of(answer))
            attempts.wait(answer)

    def _publish_batch(self, batch: list[Entry], known: list[Outcome], attempts: Attempts) -> None:
        while batch:
            request = publish_events._get_kwargs(body=[])
            del request["json"]
            answer = self._attempt(request | {"content": body(batch)}, attempts)
            if isinstance(answer, Failure):
                left = _settle(batch, _results(answer), known)
                if len(left) < len(batch):
                    attempts.progressed()
                batch = left
                attempts.wait(answer)
            elif answer.is_success:
                results = _read(answer, EventsAnswer.from_dict).results
                if len(results) != len(batch) or _settle(batch, results, known):
                    raise NearlineError(f"{answer.status_code}, but not with a result of each event")
                attempts.progressed()
                return
            elif answer.status_code == 413:
                return self._publish_halves(batch, answer, known, attempts)
            else:
                raise Refused(answer.status_code, problem_of(answer))

    def _publish_halves(
        self, batch: list[Entry], answer: httpx.Response, known: list[Outcome], attempts: Attempts
    ) -> None:
        """A batch that the engine finds too large goes in halves; an event that is too large by itself is rejected."""
        if len(batch) > 1:
            middle = len(batch) // 2
            self._publish_batch(batch[:middle], known, attempts)
            self._publish_batch(batch[middle:], known, attempts)
            return
        detail = str(Refused(413, problem_of(answer)))
        known[batch[0].place] = Outcome(batch[0].id, batch[0].member, "rejected", None, "too-large", detail)

    def _attempt(self, request: dict[str, Any], attempts: Attempts) -> httpx.Response | Failure:
        """One attempt: an answer that stands, or a failure that may pass."""
        timeout = min(self._timeout_s, max(attempts.left_s(), 0.001))
        try:
            response = self._http.request(**request, timeout=timeout)
        except httpx.TransportError as error:
            return Failure(error)
        return Failure(response) if response.status_code in PASSING else response

    @staticmethod
    def _raise_unless_passing(response: httpx.Response) -> None:
        if response.status_code not in PASSING:
            raise Refused(response.status_code, problem_of(response))


def _check_id(text: str) -> None:
    """Refuses what an address cannot name: as a part of a path it means another place."""
    if text in {"", ".", ".."}:
        raise ValueError(f"{text!r} is no id of a member or a title")


def _read(answer: httpx.Response, read: Callable[[Mapping[str, Any]], A]) -> A:
    try:
        return read(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = f"{answer.status_code}, but not an answer of this API: does the URL lead to the engine?"
        raise NearlineError(detail) from error


def _results(failure: Failure) -> list[EventResult]:
    """What a 503 of the log says of each event; nothing where the batch failed as a whole."""
    results = failure.problem.additional_properties.get("results") if failure.problem else None
    return [EventResult.from_dict(result) for result in results or []]


def _settle(batch: list[Entry], results: Sequence[EventResult], known: list[Outcome]) -> list[Entry]:
    """Writes down what is known of a batch; what is left to send."""
    if len(results) != len(batch):
        return batch
    for entry, result in zip(batch, results, strict=True):
        known[entry.place] = entry.outcome(result)
    return [entry for entry, result in zip(batch, results, strict=True) if result.status == "unavailable"]


def _arguments(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query as the generated functions take it."""
    arguments = {name: value for name, value in query.items() if value is not None}
    if "filter" in arguments:
        arguments["filter_"] = arguments.pop("filter")
    if "exclude" in arguments:
        exclude = arguments.pop("exclude")
        if titles := [exclude] if isinstance(exclude, str) else list(exclude):
            arguments["exclude"] = ",".join(titles)
    return arguments
