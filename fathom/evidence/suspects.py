"""Which labels look wrong: rows whose stated class the model contradicts where it is hardly ever wrong.

A row is suspect when the model, which did not learn from it, gives another class at least the probability that it gives on average to the rows that bear that class: confident
learning, Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial Intelligence Research 70, 2021, section 3
(https://arxiv.org/abs/1911.00068). That alone would name every row of a question that is hard by nature; so the model must also be as sure as on those rows on which it is hardly ever contradicted. A number is suspect when its residual lies further from the median of all than ten times their median distance: a slip of the decimal
point, not a hard row.

What dropping suspects would do is tried where models can be fitted again: either half of the training rows is looked through by a model of the other half, and a model of the rows that are left stands
against one of all.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.evidence.affording import REFITS
from fathom.evidence.contract import TASKS, Case, Finding, Part, affords_fits, not_applicable, plain, side_by_side
from fathom.quantities import number
from fathom.scoring import row_losses

NAME = "suspects"
QUESTION = "Which labels look wrong?"
SOURCE = "Northcutt, Jiang and Chuang, JAIR 70, 2021, https://arxiv.org/abs/1911.00068"
SERVES = TASKS

LISTED = 20
FEWEST_LISTED, MOST_LISTED = 3, 0.05  # rows, and share of the rows, that are shown
BINS, FEWEST_IN_BIN = 10, 25  # of rows by how sure the model is
HARDLY_EVER = 0.05  # contradicted, or
AS_RARELY = 1.25  # times as often as the surest fifth of the rows
FITS = 3  # on both halves, on all rows and on those without suspects
MANY = 0.05  # of the rows
DISTANCES = 10.0  # median distances from the median residual
FEWEST_ROWS = 10
FEWEST_TO_DROP = 200
DIGITS = 6  # of a suspect number


def run(case: Case) -> Finding:
    """Look for suspect labels among the rows that the model did not learn from, the most contradicted first."""
    parts = [part for part in (case.chosen, case.sealed) if part is not None]
    rows = sum(part.table.rows for part in parts)
    if rows < FEWEST_ROWS:
        return not_applicable(sys.modules[__name__], f"There are only {rows} rows that the model did not learn from.")
    doubts = [_doubts(case, parts, part) for part in parts]
    found: list[tuple[float, dict[str, Any]]] = []
    for part, doubt in zip(parts, doubts, strict=True):
        found += [(float(doubt[row]), _shown(case, part, int(row))) for row in np.flatnonzero(doubt > 0)]
    found.sort(key=lambda entry: -entry[0])
    listed = [row for _, row in found[: min(LISTED, max(FEWEST_LISTED, round(MOST_LISTED * rows)))]]
    share = len(found) / rows
    if not found:
        return Finding(
            NAME,
            QUESTION,
            "none found",
            f"No label of {rows:,} rows is contradicted by the evidence.",
            0.0,
            unit="of the rows",
            status="good",
            source=SOURCE,
        )
    first, say = listed[0], str if case.classes is None else repr
    sentence = (
        f"At {len(found):,} of {rows:,} rows ({100 * share:.1f} %) {_contradicted(case)}. The most contradicted is {first['where']}, where {case.target.name} is "
        f"{say(first['stated'])} and the model is sure of {say(first['likely'])}."
    )
    dropped = _dropping(case)
    if dropped is not None:
        sentence += (
            f" Without the {dropped['rows']:,} suspects among {dropped['of']:,} training rows the loss on the test rows would change by {dropped['value']:+.3g} "
            f"({dropped['low']:+.3g} to {dropped['high']:+.3g})."
        )
    return Finding(
        NAME,
        QUESTION,
        "some",
        sentence,
        share,
        unit="of the rows",
        status="warning" if share > MANY else "neutral",
        remedy="Look at the listed rows, and correct or remove those that are wrong. Some will be right and merely unusual.",
        rows=listed,
        plot={"dropping": dropped},
        source=SOURCE,
    )


def _contradicted(case: Case) -> str:
    """Return in words what makes a row suspect, and that bad luck does so, too."""
    if case.classes is None:
        return f"the number lies more than {DISTANCES:.0f} times as far from what a model that did not learn from them answers as on half of all rows, though some are merely unusual"
    return "the label is contradicted by a model that did not learn from them and is hardly ever wrong where it is so sure, though some are merely unlucky"


def _doubts(case: Case, parts: list[Part], part: Part) -> npt.NDArray[np.float64]:
    """Return how much each row's label is contradicted ``(row,)``: 0 is not."""
    if case.classes is None:
        residuals = np.concatenate([each.truth - each.answer for each in parts])
        middle = np.median(residuals)
        distance = np.median(np.abs(residuals - middle)) + 1e-12
        far = np.abs(part.truth - part.answer - middle) / distance
        return np.where(far > DISTANCES, far, 0.0)
    truth, answer = np.concatenate([each.truth for each in parts]), np.concatenate([each.answer for each in parts])
    usual = np.array(
        [answer[truth == code, code].mean() if (truth == code).any() else 2.0 for code in range(answer.shape[1])]
    )
    sure = np.where(part.answer >= usual, part.answer, 0.0)
    likely = sure.argmax(axis=1)
    own = part.answer[np.arange(len(part.truth)), np.maximum(part.truth, 0)]
    contradicted = (sure.max(axis=1) > 0) & (likely != part.truth) & (part.truth >= 0)
    contradicted &= sure.max(axis=1) >= _surest(truth, answer)
    return np.where(contradicted, sure.max(axis=1) - own, 0.0)


