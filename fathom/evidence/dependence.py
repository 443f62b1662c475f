"""How does the answer go with a column: the mean answer when every row has the same value in it, value after value.

Partial dependence: Friedman, "Greedy function approximation", Annals of Statistics 29, 2001, section 8.2. It shows the *model*, not the world, and mixes values that may never come together (Apley
and Zhu, JRSS B 82, 2020): a curve is as good as its column is free of the others.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.resampling import error_of_mean
from fathom.shapes import FLAT

NAME = "dependence"
QUESTION = "How does the answer go with a column?"
SOURCE = "Friedman, Annals of Statistics 29, 2001, section 8.2"

MOST_ROWS, MOST_VALUES, MOST_COLUMNS = 200, 12, 6
NORMAL = 1.96  # standard errors to either side, for 95 %

Answer = npt.NDArray[np.float64]


def curves(
    answer: Callable[[Table], Answer],
    table: Table,
    columns: Sequence[Column],
    classes: Sequence[str] | None = None,
    most: int = MOST_COLUMNS,
    most_rows: int = MOST_ROWS,
    groups: npt.NDArray[Any] | None = None,
) -> list[dict[str, Any]]:
    """Return a curve, the mean over ``most_rows``, for each of the first ``most`` columns that have one value a cell: ``{column, kind, of, values, mean, low, high}``.

    ``answer`` answers rows: numbers ``(row,)`` or probabilities ``(row, class)``, of which the class is shown that moves the most. Intervals, at 95 %, are those of the mean over the rows, or over groups of them that share a label of ``groups (row,)``.

    >>> from fathom.data.modalities import number
    >>> cells = pa.array([1.0, 2.0, 3.0])
    >>> column = Column("x", "input", number, 1.0, "", number.learn(cells))
    >>> found = curves(lambda rows: 10 * rows.column("x").to_numpy(), Table.of({"x": cells}), [column])
    >>> found[0]["values"], found[0]["mean"]
    ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    """
    asked = drawn(table, most_rows)
    rows, together = table.take(asked).remembering(), None if groups is None else groups[asked]
    found: list[dict[str, Any]] = []
    for column in columns:
        if column.kind is None or column.kind.SHAPE not in FLAT or len(found) == most:
            continue
        places = _spread(column, rows.column(column.name))
        if len(places) > 1:
            found.append(_curve(answer, rows, column, places, classes, together))
    return found


def _spread(column: Column, cells: pa.Array) -> npt.NDArray[np.int64]:
    """Return the places of cells that are spread over the column: numbers and dates by their order, categories by how often they come."""
    assert column.kind is not None
    known = np.flatnonzero(~column.kind.missing(cells))
    if not len(known):
        return known
    encoded = column.kind.encode(column.state, cells)
    if column.kind.SHAPE == "scalar":
        size = encoded[:, 0] if column.kind.NAME == "number" else _in_time(cells)
        ordered = known[np.argsort(size[known], kind="stable")]
        chosen = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_VALUES)).astype(np.int64)]
        _, first = np.unique(size[chosen], return_index=True)
        return np.asarray(chosen[np.sort(first)], np.int64)
    _, first, counts = np.unique(encoded[known, 0], return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return np.asarray(known[first[order]], np.int64)


def _in_time(cells: pa.Array) -> npt.NDArray[np.int64]:
    """Return the place of each cell of a date among all, as they are written: years come first in nearly all tables."""
    words = np.array([str(cell) for cell in cells.to_pylist()])
    _, place = np.unique(words, return_inverse=True)
    return np.asarray(place.reshape(-1), np.int64)


def _curve(
    answer: Callable[[Table], Answer],
    rows: Table,
    column: Column,
    places: npt.NDArray[np.int64],
    classes: Sequence[str] | None,
    groups: npt.NDArray[Any] | None,
) -> dict[str, Any]:
    assert column.kind is not None
    cells = rows.column(column.name)
    everywhere = [
        answer(rows.with_column(column.name, cells.take(pa.array(np.full(rows.rows, place))))) for place in places
    ]
    answers = np.stack(everywhere)  # (value, row) or (value, row, class)
    code = -1
    if answers.ndim == 3:
        code = int(np.ptp(answers.mean(axis=1), axis=0).argmax())
        if answers.shape[2] == 2:
            code = 1
        answers = answers[:, :, code]
    mean = answers.mean(axis=1)
    error = NORMAL * np.array([error_of_mean(one, groups) if rows.rows > 1 else 0.0 for one in answers])
    numeric = column.kind.NAME == "number"
    chosen = cells.take(pa.array(places))
    shown = [column.kind.show(column.state, value) for value in chosen.to_pylist()]
    if numeric:
        numbers = column.kind.decode(column.state, column.kind.encode(column.state, chosen)[:, 0])
        values: list[Any] = [float(f"{value:.6g}") for value in numbers.cast(pa.float64()).to_pylist()]
    else:
        values = shown
    return {
        "column": column.name,
        "kind": "number" if numeric else "date" if column.kind.SHAPE == "scalar" else "category",
        "of": classes[code] if classes is not None and code >= 0 else None,
        "values": values,
        "mean": mean.tolist(),
        "low": (mean - error).tolist(),
        "high": (mean + error).tolist(),
    }
