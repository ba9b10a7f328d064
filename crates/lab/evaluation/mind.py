"""The peers on a sample of MIND: what each request showed, ranked; learned online, event by event.

The same as `nearline-lab evaluate impressions`: the titles of a request are ranked by what was known before its
first impression; a play belongs to the request that it names; of equal scores the mean over their orders
counts; AUC, MRR (of all that was played) and nDCG are averaged over requests with something played and
something not.
"""

import json
import math
import sys
import time
from collections import defaultdict

import numpy as np


class Events:
    """Impressions and plays in the order of time."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines if line.strip()]
        events.sort(key=lambda event: event["at"])
        self.rows = [(event["type"], event["member"], event["title"], event.get("request")) for event in events]
        self.requests = self._requests()
        self.shown = {title for first, titles, _ in self.requests.values() for title in titles}

    def _requests(self):
        """By number of its first impression: member, titles shown, titles played."""
        requests = {}
        for at, (kind, member, title, request) in enumerate(self.rows):
            if request is None:
                continue
            _, shown, played = requests.setdefault((member, request), (at, {}, set()))
            if kind == "play":
                played.add(title)
            elif kind == "impression":
                shown[title] = True
        by_first = {}
        for (member, _), (at, shown, played) in requests.items():
            relevant = np.array([title in played for title in shown])
            if relevant.any() and not relevant.all():
                by_first[at] = member, list(shown), relevant
        return by_first


def list_metrics(scores, relevant):
    """AUC, MRR, nDCG@5 and nDCG@10, ties as the mean over their orders."""
    order = np.argsort(-scores, kind="stable")
    scores, relevant = scores[order], relevant[order].astype(float)
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    per_place = (np.bincount(group, weights=relevant) / sizes)[group]
    ranks = np.arange(1, len(scores) + 1)
    total, discounts = relevant.sum(), 1.0 / np.log2(1.0 + ranks)
    others = 1.0 - per_place
    below = others.sum() - np.cumsum(np.bincount(group, weights=others))
    tied = np.bincount(group, weights=others)
    won = (np.bincount(group, weights=per_place) * (below + tied / 2)).sum()
    ndcg = [(per_place * discounts)[:k].sum() / discounts[: int(min(total, k))].sum() for k in (5, 10)]
    return won / (total * (len(scores) - total)), (per_place / ranks).sum() / total, *ndcg


class Popularity:
    """Plays so far."""

    def __init__(self):
        self.plays = defaultdict(int)

    def play(self, at, member, title):
        self.plays[title] += 1

    def impression(self, at, title):
        pass

    def scores(self, at, member, titles):
        return np.array([self.plays[title] for title in titles], dtype=float)


class RecentPopularity(Popularity):
    """Plays so far, halved with every `half_life` events."""

    def __init__(self, half_life):
        self.fade = math.log(2) / half_life
        self.plays = defaultdict(lambda: (0.0, 0))

    def now(self, at, title):
        value, then = self.plays[title]
        return value * math.exp(-self.fade * (at - then))

    def play(self, at, member, title):
        self.plays[title] = self.now(at, title) + 1.0, at

    def scores(self, at, member, titles):
        return np.array([self.now(at, title) for title in titles])


class ClickRate:
    """Plays per impression so far, drawn towards the mean by `prior` impressions."""

    def __init__(self, prior):
        self.prior, self.shown, self.played, self.total = prior, defaultdict(int), defaultdict(int), [1, 20]

    def play(self, at, member, title):
        # Plays of titles never shown are of histories: no answer to an impression.
        if self.shown[title]:
            self.played[title] += 1
            self.total[0] += 1

    def impression(self, at, title):
        self.shown[title] += 1
        self.total[1] += 1

    def scores(self, at, member, titles):
        mean = self.total[0] / self.total[1]
        return np.array([(self.played[t] + mean * self.prior) / (self.shown[t] + self.prior) for t in titles])


class ItemKnn:
    """Item-kNN with cosine similarity, online: `shrink` plays are added to each title, and of the history the
    last `window` titles count. Where nothing is known, plays so far decide by a hair."""

    def __init__(self, candidates, shrink, window):
        self.candidates, self.shrink, self.window = candidates, shrink, window
        self.together = defaultdict(lambda: defaultdict(int))
        self.plays, self.histories = defaultdict(int), defaultdict(dict)

    def play(self, at, member, title):
        history = self.histories[member]
        if title in history:
            return
        self.plays[title] += 1
        for before in history:
            # Only pairs with a title that some request shows are ever asked for.
            if title in self.candidates:
                self.together[before][title] += 1
            if before in self.candidates:
                self.together[title][before] += 1
        history[title] = True

    def impression(self, at, title):
        pass

    def scores(self, at, member, titles):
        plays = np.array([self.plays[title] for title in titles], dtype=float)
        similar = np.zeros(len(titles))
        for before in list(self.histories[member])[-self.window :]:
            together = self.together.get(before)
            if together:
                counts = np.array([together.get(title, 0) for title in titles], dtype=float)
                similar += counts / np.sqrt((plays + self.shrink) * (self.plays[before] + self.shrink))
        return similar + 1e-9 * plays


def measure(events, model, first, last):
    """Metrics of the requests whose first impression is from `first` up to `last`; the model learns all."""
    metrics = []
    for at, (kind, member, title, _) in enumerate(events.rows[:last]):
        if at >= first and at in events.requests:
            member, titles, relevant = events.requests[at]
            metrics.append(list_metrics(model.scores(at, member, titles), relevant))
        if kind == "play":
            model.play(at, member, title)
        else:
            model.impression(at, title)
    auc, mrr, ndcg_5, ndcg_10 = np.mean(metrics, axis=0).tolist()
    return {"requests_ranked": len(metrics), "auc": auc, "mrr": mrr, "ndcg_at_5": ndcg_5, "ndcg_at_10": ndcg_10}


def run(path, train_fraction):
    """Tunes every peer by AUC on the last fifth of what is learned first, then measures it on the rest."""
    events = Events(path)
    test = round(len(events.rows) * train_fraction)
    tuning = round(test * 0.8)
    half_lives = [{"half_life": events} for events in (300, 1_000, 3_000, 10_000, 30_000)]
    priors = [{"prior": impressions} for impressions in (0.3, 1, 3, 10, 30, 100)]
    shrinks, windows = (5, 20, 50, 100, 200, 500), (10, 50, 1_000)
    neighbourhoods = [{"shrink": shrink, "window": window} for shrink in shrinks for window in windows]
    knn = lambda **choice: ItemKnn(events.shown, **choice)
    peers = [
        ("popularity, running plays", Popularity, [{}]),
        ("popularity, running plays, recency-decayed", RecentPopularity, half_lives),
        ("click rate, running", ClickRate, priors),
        ("item-kNN, cosine, online", knn, neighbourhoods),
    ]
    results = []
    for name, build, choices in peers:
        started = time.monotonic()
        choice = choices[0]
        if len(choices) > 1:
            # The first of equals.
            choice = max(choices, key=lambda choice: measure(events, build(**choice), tuning, test)["auc"])
        report = measure(events, build(**choice), test, len(events.rows))
        report.update(name=name, parameters=choice, tried=len(choices), seconds=round(time.monotonic() - started, 1))
        results.append(report)
        print(
            f"{name}: AUC {report['auc']:.4f}, MRR {report['mrr']:.4f}, nDCG@5 {report['ndcg_at_5']:.4f}, "
            f"nDCG@10 {report['ndcg_at_10']:.4f}; {choice} of {len(choices)}; {report['seconds']} s",
            file=sys.stderr,
            flush=True,
        )
    return {"events": len(events.rows), "train_fraction": train_fraction, "peers": results}
