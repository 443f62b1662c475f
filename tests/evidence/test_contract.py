"""What every check keeps: it passes on its planted good table and not on its bad one, for each thing that it says it serves, and no order of the rows moves it."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.evidence import CHECKS
from fathom.evidence.contract import EVERY_KIND, TASKS, Part
from fathom.examining import check, examine
from tests.evidence.planted_cases import PLANTED

TELLING = ("scaling", "cost")  # say what is, and warn of nothing: their answers must differ
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
