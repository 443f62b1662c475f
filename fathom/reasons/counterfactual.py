"""The smallest change that flips an answer: in as few columns as possible, to values that training rows have, and as near as possible to those of the row.

Source: Wachter, Mittelstadt and Russell, "Counterfactual Explanations without Opening the Black Box", Harvard Journal of Law and Technology 31, 2018
(https://arxiv.org/abs/1711.00399); few columns and seen values: Mothilal, Sharma and Tan, FAT* 2020 (https://arxiv.org/abs/1905.07697). It says what the *model* would answer, not what would
happen in the world: a changed column may not be yours to change, or not alone. Of texts and the like, the fewest pieces are taken away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column
from fathom.data.table import Table
from fathom.reasons.asking import Subject, beside, without
from fathom.shapes import FLAT

SOURCE = "Wachter, Mittelstadt and Russell, 2018, https://arxiv.org/abs/1711.00399; Mothilal, Sharma and Tan, FAT* 2020"

MOST_VALUES = 24  # of a column that are tried, spread over its range
MOST_COLUMNS = 3  # that are changed together
HOPEFUL_COLUMNS, HOPEFUL_VALUES = 6, 4  # that are tried together, the most telling ones
STEPS_BETWEEN = 16  # values between the row's own and the found one that are tried to come nearer

Judge = Callable[[Table], tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Change:
    """One column of a row, what it holds and what it would have to hold; for pieces that are taken away, ``after`` is ``None`` and ``gone`` names them."""

    column: str
    before: Any
    after: Any
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The changes, and the row as it would be."""

    changes: tuple[Change, ...]
    row: Table


@dataclass(frozen=True)
class _Values:
    """A column's values that are tried: ``cells`` with the row's own first, and how far each is from it, 0 to 1, in ranks of a number or as 1 for another category."""

    column: Column
    cells: pa.Array
    cost: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.float64] | None


def smallest_change(subject: Subject, judge: Judge) -> Found | None:
    """Return the smallest change of the subject's row that flips its answer, or ``None`` where none was found among up to three columns.

    ``judge`` says of rows whether the answer has flipped ``(row,)``, and how far each has come towards it.
    """
    tried = [_values(subject, column) for column in subject.inputs if column.kind and column.kind.SHAPE in FLAT]
    tried = [one for one in tried if len(one.cells) > 1]
    single = [[(place, value)] for place, one in enumerate(tried) for value in range(1, len(one.cells))]
    if single:
        flips, progress = judge(_rows(subject, tried, single))
        if flips.any():
            return _nearest(subject, tried, [single[row] for row in np.flatnonzero(flips)], judge)
        hopeful = _hopeful(single, progress)
        for many in range(2, MOST_COLUMNS + 1):
            several = [
                list(zip(places, values, strict=True))
                for places in combinations(sorted(hopeful), many)
                for values in product(*(hopeful[place] for place in places))
            ]
            if several:
                flips, _ = judge(_rows(subject, tried, several))
                if flips.any():
                    return _nearest(subject, tried, [several[row] for row in np.flatnonzero(flips)], judge)
    return _fewest_pieces(subject, judge)


def _values(subject: Subject, column: Column) -> _Values:
    own = subject.row.column(column.name)
    others = subject.others.column(column.name) if column.name in subject.others.names else own.slice(0, 0)
    cells = beside(own, others.drop_null())
    assert column.kind is not None
    first = cells[0].as_py()
    places: dict[Any, int] = {}
    for place, value in enumerate(cells.to_pylist()[1:], start=1):
        if value != first:
            places.setdefault(value, place)
    chosen = list(places.values())
    if column.kind.SHAPE == "scalar" and column.kind.NAME == "number":
        numbers = column.kind.encode(column.state, cells)[:, 0].astype(np.float64)
        order = sorted(chosen, key=lambda place: numbers[place])
        spread = np.unique(np.linspace(0, len(order) - 1, min(len(order), MOST_VALUES)).astype(np.int64))
        taken = np.array([0, *(order[place] for place in spread)], np.int64)
        ranks = np.searchsorted(np.sort(numbers), numbers[taken]) / max(len(numbers), 1)
        known = bool(np.isfinite(numbers[0])) and first is not None
        return _Values(column, cells.take(pa.array(taken)), np.abs(ranks - ranks[0]), numbers[taken] if known else None)
    taken = np.array([0, *chosen[:MOST_VALUES]], np.int64)
    return _Values(column, cells.take(pa.array(taken)), np.append(0.0, np.ones(len(taken) - 1)), None)


