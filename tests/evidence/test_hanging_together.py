"""Rows that hang together count as one wherever a check draws rows again: groups of rows, and no rows, are what intervals and alarms go by."""

from dataclasses import replace

import numpy as np
import pytest

import fathom
from fathom.baselines import constant
from fathom.data.table import Table
from fathom.evidence import robustness, scaling, slices, suspects
from fathom.evidence.calibration import of_probabilities
from fathom.evidence.contract import Case, Part
from fathom.evidence.dependence import curves
from fathom.evidence.importance import by_shuffling
from fathom.evidence.layers import probes
from fathom.examining import examine
from fathom.resampling import share_limits, worth
from tests.evidence.planted import column, regression_case
from tests.evidence.test_suspects import case_of as mislabelled

ROWS_EACH = 40


def households(seed, count=24):
    """Households of many rows, each of one place, in which the model is wrong on nearly all rows or on nearly none; of places all are alike."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(count), ROWS_EACH)
    place = random.permutation(np.arange(count) % 4)[of]
    wrong = random.random(len(of)) < random.choice([0.05, 0.8], count)[of]
    truth = random.integers(0, 2, len(of))
    table = Table.of({"place": [f"place {one}" for one in place], "late": [("no", "yes")[code] for code in truth]})
    yes = 0.15 + 0.7 * np.where(wrong, 1 - truth, truth)
    return table, Part(table, truth, np.stack([1 - yes, yes], 1), of)


def case_of(seed):
    table, sealed = households(seed)
    columns = (column(table, "place", "category"), column(table, "late", "category", "target"))

    def answer(rows):
        return np.full((rows.rows, 2), 0.5)

    return Case(columns, columns[1], ("no", "yes"), sealed, answer, chosen=households(seed + 50)[1], seed=seed)


def row_by_row(case):
    return replace(case, sealed=replace(case.sealed, groups=None))


def width(line):
    return line["high"] - line["low"]


def test_a_slice_of_few_unlucky_households_is_no_slice():
    told, untold = 0, 0
    for seed in range(16):
        case = case_of(seed)
        told += slices.run(case).status == "warning"
        untold += slices.run(row_by_row(case)).status == "warning"
    assert told <= 2 < 6 <= untold


def test_a_slice_that_is_worse_in_every_household_is_found():
    case = case_of(0)
    parts = []
    for part in (case.chosen, case.sealed):
        worse = np.array(part.table.column("place").to_pylist()) == "place 1"
        yes = np.where(worse, 1 - part.truth, part.truth) * 0.7 + 0.15
        yes = yes + np.random.default_rng(0).normal(0, 1e-3, len(yes))
        parts.append(replace(part, answer=np.stack([1 - yes, yes], 1)))
    found = slices.run(replace(case, chosen=parts[0], sealed=parts[1]))
    assert found.status == "warning" and "place is 'place 1'" in found.sentence


def test_the_intervals_of_spoiled_rows_are_those_of_households():
    case = case_of(1)
    own, other = robustness.run(case), robustness.run(row_by_row(case))
    assert own.value == pytest.approx(other.value)
    assert width(own.rows[0]) > 2 * width(other.rows[0])


def test_the_interval_of_what_dropping_suspects_does_is_that_of_households():
    case = replace(mislabelled(0.15, steep=8.0)[0], shipped="nearest")
    wrong = case.answers["nearest"].argmax(axis=1) != case.sealed.truth
    alike = np.argsort(np.argsort(wrong, kind="stable")) // 25  # households of rows on which it is right, and of others
    together = replace(case, sealed=replace(case.sealed, groups=alike))
    own, other = (suspects.run(one).plot["dropping"] for one in (together, case))
    assert own["value"] == pytest.approx(other["value"]) and width(own) > width(other)


def test_the_interval_of_what_a_column_is_worth_is_that_of_households():
    of = np.repeat(np.arange(20), 20)
    size = np.random.default_rng(0).normal(size=20)[of]
    table = Table.of({"size": size.tolist()})

    def losses(rows):
        return np.abs(rows.column("size").to_numpy() - size)

    (own,), (other,) = (by_shuffling(losses, table, ["size"], groups=groups) for groups in (of, None))
    assert own["value"] == pytest.approx(other["value"]) and width(own) > 2 * width(other)


def test_a_fit_by_groups_and_a_check_of_its_bundle_judge_by_groups(monkeypatch):
    random = np.random.default_rng(0)
    of = np.repeat(np.arange(40), 10)
    rows = {"x": random.normal(size=400).tolist(), "house": [f"house {one}" for one in of]}
    rows["y"] = [
        float(value + of_house) for value, of_house in zip(rows["x"], random.normal(0, 3, 40)[of], strict=True)
    ]
    seen = []

    def asked(case):
        seen.append(case)
        return slices.not_applicable(slices, "It only looks.")

    monkeypatch.setattr(slices, "run", asked)
    model = fathom.fit(rows, "y", group="house", effort="quick", epochs=1, baselines=(constant,))
    fathom.examining.check(model, rows, only=["slices"])
    for case in seen:
        names = [np.array(part.table.column("house").to_pylist()) for part in (case.sealed, case.chosen)]
        for part, own in zip((case.sealed, case.chosen), names, strict=True):
            assert len(np.unique(part.groups)) == len(set(own)) == len({*zip(own, part.groups.tolist(), strict=True)})
        assert not {*names[0]} & {*names[1]}
    assert len(seen) == 2


def test_a_share_of_rows_that_hang_together_is_told_by_as_many_as_they_are_worth():
    random = np.random.default_rng(0)
    hits = random.random(200) < 0.7
    of = np.arange(200).repeat(5)
    alone, copied = share_limits(hits), share_limits(hits.repeat(5), of)
    assert copied == pytest.approx(alone, abs=0.002)
    independent = (
        random.random(1_000) < 0.7
    )  # groups whose rows have nothing to do with each other tell as much as rows
    assert worth(independent, of) == pytest.approx(1_000, rel=0.2)
    assert worth(np.ones(1_000), of) == pytest.approx(200, rel=0.02)  # nothing is seen of how groups differ
    assert worth(hits, np.zeros(200)) == 1 and worth(hits) == 200


def test_the_interval_of_a_share_of_households_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    of, held = np.arange(30).repeat(20), np.zeros(2)
    for _ in range(300):
        hits = random.random(600) < random.beta(4, 1, 30)[of]  # 0.8 on average
        for place, groups in enumerate((of, None)):
            low, high = share_limits(hits, groups)
            held[place] += low <= 0.8 <= high
    told, untold = held / 300
    assert told >= 0.92 and untold < 0.75


def test_the_bins_of_calibration_and_the_curves_of_a_column_go_by_households():
    case = case_of(1)
    told, untold = (
        of_probabilities(case.sealed.truth, case.sealed.answer, groups=groups)["bins"]
        for groups in (case.sealed.groups, None)
    )
    assert [one["observed"] for one in told] == [one["observed"] for one in untold]
    assert sum(map(width, told)) > 1.5 * sum(map(width, untold))
    of = np.arange(20).repeat(20)
    level = np.random.default_rng(0).normal(size=20)[of]
    table = Table.of({"x": np.random.default_rng(1).normal(size=400).tolist(), "level": level.tolist()})

    def answer(rows):
        return rows.column("level").to_numpy() + 0 * rows.column("x").to_numpy()

    (told,), (untold,) = (curves(answer, table, [column(table, "x", "number")], groups=groups) for groups in (of, None))
    assert told["mean"] == untold["mean"]
    assert told["high"][0] - told["low"][0] > 3 * (untold["high"][0] - untold["low"][0])


def test_a_probe_is_not_scored_on_households_that_it_was_fitted_on():
    of = np.arange(40).repeat(10)
    truth = np.random.default_rng(0).integers(0, 2, 40)[of]
    which = np.eye(40)[of]  # tells the household, and nothing of another one
    (told,), (untold,) = (probes({"last": which}, truth, 2, groups=groups) for groups in (of, None))
    assert untold["value"] > 0.95 and told["value"] < 0.65


@pytest.mark.parametrize("check", [scaling, suspects], ids=["scaling", "suspects"])
def test_no_household_is_cut_in_two_where_models_are_fitted_again(check):
    seen = []
    random = np.random.default_rng(0)
    x, house = random.normal(size=600), np.arange(60).repeat(10)
    y = 2 * x + random.normal(size=60)[house]
    y[::40] += 40.0  # suspects

    def fit(name, x, y, weights):
        seen.append(x[:, 1])
        return lambda asked: 2 * asked[:, 0]

    case = regression_case({"x": x, "house": house.astype(float)}, y, 400, fit, names=("line",))
    by = replace(case.columns[1], role="group", kind=None)
    case = replace(case, columns=(case.columns[0], by, case.columns[2]), effort="thorough")
    seen.clear()
    assert examine(case, [check.NAME])[0].answer != "not applicable"
    whole = np.bincount(house[:400])
    assert len(seen) >= 3
    for rows in seen[: 2 if check is suspects else None]:  # afterwards, rows that are suspect alone are left out
        counts = np.bincount(rows.astype(int), minlength=len(whole))
        assert ((counts == 0) | (counts == whole)).all()
