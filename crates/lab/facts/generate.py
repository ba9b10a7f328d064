#!/usr/bin/env python3
"""Writes facts and labels to measure a point-in-time join with.

facts/       member, event_at, known_at, position and six features, in the order of a log: a file for each day of known_at
labels.parquet   label_id, member, event_at, label, in random order
members.parquet  the members of a look-up

`event_at` is never later than `known_at`; one fact in twenty is late (by up to seven days), one in fifty corrects an
earlier one.

usage: generate.py OUT [facts=20000000] [labels=1000000] [members=1000000] [lookup=10000] [seed=7]
"""
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000
DAYS = 90
START = 1_767_225_600_000_000  # 2026-01-01
COUNTRIES = ["US", "GB", "DE", "FR", "BR", "IN", "JP", "KR", "MX", "CA", "ES", "IT", "NL", "SE", "PL", "AR"]
TIME = pa.timestamp("us", "UTC")


def main():
    out = sys.argv[1]
    settings = dict(argument.split("=") for argument in sys.argv[2:])
    count = lambda name, default: int(settings.get(name, default).replace("_", ""))
    facts, labels, members = count("facts", "20000000"), count("labels", "1000000"), count("members", "1000000")
    rng = np.random.default_rng(count("seed", "7"))
    os.makedirs(f"{out}/facts", exist_ok=True)
    names = pa.array(np.char.add("m", np.char.zfill(np.arange(members).astype("U7"), 7)))
    member, at, known = log(rng, facts, members)
    day = (known - START) // DAY
    edges = np.searchsorted(day, np.arange(day[-1] + 2))
    for number, (start, end) in enumerate(zip(edges[:-1], edges[1:])):
        if start == end:
            continue
        rows = end - start
        table = pa.table({
            "member": names.take(pa.array(member[start:end])),
            "event_at": pa.array(at[start:end], TIME),
            "known_at": pa.array(known[start:end], TIME),
            "position": pa.array(np.arange(start, end, dtype=np.uint64)),
            "plays_30d": pa.array(rng.integers(0, 400, rows, dtype=np.int32)),
            "affinity_drama": pa.array(rng.random(rows, dtype=np.float32)),
            "affinity_comedy": pa.array(rng.random(rows, dtype=np.float32)),
            "affinity_action": pa.array(rng.random(rows, dtype=np.float32)),
            "recency_s": pa.array(rng.integers(0, 3_000_000, rows, dtype=np.int32)),
            "country": pa.array(np.array(COUNTRIES)[member[start:end] % 16]),
        })
        pq.write_table(table, f"{out}/facts/day={number:03d}.parquet", compression="zstd", use_dictionary=["country"],
                       row_group_size=1 << 20)
    asked = rng.integers(0, len(member), labels)
    time = np.maximum(START + DAY, at[asked] + rng.normal(0, 6 * 3600e6, labels).astype(np.int64))
    table = pa.table({
        "label_id": pa.array(np.arange(labels, dtype=np.uint64)),
        "member": names.take(pa.array(member[asked])),
        "event_at": pa.array(time, TIME),
        "label": pa.array((rng.random(labels) < 0.1).astype(np.int8)),
    })
    pq.write_table(table, f"{out}/labels.parquet", compression="zstd")
    chosen = rng.choice(members, min(count("lookup", "10000"), members), replace=False)
    pq.write_table(pa.table({"member": names.take(pa.array(chosen))}), f"{out}/members.parquet")


def log(rng, facts, members):
    """Members, event times and known times of facts in the order of the log."""
    first = int(facts / 1.02)
    corrected = rng.integers(0, first, facts - first)
    permuted = rng.permutation(members).astype(np.int32)
    member = permuted[(members * rng.random(first) ** 1.7).astype(np.int32)]
    at = START + (rng.random(first) * DAYS * DAY).astype(np.int64)
    delay = (50_000 + rng.exponential(800_000, first)).astype(np.int64)
    late = rng.random(first) < 0.05
    delay[late] = np.minimum(rng.lognormal(np.log(3600e6), 1.6, int(late.sum())), 7 * DAY).astype(np.int64)
    known = at + delay
    member = np.concatenate([member, member[corrected]])
    at = np.concatenate([at, at[corrected]])
    known = np.concatenate([known, known[corrected] + rng.integers(1_000_000, 3 * DAY, facts - first)])
    order = np.argsort(known, kind="stable")
    return member[order], at[order], known[order]


if __name__ == "__main__":
    main()
