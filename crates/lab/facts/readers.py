#!/usr/bin/env python3
"""Reads an archive with deltalake, Polars and DuckDB, and holds their counts against each other.

usage: readers.py ARCHIVE     needs duckdb, polars, deltalake; DuckDB takes its `delta` extension if it is installed
"""
import sys

import deltalake
import duckdb
import polars


def main():
    archive = sys.argv[1]
    table = deltalake.DeltaTable(archive)
    counts = {
        "deltalake": table.to_pyarrow_table().num_rows,
        "polars": polars.scan_delta(archive).select(polars.len()).collect().item(),
    }
    files = ", ".join(f"'{path}'" for path in table.file_uris())
    counts["duckdb, by the list of files"] = duckdb.sql(f"select count(*) from read_parquet([{files}])").fetchone()[0]
    try:
        duckdb.sql("load delta")
        counts["duckdb, delta_scan"] = duckdb.sql(f"select count(*) from delta_scan('{archive}')").fetchone()[0]
    except duckdb.Error as error:
        print(f"duckdb's delta extension is not installed: {error}", file=sys.stderr)
    for reader, rows in counts.items():
        print(f"{reader}: {rows} events")
    positions = duckdb.sql(
        f"select count(*), count(distinct (partition, position, ordinal)) from read_parquet([{files}])"
    ).fetchone()
    if len(set(counts.values())) > 1 or positions[0] != positions[1]:
        sys.exit(f"they differ, or an event is there twice: {positions}")


if __name__ == "__main__":
    main()
