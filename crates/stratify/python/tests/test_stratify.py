"""The Python package on pyarrow, Polars and pandas, and against scikit-learn and ipfn where those are installed."""

import hashlib
import random

import pyarrow as pa
import pytest

import nearline_stratify as ns

ROWS = 6000
RULES = {
    "id": "row_id",
    "seed": 7,
    "strata": ["country", "label"],
    "rules": [
        {"name": "size", "size": {"exactly": 300}},
        {"name": "countries", "target": {"keys": ["country"], "shares": {"A": 0.5, "B": 0.3, "C": 0.2}}},
    ],
}


def table(order=None):
    order = list(range(ROWS)) if order is None else order
    return pa.table({
        "row_id": pa.array(order, pa.int64()),
        "country": ["ABBCCC"[i % 6] for i in order],
        "label": pa.array([int(i % 11 == 0) for i in order], pa.int8()),
        "member": [f"m{i % 401}" for i in order],
        "at": pa.array([i * 37 % 5003 for i in order], pa.int64()),
    })


def with_rule(**rule):
    return {**RULES, "rules": RULES["rules"] + [rule]}


def test_a_sample_is_the_smallest_hashes_of_each_stratum():
    data = table()
    plan = ns.plan(data, RULES)
    assert plan.outcome in ("exact", "rounded_within_one") and plan.size == 300
    wanted = set()
    keys = list(zip(data["country"].to_pylist(), data["label"].to_pylist()))
    for stratum in plan.strata:
        rows = [i for i in range(ROWS) if [keys[i][0], str(keys[i][1])] == stratum["levels"]]
        rows.sort(key=lambda i: hashlib.sha256(f"7:{i}".encode()).hexdigest()[:16])
        wanted |= set(rows[: stratum["take"]])
    assert set(plan.apply(data)["row_id"].to_pylist()) == wanted


def test_order_and_library_do_not_matter():
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    order = list(range(ROWS))
    random.Random(1).shuffle(order)
    wanted = sorted(ns.plan(table(), RULES).apply(table())["row_id"].to_pylist())
    shuffled = table(order)
    plan = ns.plan(shuffled, RULES)
    assert sorted(plan.apply(shuffled)["row_id"].to_pylist()) == wanted
    frame = polars.from_arrow(shuffled)
    taken = ns.plan(frame, RULES).apply(frame)
    assert isinstance(taken, polars.DataFrame) and sorted(taken["row_id"].to_list()) == wanted
    frame = shuffled.to_pandas()
    taken = ns.plan(frame, RULES).apply(frame)
    assert isinstance(taken, pandas.DataFrame) and sorted(taken["row_id"]) == wanted


def test_a_conflict_is_named_and_nothing_is_taken():
    plan = ns.plan(table(list(range(600))), {**RULES, "rules": [{"name": "size", "size": {"exactly": 500}}, RULES["rules"][1]]})
    assert plan.outcome == "refused" and plan.sizes == (0, 200)
    assert plan.conflicts[0]["rules"] == ["size", "countries"]
    assert "conflict" in repr(plan) and "Conflicts" in plan._repr_html_()
    with pytest.raises(RuntimeError, match="hard rules conflict"):
        plan.apply(table(list(range(600))))


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="occurs more than once"):
        ns.plan(table([1, 1, 2]), RULES)
    with pytest.raises(ValueError, match="does not have"):
        ns.plan(table(), {**RULES, "rules": [{"name": "t", "target": {"keys": ["country"], "shares": {"A": 0.5, "Z": 0.5}}}]})
    with pytest.raises(ValueError, match="unknown field"):
        ns.plan(table(), with_rule(name="x", sise={"exactly": 3}))
    with pytest.raises(TypeError, match="does not speak Arrow"):
        ns.plan([1, 2, 3], RULES)


def test_a_plan_is_for_the_rows_that_it_was_made_for():
    plan = ns.plan(table(), RULES)
    renamed = table().set_column(1, "country", pa.array(["ABBCCZ"[i % 6] for i in range(ROWS)]))
    swapped = table().set_column(1, "country", pa.array(["BAACCC"[i % 6] for i in range(ROWS)]))
    for other in (renamed, swapped, table().slice(1)):
        with pytest.raises(RuntimeError, match="other rows"):
            plan.apply(other)


