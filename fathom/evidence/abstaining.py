"""When does the model rather say "I am not sure": whether its sets and intervals hold the truth as often as they promise, and what is left when it abstains.

A category's answer is a set of classes, a number's an interval; both are measured on the test rows, sets as the chosen rows teach them and intervals as they are served, and promise to hold the truth on 90 % of rows
(`fathom.bundle.answers.doubting`; Lei et al., JASA 113, 2018, for numbers). The rows whose set is one class are those on which it is sure: the fewer they are, the more often it abstains; the error among them is
what abstaining buys (El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification", JMLR 11, 2010).
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import doubting
from fathom.evidence.contract import TASKS, Case, Finding, not_applicable, served
from fathom.quantities import significant
from fathom.resampling import wilson, worth
from fathom.scoring import row_losses

NAME = "abstaining"
QUESTION = "When does it rather say that it is not sure?"
SOURCE = "Boström and Johansson, COPA 2020; Vovk, Machine Learning 92, 2013; Sadinle, Lei and Wasserman, JASA 114, 2019; Lei et al., JASA 113, 2018"
SERVES = TASKS

PROMISE = doubting.LEVEL
FEWEST_ROWS = 50
PARTS = 5  # of the answers, by size, in each of which the promise is measured
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # of rows that are answered, the surest first


def run(case: Case) -> Finding:
    """Measure how often sets or intervals hold the truth, and the error on the rows that are left when the least sure are not answered."""
    if case.chosen is None or min(case.chosen.table.rows, case.sealed.table.rows) < FEWEST_ROWS:
        return not_applicable(
            sys.modules[__name__], f"There are fewer than {FEWEST_ROWS} rows to learn from, or to measure on."
        )
    if case.classes is None:
        return _intervals(case)
    least = doubting.thresholds(case.chosen.answer, np.asarray(case.chosen.truth, np.int64))
    truth = np.asarray(case.sealed.truth, np.int64)
    sets = doubting.sets_of(case.sealed.answer, least)
    held = sets_hold(sets, truth)
    size, right = sets.sum(axis=1), case.sealed.answer.argmax(axis=1) == truth
    sure = size == 1
    rows: list[dict[str, Any]] = [
        {"class": name, "rows": int((truth == code).sum()), "held": float(held[truth == code].mean())}
        for code, name in enumerate(case.classes)
        if (truth == code).any()
    ]
    sentence = (
        f"Asked for a set that holds the true class on {100 * PROMISE:.0f} % of rows, it held it on {100 * held.mean():.1f} %. It names one class on {100 * sure.mean():.0f} % of rows, and is "
        f"right on {100 * right[sure].mean() if sure.any() else 0:.1f} % of these, against {100 * right.mean():.1f} % of all; on {100 * (size > 1).mean():.0f} % it is not sure, on "
        f"{100 * (size == 0).mean():.0f} % no class fits."
    )
    known = np.asarray(case.chosen.truth, np.int64)
    taught = sets_hold(doubting.sets_of(case.chosen.answer, least), known)
    return _finding(sentence, held, taught, rows, case)


def sets_hold(sets: doubting.Sets, truth: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)`` whose set ``(row, class)`` holds their true class; one that was never seen, -1, is in none.

    >>> sets_hold(np.array([[True, False], [True, True]]), np.array([1, 1])).tolist()
    [False, True]
    """
    return np.asarray((truth >= 0) & sets[np.arange(len(truth)), np.maximum(truth, 0)])


def _intervals(case: Case) -> Finding:
    width = served(case)(case.sealed.answer)
    held = np.abs(case.sealed.truth - case.sealed.answer) <= width
    fifth = np.argsort(np.argsort(case.sealed.answer, kind="stable"), kind="stable") * PARTS // len(held)
    rows: list[dict[str, Any]] = [
        {
            "answers_from": float(case.sealed.answer[fifth == part].min()),
            "to": float(case.sealed.answer[fifth == part].max()),
            "rows": int((fifth == part).sum()),
            "plus_and_minus": float(width[fifth == part].mean()),
            "held": float(held[fifth == part].mean()),
        }
        for part in range(PARTS)
    ]
    reach = (
        significant(width.min(), 4)
        if width.min() == width.max()
        else f"{significant(width.min(), 4)} to {significant(width.max(), 4)}, by how large it is"
    )
    sentence = f"Asked for an interval that holds the truth on {100 * PROMISE:.0f} % of rows, it held it on {100 * held.mean():.1f} %: each answer is given plus and minus {reach}."
    assert case.chosen is not None
    taught = np.abs(case.chosen.truth - case.chosen.answer) <= served(case)(case.chosen.answer)
    return _finding(sentence, held, taught, rows, case)


def _finding(
    sentence: str,
    held: npt.NDArray[np.bool_],
    taught: npt.NDArray[np.bool_],
    rows: list[dict[str, Any]],
    case: Case,
) -> Finding:
    """Return the finding: which test rows were ``held (row,)``, and which of those that ``taught (row,)`` what is promised."""
    assert case.chosen is not None
    # What is promised was learned from rows that are as much a matter of chance as the test rows: both count.
    both = np.array([1 / (1 / worth(held, case.sealed.groups) + 1 / worth(taught, case.chosen.groups))])
    (low,), (high,) = wilson(held.mean() * both, both)
    kept = high >= PROMISE
    return Finding(
        NAME,
        QUESTION,
        "keeps its promise" if kept else "promises too much",
        sentence,
        float(held.mean()),
        low,
        high,
        unit="share of rows held",
        status="good" if kept else "warning",
        remedy=""
        if kept
        else "The test rows are unlike those that the promise was learned on: ask what has changed between them, for example over time.",
        rows=rows,
        plot={"risk": _risk(case)} if case.classes is not None else {},
        source=SOURCE,
    )


def _risk(case: Case) -> list[dict[str, float]]:
    """Return the share of wrong answers and the mean loss among the surest rows, by the share of rows that are answered."""
    order = np.argsort(-case.sealed.answer.max(axis=1), kind="stable")
    wrong = (case.sealed.answer.argmax(axis=1) != case.sealed.truth)[order]
    losses = row_losses(case.sealed.truth, case.sealed.answer)[order]
    counts = [max(1, round(share * len(order))) for share in SHARES]
    return [
        {"answered": share, "wrong": float(wrong[:count].mean()), "loss": float(losses[:count].mean())}
        for share, count in zip(SHARES, counts, strict=True)
    ]
