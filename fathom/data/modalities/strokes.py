"""Pen strokes: handwriting and drawings as lists of strokes, each a list of points.

A cell is a list of strokes; a stroke is a list of points ``[x, y]`` or a list of its xs and one of its ys; JSON text of either is read too (`fathom.data.cells.pen`). A drawing is moved and
scaled into a box, so that its size on the page does not count. What the network reads of a point: 1 for being there, how far the pen moved, whether it was set down anew, and where it is:
Ha and Eck, "A Neural Representation of Sketch Drawings", ICLR 2018, section 3.1 (https://arxiv.org/abs/1704.03477). Of a drawing with more points than `MOST_POINTS` some, evenly
spread, are read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import nested, pen, step_features
from fathom.data.cells import values as cells
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import OptionError, TableError
from fathom.shapes import Shape

NAME = "strokes"
SHAPE: Shape = "vectors"
SUMMARY = "pen strokes: lists of strokes, each a list of points"
SOURCE = "Ha and Eck, A Neural Representation of Sketch Drawings, ICLR 2018, https://arxiv.org/abs/1704.03477"
PREDICTABLE = False

MOST_POINTS = 256
LOOK = 200  # cells, for a claim
CELLS = 6  # of the coarse picture, along a side
WIDTH = 6  # being there, dx, dy, pen set down, x, y
SHAKE = (0.01, 0.02, 0.04, 0.08, 0.15)  # of the box's half, by severity
TURN = (3.0, 6.0, 10.0, 15.0, 25.0)  # degrees
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied


@dataclass(frozen=True)
class State:
    """How many points of a drawing are read at most; ``by_axis`` says that a stroke is a list of its xs and one of its ys."""

    points: int
    by_axis: bool


def claim(values: pa.Array) -> Claim:
    """Look whether the cells are lists of strokes."""
    if not (nested.is_text(values.type) or nested.is_list(values.type)):
        return Claim(0.0, "no lists of strokes")
    values = cells.plain(values) if nested.is_text(values.type) else values
    some = cells.evenly(values.filter(pa.array(~missing(values))), LOOK)
    ink = pen.ink_of(some)
    drawn = np.bincount(ink.row, minlength=max(ink.rows, 1)) > 1
    if not len(ink.row) or drawn.mean() < 0.9:
        return Claim(0.0, "no lists of strokes")
    strokes = np.zeros(ink.rows, np.int64)
    np.maximum.at(strokes, ink.row, ink.stroke + 1)
    return Claim(0.95, f"drawings of {strokes.min()} to {strokes.max()} strokes")


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn how many points drawings have.

    Raises TableError when no cell holds strokes, OptionError for a target.
    """
    if role == "target":
        raise OptionError(
            "Strokes cannot be predicted yet. Choose another target, or leave the column out with --columns NAME=skip."
        )
    ink = pen.ink_of(values)
    nothing = missing(values)
    if not len(ink.row) and not nothing.all():
        raise TableError(
            f"None of the {len(values):,} training cells is a list of strokes: the first with a value is {cells.quoted(values, int(np.flatnonzero(~nothing)[0]))}. "
            "Strokes are lists of lists of points, such as [[[0, 0], [3, 4]], [[5, 5], [6, 6]]]. Leave the column out with --columns NAME=skip."
        )
    return State(int(min(MOST_POINTS, max(1, np.bincount(ink.row, minlength=1).max()))), ink.by_axis)


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the vectors."""
    return (Part(column, "value", "vectors", size=(state.points, WIDTH)),)


@dataclass(frozen=True)
class _Drawn:
    """Points in their box, at most so many a row: ``points (point, 2)``, their row, stroke and place in the row, and the rows' numbers of points."""

    points: pen.Points
    row: nested.Places
    stroke: nested.Places
    place: nested.Places
    lengths: nested.Places


