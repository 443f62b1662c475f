"""Which labels are probably wrong: rows whose stated class the evidence contradicts.

A row is suspect when the model, which did not learn from it, gives another class at least the probability that it gives on average to the rows that bear that class: confident
learning, Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial Intelligence Research 70, 2021, section 3
(https://arxiv.org/abs/1911.00068). A number is suspect when its residual lies further from the median of all than ten times their median distance: a slip of the decimal
point, not a hard row.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.evidence.contract import Case, Finding, Part, not_applicable, plain

NAME = "suspects"
QUESTION = "Which labels are probably wrong?"
SOURCE = "Northcutt, Jiang and Chuang, JAIR 70, 2021, https://arxiv.org/abs/1911.00068"

LISTED = 20
MANY = 0.05  # of the rows
DISTANCES = 10.0  # median distances from the median residual
FEWEST_ROWS = 10


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
    listed = [row for _, row in found[:LISTED]]
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
    first = listed[0]
    sentence = (
        f"{len(found):,} of {rows:,} rows ({100 * share:.1f} %) are probably labelled wrongly: the most contradicted is {first['where']}, where {case.target.name} is "
        f"{first['stated']!r} and the model is sure of {first['likely']!r}."
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
        source=SOURCE,
    )


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
    return np.where(contradicted, sure.max(axis=1) - own, 0.0)


def _shown(case: Case, part: Part, row: int) -> dict[str, Any]:
    if case.classes is None:
        stated, likely = part.truth[row], part.answer[row]
    else:
        stated, likely = case.classes[part.truth[row]], case.classes[int(part.answer[row].argmax())]
    return {"where": part.table.where(row), "stated": plain(stated), "likely": plain(likely)}
