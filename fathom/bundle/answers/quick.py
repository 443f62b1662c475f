"""Rows one by one: what the column code makes of each cell, remembered, so that a single row costs microseconds.

Nothing is decided here. A cell of a flat column is encoded by the column's own `encode` once and then remembered; numbers, which hardly ever come twice, by `single` where
the modality has it (`fathom.data.modalities.contract.Singling`). Columns of a deep shape are handed over together, after `settle`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.bundle.description import Description
from fathom.data.encoding import Column, input_parts, inputs_of
from fathom.errors import TableError
from fathom.shapes import FLAT, KINDS, Arrays, arrays_of

REMEMBERED = 4_096  # cells of a column
LARGEST = 1.7e308  # whole number that becomes a float
LONGEST = 200  # characters of a cell that is remembered

_DTYPES = {**{shape: np.dtype(kind) for shape, kind in KINDS.items()}, "features": np.dtype(np.float64)}

Encoded = tuple[float, ...]
Single = Callable[[Any], Encoded]
Known = Callable[[Any], Encoded | None]  # the same, at once, for most cells, and None for the others


@dataclass(frozen=True)
class Quick:
    """The input columns of a model, ready for rows one by one.

    ``flat`` has, for each array that the flat columns share, the columns and what encodes a cell of each, in the order in which they stand in it; ``deep`` the arrays of the
    others. A baseline reads one array, ``features``.
    """

    flat: Mapping[str, tuple[tuple[str, Known, Single], ...]]
    deep: Mapping[str, Column]
    features: bool
    order: tuple[str, ...]

    @classmethod
    def of(cls, description: Description) -> "Quick":
        """Prepare a model's input columns."""
        columns = {column.name: column for column in inputs_of(description.columns)}
        if description.kind == "baseline":
            flat = {name: column for name, column in columns.items() if column.parts[0].shape in FLAT}
            singles = tuple((name, *_single(column, True)) for name, column in flat.items())
            deep = {name: column for name, column in columns.items() if name not in flat}
            return cls({"features": singles}, deep, True, tuple(columns))
        shared: dict[str, tuple[tuple[str, Known, Single], ...]] = {}
        alone: dict[str, Column] = {}
        for array, parts in arrays_of(input_parts(description.columns)).items():
            if array in FLAT:
                names = dict.fromkeys(part.column for part in parts)
                shared[array] = tuple((name, *_single(columns[name], False)) for name in names)
            else:
                alone[array] = columns[parts[0].column]
        return cls(shared, alone, False, tuple(columns))

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Arrays:
        """Return what the graph reads for rows that each have every input column.

        Raises TableError, with ``line`` the row from 0 and ``column``, for a cell that is not what the column held in training.
        """
        arrays: Arrays = {}
        for array, singles in self.flat.items():
            cells: list[float] = []
            for place, row in enumerate(rows):
                try:
                    for name, known, single in singles:
                        cell = row[name]
                        cells += known(cell) or single(cell)
                except TableError as error:
                    raise TableError(str(error), line=place, column=name) from None
                except TypeError:  # a list is no key
                    raise TableError(
                        f"it is {shown(cell)}, and one value is expected", line=place, column=name
                    ) from None
            kind = _DTYPES[array]
            arrays[array] = np.array((cells,), kind) if len(rows) == 1 else np.array(cells, kind).reshape(len(rows), -1)
        for array, column in self.deep.items():
            values = _settled(column, [row[column.name] for row in rows])
            assert column.kind is not None
            if self.features:
                arrays[array] = column.kind.features(column.state, values).matrix
            else:
                arrays[array] = column.kind.encode(column.state, values)
        return self._together(arrays) if self.features and self.deep else arrays

    def _together(self, arrays: Arrays) -> Arrays:
        """Lay the features of flat and deep columns side by side, in the order of the columns."""
        blocks: dict[str, npt.NDArray[Any]] = {name: arrays[name] for name in self.deep}
        start = 0
        for name, _, single in self.flat["features"]:
            width = len(single(None))
            blocks[name] = arrays["features"][:, start : start + width]
            start += width
        return {"features": np.concatenate([blocks[name] for name in self.order], axis=1)}


def _single(column: Column, features: bool) -> tuple[Known, Single]:
    """Return what encodes one cell of a flat column: first a look that costs next to nothing, then what encodes any."""
    kind, state = column.kind, column.state
    assert kind is not None
    words: dict[Any, Encoded] = {}  # by strings alone, which equal no other cell
    others: dict[Any, Encoded] = {}
    of_kind: Callable[[Any], Encoded | None] | None = kind.single(state, features) if hasattr(kind, "single") else None

    def asked(cell: Any) -> Encoded:
        if of_kind is not None and (found := of_kind(cell)) is not None:
            return found
        values = _values(column, [cell])
        if kind.unreadable(state, values)[0]:
            raise TableError(f"it is {shown(cell)}, which is not readable as {kind.NAME}")
        row = (kind.features(state, values).matrix if features else kind.encode(state, values))[0]
        encoded: list[float] = row.tolist()
        return tuple(encoded)

    def remembered(cell: Any) -> Encoded:
        known = words if cell.__class__ is str else others  # 1, 1.0 and True are one key, and not one word
        key = cell if known is words else (cell.__class__, cell)
        found = known.get(key)
        if found is None:
            found = asked(cell)
            if known is others or len(cell) <= LONGEST:
                if len(known) >= REMEMBERED:
                    known.clear()
                known[key] = found
        return found

    takes_numbers = of_kind is not None and of_kind(0.0) is not None  # which hardly ever come twice
    return of_kind if of_kind is not None and takes_numbers else words.get, remembered


def _settled(column: Column, cells: list[Any]) -> pa.Array:
    """Return a deep column's cells as values, decoded once. Raises TableError for one that cannot be read."""
    kind = column.kind
    assert kind is not None
    values = _values(column, cells)
    if hasattr(kind, "settle"):
        values, marks = kind.settle(column.state, values, lambda done: None)
    else:
        marks = kind.unreadable(column.state, values)
    if marks.any():
        place = int(np.flatnonzero(marks)[0])
        why = kind.fault(column.state, cells[place]) if hasattr(kind, "fault") else ""
        words = f": {why}" if why else ""
        raise TableError(
            f"it is {shown(cells[place])}, which is not readable as {kind.NAME}{words}", line=place, column=column.name
        )
    return values


def _values(column: Column, cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        place = next((place for place, cell in enumerate(cells) if not _storable(cell)), 0)
        if len(cells) == 1 and isinstance(cells[0], int) and abs(cells[0]) < LARGEST:
            return pa.array([float(cells[0])])
        raise TableError(
            f"it is {shown(cells[place])}, which no column can hold", line=place, column=column.name
        ) from None


def _storable(cell: Any) -> bool:
    try:
        return len(pa.array([cell])) == 1
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False


def shown(cell: Any) -> str:
    """Write a cell into a sentence, shortened."""
    if isinstance(cell, bytes):
        return f"{len(cell):,} bytes"
    words = ascii(cell) if isinstance(cell, str) and not cell.isprintable() else repr(cell)
    return words if len(words) <= 60 else f"{words[:59]}…"
