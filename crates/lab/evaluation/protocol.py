"""The prequential protocol, for models that score all titles at once.

The same as `nearline-lab evaluate prequential`: events in the order of their time; before each play or first
rating of a title that its member had not seen, the title's rank among all titles that the member had not
seen; then the event is learned. A model may know everything before the event: members' histories grow with
every event, titles seen are never candidates, and equal scores are ordered by recent popularity, then by id.
"""

import json
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

K = 10
WARM_TITLES = 5
BATCH = 1_000
# Events in which recent popularity halves: what tuning popularity itself on the validation stream chooses.
RECENT_EVENTS = 5_000


@dataclass
class Events:
    """Plays and first ratings in the order of time, as numbers of members and titles."""

    member: np.ndarray
    title: np.ndarray
    members: list  # Ids by number.
    titles: list  # Ids by number, sorted: the lower number is the lower id.

    def __len__(self):
        return len(self.member)


def read_events(path):
    """Reads the events that `nearline import` wrote."""
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines if line.strip()]
    # Written by the importer with one width and in UTC: text order is time order, and the sort is stable.
    events.sort(key=lambda event: event["at"])
    seen = set()
    kept = []
    for event in events:
        pair = event["member"], event["title"]
        if event["type"] not in ("play", "rating"):
            raise SystemExit(f"{path}: {event['type']} events are not expected here")
        if pair in seen:
            raise SystemExit(f"{path}: {pair} stands twice; this protocol expects each pair once")
        seen.add(pair)
        kept.append(pair)
    members = sorted({member for member, _ in kept})
    titles = sorted({title for _, title in kept})
    member_numbers = {member: at for at, member in enumerate(members)}
    title_numbers = {title: at for at, title in enumerate(titles)}
    return Events(
        np.array([member_numbers[member] for member, _ in kept]),
        np.array([title_numbers[title] for _, title in kept]),
        members,
        titles,
    )


class Stream:
    """Events from `first` up to `last` that are asked about, with what was known before each."""

    def __init__(self, events, first, last):
        self.events, self.first, self.last = events, first, last
        self.targets = events.title[first:last]
        histories = [[] for _ in range(events.member.max() + 1)]
        starts, indices, steps = [0], [], []
        for at in range(last):
            history = histories[events.member[at]]
            if at >= first:
                indices.extend(history)
                steps.extend(range(len(history) - 1, -1, -1))
                starts.append(len(indices))
            history.append(events.title[at])
        self.starts = np.array(starts)
        self.indices = np.array(indices, dtype=np.int32)
        # How many titles back in the history: 0 is the latest.
        self.steps = np.array(steps, dtype=np.int32)
        self.plays = self.popularity(np.inf).astype(np.int32)
        self.recent = self.popularity(RECENT_EVENTS).astype(np.float32)

    def __len__(self):
        return self.last - self.first

    def popularity(self, half_life):
        """Plays of every title before each event asked about, halved with every `half_life` events (in a unit
        that grows from row to row: to be compared within a row)."""
        count = len(self.events.titles)
        weights = np.exp2((np.arange(self.last) - self.first) / half_life)
        grown = np.zeros((len(self), count))
        grown[0] = np.bincount(self.events.title[: self.first], weights=weights[: self.first], minlength=count)
        grown[np.arange(1, len(self)), self.targets[:-1]] = weights[self.first : self.last - 1]
        return np.cumsum(grown, axis=0, out=grown)

    def history_lengths(self):
        return np.diff(self.starts)

    def histories(self, start, end, decay=1.0, window=None):
        """Rows of titles seen, weighted `decay` per step back, of the last `window`."""
        low, high = self.starts[start], self.starts[end]
        steps = self.steps[low:high]
        weights = np.power(decay, steps).astype(np.float32)
        if window is not None:
            weights[steps >= window] = 0.0
        rows = sparse.csr_matrix(
            (weights, self.indices[low:high], self.starts[start : end + 1] - low),
            shape=(end - start, len(self.events.titles)),
        )
        if window is not None:
            rows.eliminate_zeros()
        return rows

    def matrix(self, end):
        """Members by titles, of all events before number `end`: what a model is trained on."""
        members, titles = self.events.member[:end], self.events.title[:end]
        shape = (self.events.member.max() + 1, len(self.events.titles))
        return sparse.csr_matrix((np.ones(end, dtype=np.float32), (members, titles)), shape=shape)

    def ranks(self, score):
        """Rank (from 1) of the title of each event, and what the top was made of.

        `score(start, end)` gives the scores of all titles for the events from `start` to `end`.
        """
        ranks = np.empty(len(self), dtype=np.int32)
        shown = np.zeros(len(self.events.titles), dtype=bool)
        for start in range(0, len(self), BATCH):
            end = min(start + BATCH, len(self))
            scores = np.array(score(start, end), dtype=np.float64)
            seen = self.histories(start, end)
            scores[np.repeat(np.arange(end - start), np.diff(seen.indptr)), seen.indices] = -np.inf
            ranks[start:end] = self._ranks(scores, start, end)
            top = np.argpartition(scores, -K, axis=1)[:, -K:]
            shown[top.ravel()] = True
        return Ranks(self, ranks, shown.mean())

    def _ranks(self, scores, start, end):
        rows, targets = np.arange(end - start), self.targets[start:end]
        recents = self.recent[start:end]
        score = scores[rows, targets][:, None]
        recent = recents[rows, targets][:, None]
        lower_id = np.arange(scores.shape[1])[None, :] < targets[:, None]
        tied = scores == score
        above = (scores > score) | (tied & ((recents > recent) | ((recents == recent) & lower_id)))
        return above.sum(axis=1) + 1


class Ranks:
    """Ranks of the titles that were played, and metrics of them."""

    def __init__(self, stream, ranks, coverage):
        self.ranks, self.coverage = ranks, coverage
        self.members = stream.events.member[stream.first : stream.last]
        self.cold = stream.history_lengths() < WARM_TITLES

    def metrics(self, pick=None):
        ranks = self.ranks if pick is None else self.ranks[pick]
        hits = ranks <= K
        return {
            "queries": int(len(ranks)),
            "hit_rate_at_10": float(hits.mean()),
            "mrr_at_10": float(np.where(hits, 1.0 / ranks, 0.0).mean()),
            "ndcg_at_10": float(np.where(hits, 1.0 / np.log2(1.0 + ranks), 0.0).mean()),
        }

    def report(self):
        """All metrics; the standard error takes the queries of one member as one draw."""
        report = self.metrics()
        hits = (self.ranks <= K).astype(float)
        residuals = np.bincount(self.members, weights=hits - hits.mean())
        report["hit_rate_at_10_standard_error"] = float(np.sqrt((residuals**2).sum()) / len(hits))
        report["coverage_at_10"] = float(self.coverage)
        report["cold"] = self.metrics(self.cold)
        report["warm"] = self.metrics(~self.cold)
        # Of every query, 0 where the title was not among the first: to compare query by query.
        report["ranks"] = np.where(self.ranks <= K, self.ranks, 0).tolist()
        return report
