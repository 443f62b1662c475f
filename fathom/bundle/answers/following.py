"""How surprising a row's codes are, and how many of them follow each other as they never did in training: of texts, molecules and other columns of steps.

Which codes stood side by side, and which with one between, is kept as a set of bits (Bloom, "Space/time trade-offs in hash coding with allowable errors", Communications of the ACM 13, 1970, with one number a pair). Pairs with one between
(Guthrie and others, "A closer look at skip-gram modelling", LREC 2006) tell other kinds of text at least as well as neighbours do, and both together better than either. Of a text with few pairs, the share of new ones says little:
some pairs that are known are counted as if it had them, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.encoding import Column, inputs_of
from fathom.data.table import Table

PAIRS = 1 << 20  # numbers that pairs of codes are given
IMAGINED = 5  # pairs of each kind that are known, and that every text has besides its own
NEIGHBOURS, ONE_BETWEEN = "pairs", "skips"  # the names of what is kept
APART = {NEIGHBOURS: 1, ONE_BETWEEN: 2}  # steps from the one code to the other

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]
Counts = dict[str, npt.NDArray[np.int64]]  # of codes, by the column's name, of each row (row,)


def of_codes(columns: Sequence[Column]) -> list[Column]:
    """Return the inputs that write codes."""
    return [column for column in inputs_of(columns) if column.kind and column.kind.SHAPE == "codes"]


def codes_of(column: Column, table: Table) -> npt.NDArray[Any]:
    """Return a column's codes ``(row, step)``, 0 being no step."""
    assert column.kind is not None
    return column.kind.encode(column.state, table.column(column.name))


def learn(columns: Sequence[Column], table: Table) -> tuple[dict[str, npt.NDArray[Any]], Counts]:
    """Learn from rows, of each column of codes, how rare each code is, what is usual of a row's mean and number, and which codes follow each other; and count the codes of each row."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    steps: Counts = {}
    for place, column in enumerate(of_codes(columns)):
        codes = codes_of(column, table)
        steps[column.name] = (codes > 0).sum(axis=1)
        counts = np.bincount(codes[codes > 0].ravel(), minlength=column.parts[0].codes) + 0.5
        surprises = np.asarray(-np.log(counts / counts.sum()), np.float32)
        means = means_of(codes, surprises)
        middle = np.median(means, axis=0)
        spread = np.maximum(np.median(np.abs(means - middle), axis=0), 0.05)
        arrays |= {f"surprise/{place}": surprises, f"means/{place}": np.stack([middle, spread])}
        arrays |= {f"{kind}/{place}": _seen(codes, apart) for kind, apart in APART.items()}
    return arrays, steps


def means_of(codes: npt.NDArray[Any], surprises: npt.NDArray[Any]) -> Floats:
    """Return how surprising each row's codes are on average, and the logarithm of their number ``(row, 2)``."""
    there = codes > 0
    count = there.sum(axis=1)
    surprise = np.where(there, surprises[codes], 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.stack([surprise, np.log1p(count)], axis=1)


def new_pairs(codes: npt.NDArray[Any], arrays: Mapping[str, npt.NDArray[Any]], place: int) -> tuple[Floats, Floats]:
    """Return how many of each row's pairs ``(row,)`` were never seen in training, and how many it has, those imagined included.

    Bundles of before kept neighbours alone, and imagined none.
    """
    kinds = [kind for kind in APART if f"{kind}/{place}" in arrays]
    new, every = np.zeros(len(codes)), np.zeros(len(codes))
    for kind in kinds:
        seen = arrays[f"{kind}/{place}"]
        numbers, there = _pairs(codes, APART[kind])
        known = seen[numbers >> 3] >> (7 - (numbers & 7)).astype(np.uint8) & 1
        new += ((known == 0) & there).sum(axis=1)
        every += there.sum(axis=1) + (IMAGINED if len(kinds) > 1 else 0)
    return new, every


def _pairs(codes: npt.NDArray[Any], apart: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return a number below ``PAIRS`` for each two codes that are so many steps apart ``(row, pair)``, and which are there."""
    left, right = codes[:, :-apart].astype(np.int64), codes[:, apart:].astype(np.int64)
    return (left * 57_337 + right * 104_729) % PAIRS, (left > 0) & (right > 0)


def _seen(codes: npt.NDArray[Any], apart: int) -> Bits:
    """Return a bit for each number of a pair, set where the rows ``(row, step)`` hold it."""
    numbers, there = _pairs(codes, apart)
    seen = np.zeros(PAIRS, np.bool_)
    seen[numbers[there]] = True
    return np.packbits(seen)


__all__ = ["Bits", "Counts", "codes_of", "learn", "means_of", "new_pairs", "of_codes"]
