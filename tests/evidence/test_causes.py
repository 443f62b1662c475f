"""An effect that is there is found where the naive difference misleads, none where there is none; and what cannot be told is said."""

from dataclasses import replace

import numpy as np
import pytest

import fathom
from bench.causes import case_of, holds, simulated
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.evidence import causes
from fathom.evidence.contract import Effect, Refit
from fathom.evidence.effects import Estimate, robustness_value
from fathom.examining import check


def confounded(effect=1.0, push=1.0, rows=500, seed=0, missing=False):
    """Age makes a row treated and raises the target; so does something that is not in the table, where one is ``missing``."""
    random = np.random.default_rng(seed)
    age, other = random.normal(size=(2, rows))
    hidden = random.normal(size=rows)
    treated = random.random(rows) < 1 / (1 + np.exp(-push * (hidden if missing else age)))
    target = effect * treated + 2 * (hidden if missing else age) + random.normal(size=rows)
    columns = {"age": age, "other": other}
    return Table.of(
        {name: values.tolist() for name, values in columns.items()}
        | {"treatment": [("no", "yes")[int(one)] for one in treated], "target": target.tolist()}
    )


def test_an_effect_is_found_and_that_of_nothing_is_not():
    there = causes.run(case_of(confounded(effect=1.0)))
    assert there.answer == "an effect" and there.low < 1.0 < there.high
    assert not holds(there, "naive difference", 1.0)
    nothing = causes.run(case_of(confounded(effect=0.0)))
    assert nothing.answer == "no clear effect"
    assert "experiment" in there.sentence and "age, other" in there.sentence


def test_rows_that_nothing_can_be_compared_with_are_warned_of():
    found = causes.run(case_of(confounded(push=12.0)))
    assert found.status == "warning" and "nothing to be compared with" in found.remedy


@pytest.mark.parametrize("index", [0, 4])
def test_the_interval_holds_the_truth_where_the_naive_one_does_not(index):
    table = simulated(index)
    found = causes.run(case_of(table.table))
    assert holds(found, "double machine learning", table.effect), table.how
    assert not holds(found, "naive difference", table.effect), table.how
    assert holds(found, "placebo (no effect by construction)", 0.0)


def test_how_strong_a_hidden_cause_must_be_grows_with_the_effect():
    random = np.random.default_rng(0)
    moved, rest = random.normal(size=(2, 1_000))
    values = [robustness_value(Estimate(0.0, 0.1, size * moved + rest, moved, moved)) for size in (0.0, 0.3, 3.0)]
    assert values[0] < 0.1 < values[1] < values[2] < 1


def test_a_hidden_cause_cannot_be_seen_and_the_sentence_says_so():
    hidden = causes.run(case_of(confounded(effect=0.0, missing=True)))
    assert hidden.answer == "an effect" and "every common cause" in hidden.sentence  # wrong, and says why it may be


def test_the_network_is_fitted_to_each_side_where_it_can_be():
    case = case_of(confounded())
    met = []

    def fit(name, rows, weights, seconds):
        met.append((name, len(rows)))
        answer = float(truth[rows].mean())
        return lambda table: np.full(table.rows, answer)

    truth = case.sealed.truth
    found = causes.run(replace(case, refit=Refit(case.sealed.table, truth, ("network", "linear"), fit)))
    assert [name for name, _ in met] == ["network", "network"] and sum(rows for _, rows in met) == 500
    assert found.status == "warning" and "do not agree" in found.remedy  # means of either side are the naive difference


def test_what_cannot_be_asked_is_no_case():
    case = case_of(confounded())
    for wanted in (
        replace(case, effect=None),
        replace(case, effect=Effect("target")),
        replace(case, effect=Effect("treatment", ("nobody",))),
        replace(case, effect=Effect("treatment", ("treatment",))),
    ):
        assert causes.run(wanted).answer == "not applicable"


def test_no_order_of_the_rows_moves_a_figure():
    table = confounded(rows=300)
    mixed = table.take(np.random.default_rng(1).permutation(table.rows))
    one, other = (causes.run(case_of(each)).rows for each in (table, mixed))
    assert [line["value"] for line in one] == pytest.approx([line["value"] for line in other], rel=1e-9)


def test_a_bundle_is_asked_on_rows_of_its_user(late_run, flights):
    model, rows = fathom.load(late_run), flights.take(np.arange(400))
    asked = {"effect": "temperature_f", "confounders": "wind_speed_mph"}
    found = check(model, rows, only=["causes"], **asked)[0]
    assert found.low < found.value < found.high and "one more of temperature_f" in found.sentence
    with pytest.raises(TableError, match="temperature_f"):
        check(model, rows, only=["causes"], effect="temperatur_f")
