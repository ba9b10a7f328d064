#!/usr/bin/env python3
"""The emitted SQL selects the very rows that `nearline-lab stratify` writes: DuckDB and, if installed, PySpark.

usage: stratify_sql.py NEARLINE_LAB [rows=200000]      (needs pyarrow and duckdb; pyspark and Java are optional)
"""

import os
import subprocess
import sys
import tempfile
import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

SIZE = """
[[rules]]
name = "size"
size = { exactly = 5000 }
[[rules]]
name = "devices"
target = { keys = ["device"], uniform = true }
"""
RULES = {
    "shares": 'id = "row_id"\nseed = 7\nstrata = ["country", "device", "label"]\n' + SIZE,
    "bins, dates, missing values": 'id = "row_id"\nseed = 8\nstrata = ["device", "age", "month", "plan"]\n'
    '[keys.age]\ncolumn = "years"\nbins = [18.0, 35.0, 60.5]\n[keys.month]\ncolumn = "at"\ndate = "month"\n' + SIZE,
    "caps per member": 'id = "row_id"\nseed = 9\nstrata = ["device"]\n' + SIZE
    + '[[rules]]\nname = "members"\nentity = { column = "member", at_most = 2, at_least = 3 }\n',
    "rare strata merged": 'id = "text_id"\nseed = 10\nstrata = ["device", "country"]\n' + SIZE
    + '[[rules]]\nname = "rare"\nrare = { below = 900, action = "merge", key = "country" }\n',
    "expressions": 'id = "row_id"\nseed = 12\nstrata = ["device", "old", "where", "what", "season", "even"]\n'
    '[keys.old]\nsql = "CASE WHEN years < 18 THEN \'young\' WHEN years BETWEEN 18 AND 59 THEN \'grown\' ELSE \'old\' END"\n'
    '[keys.where]\nsql = "lower(substring(country, 1, 2))"\n[keys.what]\nsql = "coalesce(plan, \'none\') || \'/\' || CAST(label AS VARCHAR(3))"\n'
    '[keys.season]\nsql = "(month(at) - 1) % 4"\n[keys.even]\nsql = "member LIKE \'%1_\' AND years IS NOT NULL"\n' + SIZE,
    "weekdays": 'id = "row_id"\nseed = 11\nstrata = ["device", "day"]\n[keys.day]\ncolumn = "at"\ndate = "weekday"\n' + SIZE,
}


def data(path, rows):
    start = datetime.datetime(2026, 1, 1)
    mixed = [(i * 2654435761) % 4294967296 for i in range(rows)]
    pq.write_table(pa.table({
        "row_id": pa.array(range(rows), pa.int64()),
        "text_id": [f"r'{i:x}\\" for i in range(rows)],
        "country": ["O'Land" if m % 97 == 0 else f"C{m % 23:02d}" for m in mixed],
        "device": [["tv", "phone", "tablet", "web"][m % 7 % 4] for m in mixed],
        "label": pa.array([int(m % 31 == 0) for m in mixed], pa.int8()),
        "years": pa.array([None if m % 41 == 0 else m % 90 for m in mixed], pa.int32()),
        "plan": [None if m % 13 == 0 else ["basic", "premium"][m % 2] for m in mixed],
        "member": [f"m{m % 9001}" for m in mixed],
        "at": pa.array([start + datetime.timedelta(minutes=m % 250000) for m in mixed], pa.timestamp("us")),
    }), path, row_group_size=50_000)


def main():
    program = sys.argv[1]
    rows = int(dict(a.split("=") for a in sys.argv[2:]).get("rows", "200000"))
    try:
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.master("local[2]").config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false").config("spark.log.level", "ERROR").getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
    except Exception as error:  # noqa: BLE001
        spark = None
        print("without PySpark:", error)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "in.parquet"), os.path.join(folder, "out.parquet")
        data(source, rows)
        for name, rules in RULES.items():
            path = os.path.join(folder, "rules.toml")
            with open(path, "w") as file:
                file.write(rules)
            run = lambda *extra: subprocess.run([program, "stratify", "--rules", path, source, *extra], capture_output=True, text=True, check=False)
            done = run("-o", out)
            if done.returncode not in (0, 4):
                sys.exit(f"{name}: {done.stdout}{done.stderr}")
            ours = set(pq.read_table(out)["row_id"].to_pylist())
            found = {}
            for engine in ["duckdb", "spark"] if spark else ["duckdb"]:
                counts, selection = split(run("--emit-sql", engine).stdout)
                if engine == "duckdb":
                    duckdb.sql(f"create or replace view input as select * from '{source}'")
                    found[engine] = {row[0] for row in duckdb.sql(f"select row_id from ({selection})").fetchall()}
                    counted = sum(row[-1] for row in duckdb.sql(counts).fetchall())
                else:
                    spark.read.parquet(source).createOrReplaceTempView("input")
                    found[engine] = {row[0] for row in spark.sql(f"select row_id from ({selection})").collect()}
                    counted = sum(row[-1] for row in spark.sql(counts).collect())
                same = found[engine] == ours
                if engine == "duckdb":
                    # Counts alone: the plan comes from them, the rows from quotas.
                    table = os.path.join(folder, "counts.parquet")
                    duckdb.sql(f"copy ({counts}) to '{table}' (format parquet)")
                    by_quota = subprocess.run([program, "stratify", "--rules", path, "--counts", table, "--emit-sql", engine], capture_output=True, text=True, check=True).stdout
                    same &= {row[0] for row in duckdb.sql(f"select row_id from ({by_quota})").fetchall()} == ours
                failed |= not same or (counted != rows and "entity" not in rules)
                print(f"{name}: {engine} {len(found[engine])} rows, ours {len(ours)}, {'equal' if same else 'DIFFERENT'}; counts {counted}", flush=True)
    sys.exit(failed)


def split(text):
    """The two statements of the emitted text, without their comments."""
    parts = text.split("\n-- ")
    bodies = [part.split("\n", 1)[1].strip().rstrip(";") for part in parts]
    return bodies[0], bodies[1]


if __name__ == "__main__":
    main()
