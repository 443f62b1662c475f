"""For whom is the model worst: rows of one kind, found by a search over all columns, on which it errs more than elsewhere.

The search goes over every number and category, and over pairs of the conditions that came out worst alone, on rows that served choices anyway; what it finds is measured
anew on the test rows, which had no part in it, so that the worst of many is not worse by luck alone (Chung et al., "Slice Finder", ICDE 2019, section 3, control the same
risk by alpha investing). The p-values there are Holm's (Scandinavian Journal of Statistics 6, 1979) over the slices that are reported.
"""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.encoding import Column
from fathom.data.table import Table
from fathom.evidence.contract import Case, Finding, Part, not_applicable
from fathom.evidence.slicing import Condition, conditions
from fathom.quantities import counted, significant
from fathom.scoring import row_losses

NAME = "slices"
QUESTION = "For whom is the model worst?"
SOURCE = "Chung, Kraska, Polyzotis, Tae and Whang, ICDE 2019, https://arxiv.org/abs/1807.06068; Holm, 1979"
SERVES: tuple[str, ...] = ("number", "category", "yes_no")

FEWEST_ROWS = 20  # of a slice, on the rows of the search and on the test rows
MOST_SHARE = 0.5  # of the rows: a larger slice is the rest turned round
PAIRED = 12  # conditions that are tried in pairs
REPORTED = 5
CHANCE = 0.05
MATTERS = 1.2  # times the loss elsewhere

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """Rows for which all conditions hold."""

    conditions: tuple[Condition, ...]

    @property
    def words(self) -> str:
        """The conditions in words."""
        return " and ".join(condition.words for condition in self.conditions)

    def holds(self, columns: Sequence[Column], table: Table) -> npt.NDArray[np.bool_]:
        """Return which rows ``(row,)`` belong to the slice."""
        by_name = {column.name: column for column in columns}
        masks = [condition.holds(by_name[condition.column], table) for condition in self.conditions]
        return np.asarray(np.logical_and.reduce(masks), np.bool_)


def run(case: Case) -> Finding:
    """Search the chosen rows for the slices of the greatest surplus of loss, and measure them on the test rows."""
    if case.chosen is None:
        return not_applicable(
            sys.modules[__name__],
            "A slice is searched for on other rows than it is measured on, and these are all there are.",
        )
    if not any(True for _ in conditions(case.columns, case.chosen.table)):
        return not_applicable(
            sys.modules[__name__], "The table has no number and no category by which rows could be parted."
        )
    measured = [row for found in search(case.columns, case.chosen) if (row := measure(found, case))]
    if not measured:
        sentence = f"No kind of row, of {FEWEST_ROWS} rows or more, was found on which the model is worse than elsewhere by more than chance."
        return Finding(NAME, QUESTION, "none found", sentence, status="good", source=SOURCE)
    for row, p in zip(measured, holm([row["p"] for row in measured]), strict=True):
        row["p"] = p
    worst = max(measured, key=lambda row: row["loss"] - row["elsewhere"])
    sure = [row for row in measured if row["p"] < CHANCE and row["loss"] > MATTERS * row["elsewhere"]]
    if not sure:
        sentence = (
            f"No kind of row was found on which the model is clearly worse than elsewhere; the worst in question is where {worst['slice']} "
            f"({worst['rows']} test rows, loss {significant(worst['loss'])} against {significant(worst['elsewhere'])})."
        )
        return _finding("none found", sentence, "good", worst, measured)
    worst = max(sure, key=lambda row: row["loss"] - row["elsewhere"])
    sentence = (
        f"Where {worst['slice']}, the loss is {significant(worst['loss'])} against {significant(worst['elsewhere'])} elsewhere ({worst['rows']:,} test rows)"
        + (
            f"; {counted(len(sure) - 1, 'further kind of row is', 'further kinds of row are')} clearly worse, too."
            if len(sure) > 1
            else "."
        )
    )
    return _finding("worse for some", sentence, "warning", worst, measured)


def search(columns: Sequence[Column], part: Part) -> list[Slice]:
    """Return the slices whose rows lose most beyond the mean, the greatest surplus first; those that hold nearly the same rows are one."""
    losses = row_losses(part.truth, part.answer)
    held: list[tuple[float, Slice, npt.NDArray[np.bool_]]] = []
    for condition in conditions(columns, part.table):
        _try(Slice((condition,)), columns, part.table, losses, held)
    held.sort(key=lambda entry: -entry[0])
    for one, other in itertools.combinations(held[:PAIRED], 2):
        parts = (*one[1].conditions, *other[1].conditions)
        if len({condition.column for condition in parts}) == 2:
            _try(Slice(parts), columns, part.table, losses, held)
    held.sort(key=lambda entry: -entry[0])
    kept: list[tuple[float, Slice, npt.NDArray[np.bool_]]] = []
    for entry in held:
        if len(kept) < REPORTED and all(_apart(entry[2], other[2]) for other in kept):
            kept.append(entry)
    return [entry[1] for entry in kept]


