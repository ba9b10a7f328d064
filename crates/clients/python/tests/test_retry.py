"""Against a stub: when it is tried again, with what, and when no more."""

import importlib
import json
import logging
import pkgutil
import time

import pytest

import nearline_client.generated
from nearline_client import Nearline, Refused, Retry, Unavailable, Unpublished
from nearline_client.generated import AuthenticatedClient
from nearline_client.generated.api.titles import list_trending

EVENTS = [
    {"id": f"e{number}", "type": "play", "member": "ana", "title": "t1", "at": "2026-03-01T20:15:00Z"}
    for number in range(3)
]
KEY = "nl_QUITE-A-SECRET-KEY-000000000000000000000000000"


def result(status, position=None):
    return {"status": status} | ({} if position is None else {"partition": 1, "position": position})


def good(*results):
    counts = dict.fromkeys(("accepted", "duplicates", "conflicts", "rejected"), 0)
    return 200, {"content-type": "application/json"}, json.dumps(counts | {"results": results}).encode()


def problem(status, code, headers=None, **more):
    document = {"type": f"/problems/{code}", "title": code, "status": status, "detail": "of the stub", **more}
    return status, {"content-type": "application/problem+json", **(headers or {})}, json.dumps(document).encode()


def sent_ids(request):
    return [event["id"] for event in json.loads(request[2])]


def test_two_503_and_then_the_same_bytes_are_accepted(stub):
    away = problem(503, "log-unavailable", {"retry-after": "0"})
    stub.answers = [away, away, good(*(result("accepted", place) for place in (5, 6, 7)))]
    published = stub.client().publish(EVENTS)
    assert [outcome.position for outcome in published.outcomes] == [5, 6, 7]
    assert published.position("ana") == 7
    assert len(stub.requests) == 3 and len({body for _, _, body in stub.requests}) == 1


def test_only_what_is_not_acknowledged_is_sent_again(stub):
    some = [result("accepted", 5), result("unavailable"), result("rejected")]
    stub.answers = [problem(503, "log-unavailable", {"retry-after": "0"}, results=some), good(result("duplicate", 6))]
    published = stub.client().publish(EVENTS)
    assert [outcome.status for outcome in published.outcomes] == ["accepted", "duplicate", "rejected"]
    assert [sent_ids(request) for request in stub.requests] == [["e0", "e1", "e2"], ["e1"]]


def test_a_connection_without_an_answer_and_a_page_of_a_proxy_are_tried_again(stub):
    stub.answers = [None, (502, {}, b"<html>bad gateway</html>"), good(result("duplicate", 5))]
    assert stub.client().publish(EVENTS[0]).outcomes[0].status == "duplicate"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(stub, status):
    stub.answers = [problem(status, "later", {"retry-after": "1"}), good(result("accepted", 5))]
    stub.client().publish(EVENTS[0])
    assert stub.times[1] - stub.times[0] >= 1.0


def test_what_is_to_be_tried_after_the_deadline_is_given_up_at_once(stub):
    stub.answers = [problem(429, "too-many-requests", {"retry-after": "60"})]
    start = time.monotonic()
    with pytest.raises(Unpublished) as unpublished:
        stub.client(deadline_s=5).publish(EVENTS)
    assert time.monotonic() - start < 2
    assert isinstance(unpublished.value.__cause__, Unavailable) and unpublished.value.__cause__.status == 429
    assert len(unpublished.value.published.of("unavailable")) == 3


def test_what_is_refused_is_not_tried_again(stub):
    stub.answers = [problem(403, "scope-missing")]
    with pytest.raises(Refused, match="403 scope-missing"):
        stub.client().recommendations("ana")
    assert len(stub.requests) == 1


def test_a_batch_that_is_too_large_goes_in_halves_and_an_event_too_large_is_rejected_alone(stub):
    large = problem(413, "body-too-large")
    stub.answers = [large, good(result("accepted", 5)), large, good(result("accepted", 6)), large]
    published = stub.client().publish(EVENTS)
    assert [outcome.status for outcome in published.outcomes] == ["accepted", "accepted", "rejected"]
    assert published.outcomes[2].reason == "too-large"


def test_an_answer_that_is_not_the_engines_is_told_apart_from_an_acknowledgement(stub):
    stub.answers = [(200, {"content-type": "text/html"}, b"<html>hello</html>")]
    with pytest.raises(Unpublished, match="does the URL lead to the engine"):
        stub.client().publish(EVENTS)


def test_what_is_no_json_is_told_before_anything_is_sent(stub):
    with pytest.raises(ValueError):
        stub.client().publish([EVENTS[0], {**EVENTS[1], "value": float("nan")}])
    assert not stub.requests


