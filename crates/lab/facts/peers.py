#!/usr/bin/env python3
"""One point-in-time join or look-up by DuckDB or Polars; prints what it cost and checksums.

usage: peers.py CASE FOLDER [TABLE]
  duckdb-as-served, duckdb-event-time, polars-as-served    labels with facts, written as Parquet
  duckdb-lookup, polars-lookup                             facts of the members of members.parquet, from TABLE
  check FILE                                               the checksums of a result
"""
import resource
import sys
import time

FEATURES = ["plays_30d", "affinity_drama", "affinity_comedy", "affinity_action", "recency_s", "country"]


def duckdb_join(folder, order):
    import duckdb

    facts, labels = f"{folder}/facts/*.parquet", f"{folder}/labels.parquet"
    columns = ", ".join(f"f.{name}" for name in ["position", *FEATURES])
    source = f"'{facts}'"
    if order == "event-time":
        # A fact whose event is older than one known before it never answers: what is left ascends in both times.
        newest = "max(event_at) over (partition by member order by known_at, position rows between unbounded preceding and 1 preceding)"
        source = f"(select * from (select *, {newest} as before from '{facts}') where before is null or event_at >= before)"
    connection = duckdb.connect()
    connection.sql("set threads = 2")
    connection.sql("set preserve_insertion_order = false")
    out = f"{folder}/duckdb-{order}.parquet"
    connection.sql(f"""copy (select l.*, f.event_at as fact_event_at, f.known_at as fact_known_at, {columns}
        from '{labels}' l asof left join {source} f on l.member = f.member and l.event_at >= f.known_at)
        to '{out}' (format parquet, compression zstd)""")
    return out


def polars_join(folder):
    import polars as pl

    facts = pl.scan_parquet(f"{folder}/facts/*.parquet").rename({"event_at": "fact_event_at"}).sort("known_at")
    labels = pl.scan_parquet(f"{folder}/labels.parquet").sort("event_at")
    joined = labels.join_asof(facts, left_on="event_at", right_on="known_at", by="member", strategy="backward",
                              check_sortedness=False)
    out = f"{folder}/polars-as-served.parquet"
    joined.sink_parquet(out, compression="zstd")
    return out


def duckdb_lookup(folder, table):
    import duckdb

    connection = duckdb.connect()
    connection.sql("set threads = 2")
    return connection.sql(f"""select count(*), sum(position), sum(plays_30d), sum(affinity_drama), count(country),
        max(known_at)::varchar from '{table}' where member in (select member from '{folder}/members.parquet')""").fetchall()


def polars_lookup(folder, table):
    import polars as pl

    wanted = pl.scan_parquet(f"{folder}/members.parquet")
    found = pl.scan_parquet(table).join(wanted, on="member", how="semi")
    sums = found.select(pl.len(), pl.col("position").sum(), pl.col("plays_30d").sum(), pl.col("affinity_drama").sum(),
                        pl.col("country").count(), pl.col("known_at").max())
    return sums.collect(engine="streaming").rows()


def check(path):
    import duckdb

    columns = [row[0] for row in duckdb.sql(f"describe select * from '{path}'").fetchall()]
    position = "fact_position" if "fact_position" in columns else "position"
    return duckdb.sql(f"select count(*), count({position}), sum({position}), sum(plays_30d) from '{path}'").fetchall()


def main():
    case, folder, *rest = sys.argv[1:]
    if case == "check":
        print(check(folder))
        return
    started = time.time()
    if case.endswith("lookup"):
        sums = {"duckdb": duckdb_lookup, "polars": polars_lookup}[case.split("-")[0]](folder, rest[0])
    elif case == "polars-as-served":
        sums = polars_join(folder)
    else:
        sums = duckdb_join(folder, case.removeprefix("duckdb-"))
    wall = time.time() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = f"wall {wall:.2f} s, CPU {used.ru_utime + used.ru_stime:.2f} s, peak {used.ru_maxrss / 1024:.0f} MiB"
    print(f"{case}: {cost}: {sums if isinstance(sums, list) else check(sums)}", flush=True)


if __name__ == "__main__":
    main()