def _rows(subject: Subject, tried: Sequence[_Values], changes: Sequence[Sequence[tuple[int, int]]]) -> Table:
    """Return the row once for each list of changes ``(place among tried, place among its values)``."""
    whole = subject.row.take(np.zeros(len(changes), np.int64)).select([column.name for column in subject.inputs])
    for place, one in enumerate(tried):
        chosen = np.array([dict(change).get(place, 0) for change in changes], np.int64)
        if chosen.any():
            whole = whole.with_column(one.column.name, one.cells.take(pa.array(chosen)))
    return whole


def _hopeful(single: Sequence[Sequence[tuple[int, int]]], progress: npt.NDArray[np.float64]) -> dict[int, list[int]]:
    """Return the columns whose change brings the answer nearest to flipping, each with its best values."""
    found: dict[int, list[int]] = {}
    for row in np.argsort(-progress, kind="stable"):
        place, value = single[row][0]
        if place in found or len(found) < HOPEFUL_COLUMNS:
            values = found.setdefault(place, [])
            if len(values) < HOPEFUL_VALUES:
                values.append(value)
    return found


def _nearest(
    subject: Subject, tried: Sequence[_Values], changes: Sequence[Sequence[tuple[int, int]]], judge: Judge
) -> Found:
    """Return the change of the least cost, its numbers moved back towards the row's own as far as the answer stays flipped."""
    costs = [sum(float(tried[place].cost[value]) for place, value in change) for change in changes]
    best = changes[int(np.argmin(costs))]
    row = _rows(subject, tried, [best])
    for place, value in best:
        one = tried[place]
        if one.numbers is None or one.column.kind is None:
            continue
        between = np.linspace(one.numbers[0], one.numbers[value], STEPS_BETWEEN + 1)[1:-1]
        numbers = one.column.kind.decode(one.column.state, between).cast(pa.float64())
        written = _like(numbers, one.cells)
        candidates = row.take(np.zeros(len(written), np.int64)).with_column(one.column.name, written)
        flips, _ = judge(candidates)
        if flips.any():
            row = candidates.take([int(np.flatnonzero(flips)[0])])
    made = tuple(
        Change(name, tried[place].cells[0].as_py(), row.column(name)[0].as_py())
        for place, name in ((place, tried[place].column.name) for place, _ in best)
    )
    return Found(made, row)


def _like(numbers: pa.Array, cells: pa.Array) -> pa.Array:
    """Write numbers as a column's cells are: whole where all of those are, and with as many digits as are worth reading."""
    known = [str(value) for value in cells.to_pylist() if value is not None]
    whole = all(value.lstrip("+-").isdigit() for value in known) or pa.types.is_integer(cells.type)
    values = [round(number) if whole else float(f"{number:.4g}") for number in numbers.to_pylist()]
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        return pa.array([str(value) for value in values], cells.type)
    try:
        return pa.array(values).cast(cells.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array(values, pa.float64())


def _fewest_pieces(subject: Subject, judge: Judge) -> Found | None:
    """Take pieces of one cell away, those that bring the answer nearest to flipping first, until it flips; put back those that are not needed."""
    found: list[Found] = []
    for column in subject.inputs:
        pieces = subject.pieces(column)
        if not pieces:
            continue
        count = len(pieces)
        cell = subject.row.column(column.name)

        def rows(kept: npt.NDArray[np.bool_], column: Column = column, cell: pa.Array = cell) -> Table:
            whole = subject.row.take(np.zeros(len(kept), np.int64)).select([one.name for one in subject.inputs])
            return whole.with_column(column.name, without(column, cell, kept))

        _, progress = judge(rows(~np.eye(count, dtype=np.bool_)))
        order = np.argsort(-progress, kind="stable")
        kept = np.ones((count - 1, count), np.bool_)
        for taken in range(count - 1):
            kept[taken, order[: taken + 1]] = False
        flips, _ = judge(rows(kept))
        if not flips.any():
            continue
        gone = ~kept[int(np.flatnonzero(flips)[0])]
        for piece in order[::-1]:  # the least telling first
            if gone[piece] and gone.sum() > 1:
                fewer = gone.copy()
                fewer[piece] = False
                if judge(rows(~fewer[None]))[0][0]:
                    gone = fewer
        names = tuple(" ".join(piece.name.split()) for piece, out in zip(pieces, gone, strict=True) if out)
        found.append(Found((Change(column.name, None, None, names),), rows(~gone[None])))
    return min(found, key=lambda one: len(one.changes[0].gone), default=None)
