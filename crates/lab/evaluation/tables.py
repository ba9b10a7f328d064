"""Peers on tables of plays: user, item, time. One protocol, each peer tuned for the data.

    tables.py order events.csv.gz --to ordered.csv       deals events of one time, one millisecond apart
    tables.py peers ordered.csv --to peers.json          tunes and measures every peer
    tables.py compare peers.json … nearline.json         one table, by titles played before

`nearline-lab evaluate prequential ordered.csv --json` is asked the same questions: before each play of an item
that its user had not played, after the first 80 % of events. Then the event is learned, by every peer as well:
counts grow with every event, and what has to be fitted (EASE) is fitted again before each tenth. Peers are
tuned by hit rate on the events from 64 % to 80 % (EASE fitted once), and fall back on recent popularity.

Streaming transitions; VMIS-kNN (Kersbergen, Sprangers, Schelter, SIGMOD 2022), with the settings that make it
V-SKNN (Ludewig, Jannach, 2018) and the decay by position of STAN (Garg et al., SIGIR 2019) among those tuned;
item-kNN, cosine; EASE (Steck, WWW 2019), decayed fold-in.
"""

import argparse
import csv
import gzip
import itertools
import json
import sys
import time

import numba
import numpy as np
import scipy.sparse as sparse

K = 10
WINDOW = 50
CLASSES = [0, 1, 2, 3, 6, 21]
DAY_MS = 86_400_000.0


