"""When does the model rather say "I am not sure": whether its sets and intervals hold the truth as often as they promise, and what is left when it abstains.

A category's answer is a set of classes, a number's an interval; both are measured on the test rows, sets as the chosen rows teach them and intervals as they are served, and promise to hold the truth on 90 % of rows
(`fathom.bundle.answers.doubting`; for numbers `fathom.bundle.answers.margining` and `fathom.bundle.answers.banding`). The rows whose set is one class are those on which it is sure: the fewer they are, the more often it abstains; the error among them is
what abstaining buys (El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification", JMLR 11, 2010). Beside it: what is bought by answering where a network's members are of one mind
(Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017).
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import doubting
from fathom.bundle.answers.banding import holds
from fathom.evidence.contract import TASKS, Case, Finding, not_applicable, served
from fathom.quantities import significant
from fathom.resampling import Floats, wilson, worth
from fathom.scoring import row_losses

NAME = "abstaining"
QUESTION = "When does it rather say that it is not sure?"
SOURCE = "Romano, Patterson and Candès, NeurIPS 2019; Boström and Johansson, COPA 2020; Vovk, Machine Learning 92, 2013; Sadinle, Lei and Wasserman, JASA 114, 2019; Lei et al., JASA 113, 2018"
SERVES = TASKS

PROMISE = doubting.LEVEL
FEWEST_ROWS = 50
PARTS = 5  # of the answers, by size, in each of which the promise is measured
FURTHEST = 0.1  # of the rows, on which members are furthest apart
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
    return _finding(sentence, held, taught, rows, case, -case.sealed.answer.max(axis=1))


def sets_hold(sets: doubting.Sets, truth: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)`` whose set ``(row, class)`` holds their true class; one that was never seen, -1, is in none.

    >>> sets_hold(np.array([[True, False], [True, True]]), np.array([1, 1])).tolist()
    [False, True]
    """
    return np.asarray((truth >= 0) & sets[np.arange(len(truth)), np.maximum(truth, 0)])


def _intervals(case: Case) -> Finding:
    reach = served(case)(case.sealed.table, case.sealed.answer)
    held = holds(case.sealed.truth - case.sealed.answer, reach)
    width = reach.mean(axis=1)
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
    widths = (
        significant(width.min(), 4)
        if width.min() == width.max()
        else f"{significant(width.min(), 4)} to {significant(width.max(), 4)}"
    )
    sentence = f"Asked for an interval that holds the truth on {100 * PROMISE:.0f} % of rows, it held it on {100 * held.mean():.1f} %: each answer is given plus and minus {widths}."
    assert case.chosen is not None
    taught = holds(case.chosen.truth - case.chosen.answer, served(case)(case.chosen.table, case.chosen.answer))
    return _finding(sentence, held, taught, rows, case, width)


def _finding(
    sentence: str,
    held: npt.NDArray[np.bool_],
    taught: npt.NDArray[np.bool_],
    rows: list[dict[str, Any]],
    case: Case,
    unsure: Floats,
) -> Finding:
    """Return the finding: which test rows were ``held (row,)``, and which of those that ``taught (row,)`` what is promised; ``unsure (row,)`` is larger where the model is less sure."""
    assert case.chosen is not None
    # What is promised was learned from rows that are as much a matter of chance as the test rows: both count.
    both = np.array([1 / (1 / worth(held, case.sealed.groups) + 1 / worth(taught, case.chosen.groups))])
    (low,), (high,) = wilson(held.mean() * both, both)
    kept = high >= PROMISE
    return Finding(
        NAME,
        QUESTION,
        "keeps its promise" if kept else "promises too much",
        sentence + _told_apart(case),
        float(held.mean()),
        low,
        high,
        unit="share of rows held",
        status="good" if kept else "warning",
        remedy=""
        if kept
        else "The test rows are unlike those that the promise was learned on: ask what has changed between them, for example over time.",
        rows=rows,
        plot=_risks(case, unsure),
        source=SOURCE,
    )


def _risks(case: Case, unsure: Floats) -> dict[str, Any]:
    """Return the data of the plot: the risk by the share of rows that are answered, those first of which the model is surest, and, where there are members, those on which they agree most."""
    found: dict[str, Any] = {"measure": "mean error" if case.classes is None else "share wrong"}
    if np.ptp(unsure):
        found["risk"] = _risk(case, unsure)
    if case.sealed.apart is not None:
        found["apart"] = _risk(case, case.sealed.apart)
    return found


def _risk(case: Case, unsure: Floats) -> list[dict[str, float]]:
    """Return how wrong the answers are among the surest rows, by the share of rows that are answered: of a category the share of wrong answers, of a number the mean error; and the mean loss."""
    order = np.argsort(unsure, kind="stable")
    wrong, losses = _wrong(case)[order], row_losses(case.sealed.truth, case.sealed.answer)[order]
    counts = [max(1, round(share * len(order))) for share in SHARES]
    return [
        {"answered": share, "wrong": float(wrong[:count].mean()), "loss": float(losses[:count].mean())}
        for share, count in zip(SHARES, counts, strict=True)
    ]


def _wrong(case: Case) -> Floats:
    """Return how wrong each answer is, ``(row,)``: 1 or 0 of a category, the absolute error of a number."""
    truth, answer = case.sealed.truth, case.sealed.answer
    if case.classes is None:
        return np.asarray(np.abs(truth - answer), np.float64)
    return np.asarray(answer.argmax(axis=1) != truth, np.float64)


def _told_apart(case: Case) -> str:
    """Say in a sentence how wrong the answers are on the rows on which the network's members are furthest apart, and on the others; nothing where one alone answers."""
    apart = case.sealed.apart
    if apart is None or not np.ptp(apart):
        return ""
    last = np.argsort(apart, kind="stable")[-max(1, round(FURTHEST * len(apart))) :]
    far = np.zeros(len(apart), np.bool_)
    far[last] = True
    wrong = _wrong(case)
    if case.classes is None:
        told = f"it is off by {significant(wrong[far].mean(), 3)} on average, on the others by {significant(wrong[~far].mean(), 3)}"
    else:
        told = f"it is wrong on {100 * wrong[far].mean():.1f} %, on the others on {100 * wrong[~far].mean():.1f} %"
    return f" On the tenth of rows on which its members are furthest apart, {told}."