def test_moments_are_cut_as_the_command_cuts_them():
    import datetime
    start = datetime.datetime(2026, 3, 1, 22, 30, tzinfo=datetime.timezone.utc)
    times = [start + datetime.timedelta(hours=i) for i in range(48)]
    data = pa.table({
        "row_id": pa.array(range(48)),
        "utc": pa.array(times, pa.timestamp("us", "UTC")),
        "there": pa.array(times, pa.timestamp("us", "America/New_York")),
        "plain": pa.array([time.replace(tzinfo=None) for time in times], pa.timestamp("ns")),
        "day": pa.array([time.date() for time in times], pa.date32()),
    })

    def levels(column, part):
        keys = {"k": {"column": column, **({"date": part} if part else {})}}
        rules = {"id": "row_id", "strata": ["k"], "keys": keys, "rules": [{"name": "size", "size": {"exactly": 48}}]}
        return [stratum["levels"][0] for stratum in ns.plan(data, rules).strata]

    for part, wanted in ((None, ["2026-03-01", "2026-03-02", "2026-03-03"]), ("hour", sorted(str(hour) for hour in range(24)))):
        for column in ("utc", "there", "plain"):
            assert sorted(levels(column, part)) == wanted, (column, part)
    assert levels("day", "hour") == ["0"]
    assert levels("day", None) == ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_parts_do_not_share_a_member():
    parts = [{"name": "train", "share": 0.8}, {"name": "test", "share": 0.2}]
    rules = with_rule(name="parts", split={"parts": parts, "entity": "member", "time": "at", "embargo": 50})
    data = table()
    train, test = ns.split(data, rules)
    member, at = data["member"].to_pylist(), data["at"].to_pylist()
    assert len(train) and len(test) and not {member[i] for i in train} & {member[i] for i in test}
    assert max(at[i] for i in train) < min(at[i] for i in test) - 50
    assert next(ns.StratifiedSplit(rules).split(data))[1].tolist() == test.tolist()


def test_caps_per_member_and_weights():
    data = table()
    plan = ns.plan(data, with_rule(name="members", entity={"column": "member", "at_most": 6}))
    taken = plan.apply(data)["member"].to_pylist()
    assert len(taken) == 300 and max(taken.count(member) for member in set(taken)) <= 6
    weights = plan.weights(data)
    eligible = sum(stratum["available"] for stratum in plan.strata)
    assert eligible == 401 * 6 and len(weights) == 300 and abs(sum(weights) - eligible) < 1e-6
    assert len(plan.digest) == 64 and plan.source["size"] == 300


