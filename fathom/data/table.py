"""Named columns of equal length over Arrow memory; a table knows where each row came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.errors import TableError, suggestion

Rows = npt.NDArray[np.int64]
Made = TypeVar("Made")

_MADE = ("made",)  # where a table keeps what was made of its columns; no column is called so


@dataclass(frozen=True)
class Source:
    """The file that a run of rows came from.

    ``lines`` holds each row's line (from 1, the header included); ``None`` where row ``i`` stands on line
    ``first_line + i``, as in every CSV file without line breaks inside quotes.
    ``unit`` is ``line`` for text files and ``row`` for files without lines. Of a folder or an archive, ``files`` holds the path in it that each row stands for.
    """

    path: str
    rows: int
    first_line: int = 1
    lines: Rows | None = None
    unit: str = "line"
    files: pa.Array | None = None

    def place(self, row: int) -> tuple[str, int]:
        """Return the path and the line of the source's own row ``row`` (from 0)."""
        return self.path, int(self.lines[row]) if self.lines is not None else self.first_line + row


@dataclass(frozen=True)
class SkippedRow:
    """A row that could not be used and was left out, where it stood, and why."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    """Columns of equal length and the places their rows came from.

    ``arrow`` holds the cells: text columns as strings exactly as they stood in the file, typed columns (Parquet, frames)
    with their own type. ``origin`` maps each row to its position among the rows of ``sources`` laid end to end.
    ``decisions`` are sentences that say how the file was understood; ``skipped`` lists the rows left out.

    >>> table = Table.of({"age": ["41", "38"], "job": ["nurse", "cook"]})
    >>> table.rows, table.names
    (2, ('age', 'job'))
    >>> table.where(1)
    'row 2'
    """

    arrow: pa.Table
    sources: tuple[Source, ...] = ()
    origin: Rows | None = None
    decisions: tuple[str, ...] = ()
    skipped: tuple[SkippedRow, ...] = ()
    name: str = "table"
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, columns: dict[str, Any], name: str = "table") -> "Table":
        """Make a table from a dictionary of equally long lists or arrays."""
        return cls(pa.table(columns), name=name)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.arrow.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in file order."""
        return tuple(self.arrow.column_names)

    def column(self, name: str) -> pa.Array:
        """Return one column's values as a single Arrow array.

        Raises TableError when the table has no such column.
        """
        if name not in self._cache:
            if name not in self.names:
                raise TableError(
                    f"There is no column {name!r} in {self.name}.{suggestion(name, self.names)} "
                    f"The columns are: {', '.join(map(repr, self.names[:20]))}"
                    f"{' …' if len(self.names) > 20 else '.'}",
                    column=name,
                )
            chunked = self.arrow.column(name)
            self._cache[name] = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
        values: pa.Array = self._cache[name]
        return values

    def remembering(self) -> "Table":
        """Return the same table, which remembers what is `made` of its columns: for questions that ask about the same cells many times over."""
        return replace(self, _cache={**self._cache, _MADE: {}})

    def made(self, name: str, what: str, rule: object, make: Callable[[pa.Array], Made]) -> Made:
        """Return what ``make`` makes of a column by a ``rule``; where the table is `remembering`, once for it and for those that differ from it in other columns.

        >>> table = Table.of({"age": ["41", "38"], "job": ["nurse", "cook"]}).remembering()
        >>> first = table.made("age", "years", int, lambda cells: [int(cell) for cell in cells.to_pylist()])
        >>> table.with_column("job", pa.array(["cook", "cook"])).made("age", "years", int, lambda cells: []) is first
        True
        """
        remembered = self._cache.get(_MADE)
        if remembered is None:
            return make(self.column(name))
        kept = remembered.get((name, what))
        if kept is None or kept[0] is not rule:
            kept = remembered[name, what] = (rule, make(self.column(name)))
        found: Made = kept[1]
        return found

    def place(self, row: int) -> tuple[str | None, int]:
        """Return the file and the line (or, without a file, the row counted from 1) of a row counted from 0."""
        source, position = self._source(row)
        return (None, position + 1) if source is None else source.place(position)

    def _source(self, row: int) -> tuple[Source | None, int]:
        """Return where a row came from, and which of the rows from there it is."""
        position = int(self.origin[row]) if self.origin is not None else row
        for source in self.sources:
            if position < source.rows:
                return source, position
            position -= source.rows
        return None, position

    def where(self, row: int) -> str:
        """Say in words where a row (counted from 0) came from: ``homes.csv, line 8``."""
        source, position = self._source(row)
        path, line = self.place(row)
        if source is None:
            return f"row {line}"
        if source.files is not None:
            return f"{source.path.rstrip('/')}/{source.files[position].as_py()}"
        return f"{path}, {source.unit} {line}"

    def take(self, rows: Rows | Sequence[int]) -> "Table":
        """Return the table of these rows (counted from 0), which still know where they came from."""
        rows = np.asarray(rows, dtype=np.int64)
        origin = self.origin[rows] if self.origin is not None else rows
        return replace(self, arrow=self.arrow.take(pa.array(rows)), origin=origin, _cache={})

    def select(self, names: Sequence[str]) -> "Table":
        """Return the table of these columns, in this order."""
        for name in names:
            if name not in self.names:
                self.column(name)  # raises with the nearest name
        return replace(self, arrow=self.arrow.select(list(names)), _cache={})

    def with_column(self, name: str, values: pa.Array) -> "Table":
        """Return the table with one column put in place of the one of that name."""
        index = self.names.index(name)
        cache = {key: kept for key, kept in self._cache.items() if key not in (name, _MADE)}
        if _MADE in self._cache:
            cache[_MADE] = {key: kept for key, kept in self._cache[_MADE].items() if key[0] != name}
        return replace(self, arrow=self.arrow.set_column(index, name, values), _cache=cache)

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows as a list of dictionaries."""
        rows: list[dict[str, Any]] = self.arrow.to_pylist()
        return rows

    def to_pandas(self) -> Any:
        """Return a pandas frame (needs pandas)."""
        return self.arrow.to_pandas()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the table to any library that speaks Arrow's C stream: polars, pandas, DuckDB."""
        return self.arrow.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.rows
