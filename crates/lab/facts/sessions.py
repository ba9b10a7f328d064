#!/usr/bin/env python3
"""Runs what docs/facts.md shows under "With other tools" as it stands there, and holds Spark's join against nearline-lab's.

usage: sessions.py NEARLINE_LAB FOLDER     needs numpy, pyarrow, polars, duckdb, pyspark (with Java), scikit-learn

FOLDER gets `facts/` and `labels.parquet` of generate.py (200,000 facts, 20,000 labels), and what the sessions write.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GUIDE = HERE.parents[2] / "docs/facts.md"


def blocks():
    """Language and text of each block of the section."""
    section = GUIDE.read_text().split("\n## With other tools\n")[1].split("\n## ")[0]
    return re.findall(r"```(\w+)\n(.*?)```", section, re.S)


def sums(rows):
    """Count and sums of what both joins give."""
    import polars as pl

    columns = [pl.col("fact_position").count().alias("found"), pl.col("fact_position").sum(), pl.col("plays_30d").sum(),
               (pl.col("status").cast(pl.String) == "ok").sum().alias("ok")]  # fmt: skip
    return rows.select(pl.len(), *columns).collect().row(0)


def main():
    program, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, HERE / "generate.py", folder, "facts=200000", "labels=20000", "members=10000"], check=True)
    os.chdir(folder)
    shutil.rmtree("train", ignore_errors=True)
    tools = pathlib.Path("tools")
    tools.mkdir(exist_ok=True)
    (tools / "nearline-lab").unlink(missing_ok=True)
    (tools / "nearline-lab").symlink_to(program)
    os.environ["PATH"] = f"{tools.resolve()}:{os.environ['PATH']}"
    subprocess.run("nearline-lab extract --labels labels.parquet --facts facts/ -o train.parquet", shell=True, check=True)

    import duckdb
    import polars as pl
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    names = {"spark": spark}
    for language, text in blocks():
        started = time.time()
        if language == "sh":
            subprocess.run(text, shell=True, check=True)
        elif language == "sql":
            duckdb.sql(text)
        else:
            exec(text, names)  # noqa: S102  The guide's own words.
        print(f"-- {language}, {time.time() - started:.1f} s: {text.strip().splitlines()[-1][:90]}", flush=True)

    ours, sparks = sums(pl.scan_parquet("train.parquet")), sums(pl.scan_parquet("train/*.parquet"))
    print(f"rows, found, sums: nearline-lab {ours}, Spark {sparks}")
    feast = duckdb.sql("select count(*), count(event_timestamp), count(created) from facts_for_feast").fetchall()[0]
    print(f"the view for Feast: {feast}")
    spark.stop()
    if ours != sparks or feast != (200_000,) * 3:
        sys.exit("they differ")


if __name__ == "__main__":
    main()