def test_sizes_are_those_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    numpy = pytest.importorskip("numpy")
    random_state = numpy.random.RandomState(3)
    for _ in range(20):
        counts = random_state.randint(2, 200, size=5)
        labels = numpy.repeat(numpy.arange(5), counts)
        total = len(labels)
        # An exact number of test rows, and no ties: then scikit-learn's sizes are the only ones.
        test_rows = max(5, total // 4)
        exact = counts * test_rows / total
        fractions = sorted(exact - numpy.floor(exact))
        if min(numpy.diff(fractions), default=1) < 1e-9 or total - test_rows < 5:
            continue
        _, test = selection.train_test_split(labels, test_size=int(test_rows), stratify=labels, random_state=0)
        wanted = numpy.bincount(test, minlength=5)
        data = pa.table({"id": numpy.arange(total), "label": labels})
        parts = [{"name": "train", "share": 1 - test_rows / total}, {"name": "test", "share": test_rows / total}]
        _, rows = ns.split(data, {"id": "id", "strata": ["label"], "rules": [{"name": "parts", "split": {"parts": parts}}]})
        found = numpy.bincount(labels[list(rows)], minlength=5)
        assert found.sum() == test_rows
        assert (abs(found - wanted) <= 1).all() and (abs(found - exact) < 1).all()


def test_targets_are_the_fixed_point_of_ipfn():
    ipfn = pytest.importorskip("ipfn")
    numpy = pytest.importorskip("numpy")
    random_state = numpy.random.RandomState(5)
    start = random_state.randint(200, 900, size=(3, 4))
    first, second = random_state.dirichlet([9] * 3), random_state.dirichlet([9] * 4)
    raked = ipfn.ipfn.ipfn(start.astype(float), [first * 500, second * 500], [[0], [1]], convergence_rate=1e-13, max_iteration=5000, rate_tolerance=0).iteration()
    rows = [(r, c) for r in range(3) for c in range(4) for _ in range(start[r, c])]
    data = pa.table({"id": range(len(rows)), "r": [r for r, _ in rows], "c": [c for _, c in rows]})
    shares = lambda values: {str(level): float(share) for level, share in enumerate(values)}
    plan = ns.plan(data, {"id": "id", "strata": ["r", "c"], "rules": [
        {"name": "size", "size": {"exactly": 500}},
        {"name": "r", "target": {"keys": ["r"], "shares": shares(first)}},
        {"name": "c", "target": {"keys": ["c"], "shares": shares(second)}},
    ]})
    for stratum in plan.strata:
        r, c = map(int, stratum["levels"])
        assert abs(stratum["target"] - raked[r, c]) < 1e-6


def test_weights_are_a_design_that_svy_estimates_from():
    svy, polars = pytest.importorskip("svy"), pytest.importorskip("polars")
    numpy = pytest.importorskip("numpy")
    value = numpy.random.RandomState(2).gamma(2.0, 3.0, ROWS)
    data = polars.from_arrow(table()).with_columns(y=polars.Series(value))
    plan = ns.plan(data, RULES)
    sample = plan.apply(data).with_columns(w=polars.Series(plan.weights(data)))
    sample = sample.with_columns(stratum=polars.concat_str("country", polars.col("label").cast(polars.String)))
    rows = {"".join(s["levels"]): s["available"] for s in plan.strata}
    sample = sample.with_columns(rows=polars.col("stratum").replace_strict(rows))
    design = svy.Design(stratum="stratum", wgt="w", pop_size="rows")
    found = svy.Sample(sample, design).estimation.mean("y").to_dicts()[0]
    y, w = sample["y"].to_numpy(), sample["w"].to_numpy()
    assert abs(found["est"] - (w * y).sum() / w.sum()) < 1e-9
    assert abs(w.sum() - ROWS) < 1e-6 and abs(found["est"] - value.mean()) < 5 * found["se"]
    variance = 0.0
    for (stratum,), part in sample.group_by("stratum"):
        size, taken = rows[stratum], len(part)
        variance += (size / ROWS) ** 2 * (1 - taken / size) * part["y"].var() / taken
    assert abs(found["se"] - variance**0.5) < 1e-9


def test_totals_are_kept_and_weights_calibrated():
    data = table()
    rules = with_rule(name="totals", balance={"columns": ["at"]})
    taken = ns.plan(data, rules).apply(data)
    assert taken.num_rows == 300
    plan = ns.plan(data, rules)
    weights = plan.weights(data)
    wanted = sum(data["at"].to_pylist())
    estimate = sum(w * at for w, at in zip(weights, taken["at"].to_pylist()))
    by_hash = ns.plan(data, RULES)
    plain = sum(w * at for w, at in zip(by_hash.weights(data), by_hash.apply(data)["at"].to_pylist()))
    assert abs(estimate - wanted) < min(abs(plain - wanted), 0.01 * wanted)
    calibrated = {**RULES, "rules": RULES["rules"] + [{"name": "w", "weights": {"calibrate": ["country"]}}]}
    plan = ns.plan(data, calibrated)
    countries = plan.apply(data)["country"].to_pylist()
    for country in "ABC":
        total = sum(w for w, c in zip(plan.weights(data), countries) if c == country)
        assert total == pytest.approx(data["country"].to_pylist().count(country))
    with pytest.raises(RuntimeError, match="no finite number in `at`"):
        holes = data.set_column(4, "at", pa.array([None] + [1] * (ROWS - 1), pa.int64()))
        ns.plan(holes, rules).apply(holes)


def test_weekdays_are_those_of_python():
    import datetime
    start = datetime.date(1969, 12, 25)
    dates = [start + datetime.timedelta(days=i) for i in range(70)]
    data = pa.table({"row_id": pa.array(range(70)), "day": pa.array(dates, pa.date32())})
    rules = {"id": "row_id", "strata": ["weekday"], "keys": {"weekday": {"column": "day", "date": "weekday"}},
             "rules": [{"name": "size", "size": {"exactly": 7}},
                       {"name": "even", "target": {"keys": ["weekday"], "uniform": True}}]}
    taken = ns.plan(data, rules).apply(data)["day"].to_pylist()
    assert sorted(day.isoweekday() for day in taken) == [1, 2, 3, 4, 5, 6, 7]
