#!/usr/bin/env python3
"""Kills engine and archivers at random moments, and holds the facts that are left against those of a clean fold.

usage: kill.py NEARLINE NEARLINE_LAB FOLDER [rounds=50] [seed=1]     needs polars, deltalake

Each round serves FOLDER/data with facts.capture, publishes and asks, while two archivers at once read the running engine into the same
tables; then the engine is killed (SIGKILL), and the archivers are, if they still run. Then the directory is archived, and that archiver
killed. At the end everything is archived; every fact must equal that of a backfill, none be there twice, and each member's newest be there.
"""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import polars as pl


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PORT, ADMIN_PORT = free_port(), free_port()


def environment(folder):
    return {
        **os.environ,
        "NEARLINE__EMBEDDED__DIRECTORY": str(folder / "data"),
        "NEARLINE__EMBEDDED__SYNC": "os",
        "NEARLINE__ENGINE__PARTITIONS": "4",
        "NEARLINE__ENGINE__COMMIT_EVENTS": "500",
        "NEARLINE__ENGINE__COMMIT_INTERVAL_MS": "50",
        "NEARLINE__FACTS__CAPTURE": "true",
        "NEARLINE__HTTP__ADDRESS": f"127.0.0.1:{PORT}",
        "NEARLINE__ADMIN__ADDRESS": f"127.0.0.1:{ADMIN_PORT}",
        "NEARLINE__LOG__LEVEL": "error",
    }


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def serve_and_kill(nearline, lab, folder, dice, number):
    """Publishes and asks until it is killed; gives how many events were acknowledged, and how archivers of it ended."""
    engine = subprocess.Popen([nearline, "serve"], env=environment(folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    acknowledged, archivers = 0, []
    try:
        end = time.time() + 120
        while True:
            try:
                call("/v1/trending?limit=1")
                break
            except OSError:
                if engine.poll() is not None or time.time() > end:
                    sys.exit("the engine does not start")
                time.sleep(0.02)
        end = time.time() + dice.uniform(0.3, 2.0)
        archivers = [archive(lab, folder, running=True) for _ in range(2)]
        while time.time() < end:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            events = [
                {
                    "id": f"r{number}-{dice.getrandbits(48):x}", "type": dice.choice(["play", "impression", "list_add"]),
                    "member": f"m{dice.randrange(200)}", "title": f"t{dice.randrange(300)}", "at": now, "country": "BR",
                }
                for at in range(100)
            ]  # fmt: skip
            try:
                call("/v1/events", events)
                acknowledged += len(events)
                call(f"/v1/members/{events[-1]['member']}/recommendations")
            except urllib.error.HTTPError as refused:
                # Overloaded: what is not acknowledged does not count, and may be there all the same.
                if refused.code != 429:
                    raise
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    killed = 0
    for doomed in archivers:
        killed += doomed.poll() is None
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    return acknowledged, killed, sum(done.returncode == 0 for done in archivers)


def archive(lab, folder, running=False):
    command = [lab, "archive", "--to", "events", "--facts", "facts", "--file-facts", "1000", "--file-events", "1000"]
    if running:
        command += ["--from", f"http://127.0.0.1:{ADMIN_PORT}"]
    return subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def main():
    nearline, lab, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), Path(sys.argv[3]).absolute()
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    dice = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
    folder.mkdir(parents=True)
    acknowledged = kills = finished = 0
    for number in range(rounds):
        came, killed, ended = serve_and_kill(nearline, lab, folder, dice, number)
        acknowledged, kills, finished = acknowledged + came, kills + killed, finished + ended
        doomed = archive(lab, folder)
        time.sleep(dice.uniform(0.0, 0.4))
        kills += doomed.poll() is None
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    for _ in range(2):
        last = archive(lab, folder)
        error = last.communicate()[1]
        if last.returncode:
            sys.exit(error.decode())
    subprocess.run([lab, "backfill", "--archive", "events", "--to", "clean", "--json"], cwd=folder, env=environment(folder),
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    key = ["partition", "position", "ordinal"]
    facts = pl.scan_delta(str(folder / "facts/members")).collect()
    clean = pl.scan_delta(str(folder / "clean/members")).collect()
    events = pl.scan_delta(str(folder / "events")).select(pl.len()).collect().item()
    double = len(facts) - facts.select(key).n_unique()
    unlike = len(facts) - len(facts.join(clean, on=[*key, "member", "event_at", "known_at", "payload"], how="semi"))
    # Up to where facts were captured, everybody's newest change is there.
    reached = facts.group_by("partition").agg(reached=pl.col("position").max())
    clean = clean.join(reached, on="partition").filter(pl.col("position") <= pl.col("reached"))
    newest = clean.group_by("member").agg(pl.col("position").max())
    missing = len(newest.join(facts, on=["member", "position"], how="anti"))
    print(f"{rounds} engines and {kills} archivers killed, {finished} archived a running engine: {acknowledged} events acknowledged, {events} archived, "
          f"{len(facts)} facts captured; double {double}, unlike a clean fold {unlike}, newest missing {missing}")  # fmt: skip
    if double or unlike or missing or events < acknowledged:
        sys.exit(1)


if __name__ == "__main__":
    main()
