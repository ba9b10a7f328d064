"""The peers: models that score every title from a member's history."""

import numpy as np
import scipy.linalg

REFITS = 10


def popularity(stream):
    """Plays so far."""
    return lambda start, end: stream.plays[start:end]


def recent_popularity(stream, half_life):
    """Plays so far, halved with every `half_life` events."""
    scores = stream.popularity(half_life)
    return lambda start, end: scores[start:end]


def ease(matrix, regularisation):
    """EASE (Steck, 2019): the closed-form linear item-item model with a zero diagonal."""
    gram = (matrix.T @ matrix).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += regularisation
    inverse = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def knn_cosine(matrix, neighbours):
    """Item-kNN with cosine similarity, of the package `implicit`."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=neighbours, num_threads=1)
    model.fit(matrix, show_progress=False)
    return without_itself(model.similarity)


def knn_bm25(matrix, neighbours, k1, b):
    """Item-kNN with BM25 weights, of the package `implicit`."""
    from implicit.nearest_neighbours import BM25Recommender

    model = BM25Recommender(K=neighbours, K1=k1, B=b, num_threads=1)
    model.fit(matrix, show_progress=False)
    return without_itself(model.similarity)


def without_itself(similarity):
    weights = similarity.toarray().astype(np.float32)
    np.fill_diagonal(weights, 0.0)
    return weights


def item_model(stream, fit, refits=1, decay=1.0, window=None):
    """A model whose scores are the history times an item-item matrix.

    `fit(end)` gives that matrix, fitted on all events before number `end`: `refits` times, each before an
    equal part of the stream. The history is weighted `decay` per step back, of the last `window`.
    """
    fits = Refits(stream, refits, fit)

    def score(start, end):
        rows = stream.histories(start, end, decay, window)
        return np.vstack([rows[part] @ weights for part, weights in fits.parts(start, end)])

    return score


def als_fit(matrix, factors, alpha, regularisation):
    """ALS on implicit feedback (Hu, Koren, Volinsky, 2008), of the package `implicit`; `alpha` weighs a play."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=factors,
        alpha=alpha,
        regularization=regularisation,
        iterations=15,
        num_threads=1,
        random_state=7,
    )
    model.fit(matrix, show_progress=False)
    return model


def factor_model(stream, fit, refits=1, decay=1.0, window=None):
    """Like [`item_model`], but of factors: those of the member are solved anew before every event, from
    the history, whose weights weigh the plays."""
    fits = Refits(stream, refits, fit)

    def score(start, end):
        rows = stream.histories(start, end, decay, window)
        scores = []
        for part, model in fits.parts(start, end):
            member_factors = model.recalculate_user(np.arange(rows[part].shape[0]), rows[part])
            scores.append(member_factors @ model.item_factors.T)
        return np.vstack(scores)

    return score


class Refits:
    """Models fitted before equal parts of a stream, each when it is first needed."""

    def __init__(self, stream, count, fit):
        self.stream, self.fit, self.bounds = stream, fit, np.linspace(0, len(stream), count + 1).astype(int)
        self.current = None

    def parts(self, start, end):
        """Slices of the rows from `start` to `end`, with the model of each."""
        for number, (low, high) in enumerate(zip(self.bounds, self.bounds[1:])):
            if low < end and start < high:
                if self.current is None or self.current[0] != number:
                    self.current = number, self.fit(self.stream.first + int(low))
                yield slice(max(low, start) - start, min(high, end) - start), self.current[1]


def transitions(stream, decay=0.85, window=20, damping=0.2, popularity_weight=0.002):
    """Which title follows which, learned with every event: the share of each title among those that
    followed the last `window` titles, `decay` per step back, damped by plays."""
    events = stream.events
    count = len(events.titles)
    follows, total = np.zeros((count, count)), np.zeros(count)
    weights = np.power(decay, np.arange(window))
    histories = [[] for _ in range(events.member.max() + 1)]

    def recent(at):
        return np.array(histories[events.member[at]][: -window - 1 : -1], dtype=int)

    def learn(at):
        sources = recent(at)
        follows[sources, events.title[at]] += weights[: len(sources)]
        total[sources] += weights[: len(sources)]
        histories[events.member[at]].append(events.title[at])

    for learned in range(stream.first):
        learn(learned)

    def score(start, end):
        plays = stream.plays[start:end]
        scores = np.empty((end - start, count))
        for row in range(end - start):
            at = stream.first + start + row
            sources = recent(at)
            share = weights[: len(sources)] / np.maximum(total[sources], 1e-9)
            scores[row] = share @ follows[sources]
            learn(at)
        scores *= np.power(plays + 50.0, -damping)
        return scores + popularity_weight * plays / plays.max(axis=1, keepdims=True)

    return score
