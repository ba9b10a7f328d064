"""Compares nearline with its peers, and writes the tables.

    peers.py movielens --events ml.ndjson --to peers-movielens.json
    peers.py mind --events mind.ndjson --to peers-mind.json
    peers.py tables --nearline-movielens N.json --queries-movielens Q.ndjson --peers-movielens P.json
                    [--nearline-mind N.json --peers-mind P.json] [--into docs/evaluation.md]

`run.sh` beside this file does all of it.
"""

import argparse
import collections
import json
import math
import re
import sys
import warnings
from pathlib import Path


def movielens_table(nearline, queries, peers):
    """The comparison on MovieLens, the best nDCG first."""
    rows = [(nearline["label"], nearline, "its defaults, once")] + [
        (peer["name"], peer, parameters_in_words(peer)) for peer in peers["peers"]
    ]
    lines = [
        "| | hit rate@10 | ± 95 % | MRR@10 | nDCG@10 | nearline's nDCG@10 − this | nDCG@10, < 5 titles | coverage@10 "
        "| tuned on validation |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, report, tuned in sorted(rows, key=lambda row: -row[1]["ndcg_at_10"]):
        lines.append(
            f"| {name} | {percent(report['hit_rate_at_10'])} | "
            f"{percent(1.96 * report['hit_rate_at_10_standard_error'])} | {report['mrr_at_10']:.4f} | "
            f"{report['ndcg_at_10']:.4f} | {difference(queries, report)} | {report['cold']['ndcg_at_10']:.4f} | "
            f"{percent(report['coverage_at_10'])} | {tuned} |"
        )
    timing = nearline["timing"]
    lines += [
        "",
        f"{nearline['queries']:,} queries, {nearline['cold']['queries']:,} of them of members who had seen fewer than "
        f"5 titles; {nearline['members']:,} members, {nearline['titles']:,} titles. nearline, one thread: a query "
        f"{timing['query_p50_us']:.0f} µs p50, {timing['query_p99_us']:.0f} µs p99; an event, learned, "
        f"{timing['event_p50_us']:.0f} µs p50, {timing['event_p99_us']:.0f} µs p99.",
    ]
    return lines


def gain(rank):
    """nDCG of one query: its only relevant title at `rank`, or nowhere."""
    return 1.0 / math.log2(1.0 + rank) if rank else 0.0


def difference(queries, peer):
    """Mean difference of the nDCG, query by query, with 1.96 standard errors; the queries of one member are
    taken as one draw."""
    if "ranks" not in peer:
        return "–"
    differences = [gain(query["rank"]) - gain(rank) for query, rank in zip(queries, peer["ranks"])]
    mean = sum(differences) / len(differences)
    members = collections.defaultdict(float)
    for query, value in zip(queries, differences):
        members[query["member"]] += value - mean
    error = math.sqrt(sum(residual**2 for residual in members.values())) / len(differences)
    return f"{mean:+.4f} ± {1.96 * error:.4f}".replace("-", "−")


def mind_table(nearline, peers):
    """The comparison on MIND, the best AUC first."""
    popular = {**nearline["popular"], "requests_ranked": nearline["requests_ranked"]}
    rows = [
        (nearline["label"], nearline, "none"),
        ("nearline, member unknown", popular, "none"),
    ] + [(peer["name"], peer, parameters_in_words(peer)) for peer in peers["peers"]]
    lines = ["| | AUC | MRR | nDCG@5 | nDCG@10 | tuned on validation |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for name, report, tuned in sorted(rows, key=lambda row: -row[1]["auc"]):
        figures = (report[metric] for metric in ("auc", "mrr", "ndcg_at_5", "ndcg_at_10"))
        lines.append(f"| {name} | {' | '.join(f'{figure:.4f}' for figure in figures)} | {tuned} |")
    timing = nearline["timing"]
    lines += [
        "",
        f"{nearline['requests_ranked']:,} requests of {nearline['titles_shown_mean']:.0f} titles on average. nearline, "
        f"one thread: ranking a request {timing['query_p50_us']:.0f} µs p50, {timing['query_p99_us']:.0f} µs p99.",
    ]
    return lines


def parameters_in_words(peer):
    words = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in sorted(peer["parameters"].items()))
    return f"{words} (of {peer['tried']})" if peer["tried"] > 1 else "none"


def percent(share):
    return f"{share * 100:.2f} %"


def check_same_protocol(nearline, peers):
    """Both sides must have been asked the same questions."""
    for name in ("events", "train_events", "test_events"):
        if name in peers and peers[name] != nearline[name]:
            sys.exit(f"peers.py: {name} is {nearline[name]} with nearline and {peers[name]} with the peers")
    for name in ("queries", "requests_ranked"):
        for peer in peers["peers"]:
            if name in peer and peer[name] != nearline[name]:
                sys.exit(f"peers.py: {peer['name']} has {peer[name]} {name}, nearline {nearline[name]}")


def check_metrics(nearline, queries):
    """nearline's own means must be those of its ranks, worked out here once more."""
    means = {
        "hit_rate_at_10": [1.0 if query["rank"] else 0.0 for query in queries],
        "mrr_at_10": [1.0 / query["rank"] if query["rank"] else 0.0 for query in queries],
        "ndcg_at_10": [gain(query["rank"]) for query in queries],
    }
    for name, values in means.items():
        if abs(sum(values) / len(values) - nearline[name]) > 1e-6:
            sys.exit(f"peers.py: nearline reports {name} {nearline[name]}, its ranks give {sum(values) / len(values)}")


def tables(arguments):
    nearline, peers = load(arguments.nearline_movielens), load(arguments.peers_movielens)
    nearline["label"] = f"**{f'nearline {arguments.label}'.strip()}**"
    check_same_protocol(nearline, peers)
    with open(arguments.queries_movielens, encoding="utf-8") as file:
        queries = [json.loads(line) for line in file]
    if [[query["member"], query["title"]] for query in queries] != peers["asked"]:
        sys.exit("peers.py: nearline was asked about other events than the peers")
    check_metrics(nearline, queries)
    lines = ["### MovieLens 100K", "", *movielens_table(nearline, queries, peers)]
    if arguments.nearline_mind:
        nearline, peers = load(arguments.nearline_mind), load(arguments.peers_mind)
        nearline["label"] = f"**{f'nearline {arguments.label}'.strip()}**"
        check_same_protocol(nearline, peers)
        lines += ["", "### MIND (sample)", "", *mind_table(nearline, peers)]
    text = "\n".join(lines)
    print(text)
    if arguments.into:
        page = Path(arguments.into)
        before = page.read_text(encoding="utf-8")
        marked = re.compile(r"(<!-- tables: begin[^>]*-->\n).*?(<!-- tables: end -->)", re.DOTALL)
        after, count = marked.subn(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", before)
        if count != 1:
            sys.exit(f"peers.py: {page} needs the markers `tables: begin` and `tables: end`, once")
        page.write_text(after, encoding="utf-8")


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def save(report, path):
    Path(path).write_text(json.dumps(report) + "\n", encoding="utf-8")


def main():
    warnings.filterwarnings("ignore", module="implicit")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("movielens", "mind"):
        command = commands.add_parser(name)
        command.add_argument("--events", required=True)
        command.add_argument("--to", required=True)
    commands.choices["movielens"].add_argument("--only", help="peers with this in their name")
    commands.choices["mind"].add_argument("--train-fraction", type=float, default=0.5)
    command = commands.add_parser("tables")
    command.add_argument("--nearline-movielens", required=True)
    command.add_argument("--queries-movielens", required=True)
    command.add_argument("--peers-movielens", required=True)
    command.add_argument("--nearline-mind")
    command.add_argument("--peers-mind")
    command.add_argument("--label", default="")
    command.add_argument("--into")
    arguments = parser.parse_args()
    if arguments.command == "movielens":
        import movielens

        save(movielens.run(arguments.events, arguments.only), arguments.to)
    elif arguments.command == "mind":
        import mind

        save(mind.run(arguments.events, arguments.train_fraction), arguments.to)
    else:
        tables(arguments)


if __name__ == "__main__":
    main()
