"""Columns with what they have learned turn a table into the arrays that networks and baselines read, and answers back into values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fathom.data.gathering import Gathered
from fathom.data.modalities.contract import Features, Modality
from fathom.data.rows.hashing import hash_values
from fathom.data.table import Table
from fathom.shapes import FLAT, KINDS, Arrays, Part, arrays_of

ColumnRole = Literal["input", "target", "group", "time", "weight", "left_out"]


@dataclass(frozen=True)
class Column:
    """One column: what it is for, what it was taken for and why, and what was learned from its training rows.

    ``kind`` is the modality's module, ``None`` for a column that is left out; ``missing`` is the share of training rows that hold nothing;
    ``gathered`` says which columns or rows it was made from, if it was.
    """

    name: str
    role: ColumnRole
    kind: Modality | None
    confidence: float
    reason: str
    state: Any = None
    missing: float = 0.0
    distinct: int = 0
    examples: tuple[str, ...] = ()
    gathered: Gathered | None = None

    @property
    def modality(self) -> str:
        """The modality's name, or an empty string."""
        return self.kind.NAME if self.kind else ""

    def told(self) -> dict[str, Any]:
        """Return what it was taken for and why, as JSON-able values."""
        names = ("name", "role", "modality", "confidence", "reason", "missing", "distinct")
        return {name: getattr(self, name) for name in names}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The arrays that the column writes."""
        return self.kind.parts(self.state, self.name) if self.kind else ()


def of_role(columns: Sequence[Column], *roles: ColumnRole) -> tuple[Column, ...]:
    """Return the columns that have one of these roles and a modality to read them."""
    return tuple(column for column in columns if column.role in roles and column.kind is not None)


def inputs_of(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that a network reads; a time column is one of them."""
    return of_role(columns, "input", "time")


def hanging_together(columns: Sequence[Column], table: Table) -> npt.NDArray[Any] | None:
    """Return labels ``(row,)`` of rows that hang together, where a column parted them by groups (``--group``) and the table has it and two groups or more; else ``None``."""
    name = next((one.name for one in columns if one.role == "group" and one.name in table.names), None)
    labels = None if name is None else hash_values(table.column(name), 0)
    return None if labels is None or len(np.unique(labels)) < 2 else labels


def input_parts(columns: Sequence[Column]) -> tuple[Part, ...]:
    """Return the parts of all inputs in the order in which their arrays stand: shape by shape, column by column."""
    every = [part for column in inputs_of(columns) for part in column.parts]
    return tuple(part for parts in arrays_of(every).values() for part in parts)


def encode_inputs(columns: Sequence[Column], table: Table) -> Arrays:
    """Turn the input columns into the arrays of `fathom.shapes.arrays_of`: ``"scalar" (row, part) float32``, ``"code" (row, part) int32``, ``"grid_0"`` …"""
    arrays: Arrays = {}
    readers = {column.name: column for column in inputs_of(columns)}
    for name, parts in arrays_of(input_parts(columns)).items():
        if name not in FLAT:
            arrays[name] = _encode(readers[parts[0].column], table)
            continue
        whole = np.empty((table.rows, len(parts)), KINDS[name])
        start = 0
        for column in dict.fromkeys(part.column for part in parts):
            values = _encode(readers[column], table)
            whole[:, start : start + values.shape[1]] = values
            start += values.shape[1]
        arrays[name] = whole
    return arrays


def gather(columns: Sequence[Column], table: Table) -> Table:
    """Return the table with the columns that were gathered from others in training gathered in the same way."""
    for column in columns:
        if column.gathered is not None and column.kind is not None:
            table = column.gathered.gather(table)
    return table


def _encode(column: Column, table: Table) -> npt.NDArray[Any]:
    assert column.kind is not None
    return table.made(column.name, "encoded", column.state, partial(column.kind.encode, column.state))


def encode_targets(columns: Sequence[Column], table: Table) -> Arrays:
    """Turn the target columns into ``{target: (row,)}``: standardised float32 scalars or int32 codes."""
    return {
        column.name: column.kind.encode(column.state, table.column(column.name))[:, 0]
        for column in of_role(columns, "target")
        if column.kind
    }


def class_labels(target: Column) -> list[str]:
    """Return a category's classes in the order of their codes, as words."""
    assert target.kind is not None
    every = target.kind.decode(target.state, np.eye(target.parts[0].codes))
    return [target.kind.show(target.state, value) for value in every.to_pylist()]


def target_classes(column: Column) -> int:
    """Return how many classes a target has; 0 for a number."""
    return column.parts[0].codes


def hand_made_features(columns: Sequence[Column], table: Table) -> Features:
    """Lay the features that baselines read side by side."""
    made = [
        table.made(column.name, "features", column.state, partial(column.kind.features, column.state))
        for column in inputs_of(columns)
        if column.kind
    ]
    return Features(
        np.concatenate([features.matrix for features in made], axis=1),
        tuple(name for features in made for name in features.names),
        tuple(size for features in made for size in features.sizes),
    )


def unreadable_cells(column: Column, table: Table) -> npt.NDArray[np.bool_]:
    """Mark the cells of an input or target that are neither missing nor readable as the column's modality."""
    assert column.kind is not None
    return column.kind.unreadable(column.state, table.column(column.name))
