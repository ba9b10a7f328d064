#!/usr/bin/env python3
"""From captured decisions to a model: was an offered title played soon after, given what was known when it was offered?

usage: train.py TRAIN EVENTS [minutes]     needs polars, scikit-learn

TRAIN is what `nearline-lab extract --labels facts/decisions --facts facts/members` wrote, EVENTS the archive of events. The last
fifth of the time is for testing; the engine's own order is held beside the model's, answer by answer.
"""
import sys

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

FEATURES = [
    "place", "score", "titles", "seen", "listed", "liked", "disliked", "titles_1d", "titles_7d", "watched_7d_s", "age_s", "offers",
    "takes", "take_rate", "hour",
]  # fmt: skip


def labelled(train, events, minutes):
    """Offered titles with whether the member played them within so many minutes."""
    plays = (
        pl.scan_delta(events)
        .filter(pl.col("kind") == "play")
        .select("member", "title", played_at=pl.col("known_at"))
        .sort("played_at")
        .collect()
    )
    offered = pl.read_parquet(train).filter(pl.col("title").is_not_null()).sort("event_at")
    joined = offered.join_asof(
        plays, left_on="event_at", right_on="played_at", by=["member", "title"], strategy="forward", tolerance=f"{minutes}m",
        check_sortedness=False,
    )  # fmt: skip
    return joined.with_columns(taken=pl.col("played_at").is_not_null())


def counted(table, moments, name):
    """How many of these moments of its title were over before each offer: what came later was not known."""
    moments = moments.sort("at").with_columns(pl.int_range(1, pl.len() + 1).over("title").alias(name))
    joined = table.join_asof(
        moments, left_on="event_at", right_on="at", by="title", strategy="backward", allow_exact_matches=False,
        check_sortedness=False,
    )  # fmt: skip
    return joined.drop("at").with_columns(pl.col(name).fill_null(0))


def with_features(table):
    table = counted(table, table.select("title", at="event_at"), "offers")
    takes = table.filter("taken").unique(["member", "title", "played_at"]).select("title", at="played_at")
    table = counted(table, takes, "takes")
    return table.with_columns(
        take_rate=(pl.col("takes") + 1) / (pl.col("offers") + 20),
        age_s=pl.col("fact_age").cast(pl.Int64) / 1e6,
        hour=pl.col("event_at").dt.hour(),
    )


def main():
    train, events = sys.argv[1:3]
    minutes = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    table = with_features(labelled(train, events, minutes))
    cut = table["event_at"].quantile(0.8)
    first, rest = table.filter(pl.col("event_at") < cut), table.filter(pl.col("event_at") >= cut)
    if first["taken"].n_unique() < 2 or rest["taken"].n_unique() < 2:
        sys.exit(f"{len(table)} offers, {table['taken'].sum()} of them taken: too few to train and test on")
    model = HistGradientBoostingClassifier(max_iter=100, random_state=1)
    model.fit(first.select(FEATURES).to_numpy(), first["taken"].to_numpy())
    scored = model.predict_proba(rest.select(FEATURES).to_numpy())[:, 1]
    taken = rest["taken"].to_numpy()
    print(f"{len(table)} offers up to {table['event_at'].max()}, {table['taken'].sum()} taken; "
          f"{table['status'].value_counts().to_dicts()}")  # fmt: skip
    # Scores are comparable within an answer: where would the title that was taken have stood?
    ranked = rest.with_columns(model=pl.Series(scored)).filter(pl.col("taken").any().over("recommendation_id"))
    rank = lambda by: pl.col(by).rank("ordinal", descending=True).over("recommendation_id")  # noqa: E731
    ranked = ranked.with_columns(by_model=rank("model"), by_engine=rank("score")).filter("taken")
    print(f"last fifth of the time, {len(rest)} offers: AUC of the model {roc_auc_score(taken, scored):.4f}; mean reciprocal rank of "
          f"{len(ranked)} titles taken: model {(1 / ranked['by_model']).mean():.4f}, "
          f"the engine's order {(1 / ranked['by_engine']).mean():.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