def _try(
    candidate: Slice,
    columns: Sequence[Column],
    table: Table,
    losses: Floats,
    held: list[tuple[float, Slice, npt.NDArray[np.bool_]]],
) -> None:
    mask = candidate.holds(columns, table)
    rows = int(mask.sum())
    if FEWEST_ROWS <= rows <= MOST_SHARE * len(mask):
        surplus = float(losses[mask].mean() - losses[~mask].mean())
        error = float(np.sqrt(losses[mask].var() / rows + losses[~mask].var() / (len(mask) - rows)))
        if surplus > 2 * error:  # a search for what is surely worse, not for what is worst by chance
            held.append((surplus * rows, candidate, mask))


def _apart(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    return bool((one & other).sum() < 0.7 * (one | other).sum())


def measure(found: Slice, case: Case) -> dict[str, Any] | None:
    """Return what the loss is in the slice and elsewhere, on the test rows; ``None`` where too few are in it."""
    mask = found.holds(case.columns, case.sealed.table)
    rows = int(mask.sum())
    if rows < FEWEST_ROWS or rows > len(mask) - FEWEST_ROWS:
        return None
    losses = row_losses(case.sealed.truth, case.sealed.answer)
    inside, outside = losses[mask], losses[~mask]
    draws = case.sealed.resamples(case.seed, among=mask)
    interval = draws.interval(draws.means(inside)).as_json()
    return {
        "slice": found.words,
        "rows": rows,
        "loss": interval["value"],
        "low": interval["low"],
        "high": interval["high"],
        "elsewhere": float(outside.mean()),
        "p": _chance(losses, mask, case),
    }


def _chance(losses: Floats, mask: npt.NDArray[np.bool_], case: Case) -> float:
    """Return the chance that rows elsewhere were as much better, or more, if the slice were none.

    Rows are taken for independent, or, where they hang together in groups, the groups: then the spread is that of groups drawn again, and the chance is Student's with one degree of freedom less than
    the groups that have rows in the slice, or that have rows elsewhere, whichever are fewer.
    """
    inside, outside = losses[mask], losses[~mask]
    surplus = float(inside.mean() - outside.mean())
    groups = case.sealed.groups
    if groups is None:
        error = float(np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside)))
        return beyond(surplus / error) if error > 0 else 1.0
    freedom = min(len(np.unique(groups[mask])), len(np.unique(groups[~mask]))) - 1
    draws = case.sealed.resamples(case.seed)
    sums = draws.sums(np.stack([losses * mask, losses * ~mask, mask * 1.0, ~mask * 1.0]))
    drawn = sums[(sums[:, 2:] > 0).all(axis=1)]
    error = float(np.std(drawn[1:, 0] / drawn[1:, 2] - drawn[1:, 1] / drawn[1:, 3])) if len(drawn) > 1 else 0.0
    if freedom < 1 or error <= 0:
        return 1.0
    return beyond(normal_of(surplus / error / np.sqrt(1 + 1 / freedom), freedom))


def normal_of(t: float, freedom: int) -> float:
    """Return what is as likely of a normal variable as ``t`` is of Student's (Wallace, Annals of Mathematical Statistics 30, 1959).

    >>> round(normal_of(2.228, 10), 2), round(normal_of(-1.96, 100_000), 2)
    (1.96, -1.96)
    """
    root = np.sqrt(freedom * np.log1p(t * t / freedom))
    return float(np.sign(t) * (8 * freedom + 1) / (8 * freedom + 3) * root)


def beyond(z: float) -> float:
    """Return the chance that a standard normal variable exceeds ``z``.

    >>> round(beyond(1.96), 3), beyond(-40.0)
    (0.025, 1.0)
    """
    from math import erfc, sqrt

    return 0.5 * erfc(float(z) / sqrt(2))


def holm(chances: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(chances, kind="stable")
    adjusted = np.empty(len(chances))
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - place) * chances[index]))
        adjusted[index] = highest
    return [round(float(value), 12) for value in adjusted]


def _finding(answer: str, sentence: str, status: Any, worst: dict[str, Any], rows: list[dict[str, Any]]) -> Finding:
    remedy = (
        ""
        if status == "good"
        else "Look at these rows, add more of them to the training table, or do not use the model for them."
    )
    return Finding(
        NAME,
        QUESTION,
        answer,
        sentence,
        worst["loss"],
        worst["low"],
        worst["high"],
        "loss",
        status,
        remedy,
        rows,
        source=SOURCE,
    )
