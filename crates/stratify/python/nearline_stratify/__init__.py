"""Stratified samples under joint and marginal targets, caps, floors and an exact size.

Tables come in through Arrow's PyCapsule interface (pyarrow, Polars, pandas 2.2 or later).
"""

from __future__ import annotations

import json
from array import array

from . import _native

__all__ = ["Plan", "plan", "split", "StratifiedSplit"]


def _rules(rules):
    return (rules, False) if isinstance(rules, str) else (json.dumps(rules), True)


def _numbers(data):
    numbers = array("Q")
    numbers.frombytes(data)
    return numbers


def _arrow(data):
    if hasattr(data, "__arrow_c_stream__"):
        return data
    raise TypeError(f"{type(data).__name__} does not speak Arrow (no __arrow_c_stream__)")


def _take(data, rows):
    if hasattr(data, "iloc"):
        return data.iloc[list(rows)]
    if hasattr(data, "take"):
        return data.take(list(rows))
    return data[list(rows)]


class Plan:
    """What would be taken of each stratum, or which rules conflict. Nothing is selected until `apply`."""

    def __init__(self, native):
        self._native = native
        self._plan = json.loads(native.to_json())

    @property
    def outcome(self):
        """`exact`, `rounded_within_one`, `closest` or `refused`."""
        return self._plan["outcome"]

    @property
    def size(self):
        """The rows to take in all."""
        return self._plan["size"]

    @property
    def sizes(self):
        """The least and the largest size at which all other rules hold, or None."""
        found = self._plan["sizes"]
        return None if found is None else tuple(found)

    @property
    def conflicts(self):
        """Rules that cannot hold together: dicts of `rules`, `parts`, `detail`."""
        return self._plan["conflicts"]

    @property
    def strata(self):
        """Dicts of `levels`, `available`, `target`, `take`, `weight`."""
        return self._plan["strata"]

    @property
    def largest_deviation(self):
        """The largest miss of a rule's sum, in rows."""
        return self._plan["largest_deviation"]

    @property
    def digest(self):
        """SHA-256 over rules and strata, for an experiment tracker."""
        return self._native.digest()

    @property
    def source(self):
        """Rules, seed and digest as a dict, for an experiment tracker (MLflow: `log_dict`)."""
        return {"rules": self._native.rules_toml(), "digest": self.digest, "outcome": self.outcome, "size": self.size}

    def indices(self, data):
        """The numbers of the rows to take, ascending."""
        return _numbers(self._native.indices(_arrow(data)))

    def apply(self, data):
        """The sample, of the same type as `data`. Raises RuntimeError if the plan is refused."""
        return _take(data, self.indices(data))

    def weights(self, data):
        """The weight of each row of the sample: the inverse of its chance, calibrated if a rule says so."""
        return self._native.weights(_arrow(data))

    def to_dict(self):
        """Everything the plan says."""
        return self._plan

    def __repr__(self):
        return self._native.text()

    def _repr_html_(self):
        return self._native.html()


def plan(data, rules):
    """Counts the strata of `data` and solves `rules` (TOML text, or a dict of the same shape)."""
    return Plan(_native.plan(_arrow(data), *_rules(rules)))


def split(data, rules):
    """The row numbers of each part of the rule `split`, in its order."""
    return [_numbers(rows) for _, rows in Plan(_native.plan(_arrow(data), *_rules(rules)))._native.parts(_arrow(data))]


class StratifiedSplit:
    """A splitter as scikit-learn's: `split(X)` yields one pair of training and test rows.

    `rules` needs a `split` of exactly two parts; `X` needs the columns that the rules name.
    """

    def __init__(self, rules):
        self.rules = rules

    def split(self, X, y=None, groups=None):
        """Yields one pair of row numbers."""
        train, test = split(X, self.rules)
        yield train, test

    def get_n_splits(self, X=None, y=None, groups=None):
        """One."""
        return 1
