"""What every check keeps: it passes on its planted good table and not on its bad one, for each thing that it says it serves, and no order of the rows moves it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.encoding import Column, hanging_together
from fathom.data.table import Table
from fathom.evidence import CHECKS
from fathom.evidence.contract import EVERY_KIND, TASKS, Part
from fathom.examining import check, examine
from tests.evidence.planted_cases import PLANTED

TELLING = ("scaling", "cost")  # say what is, and warn of nothing: their answers must differ
HOUSE = Column("house", "group", None, 1.0, "planted", None)
SERVED = [(one, kind) for one in CHECKS for kind in one.SERVES]


def test_every_check_says_what_it_serves_and_has_planted_tables():
    for one in CHECKS:
        assert one.SERVES and set(one.SERVES) <= {*EVERY_KIND, *TASKS}, one.NAME
        assert one.NAME in PLANTED, f"Plant a good and a bad table for {one.NAME!r} in planted_cases.py."


@pytest.mark.parametrize(("one", "kind"), SERVED, ids=[f"{one.NAME}-{kind}" for one, kind in SERVED])
def test_a_check_passes_on_its_good_table_and_not_on_its_bad_one(one, kind):
    good, bad = PLANTED[one.NAME](kind)
    (passed,), (failed,) = examine(good, [one.NAME]), examine(bad, [one.NAME])
    assert "not applicable" not in (passed.answer, failed.answer), (passed.sentence, failed.sentence)
    assert passed.status in ("good", "neutral"), passed.sentence
    assert passed.answer != failed.answer
    assert failed.status in ("warning", "bad") or one.NAME in TELLING, failed.sentence


def shuffled(case, seed=0):
    """The case with all its rows in another order."""
    random = np.random.default_rng(seed)

    def mixed(part):
        if part is None:
            return None, None
        order = random.permutation(part.table.rows)
        return Part(part.table.take(order), part.truth[order], part.answer[order]), order

    (sealed, order), (chosen, _) = mixed(case.sealed), mixed(case.chosen)
    train = case.train and case.train.take(random.permutation(case.train.rows))
    answers = {name: answer[order] for name, answer in case.answers.items()}
    refit = case.refit
    if refit is not None:
        again = random.permutation(refit.train.rows)
        refit = replace(
            refit,
            train=refit.train.take(again),
            truth=refit.truth[again],
            fit=lambda name, rows, weights, seconds: case.refit.fit(name, again[rows], weights, seconds),
        )
    return replace(case, sealed=sealed, chosen=chosen, train=train, answers=answers, refit=refit)


@pytest.mark.parametrize("one", CHECKS, ids=[one.NAME for one in CHECKS])
def test_no_order_of_the_rows_moves_a_finding(one):
    bad, again = (PLANTED[one.NAME](one.SERVES[0])[1] for _ in range(2))
    (first,), (other,) = examine(bad, [one.NAME]), examine(shuffled(again), [one.NAME])
    assert (other.answer, other.sentence) == (first.answer, first.sentence)
    for name in ("value", "low", "high"):
        one_value, other_value = getattr(first, name), getattr(other, name)
        assert other_value == (one_value if one_value is None else pytest.approx(one_value, rel=1e-9, abs=1e-9)), name
    assert other.rows == first.rows


def test_rows_of_a_user_are_parted_and_drawn_by_what_they_hold(late_network, flights):
    rows = flights.take(np.arange(300))
    mixed = rows.take(np.random.default_rng(0).permutation(rows.rows))
    asked = ["abstaining", "unlike", "robustness", "slices", "suspects"]
    assert check(late_network, mixed, only=asked) == check(late_network, rows, only=asked)


def in_houses(case, times):
    """The case with every row so many times, all of them of one house, by which rows were parted."""

    def table_of(table):
        every = np.repeat(np.arange(table.rows), times)
        houses = pa.array([f"house {one}" for one in every])
        return Table(table.arrow.take(pa.array(every)).append_column("house", houses))

    def many(part):
        if part is None:
            return None
        every, table = np.repeat(np.arange(part.table.rows), times), table_of(part.table)
        return Part(table, part.truth[every], part.answer[every], hanging_together((HOUSE,), table))

    answers = {name: np.repeat(answer, times, axis=0) for name, answer in case.answers.items()}
    refit = case.refit
    if refit is not None:
        refit = replace(
            refit,
            train=table_of(refit.train),
            truth=np.repeat(refit.truth, times),
            fit=lambda name, rows, weights, within: case.refit.fit(name, rows // times, weights, within),
        )
    return replace(
        case,
        columns=(*case.columns, HOUSE),
        sealed=many(case.sealed),
        chosen=many(case.chosen),
        train=case.train and table_of(case.train),
        answers=answers,
        refit=refit,
    )


def widths(told, at=()):
    """How wide each interval of a finding is, by where it stands; not of what is drawn for each row by itself, copies or not."""
    if isinstance(told, dict):
        if {"chance", "placebo (no effect by construction)"} & {one for one in told.values() if isinstance(one, str)}:
            return {}
        found = {place: width for name, one in told.items() for place, width in widths(one, (*at, name)).items()}
        if isinstance(told.get("low"), float) and isinstance(told.get("high"), float):
            found[at] = told["high"] - told["low"]
        return found
    if isinstance(told, list | tuple):
        return {place: width for number, one in enumerate(told) for place, width in widths(one, (*at, number)).items()}
    return {}


WITHOUT = ("leakage", "suspects", "cost")  # intervals, where nothing is fitted again


@pytest.mark.parametrize("one", CHECKS, ids=[one.NAME for one in CHECKS])
def test_rows_that_are_copied_within_their_group_make_no_interval_narrower(one):
    case = PLANTED[one.NAME](one.SERVES[0])[one.NAME == "slices"]
    alone, copied = (widths(examine(in_houses(case, times), [one.NAME])[0].as_json()) for times in (1, 3))
    both = {place for place in alone if place in copied and alone[place] > 1e-9}
    assert () in both or one.NAME in WITHOUT
    for place in both:
        assert copied[place] > 0.8 * alone[place], place  # where each copy told as much as a row: 0.58