def rows(path):
    """User, item, milliseconds, of a table with or without a header."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        first = file.readline()
        separator = next(mark for mark in ("\t", "::", ",", ";") if mark in first)
        fields = first.strip().split(separator)
        known = {"user": 0, "item": 1, "ms": len(fields) - 1}
        has_header = not fields[-1].replace(".", "").isdigit()
        if has_header:
            names = [name.lower() for name in fields]
            aliases = {"user": ["user", "userid", "session"], "item": ["item", "movieid"], "ms": ["ms", "timestamp"]}
            known = {name: next(names.index(a) for a in of if a in names) for name, of in aliases.items()}
        for line in itertools.chain([] if has_header else [first], file):
            if line.strip():
                fields = line.strip().split(separator)
                at = float(fields[known["ms"]])
                yield fields[known["user"]], fields[known["item"]], int(at if at >= 1e11 else at * 1000)


def order(path, to, seed):
    events = list(rows(path))
    np.random.default_rng(seed).shuffle(events)
    events.sort(key=lambda event: int(event[2]))
    last = -1
    with open(to, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["user", "item", "ms"])
        for user, item, at in events:
            last = max(int(at), last + 1)
            out.writerow([user, item, last])


class Events:
    def __init__(self, path):
        users, items, self.at = zip(*rows(path))
        self.at = np.array(self.at, dtype=np.int64)
        self.users, self.user = np.unique(users, return_inverse=True)
        self.items, self.item = np.unique(items, return_inverse=True)
        longest = np.bincount(self.user).max()
        self.history = np.zeros((len(self.users), longest), dtype=np.int32)
        self.length = np.zeros(len(self.users), dtype=np.int64)


@numba.njit
def put(history, length, user, item):
    """Puts an item at the end of the history; true if it was in it."""
    size = length[user]
    for at in range(size):
        if history[user, at] == item:
            for later in range(at, size - 1):
                history[user, later] = history[user, later + 1]
            history[user, size - 1] = item
            return True
    history[user, size] = item
    length[user] = size + 1
    return False


@numba.njit
def rank(scores, recent, history, size, item):
    """Mean rank of the item among those not played; recent popularity decides between equal scores."""
    for at in range(size):
        scores[history[at]] = -np.inf
    above, equal = 0, 0
    for other in range(len(scores)):
        if scores[other] > scores[item] or (scores[other] == scores[item] and recent[other] > recent[item]):
            above += 1
        elif scores[other] == scores[item] and recent[other] == recent[item]:
            equal += 1
    return above + (equal + 1) / 2


@numba.njit
def has(history, size, item):
    for at in range(size):
        if history[at] == item:
            return True
    return False


@numba.njit
def fade(recent, now, last, half_life):
    """Halves popularity with every half-life of time."""
    if now > last and half_life > 0:
        factor = 0.5 ** ((now - last) / half_life)
        for item in range(len(recent)):
            recent[item] *= factor


@numba.njit
def sums(user, item, at, first, end, history, length, half_life, step, fold, damping, back, cosine):
    """Transitions (`cosine` 0), item-kNN by cosine (1) or popularity alone (2), learned with every event."""
    count = item.max() + 1
    pairs = np.zeros((count, count), dtype=np.float32)
    plays, recent = np.zeros(count), np.zeros(count)
    scores, ranks, played, asked = np.zeros(count), [0.0], [0], 0
    for event in range(end):
        who, what, size = user[event], item[event], length[user[event]]
        if event > 0:
            fade(recent, at[event], at[event - 1], half_life)
        is_new = not has(history[who], size, what)
        if event >= first and is_new:
            scores[:] = 0.0
            weight = 1.0
            for place in range(size - 1, max(-1, size - 1 - WINDOW), -1):
                if weight < 0.01 or cosine == 2:
                    break
                source = history[who, place]
                for other in range(count):
                    value = pairs[source, other] + back * pairs[other, source]
                    if value > 0:
                        if cosine == 1:
                            value /= (plays[source] * plays[other]) ** 0.5
                        else:
                            value /= (plays[source] + 5.0) * (plays[other] + 20.0) ** damping
                        scores[other] += weight * value
                weight *= fold
            ranks.append(rank(scores, recent, history[who], size, what))
            played.append(size)
        weight = 1.0
        for place in range(size - 1, max(-1, size - 1 - WINDOW), -1):
            if history[who, place] != what:
                pairs[history[who, place], what] += weight
                weight *= step
        plays[what] += 1
        recent[what] += 1
        put(history, length, who, what)
    return ranks, played


@numba.njit
def sessions(user, item, at, first, end, history, length, half_life, sample, nearest, fold, spread, rarity):
    """VMIS-kNN: of each item of the history the `sample` sessions that had it last, of those the `nearest`,
    by weights that fade with steps back; items count by their distance from the last one in common."""
    count, members, most = item.max() + 1, user.max() + 1, 2_000
    posts, posted = np.zeros((count, most), dtype=np.int32), np.zeros(count, dtype=np.int64)
    likeness, found = np.zeros(members), np.zeros(members, dtype=np.int64)
    had, newest, known = np.zeros(count), np.zeros(members), 0
    recent, scores, ranks, played = np.zeros(count), np.zeros(count), [0.0], [0]
    for event in range(end):
        who, what, size = user[event], item[event], length[user[event]]
        if event > 0:
            fade(recent, at[event], at[event - 1], half_life)
        is_new = not has(history[who], size, what)
        if event >= first and is_new:
            scores[:] = 0.0
            others, weight = 0, 1.0
            for place in range(size - 1, max(-1, size - 1 - WINDOW), -1):
                if weight < 0.01:
                    break
                source, taken = history[who, place], 0
                worth = weight * np.log(known / had[source]) if rarity > 0 else weight
                for post in range(posted[source] - 1, max(-1, posted[source] - 1 - most), -1):
                    other = posts[source, post % most]
                    if taken >= sample:
                        break
                    if other != who:
                        if likeness[other] == 0.0:
                            found[others] = other
                            others += 1
                        likeness[other] += worth
                        taken += 1
                weight *= fold
            chosen = found[:others]
            if others > nearest:
                keys = np.empty(others)
                for place in range(others):
                    keys[place] = -likeness[found[place]] - 1e-18 * newest[found[place]]
                chosen = found[np.argsort(keys)[:nearest]]
            for other in chosen:
                common = 0
                for place in range(length[other]):
                    if has(history[who], size, history[other, place]):
                        common = place
                for place in range(length[other]):
                    near = np.exp(-abs(place - common) / spread)
                    scores[history[other, place]] += likeness[other] * near
            for place in range(others):
                likeness[found[place]] = 0.0
            ranks.append(rank(scores, recent, history[who], size, what))
            played.append(size)
        known += size == 0
        if is_new:
            posts[what, posted[what] % most] = who
            posted[what] += 1
            had[what] += 1
        newest[who] = at[event]
        recent[what] += 1
        put(history, length, who, what)
    return ranks, played


@numba.njit
def folded(user, item, at, begin, end, history, length, recent, half_life, weights, fold):
    """Ranks by weights between items and a history that fades by steps back."""
    count = weights.shape[0]
    scores, ranks, played = np.zeros(count), [0.0], [0]
    for event in range(begin, end):
        who, what, size = user[event], item[event], length[user[event]]
        if event > 0:
            fade(recent, at[event], at[event - 1], half_life)
        if weights.size > 1 and not has(history[who], size, what):
            scores[:] = 0.0
            weight = 1.0
            for place in range(size - 1, -1, -1):
                if weight < 0.01:
                    break
                for other in range(count):
                    scores[other] += weight * weights[history[who, place], other]
                weight *= fold
            ranks.append(rank(scores, recent, history[who], size, what))
            played.append(size)
        recent[what] += 1
        put(history, length, who, what)
    return ranks, played


def fit_ease(events, end, regularisation):
    pairs = np.unique(np.stack([events.user[:end], events.item[:end]]), axis=1)
    shape = len(events.users), len(events.items)
    matrix = sparse.csr_matrix((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=shape)
    gram = (matrix.T @ matrix).toarray()
    gram[np.diag_indices_from(gram)] += regularisation
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def ease(events, first, end, half_life, regularisation, fold, refits=10):
    recent = np.zeros(len(events.items))
    state = events.history, events.length, recent, half_life * DAY_MS
    nothing = np.zeros((1, 1), dtype=np.float32)
    folded(events.user, events.item, events.at, 0, first, *state, nothing, fold)
    ranks, played = [], []
    bounds = np.linspace(first, end, refits + 1).astype(int)
    for begin, until in zip(bounds, bounds[1:]):
        weights = fit_ease(events, begin, regularisation)
        more = folded(events.user, events.item, events.at, begin, until, *state, weights, fold)
        ranks += more[0][1:]
        played += more[1][1:]
    return np.array(ranks), np.array(played)


def run(events, peer, first, end, parameters, refits=10):
    events.length[:] = 0
    if peer == "EASE, refitted 10 times, decayed fold-in":
        return ease(events, first, end, refits=refits, **parameters)
    state = events.user, events.item, events.at, first, end, events.history, events.length
    half_life = parameters["half_life"] * DAY_MS
    rest = [value for name, value in parameters.items() if name != "half_life"]
    kernel = sessions if "sample" in parameters else sums
    ranks, played = kernel(*state, half_life, *rest)
    return np.array(ranks[1:]), np.array(played[1:])


def peers(half_life):
    """Name, first parameters, and what is tried of each, one after the other."""
    times = [0.04, 0.125, 0.5, 1.0, 3.0, 14.0, 90.0]
    plain = {"half_life": half_life, "step": 0.85, "fold": 0.85, "damping": 0.2, "back": 0.0, "cosine": 0}
    folds = [0.3, 0.5, 0.7, 0.85, 0.93]
    near = {"half_life": half_life, "sample": 500, "nearest": 500, "fold": 0.8, "spread": 1e9, "rarity": 0}
    return [
        ("popularity, recency-decayed", {**plain, "cosine": 2}, {"half_life": times}),
        ("transitions, streaming", plain, {"fold": folds, "step": [0.3, 0.6, 0.85], "damping": [0.0, 0.2, 0.4]}),
        ("item-kNN, cosine, streaming", {**plain, "step": 1.0, "back": 1.0, "cosine": 1}, {"fold": folds}),
        (
            "VMIS-kNN / V-SKNN / STAN",
            near,
            {"fold": folds, "spread": [1e9, 2.0, 5.0, 20.0], "rarity": [0, 1], "nearest": [100, 1_500]},
        ),
        (
            "EASE, refitted 10 times, decayed fold-in",
            {"half_life": half_life, "regularisation": 200.0, "fold": 0.85},
            {"fold": [*folds, 0.97], "regularisation": [20.0, 50.0, 100.0, 500.0, 1000.0]},
        ),
    ]


def by_plays(ranks, played):
    classes = np.searchsorted(CLASSES, played, side="right") - 1
    hits = ranks <= K
    cell = lambda of: {"queries": int(of.sum()), "hit_rate": float(hits[of].mean()) if of.any() else None}
    return [cell(classes == number) for number in range(len(CLASSES))]


def measure(path, to, only):
    events, results, half_life = Events(path), [], 14.0
    total = len(events.at)
    test = round(total * 0.8)
    tuning = round(test * 0.8)
    for name, parameters, grid in peers(half_life):
        if only and only not in name:
            continue
        parameters["half_life"] = half_life
        started, tried = time.monotonic(), {}

        def hit_rate(parameters):
            key = tuple(parameters.values())
            if key not in tried:
                tried[key] = float((run(events, name, tuning, test, parameters, refits=1)[0] <= K).mean())
            return tried[key]

        for parameter, values in grid.items():
            candidates = [parameters, *({**parameters, parameter: value} for value in values)]
            parameters = max(candidates, key=hit_rate)
        if name.startswith("popularity"):
            half_life = parameters["half_life"]
        ranks, played = run(events, name, test, total, parameters)
        result = {"name": name, "parameters": parameters, "tried": len(tried), "queries": len(ranks)}
        result.update(hit_rate=float((ranks <= K).mean()), by_plays=by_plays(ranks, played))
        result.update(seconds=round(time.monotonic() - started, 1))
        results.append(result)
        print(f"{name}: {result['hit_rate']:.4f}, {parameters}", file=sys.stderr, flush=True)
        with open(to, "w", encoding="utf-8") as file:
            json.dump({"events": total, "peers": results}, file, indent=1)


def compare(peers_paths, nearline_path):
    results = []
    for path in peers_paths:
        with open(path, encoding="utf-8") as file:
            results += json.load(file)["peers"]
    with open(nearline_path, encoding="utf-8") as file:
        report = json.load(file)
    names = ["0", "1", "2", "3–5", "6–20", "21 or more"]
    found = {row["seen"]: row["hit_rate_at_10"] for row in report["by_titles_seen"]}
    own = {"name": "**nearline**", "hit_rate": report["hit_rate_at_10"]}
    own["by_plays"] = [{"hit_rate": found.get(name)} for name in names]
    print(f"| | hit rate@10 | {' | '.join(f'after {name}' for name in names)} |")
    print("| --- " + "| ---: " * 7 + "|")
    for result in [own, *sorted(results, key=lambda result: -result["hit_rate"])]:
        cells = [cell["hit_rate"] for cell in result["by_plays"]]
        cells = ["–" if cell is None else f"{cell:.4f}" for cell in cells]
        print(f"| {result['name']} | {result['hit_rate']:.4f} | {' | '.join(cells)} |")
    best = max(result["hit_rate"] for result in results)
    print(f"\n{report['queries']:,} queries; nearline / best peer: {own['hit_rate'] / best:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("order")
    command.add_argument("events")
    command.add_argument("--to", required=True)
    command.add_argument("--seed", type=int, default=1)
    command = commands.add_parser("peers")
    command.add_argument("events")
    command.add_argument("--to", required=True)
    command.add_argument("--only")
    command = commands.add_parser("compare")
    command.add_argument("peers", nargs="+")
    command.add_argument("nearline")
    arguments = parser.parse_args()
    if arguments.command == "order":
        order(arguments.events, arguments.to, arguments.seed)
    elif arguments.command == "peers":
        measure(arguments.events, arguments.to, arguments.only)
    else:
        compare(arguments.peers, arguments.nearline)


if __name__ == "__main__":
    main()
