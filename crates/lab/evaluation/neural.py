"""GRU4Rec and SASRec on tables of plays, asked exactly as tables.py asks its peers, on one thread of a processor.

    neural.py ordered.csv --to neural.json [--only SASRec] [--budget SECONDS] [--seed 1]
    tables.py compare peers.json neural.json nearline.json

GRU4Rec (Hidasi et al., ICLR 2016, CIKM 2018) and SASRec (Kang, McAuley, ICDM 2018), both with cross-entropy over all
items (Klenitskiy, Vasilev, RecSys 2023) and one embedding for input and output. They learn to tell the plays that are
asked about: those of items that the user had not played.

Trained on the first 64 % until the hit rate on the events from 64 % to 80 % no longer grows, which tunes them as well,
and what they go over further before each tenth. Then fitted on the first 80 %, for as many epochs, and further before
each tenth of the tested part. Asked, they know every play up to there: GRU4Rec all of them, SASRec those of its window,
of which at least half is full for long histories. Items that they were not trained with come last, and who has not
played gets what is popular, as from the other peers. Equal runs give equal figures, if `--budget` cuts none short.
"""

import argparse
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numba
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import tables

TOKENS, PATIENCE, EPOCHS = 512, 4, 60
# Scores of items that a model was not trained with: below all others, equal, so that popularity orders them.
UNKNOWN = -1e9


class Gru4Rec(nn.Module):
    def __init__(self, items, hidden, dropout, window):
        super().__init__()
        self.train_window, self.window = window, None
        self.items = nn.Embedding(items, hidden)
        self.bias = nn.Parameter(torch.zeros(items))
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.items.weight, std=hidden**-0.5)

    def forward(self, plays):
        return self.dropout(self.gru(self.dropout(self.items(plays)))[0])


class Block(nn.Module):
    def __init__(self, hidden, dropout):
        super().__init__()
        self.before, self.between = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.inner, self.outer = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, state):
        # Later plays, padding among them, are hidden by causality: sequences begin at the left.
        normed = self.before(state)
        seen = functional.scaled_dot_product_attention(
            self.query(normed), self.key(normed), self.value(normed), is_causal=True
        )
        state = state + self.dropout(seen)
        inner = self.dropout(functional.relu(self.inner(self.between(state))))
        return state + self.dropout(self.outer(inner))


class SasRec(nn.Module):
    def __init__(self, items, hidden, dropout, window):
        super().__init__()
        self.train_window = self.window = window
        self.items, self.places = nn.Embedding(items, hidden), nn.Embedding(window, hidden)
        self.bias = nn.Parameter(torch.zeros(items))
        self.blocks = nn.Sequential(Block(hidden, dropout), Block(hidden, dropout))
        self.norm, self.dropout = nn.LayerNorm(hidden), nn.Dropout(dropout)
        nn.init.normal_(self.items.weight, std=hidden**-0.5)
        nn.init.normal_(self.places.weight, std=hidden**-0.5)

    def forward(self, plays):
        state = self.items(plays) + self.places.weight[: plays.shape[1]]
        return self.norm(self.blocks(self.dropout(state)))


KINDS = {"GRU4Rec": Gru4Rec, "SASRec": SasRec}
# The window is in plays; GRU4Rec is trained on windows, and asked with everything.
FIRST = {"rate": 0.002, "dropout": 0.3, "window": 50, "hidden": 64}
GRID = {"rate": [0.001, 0.005], "dropout": [0.1, 0.5], "window": [20, 200], "hidden": [128]}
# What is gone over before each tenth, and how often.
FURTHER = [("nothing", 0), ("what is new", 1), ("what is new", 4), ("everything", 1), ("everything", 2)]


@numba.njit
def newness(user, item, history, length):
    """Of each event, whether its user had not played its item."""
    new = np.zeros(len(user), dtype=np.bool_)
    for event in range(len(user)):
        new[event] = not tables.put(history, length, user[event], item[event])
    return new


