"""Drawings by pen: nested lists and JSON text become points with their row and stroke, in a box of one size."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import nested
from fathom.data.cells.nested import Places

Points = npt.NDArray[np.float64]  # (point, 2): x and y

LARGEST = 1e12


@dataclass(frozen=True)
class Ink:
    """The ``points`` of every drawing in the order in which they were drawn, each with its ``row`` and its ``stroke``; ``foreign (row,)`` marks cells that hold something else, and
    ``by_axis`` says that strokes are a list of xs and one of ys."""

    points: Points
    row: Places
    stroke: Places
    rows: int
    foreign: npt.NDArray[np.bool_]
    by_axis: bool = False


def ink_of(values: pa.Array, by_axis: bool | None = None) -> Ink:
    """Return the points of cells of any type; none of cells that hold no strokes.

    A stroke is a list of points ``[x, y]`` (what follows, a time or a pressure, is passed over), or, ``by_axis``, a list of its xs and one of its ys; which of them is
    told by the longest lists of all cells where it is not given.

    >>> ink_of(pa.array([[[[0.0, 0.0], [1.0, 2.0]], [[5.0, 5.0], [6.0, 6.0]]], None])).stroke.tolist()
    [0, 0, 1, 1]
    >>> ink_of(pa.array(["[[[0, 1], [5, 6]]]"]), by_axis=True).points.tolist()
    [[0.0, 5.0], [1.0, 6.0]]
    """
    given = as_strokes(values)
    if not _is_deep(given.type):
        valid = np.asarray(pc.is_valid(given).to_numpy(zero_copy_only=False), np.bool_)
        none = np.zeros(0, np.int64)
        return Ink(np.zeros((0, 2)), none, none, len(given), valid)
    row, stroke = nested.places(given)
    strokes = given.flatten()
    of_stroke, outer = nested.places(strokes)
    lists = strokes.flatten()
    of_list, inner = nested.places(lists)
    numbers, foreign = nested.as_numbers(lists.flatten())
    number_stroke, number_outer = of_stroke[of_list], outer[of_list]
    numbers = np.clip(numbers, -LARGEST, LARGEST)
    turned = _lists_are_axes(number_stroke, number_outer, inner) if by_axis is None else by_axis
    point, axis = (inner, number_outer) if turned else (number_outer, inner)
    marks = np.zeros(len(given), np.bool_)
    marks[row[number_stroke[foreign]]] = True
    kept = axis < 2
    most = int(point.max(initial=0)) + 1
    key, place = np.unique(number_stroke[kept] * most + point[kept], return_inverse=True)
    points = np.full((len(key), 2), np.nan)
    points[place, axis[kept]] = numbers[kept]
    whole = np.isfinite(points).all(axis=1)
    in_stroke = key[whole] // most
    return Ink(points[whole], row[in_stroke], stroke[in_stroke], len(given), marks, turned)


def _lists_are_axes(stroke: Places, outer: Places, inner: Places) -> bool:
    """Say whether each stroke is a list of xs and one of ys rather than a list of points."""
    if not len(stroke):
        return False
    lists, numbers = int(outer.max()) + 1, int(inner.max()) + 1
    return lists <= 4 < numbers or (lists in (2, 3) and numbers not in (2, 3))


def _is_deep(kind: pa.DataType) -> bool:
    """Say whether cells are lists of lists of lists."""
    for _ in range(3):
        if not nested.is_list(kind):
            return False
        kind = kind.value_type
    return not pa.types.is_nested(kind)


def as_strokes(values: pa.Array) -> pa.Array:
    """Return JSON text of strokes as lists; other cells, and text that is none, as they are.

    A loop over the cells in Python: strokes that come as lists (Parquet, JSON lines) need none.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not nested.is_text(values.type):
        return values
    texts = values.cast(pa.large_string())
    if not pc.any(pc.match_substring_regex(texts, r"^\s*\[\s*\[\s*\[")).as_py():
        return values
    cells = [_parsed(text) for text in texts.to_pylist()]
    return pa.array(cells, pa.list_(pa.list_(pa.list_(pa.float64()))))


def _parsed(text: str | None) -> list[Any] | None:
    """Return the strokes that a text is, ``None`` for nothing, and a point without numbers for anything else."""
    if text is None or not text.strip():
        return None
    try:
        found = json.loads(text)
        return [[[float(number) for number in pair] for pair in stroke] for stroke in found]
    except (ValueError, TypeError, RecursionError):
        return None


def in_box(ink: Ink) -> Points:
    """Return the points with each drawing moved and scaled so that its longer side goes from -1 to 1.

    >>> in_box(ink_of(pa.array([[[[10.0, 10.0], [30.0, 20.0]]]]))).tolist()
    [[-1.0, -0.5], [1.0, 0.5]]
    """
    low, high = np.full((ink.rows, 2), np.inf), np.full((ink.rows, 2), -np.inf)
    np.minimum.at(low, ink.row, ink.points)
    np.maximum.at(high, ink.row, ink.points)
    with np.errstate(invalid="ignore"):
        middle, side = (low + high) / 2, (high - low).max(axis=1) / 2
    side = np.where(side > 0, side, 1.0)
    return np.asarray((ink.points - middle[ink.row]) / side[ink.row, None])


__all__ = ["Ink", "Points", "as_strokes", "in_box", "ink_of"]
