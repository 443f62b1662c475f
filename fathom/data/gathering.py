"""Gathers one series from many columns (`t_0 … t_149`), or from many rows that share an id, before columns are recognised.

Columns are gathered where their names are one prefix and consecutive numbers, there are `FEWEST` or more of them, all hold numbers, and neighbours go together as
neighbouring moments do; ``--columns t=number`` keeps them apart, ``--columns t=series`` gathers them whatever they look like. Rows are gathered where
``--series ID,TIME`` says so: one row an id is left, with what is the same on all rows of the id, and a column of what changes, in the order of time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import nested
from fathom.data.rows.hashing import hash_values
from fathom.data.table import Table
from fathom.errors import OptionError, TableError, suggestion

FEWEST = 20
LOOK = 1_000  # rows
ALIKE = 0.5  # mean correlation of neighbouring columns over the rows
NAME = "series"
TIME = "time"
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class Gathered:
    """A column that was made from others: from the ``columns`` side by side, or, with ``id``, from the rows that share one, in the order of ``time``."""

    name: str
    columns: tuple[str, ...]
    id: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    @property
    def how(self) -> str:
        """What was gathered, in words."""
        if self.id:
            return f"{', '.join(self.columns)} of all rows of one {self.id}" + (
                f", by {self.time}" if self.time else ""
            )
        return f"{len(self.columns)} columns, {self.columns[0]} … {self.columns[-1]}"

    def gather(self, table: Table) -> Table:
        """Return the table with the column in place of what it is made from; a table that has the column already is left as it is.

        Raises TableError when something that it is made from is not there.
        """
        if self.name in table.names and not set(self.columns) & set(table.names) - {self.name}:
            return table
        for name in (*self.columns, *filter(None, (self.id, self.time))):
            if name not in table.names:
                raise TableError(
                    f"{table.name} has no column {name!r}, which the series {self.name!r} is gathered from.{suggestion(name, table.names)} "
                    f"It is made from {self.how}.",
                    column=name,
                )
        return self._rows(table) if self.id else self._columns(table)

    def _columns(self, table: Table) -> Table:
        numbers = np.stack([_numbers(table, name) for name in self.columns], axis=1)
        offsets = pa.array(np.arange(table.rows + 1) * len(self.columns), pa.int64())
        flat = numbers.reshape(-1)
        cells = pa.LargeListArray.from_arrays(offsets, pa.array(flat, mask=np.isnan(flat)))
        place = table.names.index(self.columns[0])
        arrow = table.arrow.drop_columns(list(self.columns))
        before = sum(name not in self.columns for name in table.names[:place])
        return replace(table, arrow=arrow.add_column(before, self.name, cells), _cache={})

    def _rows(self, table: Table) -> Table:
        key = hash_values(table.column(self.id))
        _, first, group = np.unique(key, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))  # ids in the order in which they first come
        group = rank[group]
        moment = _moments(table, self.time) if self.time else np.arange(table.rows, dtype=np.float64)
        order = np.lexsort((moment, group))
        offsets = pa.array(np.concatenate([[0], np.cumsum(np.bincount(group))]), pa.int64())
        fields = {name: _numbers(table, name)[order] for name in self.columns}
        if self.time:
            fields[TIME] = moment[order]
        lists = [
            pa.LargeListArray.from_arrays(offsets, pa.array(values, mask=np.isnan(values)))
            for values in fields.values()
        ]
        cells = pa.StructArray.from_arrays(lists, names=list(fields))
        left = table.take(np.sort(first))
        kept = [name for name in table.names if name not in (*self.columns, self.time)]
        return replace(left, arrow=left.arrow.select(kept).append_column(self.name, cells), _cache={})


def find(table: Table, kinds: Mapping[str, str], apart: Sequence[str]) -> tuple[tuple[Gathered, ...], dict[str, str]]:
    """Return the columns to gather from others of the table, and the ``kinds`` of columns that the user names, those of groups that stay apart spelled out.

    ``apart`` are columns that stay as they are: targets, and what parts or weighs the rows.
    """
    kinds, found = dict(kinds), []
    for prefix, names in _groups(table, {*apart, *(name for name in kinds if name in table.names)}).items():
        name = _free_name(prefix, set(table.names) - set(names))
        said = next((word for word in (name, prefix) if word in kinds and word not in table.names), None)
        wanted = kinds[said] if said is not None else None
        if wanted is not None and wanted != NAME:
            del kinds[said or ""]
            kinds |= dict.fromkeys(names, wanted)
        elif wanted == NAME or (len(names) >= FEWEST and _go_together(table, names)):
            if said is not None:
                del kinds[said]
                kinds[name] = NAME
            found.append(Gathered(name, tuple(names)))
    return tuple(found), kinds


def of_rows(table: Table, told: str, targets: Sequence[str], kinds: Mapping[str, str]) -> Gathered:
    """Return the column that gathers the rows of an id, as ``told``: its column, and that of the time if there is one: ``"id,time"``.

    Raises OptionError when there are no such columns, TableError when a target changes within an id or nothing else does.
    """
    words = [word.strip() for word in told.split(",")]
    if not 1 <= len(words) <= 2 or not all(words):
        raise OptionError(
            f"--series is {told!r}, where one or two columns are expected: the id and the time, for example --series machine,hour."
        )
    for name in words:
        table.column(name)  # raises with the nearest name
    identifier, time = words[0], words[1] if len(words) > 1 else ""
    if identifier in targets or time in targets:
        raise OptionError(f"--series {told!r} names the target. Name the id whose rows are one series, and the time.")
    key = hash_values(table.column(identifier))
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    changing = []
    for name in table.names:
        if name in words or kinds.get(name) == "skip":
            continue
        hashes = hash_values(table.column(name))
        other = hashes != hashes[first][group]
        if other.any() and name in targets:
            row = int(np.flatnonzero(other)[0])
            raise TableError(
                f"{table.where(row)}: the target {name!r} changes within the rows of one {identifier!r}, which are gathered to one series. Give all rows of an id the same target.",
                column=name,
            )
        if other.any() and _holds_numbers(table, name):
            changing.append(name)
    if not changing:
        raise TableError(
            f"Nothing changes within the rows of one {identifier!r}: no column of numbers is left to gather. Name the column that many rows share with --series.",
            column=identifier,
        )
    return Gathered(_free_name(NAME, set(table.names)), tuple(changing), identifier, time)


def _groups(table: Table, apart: set[str]) -> dict[str, list[str]]:
    """Return the columns whose names are one prefix and consecutive numbers, by prefix."""
    numbered: dict[str, dict[int, str]] = {}
    for name in table.names:
        match = _NUMBERED.fullmatch(name)
        if match and name not in apart and len(match[2]) < 10:
            numbered.setdefault(match[1], {})[int(match[2])] = name
    groups = {}
    for prefix, names in numbered.items():
        numbers = sorted(names)
        if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
            groups[prefix] = [names[number] for number in numbers]
    return groups


def _free_name(prefix: str, taken: set[str]) -> str:
    name = prefix.rstrip(" _-.") or NAME
    while name in taken:
        name += "_"
    return name


def _go_together(table: Table, names: Sequence[str]) -> bool:
    """Say whether all columns hold numbers and neighbours go together."""
    some = table.take(np.linspace(0, table.rows - 1, min(table.rows, LOOK)).astype(np.int64)) if table.rows else table
    if not all(_holds_numbers(some, name) for name in names):
        return False
    matrix = np.stack([_numbers(some, name) for name in names], axis=1)
    known = np.isfinite(matrix)
    mean = np.where(known, matrix, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    around = np.where(known, matrix - mean, 0.0)
    size = np.sqrt(np.square(around).sum(axis=0))
    both = size[1:] * size[:-1]
    if not (both > 0).any():
        return False
    together = (around[:, 1:] * around[:, :-1]).sum(axis=0)[both > 0] / both[both > 0]
    return float(together.mean()) >= ALIKE


def _holds_numbers(table: Table, name: str) -> bool:
    """Say whether every cell of a column is a number or missing, and one is a number."""
    values = table.column(name)
    if pa.types.is_nested(values.type) or pa.types.is_boolean(values.type) or pa.types.is_temporal(values.type):
        return False
    numbers, foreign = nested.as_numbers(values)
    return not foreign.any() and bool(np.isfinite(numbers).any())


def _numbers(table: Table, name: str) -> npt.NDArray[np.float64]:
    return nested.as_numbers(table.column(name))[0]


def _moments(table: Table, name: str) -> npt.NDArray[np.float64]:
    """Return a time column as numbers that grow. Raises TableError where it holds something else."""
    values = table.column(name)
    numbers, foreign = nested.as_numbers(values)
    if foreign.any() and nested.is_text(values.type):
        try:
            moments = pc.utf8_trim_whitespace(values.cast(pa.string())).cast(pa.timestamp("us"))
            return np.asarray(moments.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False)) / 1e6
        except pa.ArrowInvalid:
            pass
    if foreign.any():
        dated = nested.is_text(values.type) and pc.match_substring_regex(values, r"^\s*\d{4}-\d{2}-\d{2}")
        wrong = foreign & ~np.asarray(pc.fill_null(dated, False)) if dated is not False else foreign
        row = int(np.flatnonzero(wrong if wrong.any() else foreign)[0])
        path, line = table.place(row)
        raise TableError(
            f"{table.where(row)}: the time {name!r} is {str(values[row].as_py())[:40]!r}, and numbers or moments like 2024-05-01 13:30:00 are expected. Correct it, or "
            "leave the time out of --series where the rows stand in its order.",
            file=path,
            line=line,
            column=name,
        )
    return numbers


__all__ = ["Gathered", "find", "of_rows"]