@numba.njit
def replay(user, item, at, begin, end, history, length, recent, half_life, slot, scores):
    """Ranks by scores of which each event knows its line, or none; learns histories and popularity."""
    count = len(recent)
    ranks, played, nothing = [0.0], [0], np.zeros(count, dtype=np.float32)
    for event in range(begin, end):
        who, what, size = user[event], item[event], length[user[event]]
        if event > 0:
            tables.fade(recent, at[event], at[event - 1], half_life)
        if len(slot) > 0 and slot[event - begin] != -2:
            line = slot[event - begin]
            if line < 0:
                nothing[:] = 0.0
            ranks.append(tables.rank(nothing if line < 0 else scores[line], recent, history[who], size, what))
            played.append(size)
        recent[what] += 1
        tables.put(history, length, who, what)
    return ranks, played


class Data:
    """Every user's plays in order, and the state of the replay at the beginnings that were asked for."""

    def __init__(self, path):
        self.events = events = tables.Events(path)
        self.half_life, self.states = 14.0, {}
        self.new = newness(events.user, events.item, events.history, events.length)
        self.ordered = np.argsort(events.user, kind="stable")
        self.starts = np.searchsorted(events.user[self.ordered], np.arange(len(events.users) + 1))
        self.place = np.empty(len(events.user), dtype=np.int64)
        self.place[self.ordered] = np.arange(len(events.user)) - self.starts[events.user[self.ordered]]
        self.plays = events.item[self.ordered]
        self.longest = int(np.diff(self.starts).max())

    def tune_popularity(self, tuning, test):
        name, parameters, grid = tables.peers(self.half_life)[0]

        def hit_rate(half_life):
            ranks = tables.run(self.events, name, tuning, test, {**parameters, "half_life": half_life})[0]
            return (ranks <= tables.K).mean()

        self.half_life = max([self.half_life, *grid["half_life"]], key=hit_rate)

    def replay(self, begin, end, slot=None, scores=None):
        events = self.events
        if slot is None:
            slot, scores = np.zeros(0, dtype=np.int64), np.zeros((1, 1), dtype=np.float32)
        return replay(
            events.user, events.item, events.at, begin, end, events.history, events.length, self.recent,
            self.half_life * tables.DAY_MS, slot, scores,
        )  # fmt: skip

    def rewind(self, begin):
        events = self.events
        if begin not in self.states:
            events.length[:] = 0
            self.recent = np.zeros(len(events.items))
            self.replay(0, begin)
            self.states[begin] = events.history.copy(), events.length.copy(), self.recent.copy()
        history, length, recent = self.states[begin]
        events.history[:], events.length[:], self.recent = history, length, recent.copy()


def chunks(data, begin, end, window, generator):
    """Windows over the plays of users before `end` that hold what is to be told, which is from `begin` on."""
    found = []
    for who in np.unique(data.events.user[begin:end]):
        start = data.starts[who]
        mine = data.ordered[start : data.starts[who + 1]]
        size, first = np.searchsorted(mine, [end, begin])
        if size < 2:
            continue
        # Cut elsewhere in every epoch, so that no play is always without what came before it.
        cut = size - 1 if size - 1 <= window else int(generator.integers(1, window + 1))
        cuts = [0, *range(cut, size - 1, window), size - 1]
        for left, right in zip(cuts, cuts[1:]):
            if right >= first:
                # The window may begin earlier where only its end is new.
                found.append((start + max(0, min(left, right - window)) if begin else start + left, start + right))
    return found


def batches(found, generator):
    """Of about as many plays each; those of a batch are of about one length."""
    order = generator.permutation(len(found))
    sizes = np.array([right - left for left, right in found])
    pools = [order[at : at + 2048] for at in range(0, len(order), 2048)]
    made = []
    for pool in pools:
        batch, widest = [], 0
        for one in pool[np.argsort(sizes[pool], kind="stable")]:
            if batch and (len(batch) + 1) * sizes[one] > TOKENS:
                made.append(batch)
                batch = []
            batch.append(one)
        made.append(batch)
    for at in generator.permutation(len(made)):
        yield [found[one] for one in made[at]]


def padded(data, spans):
    """The plays of spans, and the events after each of them (-1 where there is no play)."""
    width = max(right - left for left, right in spans)
    plays = np.zeros((len(spans), width), dtype=np.int64)
    following = np.full((len(spans), width), -1, dtype=np.int64)
    for line, (left, right) in enumerate(spans):
        plays[line, : right - left] = data.plays[left:right]
        following[line, : right - left] = data.ordered[left + 1 : right + 1]
    return torch.from_numpy(plays), following


