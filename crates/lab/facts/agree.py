#!/usr/bin/env python3
"""Holds `nearline-lab extract` against DuckDB row by row: the SQL that `--emit-sql duckdb` prints gives the same table.

The statement is the definition, word for word (every fact that a label may see, the newest first), so it is slow: take
1,000,000 facts and 100,000 labels. Also counts what a join by event_at alone would have leaked.

usage: agree.py NEARLINE_LAB FOLDER     FOLDER as generate.py fills it
"""
import subprocess
import sys
import tempfile

import duckdb

RULES = {
    "event-time": ["--order", "event-time"],
    "as-served": ["--order", "as-served"],
    "strict, delayed": ["--strict", "--delay", "5m"],
    "limited": ["--ttl", "2d"],
    "by feature": None,
}
BY_FEATURE = """
delay = "10m"
[[feature]]
name = "plays_30d"
[[feature]]
name = "plays_before"
column = "plays_30d"
delay = "1d"
[[feature]]
name = "fresh_country"
column = "country"
ttl = "6h"
"""


def main():
    program, folder = sys.argv[1:]
    labels, facts = f"{folder}/labels.parquet", f"{folder}/facts"
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/features.toml", "w") as file:
            file.write(BY_FEATURE)
        for name, rules in RULES.items():
            rules = rules or ["--features", f"{scratch}/features.toml"]
            join = [program, "extract", "--labels", labels, "--facts", facts, *rules]
            subprocess.run([*join, "-o", f"{scratch}/out.parquet"], check=True, stdout=subprocess.DEVNULL)
            sql = subprocess.run([*join, "--emit-sql", "duckdb"], check=True, stdout=subprocess.PIPE, text=True).stdout
            duckdb.sql(f"create or replace table expected as {sql.rstrip().rstrip(';')}")
            ours = f"'{scratch}/out.parquet'"
            rows = duckdb.sql(f"select count(*) from {ours}").fetchone()[0]
            differ = duckdb.sql(f"select count(*) from ((from {ours} except all from expected) union all (from expected except all from {ours}))").fetchone()[0]
            print(f"{name}: {rows} rows, {differ} differ")
            if differ:
                sys.exit(1)
    leaked = duckdb.sql(f"""select count(*) from (select l.event_at, f.known_at from '{labels}' l
        asof join '{facts}/*.parquet' f on l.member = f.member and l.event_at >= f.event_at) where known_at > event_at""")
    print(f"a join by event_at alone gives {leaked.fetchone()[0]} labels a fact that was not known yet")


if __name__ == "__main__":
    main()
