"""The peers on MovieLens 100K: tuned on a validation stream, then measured on the test stream."""

import functools
import itertools
import sys
import time

import models
from protocol import Stream, read_events

# The fold-in that nearline's own ranking uses, and those that a peer may choose from.
DECAYED = {"decay": 0.85, "window": 20}
DECAYS = [{"decay": decay, "window": window} for decay in (0.5, 0.6, 0.7, 0.8, 0.85, 0.9) for window in (20, 50)]


def item_model(fit, **fixed):
    """A peer of an item-item matrix."""
    return peer(fit, models.item_model, **fixed)


def als_model(**fixed):
    """A peer of factors."""
    return peer(models.als_fit, models.factor_model, **fixed)


def peer(fit, model, **fixed):
    """A peer that is fitted on a matrix: parameters are those of the fold-in, all others those of the fit.

    The fits of one stream are kept for as long as only the fold-in differs.
    """

    @functools.lru_cache(maxsize=models.REFITS)
    def fitted(stream, end, parameters):
        return fit(stream.matrix(end), **dict(parameters))

    def build(stream, **parameters):
        parameters = {**fixed, **parameters}
        options = {name: parameters.pop(name) for name in ("decay", "window", "refits") if name in parameters}
        key = tuple(sorted(parameters.items()))
        return model(stream, lambda end: fitted(stream, end, key), **options)

    return build


def grid(**values):
    return [dict(zip(values, choice)) for choice in itertools.product(*values.values())]


def peers():
    """Name, builder, first parameters, and the stages of tuning: each chooses some parameters, given those
    that the stages before it chose."""
    ease = grid(regularisation=[50, 100, 200, 300, 500, 800, 1_200, 2_000])
    cosine = grid(neighbours=[20, 50, 100, 200, 400, 800, 1_600])
    bm25 = [grid(neighbours=[20, 50, 100, 200, 400]), grid(k1=[0.4, 1.2], b=[0.2, 0.5, 0.8])]
    als = [grid(factors=[16, 32, 64, 128], alpha=[0.3, 1.0, 5.0]), grid(regularisation=[1.0, 3.0, 10.0, 30.0, 100.0])]
    first_bm25, first_als = {"k1": 0.4, "b": 0.5}, {"regularisation": 10.0}
    ten = {"refits": models.REFITS}
    half_lives = grid(half_life=[500, 1_000, 2_000, 5_000, 10_000, 20_000])
    steps = [grid(decay=[0.7, 0.8, 0.85, 0.9, 0.95]), grid(damping=[0.0, 0.1, 0.2, 0.3, 0.4])]
    return [
        ("popularity, running", models.popularity, {}, []),
        ("popularity, running, recency-decayed", models.recent_popularity, {}, [half_lives]),
        ("item-kNN, cosine", item_model(models.knn_cosine), {}, [cosine]),
        ("item-kNN, cosine; decayed fold-in", item_model(models.knn_cosine), DECAYED, [cosine, DECAYS]),
        (
            "item-kNN, cosine; refitted 10×, decayed fold-in",
            item_model(models.knn_cosine, **ten),
            DECAYED,
            [cosine, DECAYS],
        ),
        ("item-kNN, BM25", item_model(models.knn_bm25), first_bm25, bm25),
        ("item-kNN, BM25; decayed fold-in", item_model(models.knn_bm25), {**first_bm25, **DECAYED}, [*bm25, DECAYS]),
        ("ALS", als_model(), first_als, als),
        ("ALS; decayed fold-in", als_model(), {**first_als, **DECAYED}, [*als, DECAYS]),
        ("ALS; refitted 10×, decayed fold-in", als_model(**ten), {**first_als, **DECAYED}, [*als, DECAYS]),
        ("EASE", item_model(models.ease), {}, [ease]),
        ("EASE; fold-in 0.85 per step, last 20", item_model(models.ease), DECAYED, [ease]),
        ("EASE; decayed fold-in", item_model(models.ease), DECAYED, [ease, DECAYS]),
        ("EASE; refitted 10×", item_model(models.ease, **ten), {}, [ease]),
        ("EASE; refitted 10×, fold-in 0.85 per step, last 20", item_model(models.ease, **ten), DECAYED, [ease]),
        ("EASE; refitted 10×, decayed fold-in", item_model(models.ease, **ten), DECAYED, [ease, DECAYS]),
        ("transitions, decayed, online", models.transitions, {}, steps),
    ]


def run(path, only=None):
    """Tunes and measures every peer on the events in `path`."""
    events = read_events(path)
    test = round(len(events) * 0.8)
    tuning = round(test * 0.8)
    validation, final = Stream(events, tuning, test), Stream(events, test, len(events))
    results = []
    for name, build, parameters, stages in peers():
        if only and only not in name:
            continue
        started = time.monotonic()
        parameters, tried, best = tune(validation, build, parameters, stages)
        tuned = time.monotonic()
        report = final.ranks(build(final, **parameters)).report()
        ended = time.monotonic()
        report.update(name=name, parameters=parameters, tried=tried, validation_ndcg_at_10=best)
        report.update(tuning_s=round(tuned - started, 1), fit_and_test_s=round(ended - tuned, 1))
        results.append(report)
        print(
            f"{name}: hit rate {report['hit_rate_at_10']:.4f}, MRR {report['mrr_at_10']:.4f}, "
            f"nDCG {report['ndcg_at_10']:.4f}; {parameters}, of {tried}; "
            f"{report['tuning_s']} s + {report['fit_and_test_s']} s",
            file=sys.stderr,
            flush=True,
        )
    pairs = zip(events.member[test:], events.title[test:])
    asked = [(events.members[member], events.titles[title]) for member, title in pairs]
    return {
        "events": len(events),
        "train_events": test,
        "test_events": len(events) - test,
        "asked": asked,
        "peers": results,
    }


def tune(validation, build, parameters, stages):
    """Chooses by nDCG on the validation stream; of equals the first."""
    tried, best = 0, None
    for stage in stages:
        measured = []
        for at, choice in enumerate(stage):
            ranks = validation.ranks(build(validation, **{**parameters, **choice}))
            measured.append((ranks.metrics()["ndcg_at_10"], -at))
        best, at = max(measured)
        parameters = {**parameters, **stage[-at]}
        tried += len(stage)
    return parameters, tried, best