def train(model, optimiser, data, begin, end, generator):
    """Once over the plays from `begin` to `end`."""
    model.train()
    for spans in batches(chunks(data, begin, end, model.train_window, generator), generator):
        plays, following = padded(data, spans)
        told = (following >= begin) & (following < end) & data.new[following]
        if not told.any():
            continue
        state = model(plays)[torch.from_numpy(told)]
        target = torch.from_numpy(data.events.item[following[told]])
        loss = functional.cross_entropy(functional.linear(state, model.items.weight, model.bias), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()


def window_of(model, last):
    """Where the window begins in which the play number `last` is the last one known."""
    if model.window is None or last < model.window:
        return 0
    half = model.window // 2
    return (last // half - 1) * half


@torch.inference_mode()
def scores(model, data, begin, end, known):
    """A line of scores for each query of the slice, and the line of each event: -1 without plays, -2 not asked."""
    model.eval()
    slot = np.where(data.new[begin:end], -1, -2)
    asked = begin + np.nonzero(data.new[begin:end] & (data.place[begin:end] > 0))[0]
    slot[asked - begin] = np.arange(len(asked))
    spans = {}
    for line, event in enumerate(asked):
        who, last = data.events.user[event], data.place[event] - 1
        left = window_of(model, last)
        spans.setdefault(data.starts[who] + left, []).append((line, last - left))
    lines = np.empty((len(asked), len(data.events.items)), dtype=np.float32)
    todo = sorted(spans.items(), key=lambda span: span[1][-1][1])
    while todo:
        batch = [todo.pop()]
        width = batch[0][1][-1][1] + 1
        while todo and (len(batch) + 1) * width <= 8 * TOKENS:
            batch.append(todo.pop())
        state = model(padded(data, [(left, left + of[-1][1] + 1) for left, of in batch])[0])
        row = [line for line, (_, of) in enumerate(batch) for _ in of]
        column = [last for _, of in batch for _, last in of]
        told = functional.linear(state[row, column], model.items.weight, model.bias)
        lines[[line for _, of in batch for line, _ in of]] = told.numpy()
    lines[:, ~known] = UNKNOWN
    return slot, lines


def ask(model, data, begin, end, trained):
    """Ranks of what was played, and how much each user had played; the replay stands at `begin`."""
    known = np.zeros(len(data.events.items), dtype=bool)
    known[data.events.item[:trained]] = True
    ranks, played = data.replay(begin, end, *scores(model, data, begin, end, known))
    return ranks[1:], played[1:]


def slices(begin, end, count=10):
    bounds = np.linspace(begin, end, count + 1).astype(int)
    return list(zip(bounds, bounds[1:]))


class Fit:
    """A model and what fits it, from nothing."""

    def __init__(self, kind, data, parameters, seed):
        torch.manual_seed(seed)
        self.generator, self.data = np.random.default_rng(seed), data
        sizes = parameters["hidden"], parameters["dropout"], min(parameters["window"], data.longest)
        self.model = KINDS[kind](len(data.events.items), *sizes)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=parameters["rate"])

    def train(self, begin, end):
        train(self.model, self.optimiser, self.data, begin, end, self.generator)

    def state(self):
        of = self.model.state_dict(), self.optimiser.state_dict(), self.generator.bit_generator.state
        return json.dumps(of[2]), torch.get_rng_state(), {k: v.clone() for k, v in of[0].items()}, copied(of[1])

    def back(self, state):
        self.generator.bit_generator.state = json.loads(state[0])
        torch.set_rng_state(state[1])
        self.model.load_state_dict(state[2])
        self.optimiser.load_state_dict(copied(state[3]))

    def ask_on(self, begin, end, further):
        """Asks slice by slice; before each but the first, is fitted further."""
        over, passes = further
        self.data.rewind(begin)
        ranks, played, before = [], [], None
        for start, until in slices(begin, end):
            for _ in range(passes if before is not None else 0):
                self.train(before if over == "what is new" else 0, start)
            more = ask(self.model, self.data, start, until, start if passes else begin)
            ranks += more[0]
            played += more[1]
            before = start
        return np.array(ranks), np.array(played)


def copied(value):
    """The optimiser changes its state in place."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: copied(of) for key, of in value.items()}
    return value


def early_stopped(kind, data, parameters, seed, tuning, test):
    """The best hit rate on the tuning part, after how many epochs, and the fit as it was then."""
    fit, best = Fit(kind, data, parameters, seed), (-1.0, 0, None)
    for epoch in range(1, EPOCHS + 1):
        fit.train(0, tuning)
        data.rewind(tuning)
        ranks = ask(fit.model, data, tuning, test, tuning)[0]
        hit_rate = float((np.array(ranks) <= tables.K).mean())
        if hit_rate > best[0]:
            best = hit_rate, epoch, fit.state()
        elif epoch - best[1] >= PATIENCE:
            break
    fit.back(best[2])
    return *best[:2], fit


@torch.inference_mode()
def query_times(model, data, first, count=1000):
    """Microseconds of whole queries, one by one: all plays through the model, scores, ten items not played."""
    model.eval()
    asked = first + np.nonzero(data.new[first:] & (data.place[first:] > 0))[0]
    times = []
    for event in asked[np.linspace(0, len(asked) - 1, count).astype(int)]:
        start, last = data.starts[data.events.user[event]], data.place[event] - 1
        begun = time.perf_counter()
        plays = torch.from_numpy(data.plays[start : start + last + 1])
        state = model(plays[window_of(model, last) :].unsqueeze(0))[0, -1]
        told = functional.linear(state, model.items.weight, model.bias)
        told[plays] = -torch.inf
        told.topk(tables.K)
        times.append((time.perf_counter() - begun) * 1e6)
    return {f"p{of}": round(float(np.percentile(times, of))) for of in [50, 90, 99]}


def measure(path, to, only, budget, seed):
    data, results = Data(path), []
    total = len(data.events.at)
    test = round(total * 0.8)
    tuning = round(test * 0.8)
    data.tune_popularity(tuning, test)
    for name in KINDS:
        if only and only not in name:
            continue
        started, parameters, tried, left_out = time.process_time(), FIRST, {}, 0
        for parameter, values in GRID.items():
            for candidate in [parameters, *({**parameters, parameter: value} for value in values)]:
                key = tuple(candidate.values())
                if key in tried:
                    continue
                if tried and time.process_time() - started > budget:
                    left_out += 1
                    continue
                begun = time.process_time()
                tried[key] = *early_stopped(name, data, candidate, seed, tuning, test), candidate
                seconds = time.process_time() - begun
                print(f"{name}: {candidate}, {tried[key][:2]}, {seconds:.0f} s", file=sys.stderr, flush=True)
            parameters = max(tried.values(), key=lambda of: of[0])[3]
        epochs, fit = tried[tuple(parameters.values())][1:3]
        trained, hits = fit.state(), {}
        for further in FURTHER:
            fit.back(trained)
            hits[further] = float((fit.ask_on(tuning, test, further)[0] <= tables.K).mean())
        further = max(hits, key=hits.get)
        tuned = time.process_time()
        print(f"{name}: further {hits}, {tuned - started:.0f} s", file=sys.stderr, flush=True)

        fit = Fit(name, data, parameters, seed)
        for _ in range(epochs):
            fit.train(0, test)
        fitted = time.process_time()
        times = query_times(fit.model, data, test)
        asked = time.process_time()
        ranks, played = fit.ask_on(test, total, further)
        refitted = time.process_time() - asked
        parameters = {**parameters, "epochs": epochs, "half_life": data.half_life}
        parameters["further, before each tenth"] = f"{further[0]}, {further[1]}×"
        result = {"name": name, "parameters": parameters, "tried": len(tried), "queries": len(ranks)}
        result.update(hit_rate=float((ranks <= tables.K).mean()), by_plays=tables.by_plays(ranks, played))
        result.update(seconds=round(time.process_time() - started, 1), not_tried=left_out, query_us=times)
        result["cpu_seconds"] = {
            "tuning": round(tuned - started, 1),
            "fit": round(fitted - tuned, 1),
            "tested, with what is fitted further": round(refitted, 1),
        }
        results.append(result)
        print(f"{name}: {json.dumps(result)}", file=sys.stderr, flush=True)
        with open(to, "w", encoding="utf-8") as file:
            json.dump({"events": total, "seed": seed, "peers": results}, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events")
    parser.add_argument("--to", required=True)
    parser.add_argument("--only")
    parser.add_argument("--budget", type=float, default=600, help="seconds of processor after which no more is tried")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    measure(arguments.events, arguments.to, arguments.only, arguments.budget, arguments.seed)


if __name__ == "__main__":
    main()
