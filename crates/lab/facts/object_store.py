#!/usr/bin/env python3
"""Archives into a local object store, by several at once, and reads it as others do.

usage: object_store.py s3|azure NEARLINE NEARLINE_LAB FOLDER     needs deltalake, polars, obstore; for s3 moto[server] and boto3,
                                                                 for azure the program azurite-blob (npm: azurite) on the PATH;
                                                                 NEARLINE_LAB is built with `--features object-stores`

The demo's events and facts go into the store and into a folder; four backfills at once make facts in the store. Counts, the extracted
training table and an erasure are held against those of the folder.
"""
import base64
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import obstore
import polars as pl


class S3:
    """A server of moto, in this process."""

    scheme = "s3"

    def __init__(self, _folder):
        import boto3
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self.server.start()
        host, port = self.server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        self.keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
                     "AWS_ENDPOINT": endpoint, "AWS_ALLOW_HTTP": "true"}  # fmt: skip
        self.options = {**self.keys, "AWS_ENDPOINT_URL": endpoint}
        client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret",
                              region_name="us-east-1")  # fmt: skip
        client.create_bucket(Bucket="archive")

    def opened(self):
        return obstore.store.S3Store("archive", config=self.keys, client_options={"allow_http": True})

    def stop(self):
        self.server.stop()


class Azure:
    """Azurite, with an account of its own."""

    scheme = "az"

    def __init__(self, folder):
        from azure.storage.blob import BlobServiceClient

        account, key = "archive", base64.b64encode(secrets.token_bytes(32)).decode()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["azurite-blob", "--silent", "--skipApiVersionCheck", "--blobPort", str(port), "--location", str(folder / "azurite")]
        self.server = subprocess.Popen(command, start_new_session=True, env={**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"})
        until = time.time() + 60
        while time.time() < until:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{port}/{account}"
        self.keys = {"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ACCOUNT_KEY": key, "AZURE_STORAGE_ENDPOINT": endpoint,
                     "AZURE_ALLOW_HTTP": "true"}  # fmt: skip
        self.options = self.keys
        BlobServiceClient(endpoint, credential=key, retry_total=2).create_container("archive")

    def opened(self):
        keys = {key.lower(): value for key, value in self.keys.items() if key != "AZURE_ALLOW_HTTP"}
        return obstore.store.AzureStore("archive", config=keys, client_options={"allow_http": True})

    def stop(self):
        os.killpg(self.server.pid, signal.SIGTERM)


def main():
    kind, nearline, lab = sys.argv[1], os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
    folder = Path(sys.argv[4]).absolute()
    folder.mkdir(parents=True)
    store = {"s3": S3, "azure": Azure}[kind](folder)
    try:
        held_against_a_folder(store, nearline, lab, folder)
    finally:
        store.stop()


def held_against_a_folder(server, nearline, lab, folder):
    archived = f"{server.scheme}://archive"
    environment = {**os.environ, **server.keys, "NEARLINE__EMBEDDED__DIRECTORY": str(folder / "data"), "NEARLINE__FACTS__CAPTURE": "true"}

    def run(*command):
        done = subprocess.run([lab, *command, "--json"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{command}: {done.stderr}")
        return json.loads(done.stdout)

    def archive(*where):
        command = [lab, "archive", "--file-events", "500", "--file-facts", "500", "--json", *where]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    demo = [nearline, "demo", "--data", str(folder / "data"), "--seconds", "10", "--rate", "200", "--port", "0"]
    store = ["--to", f"{archived}/events", "--facts", f"{archived}/facts"]
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
        subprocess.Popen([lab, "backfill", "--archive", f"{archived}/events", "--to", f"{archived}/made", "--file-facts", "300", "--json"],
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
    options = server.options
    read = lambda table: pl.from_arrow(deltalake.DeltaTable(f"{archived}/{table}", storage_options=options).to_pyarrow_table())
    for table, there in {"events": "events", "facts/members": "facts/members", "facts/decisions": "facts/decisions",
                         "made/members": "made/members"}.items():  # fmt: skip
        columns = ["partition", "position", "ordinal", "title" if table.endswith("decisions") else "payload"]
        if table == "made/members":
            # Those that were overtaken made the rest by another's side.
            run("backfill", "--archive", f"{archived}/events", "--to", f"{archived}/made")
        kept = read(table).select(columns).sort(columns)
        held = pl.scan_delta(str(folder / there)).select(columns).collect().sort(columns)
        print(f"{table}: {len(kept)} rows in the store, {len(held)} in the folder")
        if not kept.equals(held):
            sys.exit(f"{table} differs")
    print(f"four backfills at once: {made} facts made, {overtaken} times overtaken")

    join = ["--order", "as-served", "--columns", "titles,titles_7d,country", "-o"]
    there = run("extract", "--labels", f"{archived}/facts/decisions", "--facts", f"{archived}/facts/members", *join, "there.parquet")
    here = run("extract", "--labels", "facts/decisions", "--facts", "facts/members", *join, "here.parquet")
    if not pl.read_parquet(folder / "there.parquet").equals(pl.read_parquet(folder / "here.parquet")):
        sys.exit("the extracted tables differ")
    print(f"extract: {there['rows']} rows, {there['ok']} ok, as of the folder ({here['ok']})")
    compacted = run("compact", "--facts", f"{archived}/facts/members", "-o", "compacted")
    member = read("events")["member"].drop_nulls()[0]
    erased = run("erase", "--archive", f"{archived}/events", "--facts", f"{archived}/facts", "--member", member)
    if erased["events"] == 0 or (read("events")["member"] == member).any():
        sys.exit(f"{member} is still there: {erased}")
    listed = obstore.list(server.opened())
    names = {item["path"] for page in listed for item in page}
    tables = ("events", "facts/members", "facts/decisions")
    named = {f"{table}/{name}" for table in tables
             for name in deltalake.DeltaTable(f"{archived}/{table}", storage_options=options).to_pyarrow_dataset().files}  # fmt: skip
    kept = {name for name in names if name.endswith(".parquet") and not name.startswith("made/")}
    if len(kept) != len({Path(name).name for name in named}):
        sys.exit(f"files that no table names: {len(kept)} and {len(named)}")
    print(f"compacted {compacted['rows']} facts; erased {erased['events']} events and {erased['facts']} facts of one member: gone")


if __name__ == "__main__":
    main()
