#!/usr/bin/env python3
"""Changes of a database, as Debezium writes them into JetStream, as events of Nearline.

    examples/debezium.py nats://127.0.0.1:4222 --source 'shop.public.*' [--stream DebeziumStream] [--consumer nearline] [--idle SECONDS]

Of two tables, as an example to change: a row of `plays (id, member_id, title_id, started_at, watched_s, duration_s, updated_at)` is a play, and as far
as it was watched; a row of `members (id)` that is deleted erases the member. Ids are made of what a row says, so a change that comes
again, for whatever reason, is the same event. A change is acknowledged to its stream once the log has acknowledged its events. With
--idle it ends after that many seconds without a change.
"""

import argparse
import asyncio
import datetime
import hashlib
import json
import re
import sys

import nats
import nats.errors
import nats.js.errors
from nats.js.api import ConsumerConfig

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def an_id(value):
    """The text, where it is an id; of any other the digest, so that two never become one."""
    text = str(value)
    return text if ID.fullmatch(text) else "h-" + hashlib.sha256(text.encode()).hexdigest()[:40]


def at(value):
    """A time of Debezium's: text where the column has a time zone, else microseconds since 1970 in UTC."""
    if isinstance(value, str):
        return value
    return datetime.datetime.fromtimestamp(value / 1e6, datetime.timezone.utc).isoformat()


def events(change):
    """The events that a change leads to; none where it says nothing to Nearline."""
    table, kind = change["source"]["table"], change["op"]
    if table == "members" and kind == "d":
        row = change["before"]
        moment = datetime.datetime.fromtimestamp(change["source"]["ts_ms"] / 1e3, datetime.timezone.utc)
        return [{"id": an_id(f"members-{row['id']}-gone"), "type": "forget", "member": an_id(row["id"]), "at": moment.isoformat()}]
    # A play that is deleted stays: nobody has unseen it.
    if table != "plays" or kind not in ("c", "r", "u"):
        return []
    row = change["after"]
    about = {"member": an_id(row["member_id"]), "title": an_id(row["title_id"])}
    found = []
    # An update is of a row whose play was told of when it came.
    if kind != "u":
        found.append({"id": an_id(f"plays-{row['id']}"), "type": "play", **about, "at": at(row["started_at"])})
    if row.get("watched_s"):
        watched = {"watched_s": row["watched_s"], "duration_s": row.get("duration_s")}
        watched = {name: value for name, value in watched.items() if value is not None}
        moment = at(row.get("updated_at") or row["started_at"])
        found.append({"id": an_id(f"plays-{row['id']}-{row['watched_s']}"), "type": "progress", **about, "at": moment, **watched})
    return found


async def publish(log, event):
    """Hands an event to the log until it is acknowledged."""
    headers = {"Nats-Msg-Id": f"{event['member']}/{event['id']}"}
    wait = 0.1
    while True:
        try:
            return await log.publish(f"nearline.events.{event['member']}", json.dumps(event).encode(), headers=headers)
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            print(f"{event['id']} waits: {error!r}", file=sys.stderr)
            await asyncio.sleep(wait)
            wait = min(2 * wait, 5)


async def follow(arguments):
    """Takes changes in their order, one after the other."""
    connection = await nats.connect(arguments.server, max_reconnect_attempts=-1)
    log = connection.jetstream()
    # One at a time is under way: what comes again comes before what follows it.
    order = ConsumerConfig(max_ack_pending=1, ack_wait=30)
    changes = await log.pull_subscribe(arguments.source, durable=arguments.consumer, stream=arguments.stream, config=order)
    counts = {"changes": 0, "events": 0, "duplicates": 0, "of no meaning": 0}
    while True:
        try:
            (message,) = await changes.fetch(1, timeout=arguments.idle or 5)
        except nats.errors.TimeoutError:
            if arguments.idle:
                break
            continue
        told = json.loads(message.data)
        made = events(told.get("payload", told))
        for event in made:
            acknowledged = await publish(log, event)
            counts["duplicates"] += bool(acknowledged.duplicate)
        await message.ack_sync()
        counts["changes"] += 1
        counts["events"] += len(made)
        counts["of no meaning"] += not made
    print(json.dumps(counts))
    await connection.close()


def main():
    parser = argparse.ArgumentParser(description="Publishes what Debezium tells of a database.")
    parser.add_argument("server")
    parser.add_argument("--source", required=True, help="subjects of the tables, such as shop.public.*")
    parser.add_argument("--stream", default="DebeziumStream")
    parser.add_argument("--consumer", default="nearline", help="the durable consumer that remembers how far this came")
    parser.add_argument("--idle", type=float)
    asyncio.run(follow(parser.parse_args()))


if __name__ == "__main__":
    main()
