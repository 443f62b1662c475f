"""What gets worse slowly and says so passes; what breaks early, or is as sure as before, fails: for each kind of column."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.data.encoding import Column
from fathom.data.modalities import MODALITIES, by_name
from fathom.data.table import Table
from fathom.evidence import abstaining, robustness
from fathom.evidence.contract import Case, Part, served

ROWS = 400
CLASSES = ("no", "yes")


def planted(kind_name, sure, seed=0):
    """Rows of one column of a kind, and a model that is right on cells that it finds as they were, and guesses on those that were spoiled.

    ``sure`` says how sure it is of cells that are as they were, and of others.
    """
    kind = by_name(kind_name, MODALITIES)
    values = kind.sample(ROWS, seed)
    state = kind.learn(values)
    if hasattr(kind, "settle"):
        values, _ = kind.settle(state, values, lambda done: None)
    column = Column("told", "input", kind, 1.0, "planted", state)
    random = np.random.default_rng(seed)
    late = random.integers(0, 2, ROWS)
    table = Table.of({"told": values, "late": [CLASSES[code] for code in late]})
    whole = kind.encode(state, values).reshape(ROWS, -1)
    known = {row.tobytes(): code for row, code in zip(whole, late, strict=True)}

    def answer(rows):
        seen = kind.encode(state, rows.column("told")).reshape(rows.rows, -1)
        found = [known.get(row.tobytes(), -1) for row in seen]
        yes = np.array([sure[1] if code < 0 else sure[0] if code else 1 - sure[0] for code in found])
        return np.stack([1 - yes, yes], 1)

    truth = np.array([known[row.tobytes()] for row in whole])
    target = Column("late", "target", by_name("category", MODALITIES), 1.0, "planted")
    part = Part(table, truth, answer(table))
    return Case((column, target), target, CLASSES, part, answer, chosen=part)


KINDS = [kind.NAME for kind in MODALITIES if kind.NAME not in ("video", "id")]
SWAPPED = ("yes_no", "category", "labels")  # one word put for another cannot be noticed


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SWAPPED])
def test_a_model_that_says_so_passes(kind):
    honest = robustness.run(planted(kind, sure=(0.9, 0.55)))
    assert honest.answer != "it does not notice", honest.sentence
    assert [line["severity"] for line in honest.plot["severities"]] == [0, 1, 2, 3, 4, 5]
    assert honest.plot["severities"][5]["score"] > honest.plot["severities"][0]["score"]


def test_the_sentence_states_what_the_warning_goes_by():
    found = robustness.run(planted("number", sure=(0.9, 0.9)))
    assert found.answer == "it does not notice"
    steps = found.plot["severities"]
    mean = 100 * np.mean([step["right"] for step in steps[1:]])
    assert f"Of {ROWS} rows" in found.sentence and f"over five severities, {mean:.1f} %" in found.sentence
    assert f"{100 * steps[0]['right'] - mean:.1f} points fewer" in found.sentence


def numbers(exact):
    """A price that grows with a number; a model that takes the number as it is, or that knows only numbers that it has met."""
    random = np.random.default_rng(0)
    size = random.normal(0, 1, ROWS).round(6)
    kind = by_name("number", MODALITIES)
    table = Table.of({"told": size.tolist(), "price": (10 * size).tolist()})
    state = kind.learn(table.column("told"))
    met = dict(zip(size, 10 * size, strict=True))

    def answer(rows):
        found = rows.column("told").to_numpy(zero_copy_only=False)
        return np.array(
            [met.get(value, 200.0) if exact else 10 * np.nan_to_num(np.clip(value, -3, 3)) for value in found]
        )

    columns = (
        Column("told", "input", kind, 1.0, "planted", state),
        Column("price", "target", kind, 1.0, "planted", kind.learn(table.column("price"), "target")),
    )
    part = Part(table, 10 * size, answer(table) + random.normal(0, 0.5, ROWS))
    return Case(columns, columns[1], None, part, answer, chosen=part)


def test_numbers_that_are_read_smoothly_pass_and_those_learned_by_heart_break_early():
    assert robustness.run(numbers(exact=False)).status == "good"
    assert robustness.run(numbers(exact=True)).answer == "it breaks early"


@pytest.mark.parametrize("check", [robustness, abstaining])
def test_intervals_are_judged_as_they_are_served(check):
    """Intervals that reach nowhere among negative answers and far among others hold the truth on the others alone."""
    case = replace(
        numbers(exact=False), reach=lambda rows, answer: np.repeat(np.where(answer < 0, 0.0, 100.0)[:, None], 2, axis=1)
    )
    found = check.run(case)
    share = float(np.mean(case.sealed.answer >= 0))
    held = found.plot["severities"][0]["right"] if check is robustness else found.value
    assert held == pytest.approx(share, abs=1e-9) and share < 0.6


def test_without_served_intervals_they_are_those_that_the_chosen_rows_teach():
    case = numbers(exact=False)
    noise = np.abs(case.sealed.truth) * np.random.default_rng(3).normal(0, 0.3, ROWS)
    part = replace(case.sealed, answer=case.sealed.truth + noise)
    widths = served(replace(case, chosen=part))(case.sealed.table, np.array([0.0, 30.0])).mean(axis=1)
    assert widths[1] > 3 * widths[0] > 0


def test_no_order_of_the_rows_moves_a_figure():
    case = planted("category", (0.9, 0.6))
    order = np.random.default_rng(1).permutation(ROWS)
    part = Part(case.sealed.table.take(order), case.sealed.truth[order], case.sealed.answer[order])
    assert robustness.run(replace(case, sealed=part)).rows == robustness.run(case).rows


def test_few_rows_are_no_case():
    case = planted("category", (0.9, 0.6))
    few = Part(case.sealed.table.take(np.arange(20)), case.sealed.truth[:20], case.sealed.answer[:20])
    assert robustness.run(replace(case, sealed=few)).answer == "not applicable"
