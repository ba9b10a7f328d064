#!/usr/bin/env python3
"""What an event costs by members, titles, events and nodes, measured with `nearline bench` and drawn.

usage: scaling.py NEARLINE OUT.svg [--repeat 3] [--quick] [--from MEASURED]     (PyPI: matplotlib)

NEARLINE is a program built with the feature `bench`. Each point is the median of its repeats, the least and greatest
drawn beside it; the measurements are printed as JSON, one a line, and what stands in the file MEASURED is not measured again.
Nodes are processes on this machine: their processor time is compared, not their speed.
"""

import argparse
import json
import subprocess
import sys
import tempfile

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("nearline")
arguments.add_argument("out")
arguments.add_argument("--repeat", type=int, default=3)
arguments.add_argument("--quick", action="store_true", help="a tenth of the events, to try this script")
arguments.add_argument("--from", dest="measured")
arguments = arguments.parse_args()
known = {}
if arguments.measured:
    known = {line["measured"]: line for line in map(json.loads, open(arguments.measured))}
part = 10 if arguments.quick else 1


def bench(*words, files=None):
    """Figures of one benchmark; `files` events in files are its input."""
    measured = " ".join(map(str, words)) + (f" of {files} events in files" if files else "")
    if measured not in known:
        with tempfile.TemporaryDirectory() as folder:
            if files:
                run("takerate", "--write", f"{folder}/events", "--events", files)
                words += (f"{folder}/events",)
            known[measured] = {"measured": measured} | run(*words)
    print(json.dumps(known[measured]), flush=True)
    return known[measured]


def run(*words):
    command = [arguments.nearline, "bench", *map(str, words), "--json"]
    print(" ".join(command), file=sys.stderr)
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def point(figures, name):
    least, greatest = figures.get("spread", {}).get(name, (figures[name],) * 2)
    return figures[name], figures[name] - least, greatest - figures[name]


def draw(axes, xs, all_figures, name, label, color, scale=1.0):
    points = [point(figures, name) for figures in all_figures]
    middle, below, above = ([value * scale for value in column] for column in zip(*points))
    axes.errorbar(xs, middle, yerr=[below, above], marker="o", capsize=3, color=color, label=label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def panel(axes, title, xs, all_figures, memory):
    draw(axes, xs, all_figures, "events_per_cpu_s", "events per CPU second (left)", "#1f6f8b", 1e-3)
    axes.set_xscale("log")
    axes.set_title(title)
    axes.set_ylabel("thousands")
    beside = axes.twinx()
    draw(beside, xs, all_figures, memory, "resident memory (right)", "#c1440e")
    beside.grid(False)
    beside.set_ylabel("MiB")
    handles = axes.get_legend_handles_labels()[0] + beside.get_legend_handles_labels()[0]
    axes.legend(handles, [handle.get_label() for handle in handles], loc="lower center", fontsize=8)


figure, ((members, titles), (events, nodes)) = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
repeat = ("--repeat", arguments.repeat)
size = ("--events", 1_000_000 // part)

counts = [10_000, 100_000, 1_000_000]
panel(members, "ingest, by members", counts,
      [bench("ingest", *size, *repeat, "--members", count) for count in counts], "rss_mib")
counts = [1_000, 10_000, 100_000]
panel(titles, "ingest, by titles", counts,
      [bench("ingest", *size, *repeat, "--titles", count) for count in counts], "rss_mib")

counts = [count // part for count in (250_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)]
measured = [bench("takerate", *repeat, files=count) for count in counts]
panel(events, "take-rate job, by events", counts, measured, "peak_rss_mib")

counts = [1, 2, 4, 8]
scaled = bench("scale", *size, "--nodes", ",".join(map(str, counts)), *repeat)
for what, color in (("cpu", "#1f6f8b"), ("nats_cpu", "#7a9e3f"), ("redis_cpu", "#c1440e")):
    shaped = [{what: scaled[f"{n}_nodes_{what}_us_per_event"],
               "spread": {what: scaled.get("spread", {}).get(f"{n}_nodes_{what}_us_per_event",
                                                             (scaled[f"{n}_nodes_{what}_us_per_event"],) * 2)}}
              for n in counts]
    label = {"cpu": "all nodes together", "nats_cpu": "NATS", "redis_cpu": "Redis"}[what]
    draw(nodes, counts, shaped, what, label, color)
nodes.set_title("catching up on one log, by nodes")
nodes.set_ylabel("CPU µs an event")
nodes.set_xticks(counts)
nodes.legend(fontsize=8)
figure.savefig(arguments.out, metadata={"Date": None})
