#!/usr/bin/env python3
"""Reads a table with programs that others use, and holds their counts and sums against each other.

usage: readers.py TABLE...     needs deltalake, polars, duckdb; further, where they are there:
  DuckDB's `delta` extension (from PyPI: duckdb-extension-delta), pyspark (with Java), pysail with pyspark's client

TABLE is an archive of events, or facts/members, facts/decisions. A reader that is not there is named, and is no failure; one that
gives other rows is.
"""
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
    return duckdb.sql(f"select {SUMS} from read_parquet({files})").fetchone()


def by_duckdb_delta(table, _files):
    try:
        import duckdb_extensions

        duckdb_extensions.import_extension("delta")
    except ImportError:
        duckdb.sql("load delta")
    return duckdb.sql(f"select {SUMS} from delta_scan('{table}')").fetchone()


def by_spark_files(_table, files):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        spark.read.parquet(*files).createOrReplaceTempView("facts")
        return tuple(spark.sql(f"select {SUMS} from facts").collect()[0])
    finally:
        spark.stop()


def by_sail(table, _files):
    from pysail.spark import SparkConnectServer
    from pyspark.sql.connect.session import SparkSession

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start()
    try:
        spark = SparkSession.builder.remote("sc://{}:{}".format(*server.listening_address)).create()
        spark.read.format("delta").load(table).createOrReplaceTempView("facts")
        return tuple(spark.sql(f"select {SUMS} from facts").collect()[0])
    finally:
        server.stop()


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
        sys.exit("they differ")


if __name__ == "__main__":
    main()