def _drawn(state: State, values: pa.Array) -> _Drawn:
    ink = pen.ink_of(values, state.by_axis)
    points = pen.in_box(ink)
    counts = np.bincount(ink.row, minlength=ink.rows)
    place = np.arange(len(ink.row)) - (np.cumsum(counts) - counts)[ink.row]
    lengths = np.minimum(counts, state.points)
    # Of too many points those stay at which a count of the wanted ones goes up by one.
    share = np.minimum(1.0, state.points / np.maximum(counts, 1))[ink.row]
    new = np.floor((place + 1) * share + 1e-9).astype(np.int64) - 1
    old = np.floor(place * share + 1e-9).astype(np.int64) - 1
    kept = new > old
    return _Drawn(points[kept], ink.row[kept], ink.stroke[kept], new[kept], lengths)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into vectors ``(row, point, 6)``."""
    drawn = _drawn(state, values)
    encoded = np.zeros((len(values), state.points, WIDTH), np.float32)
    first = np.ones(len(drawn.row), np.bool_)
    first[1:] = drawn.row[1:] != drawn.row[:-1]
    down = first.copy()
    down[1:] |= drawn.stroke[1:] != drawn.stroke[:-1]
    moved = np.where(first[:, None], 0.0, np.diff(drawn.points, axis=0, prepend=0.0))
    at = drawn.row, drawn.place
    encoded[(*at, 0)] = 1.0
    encoded[(*at, slice(1, 3))] = 4.0 * moved
    encoded[(*at, 3)] = down
    encoded[(*at, slice(4, 6))] = drawn.points
    return encoded


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: no network draws yet."""
    raise OptionError("Strokes cannot be predicted yet. Choose another target.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold something that is no stroke."""
    ink = pen.ink_of(values, state.by_axis)
    there = np.bincount(ink.row, minlength=ink.rows) > 0
    return (ink.foreign | ~there) & ~missing(values)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing: null, a word for missing, or a list without a point."""
    if nested.is_text(values.type) or not pa.types.is_nested(values.type):
        return cells.missing_mask(values) | _is_empty_list(values)
    ink = pen.ink_of(values)
    drawn = np.bincount(ink.row, minlength=ink.rows) > 0
    nothing: npt.NDArray[np.bool_] = ~(ink.foreign | drawn)
    return nothing


def _is_empty_list(values: pa.Array) -> npt.NDArray[np.bool_]:
    if not nested.is_text(values.type):
        return np.zeros(len(values), np.bool_)
    import pyarrow.compute as pc

    return cells.as_mask(pc.match_substring_regex(cells.plain(values), r"^[\[\],\s]*$"))


def features(state: State, values: pa.Array) -> Features:
    """Make the features of both axes over time, the numbers of strokes and points, the ink's length, and a coarse picture of the drawing."""
    drawn = _drawn(state, values)
    rows = len(values)
    block = np.zeros((rows, state.points, 2))
    block[drawn.row, drawn.place] = drawn.points
    made = step_features.features(block, drawn.lengths.astype(np.int64), ("x", "y"))
    nothing = drawn.lengths == 0
    same = np.zeros(len(drawn.row), np.bool_)
    same[1:] = (drawn.row[1:] == drawn.row[:-1]) & (drawn.stroke[1:] == drawn.stroke[:-1])
    length = np.sqrt(np.square(np.diff(drawn.points, axis=0, prepend=0.0)).sum(axis=1))
    made["ink"] = np.bincount(drawn.row, length * same, rows).astype(np.float64)
    made["strokes"] = np.bincount(drawn.row, ~same, rows).astype(np.float64)
    place = np.clip(((drawn.points + 1) / 2 * CELLS).astype(np.int64), 0, CELLS - 1)
    picture = np.bincount((drawn.row * CELLS + place[:, 1]) * CELLS + place[:, 0], minlength=rows * CELLS * CELLS)
    for cell, share in enumerate((picture.reshape(rows, CELLS * CELLS) / np.maximum(drawn.lengths, 1)[:, None]).T):
        made[f"ink at {cell % CELLS + 1}, {cell // CELLS + 1}"] = share.copy()
    for name in list(made)[-CELLS * CELLS - 2 :]:
        made[name][nothing] = np.nan
    return Features(np.stack(list(made.values()), axis=1), tuple(made), (0,) * len(made))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Shake the pen, turn the page, and empty some cells; text becomes lists."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    ink = pen.ink_of(values)
    if not len(ink.row):
        return values
    points = pen.in_box(ink) + generator.normal(0, SHAKE[level], ink.points.shape)
    angle = np.deg2rad(generator.normal(0, TURN[level], ink.rows))[ink.row]
    turned = np.stack(
        [
            points[:, 0] * np.cos(angle) - points[:, 1] * np.sin(angle),
            points[:, 0] * np.sin(angle) + points[:, 1] * np.cos(angle),
        ],
        axis=1,
    )
    return cells.empty_some(_lists(turned, ink), LOST[level], generator)


def _lists(points: pen.Points, ink: pen.Ink) -> pa.Array:
    """Return points as cells of strokes."""
    count = len(points)
    begins = np.ones(count, np.bool_)
    begins[1:] = (ink.row[1:] != ink.row[:-1]) | (ink.stroke[1:] != ink.stroke[:-1])
    starts = np.append(np.flatnonzero(begins), count)
    in_row = np.bincount(ink.row[begins], minlength=ink.rows)
    if ink.by_axis:
        sizes = np.repeat(np.diff(starts), 2)
        x_first = np.argsort(np.repeat(np.cumsum(begins) - 1, 2) * 2 + np.tile([0, 1], count), kind="stable")
        pairs = pa.ListArray.from_arrays(
            pa.array(np.append(0, np.cumsum(sizes)), pa.int32()), pa.array(points.reshape(-1)[x_first])
        )
        strokes = pa.ListArray.from_arrays(pa.array(np.arange(len(starts)) * 2, pa.int32()), pairs)
    else:
        pairs = pa.ListArray.from_arrays(pa.array(np.arange(count + 1) * 2, pa.int32()), pa.array(points.reshape(-1)))
        strokes = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pairs)
    offsets = pa.array(np.concatenate([[0], np.cumsum(in_row)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, strokes, mask=pa.array(in_row == 0))


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.list_(pa.list_(pa.list_(pa.float64()))))


def show(state: State, value: Any) -> str:
    """Write how many strokes and points a drawing has."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    one = pa.array([cell.as_py()], cell.type)
    ink = pen.ink_of(one)
    if not len(ink.row):
        return "missing" if missing(one)[0] else str(cell.as_py())[:60]
    strokes = len(np.unique(ink.stroke))
    return f"{strokes} stroke{'s' if strokes != 1 else ''}, {len(ink.row)} points"


def sample(count: int, seed: int) -> pa.Array:
    """Make zigzags of one to four strokes, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    strokes = generator.integers(1, 5, count)
    row = np.repeat(np.arange(count), strokes)
    lengths = generator.integers(3, 12, len(row))
    stroke = np.repeat(np.arange(len(row)), lengths)
    points = np.round(100 + np.cumsum(generator.normal(0, 10, (len(stroke), 2)), axis=0) % 400, 1)
    first = np.cumsum(strokes) - strokes
    ink = pen.Ink(points, row[stroke], stroke - first[row[stroke]], count, np.zeros(count, np.bool_))
    return cells.empty_some(_lists(points, ink), 0.05, generator)
