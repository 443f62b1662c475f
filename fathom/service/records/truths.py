"""What turned out to be true, beside what was answered: matched by the request's id, or as whole rows that are answered now."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column, class_labels, target_classes
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.model import Model
from fathom.scoring import Answer
from fathom.service.records.store import Store, Window

ID, PLACE = "request", "row"  # the columns that say which answer a truth is of
LAST_PLACE = 2**31 - 1  # of a row in its request: what PostgreSQL's INTEGER holds


def learn(store: Store, model: Model, table: Table) -> tuple[int, int]:
    """Write the truths of a table into the store; its column ``request`` (and ``row``, from 0) says which answer each belongs to. Return how many were matched, and how many were not.

    Raises TableError when it has none of the targets, a truth that the target cannot be, or a row number that is none, and StoreError.
    """
    targets = [target.name for target in model.description.targets if target.name in table.names]
    if not targets:
        wanted = ", ".join(repr(target.name) for target in model.description.targets)
        raise TableError(
            f"{table.name} has a column {ID!r} and none of the targets: {wanted}. Add what turned out to be true."
        )
    requests = [str(value) for value in table.column(ID).to_pylist()]
    places = (
        [0] * table.rows
        if PLACE not in table.names
        else [_place(value, table, at) for at, value in enumerate(table.column(PLACE).to_pylist())]
    )
    found: list[tuple[str, int, str, Any]] = []
    for target in model.description.targets:
        if target.name in targets and target.kind is not None:
            values = table.column(target.name)
            there = ~np.asarray(target.kind.missing(values))
            if (broken := np.asarray(target.kind.unreadable(target.state, values))).any():
                row = int(np.flatnonzero(broken)[0])
                raise TableError(
                    f"{table.where(row)}: {values[row].as_py()!r} is no {target.kind.NAME}, which {target.name!r} was in training.",
                    column=target.name,
                )
            cells = [
                value if isinstance(value, str | int | float | bool) else str(value) for value in values.to_pylist()
            ]
            found += [(requests[at], places[at], target.name, cells[at]) for at in np.flatnonzero(there).tolist()]
    matched = store.learn(found)
    return matched, len(found) - matched


def _place(value: Any, table: Table, row: int) -> int:
    try:
        number = int(value)
        if number != float(value) or not 0 <= number <= LAST_PLACE:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise TableError(
            f"{table.where(row)}: {PLACE!r} is {value!r}, where the number of the row in its request is expected, from 0 to {LAST_PLACE:,}.",
            column=PLACE,
        ) from None
    return number


def window_of(model: Model, rows: Table) -> Window:
    """Return rows that hold their targets as a window, answered now. Raises TableError when none is there, or rows cannot be answered."""
    import warnings

    targets = [target.name for target in model.description.targets if target.name in rows.names]
    if not targets:
        wanted = ", ".join(repr(target.name) for target in model.description.targets)
        raise TableError(
            f"{rows.name} has none of the targets: {wanted}. Name them as in training, or add the column {ID!r} of the recorded requests."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are not used
        answers = model.predict(rows)
    gathered = model.gathered(rows)
    nothing = np.zeros(gathered.rows)
    known = {name: gathered.column(name).to_pylist() for name in targets}
    return Window(("",) * gathered.rows, (0,) * gathered.rows, nothing, nothing, gathered, answers, known)


def answers_in(target: Column, window: Window) -> Answer | None:
    """Return the recorded answers ``(row, class)`` or ``(row,)`` to a target, ``None`` where they were not recorded."""
    return None if window.answers is None else answers_of(target, window.answers)


def answers_of(target: Column, told: Table) -> Answer | None:
    """Return the answers ``(row, class)`` or ``(row,)`` in a table of them, ``None`` where they are not there."""
    if not target_classes(target):
        if target.name not in told.names:
            return None
        return np.asarray(
            told.column(target.name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64
        )
    names = [f"{target.name}={label}" for label in class_labels(target)]
    if not set(names) <= set(told.names):
        return None
    columns = [told.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for name in names]
    return np.asarray(np.nan_to_num(np.stack(columns, axis=1)))


def reach_of(target: Column, told: Table) -> npt.NDArray[np.float64] | None:
    """Return how far the intervals in a table of answers reach below and above the numbers, ``(row, 2)``, ``None`` where they are not there."""
    names = [target.name, f"{target.name}_low", f"{target.name}_high"]
    if not set(names) <= set(told.names):
        return None
    number, low, high = (
        told.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for name in names
    )
    return np.stack((number - low, high - number), axis=1)


def truth_in(target: Column, values: Sequence[Any]) -> tuple[Any, pa.Array]:
    """Return true values as codes ``(row,)``, -1 for none of the classes, or numbers in their own unit, and as cells."""
    assert target.kind is not None
    cells = Table.of({"value": _alike(values)}).column("value")
    if target_classes(target):
        return np.asarray(target.kind.encode(target.state, cells)[:, 0], np.int64), cells
    return target.kind.features(target.state, cells).matrix[:, 0], cells


def _alike(values: Sequence[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError):  # a number here and a word there
        return pa.array([None if value is None else str(value) for value in values], pa.string())
