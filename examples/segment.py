#!/usr/bin/env python3
"""Video events as Segment writes them, one a line, as events of Nearline.

    examples/segment.py < segment.ndjson | nearline publish -

Its specification: https://segment.com/docs/connections/spec/video/. An event that says nothing of a title is left out; those
are counted at the end.
"""

import hashlib
import json
import re
import sys

# What Segment calls it, and what Nearline does.
TYPES = {
    "Video Content Started": "play",
    "Video Content Playing": "progress",
    "Video Content Completed": "progress",
}
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def an_id(text):
    """The text, where it is an id; of any other the digest, so that two never become one. None of nothing."""
    text = str(text)
    if not text or ID.fullmatch(text):
        return text or None
    return "h-" + hashlib.sha256(text.encode()).hexdigest()[:40]


def event(segment):
    """The event, or None."""
    properties = segment.get("properties", {})
    kind = TYPES.get(segment.get("event"))
    made = {
        "id": an_id(segment.get("messageId", "")),
        "type": kind,
        "member": an_id(segment.get("userId") or segment.get("anonymousId") or ""),
        "title": an_id(properties.get("asset_id") or ""),
        "at": segment.get("originalTimestamp") or segment.get("timestamp"),
    }
    if None in made.values():
        return None
    if kind == "progress":
        made["watched_s"] = int(properties.get("position", 0))
    if "total_length" in properties:
        made["duration_s"] = int(properties["total_length"])
    return made


def main():
    left_out = 0
    for line in sys.stdin:
        made = event(json.loads(line))
        if made is None:
            left_out += 1
        else:
            print(json.dumps(made))
    if left_out:
        print(f"{left_out} events left out: of no title, or of no member", file=sys.stderr)


if __name__ == "__main__":
    main()