def _surest(truth: npt.NDArray[Any], answer: npt.NDArray[Any]) -> float:
    """Return how sure the model must be for a label that says otherwise to be suspect: as on rows where labels hardly ever do, or as rarely as on the surest."""
    stated, wrong = answer.max(axis=1), answer.argmax(axis=1) != truth
    order = np.argsort(-stated, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(order) // FEWEST_IN_BIN)))
    surest = wrong[order[: max(1, len(order) // 5)]].mean()
    bound = max(HARDLY_EVER, AS_RARELY * float(surest))
    least = np.inf
    for rows in bins:  # from the surest on
        if wrong[rows].mean() > bound:
            break
        least = float(stated[rows].min())
    return least


def _dropping(case: Case) -> dict[str, Any] | None:
    """Return what a model of the training rows without suspects is worth beside one of all, on the test rows; ``None`` where none can be fitted or none is suspect."""
    refit = case.refit
    if refit is None or case.shipped not in refit.names or refit.train.rows < FEWEST_TO_DROP:
        return None
    if not affords_fits(case, FITS, REFITS[NAME]):
        return None
    within = case.refits.share(REFITS[NAME] / FITS)
    order, unit = side_by_side(case.columns, refit.train)
    first, second = order[unit % 2 == 0], order[unit % 2 == 1]
    doubts = np.zeros(len(order))
    for own, others in ((first, second), (second, first)):
        table = refit.train.take(own)
        part = Part(table, refit.truth[own], refit.fit(case.shipped, np.sort(others), None, within)(table))
        doubts[own] = _doubts(case, [part], part)
    kept = np.flatnonzero(doubts == 0)
    if not 0 < len(kept) < len(order):
        return None
    losses = [
        row_losses(case.sealed.truth, refit.fit(case.shipped, rows, None, within)(case.sealed.table))
        for rows in (np.arange(len(order)), kept)
    ]
    draws = case.sealed.resamples(case.seed)
    interval = draws.interval(draws.means(losses[1] - losses[0]))
    return {"rows": len(order) - len(kept), "of": len(order), **interval.as_json()}


def _shown(case: Case, part: Part, row: int) -> dict[str, Any]:
    where = part.table.where(row)
    if case.classes is None:  # a number comes back from its scaling with digits that the cell never had
        return {"where": where, "stated": number(part.truth[row], DIGITS), "likely": number(part.answer[row], DIGITS)}
    stated, likely = case.classes[part.truth[row]], case.classes[int(part.answer[row].argmax())]
    return {"where": where, "stated": plain(stated), "likely": plain(likely)}
