#!/usr/bin/env python3
"""Reads a table with programs that others use, and holds their counts and sums against each other.

usage: readers.py TABLE...     needs deltalake, polars, duckdb; further, where they are there:
  DuckDB's `delta` extension (from PyPI: duckdb-extension-delta), pyspark (with Java), pysail with PySpark's client

Sail 0.7.2 serves PySpark's client up to 4.2; a session of 4.3's ends at its first statement. So it wants an environment of its own:
`pip install pysail pyspark-client==4.1.1 deltalake polars duckdb`.

TABLE is an archive of events, or facts/members, facts/decisions. A reader that is not there is named, and is no failure; one that
gives other rows is.
"""
import functools
import os
import sys

import deltalake
import duckdb
import polars as pl

SUMS = "count(*) as rows, sum(position) as positions, sum(cast(partition as bigint)) as partitions, count(distinct member) as members"


def by_deltalake(table, _files):
    rows = pl.from_arrow(deltalake.DeltaTable(table).to_pyarrow_table(columns=["position", "partition", "member"]))
    return summed(rows.lazy())


def by_polars(table, _files):
    return summed(pl.scan_delta(table))


def summed(rows):
    sums = rows.select(pl.len(), pl.col("position").sum(), pl.col("partition").cast(pl.Int64).sum(),
                       pl.col("member").drop_nulls().n_unique())  # fmt: skip
    return sums.collect().row(0)


def by_duckdb_files(_table, files):
    return duckdb.sql(f"select {SUMS} from read_parquet({files})").fetchall()[0]


def by_duckdb_delta(table, _files):
    try:
        import duckdb_extensions

        duckdb_extensions.import_extension("delta")
    except ImportError:
        duckdb.sql("load delta")
    return duckdb.sql(f"select {SUMS} from delta_scan('{table}')").fetchall()[0]


def by_spark_files(_table, files):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        spark.read.parquet(*files).createOrReplaceTempView("facts")
        return tuple(spark.sql(f"select {SUMS} from facts").collect()[0])
    finally:
        spark.stop()


@functools.cache
def sail():
    """A session with a server of its own, one for all tables; it ends with this program."""
    import pyspark
    from pysail.spark import SparkConnectServer
    from pyspark.sql.connect.session import SparkSession

    if tuple(int(part) for part in pyspark.__version__.split(".")[:2]) >= (4, 3):
        raise RuntimeError(f"PySpark's client is {pyspark.__version__}, of which Sail ends every session; install pyspark-client==4.1.1")
    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start()
    return server, SparkSession.builder.remote("sc://{}:{}".format(*server.listening_address)).create()


def by_sail(table, _files):
    _, spark = sail()
    spark.read.format("delta").load(table).createOrReplaceTempView("facts")
    return tuple(spark.sql(f"select {SUMS} from facts").collect()[0])


READERS = {
    "deltalake": by_deltalake,
    "Polars": by_polars,
    "DuckDB, delta extension": by_duckdb_delta,
    "DuckDB, list of files": by_duckdb_files,
    "PySpark, list of files": by_spark_files,
    "Sail, delta": by_sail,
}


def main():
    differ = False
    for table in sys.argv[1:]:
        files = [path.removeprefix("file://") for path in deltalake.DeltaTable(table).file_uris()]
        found = {}
        for name, read in READERS.items():
            try:
                found[name] = tuple(int(number) for number in read(table, files))
                print(f"{table}: {name}: {found[name]}", flush=True)
            except Exception as error:  # noqa: BLE001  A reader that is not there, or cannot: named.
                print(f"{table}: {name} does not read it: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        differ |= len(set(found.values())) != 1
    if differ:
        print("they differ", file=sys.stderr)
    sys.stdout.flush()
    # Sail's server may hang while it is torn down.
    os._exit(int(differ))


if __name__ == "__main__":
    main()
