"""Takes tables that are in memory already: pandas, polars and Arrow frames, columns, rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from fathom.data.columns import first_line, plain
from fathom.data.table import Table
from fathom.errors import TableError


def read_frame(frame: Any, empty: bool = False) -> Table:
    """Take a frame of any library that speaks Arrow's C stream, without rows where it may be ``empty``.

    Raises TableError when it holds values that Arrow has no type for, or mixes kinds of values in one column.
    """
    label = f"The {type(frame).__module__.split('.')[0]} frame"
    if type(frame).__name__ == "Series":
        raise TableError(
            f"{label[:-5]}Series is a single column, or a row taken out of its frame, and a table was expected. A row stays a table as frame.iloc[[0]] or frame[:1], "
            "and Model.predict_one answers one alone; of a column make {'name': column}."
        )
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, OverflowError) as error:
        reason = "; ".join(str(part).split("\\n")[0].rstrip(".") for part in error.args)
        if "non-struct" in reason:
            raise TableError(f"{label} is a single column. Give a table, or {{'name': column}}.") from None
        raise TableError(
            f"{label} cannot be read: {reason}. Each column needs a name of its own and values of one kind; "
            "astype(str) makes strings of mixed ones."
        ) from None
    columns, sentences = plain(table, label, empty)
    return Table(columns, decisions=sentences)


def read_columns(columns: Mapping[Any, Any], empty: bool = False) -> Table:
    """Take a dictionary of equally long lists or arrays, without values where it may be ``empty``.

    Raises TableError when a column mixes kinds of values, is no list, or is of another length than the first.
    """
    if not columns:
        raise TableError("The dictionary of columns is empty. Give at least one column: {'age': [41, 38]}.")
    arrays: dict[str, pa.Array] = {str(name): _column(str(name), values) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise TableError(
                f"Column {name!r} has {length:,} values, and column {first!r} has {lengths[first]:,}. "
                "All columns of a table are equally long.",
                column=name,
            )
    table, sentences = plain(pa.table(arrays), "The dictionary", empty)
    return Table(table, decisions=sentences)


def read_rows(rows: Sequence[Any], empty: bool = False) -> Table:
    """Take a list of rows as dictionaries; a key that a row lacks is null there. An empty one, where it may be ``empty``, is a table without columns.

    Raises TableError when an item is no dictionary.
    """
    if not rows and empty:
        return Table(pa.table({}))
    if not rows:
        raise TableError("The list is empty. Give paths of files, or rows as dictionaries: [{'age': 41}].")
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TableError(
                f"Item {position + 1} of the list is of type {type(row).__name__}. "
                "A list holds paths of files, or rows as dictionaries, and nothing else."
            )
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise TableError("The rows have no keys, and keys are the columns: [{'age': 41}].")
    return read_columns({name: [row.get(name) for row in rows] for name in names})


def _column(name: str, values: Any) -> pa.Array:
    if isinstance(values, str | bytes | int | float | None):
        what = "string" if isinstance(values, str | bytes) else "value"
        raise TableError(
            f"Column {name!r} is one {what}, and a list of values was expected. A single row is a list of one dictionary: [{{{name!r}: …}}].",
            column=name,
        )
    try:
        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, OverflowError) as error:
        raise TableError(
            f"Column {name!r} cannot be read: {first_line(error)}. Give it values of one kind, for instance all strings.",
            column=name,
        ) from None
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
