#!/usr/bin/env python3
"""Archives into an S3 server of moto, by several archivers at once, and reads it as others do.

usage: object_store.py NEARLINE NEARLINE_LAB FOLDER     needs moto[server], boto3, deltalake, polars;
                                                        NEARLINE_LAB is built with `--features object-stores`

The demo's events and facts go to s3://archive/…, four archivers at once; then a second demo's worth. Counts, the extracted training
table and an erasure are held against an archive of the same log in a folder.
"""
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import boto3
import deltalake
import polars as pl
from moto.server import ThreadedMotoServer


def main():
    nearline, lab, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), Path(sys.argv[3]).absolute()
    folder.mkdir(parents=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true"}  # fmt: skip
    environment = {**os.environ, **keys, "NEARLINE__EMBEDDED__DIRECTORY": str(folder / "data"), "NEARLINE__FACTS__CAPTURE": "true"}
    client = boto3.client("s3", endpoint_url=keys["AWS_ENDPOINT"], aws_access_key_id="key", aws_secret_access_key="secret",
                          region_name="us-east-1")  # fmt: skip
    client.create_bucket(Bucket="archive")

    def run(*command):
        done = subprocess.run([lab, *command, "--json"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{command}: {done.stderr}")
        return json.loads(done.stdout)

    def archive(*where):
        command = [lab, "archive", "--file-events", "500", "--file-facts", "500", "--json", *where]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    demo = [nearline, "demo", "--data", str(folder / "data"), "--seconds", "10", "--rate", "200", "--port", "0"]
    store = ["--to", "s3://archive/events", "--facts", "s3://archive/facts"]
    # An embedded directory has one holder: the archivers read it one after the other, from mirrors of their own, each as if
    # it were alone; those at once read events that a folder's archive gives back.
    subprocess.run(demo, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    for place in (store, ["--to", "events", "--facts", "facts"]):
        done = archive(*place)
        out, error = done.communicate()
        if done.returncode:
            sys.exit(error)
        print(json.loads(out)["events"], "events to", place[1])
    # Several at once: facts made of the archived events, into one table in the store.
    at_once = [
        subprocess.Popen([lab, "backfill", "--archive", "s3://archive/events", "--to", "s3://archive/made", "--file-facts", "300", "--json"],
                         cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]  # fmt: skip
    made = overtaken = 0
    for process in at_once:
        out, error = process.communicate()
        if process.returncode:
            sys.exit(error)
        report = json.loads(out)
        made, overtaken = made + report["facts"], overtaken + report["overtaken"]
    subprocess.run([lab, "backfill", "--archive", "events", "--to", "made", "--json"], cwd=folder, env=environment, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    options = {**keys, "AWS_ENDPOINT_URL": keys["AWS_ENDPOINT"]}
    read = lambda table: pl.from_arrow(deltalake.DeltaTable(f"s3://archive/{table}", storage_options=options).to_pyarrow_table())
    for table, there in {"events": "events", "facts/members": "facts/members", "facts/decisions": "facts/decisions",
                         "made/members": "made/members"}.items():  # fmt: skip
        columns = ["partition", "position", "ordinal", "title" if table.endswith("decisions") else "payload"]
        if table == "made/members":
            # Those that were overtaken made the rest by another's side.
            run("backfill", "--archive", "s3://archive/events", "--to", "s3://archive/made")
        kept = read(table).select(columns).sort(columns)
        held = pl.scan_delta(str(folder / there)).select(columns).collect().sort(columns)
        print(f"{table}: {len(kept)} rows in the store, {len(held)} in the folder")
        if not kept.equals(held):
            sys.exit(f"{table} differs")
    print(f"four backfills at once: {made} facts made, {overtaken} times overtaken")

    join = ["--order", "as-served", "--columns", "titles,titles_7d,country", "-o"]
    there = run("extract", "--labels", "s3://archive/facts/decisions", "--facts", "s3://archive/facts/members", *join, "there.parquet")
    here = run("extract", "--labels", "facts/decisions", "--facts", "facts/members", *join, "here.parquet")
    if not pl.read_parquet(folder / "there.parquet").equals(pl.read_parquet(folder / "here.parquet")):
        sys.exit("the extracted tables differ")
    print(f"extract: {there['rows']} rows, {there['ok']} ok, as of the folder ({here['ok']})")
    compacted = run("compact", "--facts", "s3://archive/facts/members", "-o", "compacted")
    member = read("events")["member"].drop_nulls()[0]
    erased = run("erase", "--archive", "s3://archive/events", "--facts", "s3://archive/facts", "--member", member)
    if erased["events"] == 0 or (read("events")["member"] == member).any():
        sys.exit(f"{member} is still there: {erased}")
    objects = client.get_paginator("list_objects_v2").paginate(Bucket="archive")
    names = {item["Key"] for page in objects for item in page["Contents"]}
    tables = ("events", "facts/members", "facts/decisions")
    named = {f"{table}/{name}" for table in tables
             for name in deltalake.DeltaTable(f"s3://archive/{table}", storage_options=options).to_pyarrow_dataset().files}  # fmt: skip
    kept = {name for name in names if name.endswith(".parquet") and not name.startswith("made/")}
    if len(kept) != len({Path(name).name for name in named}):
        sys.exit(f"files that no table names: {len(kept)} and {len(named)}")
    print(f"compacted {compacted['rows']} facts; erased {erased['events']} events and {erased['facts']} facts of one member: gone")
    server.stop()


if __name__ == "__main__":
    main()
