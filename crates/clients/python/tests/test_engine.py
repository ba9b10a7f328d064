"""Against a real engine: what is published is what is answered."""

import os
import threading
from datetime import UTC, datetime

import pytest

from nearline_client import EventDocument, Nearline, Refused, Retry, Unavailable, Unpublished


def event(id, member, title="t1", **more):
    return {"id": id, "type": "play", "member": member, "title": title, "at": datetime.now(UTC), **more}


def test_a_published_event_is_read_back_at_its_position(engine, member):
    play = EventDocument(id="e1", type_="play", member=member, title="t7", at=datetime.now(UTC))
    published = engine.publish(play)
    assert [outcome.status for outcome in published.outcomes] == ["accepted"]
    after = published.position(member)
    answer = engine.recommendations(member, after=after, limit=5)
    assert answer.position >= after
    assert answer.source in ("live", "store")
    assert "t7" not in [ranked.title for ranked in answer.titles]
    assert engine.home(member, after=after, rows=3).position >= after


def test_the_same_event_twice_is_a_duplicate_at_the_same_position(engine, member):
    first, again = (engine.publish(sent).outcomes[0] for sent in [event("e1", member)] * 2)
    assert (first.status, again.status) == ("accepted", "duplicate")
    assert first.position == again.position


def test_a_rejected_event_does_not_stop_the_others(engine, member):
    broken = {"id": "e2", "type": "progress", "member": member, "title": "t1", "at": datetime.now(UTC)}
    published = engine.publish([event("e1", member), broken, event("e3", member, "t2")])
    assert [outcome.status for outcome in published.outcomes] == ["accepted", "rejected", "accepted"]
    (rejected,) = published.of("rejected")
    assert rejected.id == "e2" and "watched_s" in rejected.detail


def test_another_event_under_a_used_id_is_a_conflict(engine, member):
    published = engine.publish([event("e1", member)])
    other = engine.publish([event("e1", member, "t9")])
    assert (published.outcomes[0].status, other.outcomes[0].status) == ("accepted", "conflict")
    assert other.position(member) is None


def test_many_events_go_in_batches_and_keep_their_order(engine, member):
    published = engine.publish(event(f"e{number}", member, f"t{number % 50}") for number in range(2_500))
    assert [outcome.id for outcome in published.outcomes] == [f"e{number}" for number in range(2_500)]
    positions = [outcome.position for outcome in published.outcomes]
    assert len(published.of("accepted")) == 2_500 and positions == sorted(positions)


def test_a_position_that_the_log_does_not_have_is_refused_at_once(engine, member):
    with pytest.raises(Refused) as refused:
        engine.recommendations(member, after=1 << 40)
    assert refused.value.code == "position-unknown"


def test_titles_are_listed_and_a_title_that_is_unknown_is_refused(engine, member):
    engine.publish([event(f"e{number}", f"{member}-{number}", f"t{number % 3}") for number in range(30)])
    assert engine.trending(limit=5, filter="title.id != 't2'").titles is not None
    assert engine.similar("t1", by="next", limit=5).titles is not None
    assert {title.title for title in engine.order(member, ["t2", "t1", "t2"]).titles} == {"t1", "t2"}
    with pytest.raises(Refused) as refused:
        engine.trending(filter="title.nothing == 1")
    assert (refused.value.status, refused.value.code) == (400, "invalid-expression")


def test_a_member_is_erased(engine, member):
    engine.publish(event("e1", member))
    erased = engine.erase(member)
    assert engine.recommendations(member, after=erased.position).position >= erased.position


def test_a_live_row_changes_when_its_member_plays(engine, member):
    rows = engine.live(member, limit=5)
    first = next(rows)
    published = []
    playing = threading.Thread(target=lambda: published.append(engine.publish(event("e1", member, "t1"))))
    others = [event(f"o{number}", f"{member}-o{number}", "t1") for number in range(3)]
    others += [event(f"p{number}", f"{member}-o{number}", "t2") for number in range(3)]
    engine.publish(others)
    playing.start()
    for row in rows:
        playing.join()
        if row.position >= published[0].position(member):
            break
    rows.close()
    assert row.recommendation_id != first.recommendation_id


@pytest.mark.parametrize(("key", "code"), [(None, "key-missing"), ("nl_" + "A" * 43, "key-unknown")])
def test_without_a_key_that_is_known_all_is_refused(member, key, code):
    with Nearline(os.environ["NEARLINE_URL"], key) as stranger:
        with pytest.raises(Unpublished) as unpublished:
            stranger.publish(event("e1", member))
        with pytest.raises(Refused) as refused:
            stranger.recommendations(member)
    assert refused.value.code == unpublished.value.__cause__.code == code
    assert [outcome.status for outcome in unpublished.value.published.outcomes] == ["unavailable"]


def test_an_engine_that_is_not_there_is_given_up_at_the_deadline(member):
    with Nearline("http://127.0.0.1:9", retry=Retry(deadline_s=0.3)) as client, pytest.raises(Unavailable):
        client.recommendations(member)
