"""The take-rate job as a stream, by Flink in SQL: state on the heap, exactly once, a checkpoint every ten seconds.

usage: take_rates_flink.py EVENTS_DIR CELLS.csv WORK_DIR

Redeliveries are dropped by id, plays meet their impression in an interval join, and windows of half an hour are written once
the watermark has passed them. Events are read as one file: files of a directory are read in no order, and watermarks want one.
"""

import shutil
import sys
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

events, cells, work = (Path(argument).resolve() for argument in sys.argv[1:])
together, out = work / "events.json", work / "out"
with open(together, "wb") as file:
    for part in sorted(events.glob("*.json")):
        with open(part, "rb") as source:
            shutil.copyfileobj(source, file)

tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
for setting, value in {
    "parallelism.default": "2",
    "table.local-time-zone": "UTC",
    "state.backend.type": "hashmap",
    "execution.checkpointing.interval": "10 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.dir": f"file://{work}/checkpoints",
}.items():
    tables.get_config().set(setting, value)

tables.execute_sql(
    f"""
    CREATE TEMPORARY TABLE events (
        id STRING, `type` STRING, `member` STRING, title STRING, request STRING, country STRING,
        `at` TIMESTAMP_LTZ(3),
        arrived AS PROCTIME(),
        WATERMARK FOR `at` AS `at` - INTERVAL '60' SECOND
    ) WITH (
        'connector' = 'filesystem', 'path' = 'file://{together}', 'format' = 'json',
        'json.timestamp-format.standard' = 'ISO-8601'
    )"""
)
tables.execute_sql(
    f"""
    CREATE TEMPORARY TABLE cells (
        title STRING, epoch_ms BIGINT, country STRING, impressions BIGINT, plays BIGINT
    ) WITH ('connector' = 'filesystem', 'path' = 'file://{out}', 'format' = 'csv')"""
)
tables.execute_sql(
    """
    CREATE TEMPORARY VIEW delivered AS
    SELECT `type`, `member`, title, request, country, `at`
    FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY arrived ASC) AS delivery FROM events)
    WHERE delivery = 1"""
)
for kind in ("impression", "play"):
    tables.execute_sql(f"CREATE TEMPORARY VIEW {kind}s AS SELECT * FROM delivered WHERE `type` = '{kind}'")
tables.execute_sql(
    """
    CREATE TEMPORARY VIEW counted AS
    SELECT title, country, `at`, CAST(1 AS BIGINT) AS impression, CAST(0 AS BIGINT) AS play FROM impressions
    UNION ALL
    SELECT i.title, i.country, i.`at`, CAST(0 AS BIGINT), CAST(1 AS BIGINT)
    FROM impressions AS i JOIN plays AS p
    ON i.`member` = p.`member` AND i.request = p.request AND i.title = p.title
        AND p.`at` BETWEEN i.`at` AND i.`at` + INTERVAL '1' HOUR"""
)
tables.execute_sql(
    """
    INSERT INTO cells
    SELECT title, UNIX_TIMESTAMP(CAST(window_start AS STRING)) * 1000, country, SUM(impression), SUM(play)
    FROM TABLE(TUMBLE(TABLE counted, DESCRIPTOR(`at`), INTERVAL '30' MINUTES))
    GROUP BY window_start, window_end, title, country"""
).wait()
with open(cells, "wb") as file:
    for part in sorted(part for part in out.iterdir() if part.is_file() and not part.name.startswith(".")):
        file.write(part.read_bytes())