def test_a_query_waits_for_its_position(stub):
    row = {"recommendation_id": "r", "member": "ana", "source": "live", "position": 9, "titles": []}
    stub.answers = [problem(503, "position-not-reached", {"retry-after": "0"}), (200, {}, json.dumps(row).encode())]
    answer = stub.client().recommendations("ana", after=9, exclude=["t1", "t2"], filter="true", explain=True)
    assert answer.position == 9
    assert stub.requests[1][0].partition("?")[2] == "exclude=t1%2Ct2&explain=true&after=9&filter=true"


def test_a_live_row_goes_on_where_its_connection_ended(stub):
    row = json.dumps({"recommendation_id": "r", "member": "ana", "source": "live", "position": 9, "titles": []})
    stream = f": keep\n\nevent: recommendations\nid: 9-1\ndata: {row}\n\nevent: recommendations\ndata: cut".encode()
    stub.answers = [(200, {"content-type": "text/event-stream"}, stream)] * 2
    rows = stub.client().live("ana")
    assert [next(rows).position, next(rows).position] == [9, 9]
    rows.close()
    assert stub.requests[1][1]["Last-Event-ID"] == "9-1"


def test_a_live_row_that_was_quiet_for_longer_than_the_deadline_is_opened_again(stub):
    row = json.dumps({"recommendation_id": "r", "member": "ana", "source": "live", "position": 9, "titles": []})
    stream = f"event: recommendations\nid: 9-1\ndata: {row}\n\n".encode()
    kind = {"content-type": "text/event-stream"}
    stub.answers = [(200, kind, stream), (200, kind, b": keep\n\n", 0.5), None, (200, kind, stream)]
    rows = stub.client(deadline_s=0.2).live("ana")
    assert [next(rows).position, next(rows).position] == [9, 9]
    rows.close()
    assert stub.times[2] - stub.times[1] > 0.4


def test_what_the_deadline_cut_off_does_not_hide_the_answer_before(stub):
    stub.answers = [problem(503, "log-unavailable", {"retry-after": "0"}), (None, 0.6)]
    with pytest.raises(Unavailable) as unavailable:
        stub.client(deadline_s=0.3).trending()
    assert (unavailable.value.attempts, unavailable.value.status) == (2, 503)
    stub.answers = [problem(503, "log-unavailable", {"retry-after": "0"})] * 3
    with pytest.raises(Unavailable) as unavailable:
        stub.client(deadline_s=1, first_s=4, most_s=4).trending()
    assert (unavailable.value.attempts, unavailable.value.status) == (1, 503), "at once, where no attempt may follow"


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_what_an_address_cannot_name_is_refused(stub, text):
    client = stub.client()
    for ask in [client.recommendations, client.home, client.similar, client.erase, lambda id: next(client.live(id))]:
        with pytest.raises(ValueError, match="no id"):
            ask(text)
    with pytest.raises(ValueError, match="no id"):
        client.order(text, ["t1"])
    assert not stub.requests


def test_the_key_is_shown_to_the_engine_and_to_nobody_else(stub, caplog):
    caplog.set_level(logging.DEBUG)
    stub.answers = [problem(503, "log-unavailable", {"retry-after": "0"}), problem(401, "key-unknown")]
    client = stub.client(KEY + "\n")
    with pytest.raises(Unpublished) as unpublished:
        client.publish(EVENTS)
    assert stub.requests[0][1]["Authorization"] == f"Bearer {KEY}"
    told = f"{client!r} {vars(client)!r} {unpublished.value!r} {unpublished.value.__cause__!r} {caplog.text}"
    assert "log-unavailable" in told and KEY not in told


def test_the_generated_client_does_not_show_its_token_either(stub):
    stub.answers = [problem(403, "scope-missing")]
    client = AuthenticatedClient(base_url=f"http://127.0.0.1:{stub.server_port}", token=KEY)
    assert list_trending.sync_detailed(client=client).status_code == 403
    assert stub.requests[0][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(client)


@pytest.mark.parametrize("key", ["", " ", "nl_a\nnl_b", "nl_ä", "a b"])
def test_what_is_no_key_is_refused_without_being_shown(key):
    with pytest.raises(ValueError) as refused:
        Nearline("http://127.0.0.1:7700", key)
    assert not key.strip() or key.strip() not in str(refused.value)


def test_waits_double_with_jitter_up_to_the_most(stub, monkeypatch):
    waits = []
    monkeypatch.setattr("nearline_client.retrying.time.sleep", waits.append)
    stub.answers = [problem(503, "log-unavailable", {"retry-after": "0"})] * 6 + [good(result("accepted", 5))]
    stub.client(first_s=0.1, most_s=0.8).publish(EVENTS[0])
    for wait, full in zip(waits, [0.1, 0.2, 0.4, 0.8, 0.8, 0.8], strict=True):
        assert full / 2 <= wait <= full
    with pytest.raises(ValueError, match="deadline_s"):
        Retry(deadline_s=0)


def test_every_generated_module_can_be_imported():
    package = nearline_client.generated
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    assert len(names) > 50 and all(importlib.import_module(name) for name in names)
