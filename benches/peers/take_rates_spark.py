"""The take-rate job as a stream, by Spark's structured streaming: exactly once, with its own checkpoints.

usage: take_rates_spark.py EVENTS_DIR CELLS.csv WORK_DIR

Files are read four at a time in the order of their names, redeliveries are dropped within ten minutes, plays meet their
impression in an interval join, and windows of half an hour are written once the watermark has passed them. Two
last files with events of the year 2100 close the windows that are open at the end; theirs are left out.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

events, cells, work = (Path(argument).resolve() for argument in sys.argv[1:])
inputs = work / "inputs"
inputs.mkdir(parents=True)
# Spark takes the oldest files first: their times tell the order of their names.
for number, file in enumerate(sorted(events.glob("*.json"))):
    shutil.copyfile(file, inputs / file.name)
    os.utime(inputs / file.name, (1_000_000 + number, 1_000_000 + number))
closing = [
    {"id": f"closing-{day}-{kind}", "type": kind, "member": "closing", "title": "closing", "request": "closing",
     "country": "ZZ", "at": f"2100-01-0{day}T00:00:00.000Z"}
    for day in (1, 2) for kind in ("impression", "play")
]
for number, day in enumerate(("1", "2")):
    file = inputs / f"~closing-{day}.json"
    file.write_text("".join(json.dumps(event) + "\n" for event in closing if event["id"].startswith(f"closing-{day}")))
    os.utime(file, (2_000_000 + number, 2_000_000 + number))

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.driver.memory", "6g")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
schema = "id STRING, type STRING, member STRING, title STRING, at TIMESTAMP, request STRING, country STRING"
read = spark.readStream.schema(schema).option("maxFilesPerTrigger", 4).json(str(inputs))


def of_type(kind):
    rows = read.where(f.col("type") == kind).withWatermark("at", "10 minutes")
    return rows.dropDuplicatesWithinWatermark(["id"])


impressions = of_type("impression").alias("i")
plays = of_type("play").alias("p")
attributed = impressions.join(
    plays,
    f.expr(
        "i.member = p.member and i.request = p.request and i.title = p.title"
        " and p.at >= i.at and p.at <= i.at + interval 1 hour"
    ),
)
counted = impressions.selectExpr("title", "country", "at", "1 as impression", "0 as play").union(
    attributed.selectExpr("i.title", "i.country", "i.at", "0 as impression", "1 as play")
)
rows = (
    counted.groupBy(f.window("at", "30 minutes"), "title", "country")
    .agg(f.sum("impression").alias("impressions"), f.sum("play").alias("plays"))
    .selectExpr("title", "unix_millis(window.start) as epoch_ms", "country", "impressions", "plays")
    .where("country <> 'ZZ'")
)
query = (
    rows.writeStream.outputMode("append").format("csv").option("header", "false")
    .option("path", str(work / "out")).option("checkpointLocation", str(work / "checkpoints"))
    .trigger(availableNow=True).start()
)
query.awaitTermination()
spark.stop()
with open(cells, "w") as file:
    file.write("title,epoch_ms,country,impressions,plays\n")
    for part in sorted((work / "out").glob("part-*.csv")):
        file.write(part.read_text())
