"""Gives columns the types and the layout that all that follows expects: plain types, one chunk each."""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells.media import is_media
from fathom.errors import TableError

_INDEX = re.compile(r"__index_level_\d+__")  # how pandas stores an index that has no name
_LARGEST_TEXT = 2**31 - 1  # bytes of one column: Arrow's string offsets are 32 bits


def one_chunk(column: pa.ChunkedArray, name: str, label: str) -> pa.Array:
    """Return a column as a single array.

    Raises TableError when its text is larger than 2 GiB.
    """
    if column.num_chunks == 1:
        return column.chunk(0)
    if _is_text(column.type) and sum(_text_bytes(chunk) for chunk in column.chunks) > _LARGEST_TEXT:
        raise TableError(
            f"{label}: column {name!r} holds more than 2 GiB of text, the most that one column may. "
            "Leave the column out, or read the table in parts.",
            file=label,
            column=name,
        )
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def plain(table: pa.Table, label: str, empty: bool = False) -> tuple[pa.Table, tuple[str, ...]]:
    """Return a typed table (Parquet, Arrow, a frame) in plain types and single chunks, and sentences on what changed.

    Dictionaries are decoded, large and view strings become strings, columns of nothing become strings, extension types
    become their storage, an unnamed pandas index is left out; other types stay.
    Raises TableError when there are no columns, or no rows unless it may be ``empty``, when names come twice or are empty, when text is too large.
    """
    names = [name for name in table.column_names if not _INDEX.fullmatch(name)]
    sentences = ["The index of the pandas frame was left out."] if len(names) < table.num_columns else []
    check_names(names, label)
    if not names:
        raise TableError(f"{label} has no columns.", file=label)
    if table.num_rows == 0 and not empty:
        raise TableError(f"{label} has columns ({shortened(names)}) but no rows.", file=label)
    arrays = []
    for name in names:
        try:
            arrays.append(_plain_array(one_chunk(table.column(name), name, label)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise TableError(
                f"{label}: column {name!r} of type {table.column(name).type} cannot be read: {first_line(error)}. "
                "Leave the column out, or write it in another type.",
                file=label,
                column=name,
            ) from None
    return pa.table(arrays, names=names), tuple(sentences)


def check_names(names: list[str], label: str, line: int | None = None) -> None:
    """Raise TableError when a name comes twice."""
    if len(set(names)) == len(names):
        return
    places: dict[str, list[int]] = {}
    for position, name in enumerate(names, start=1):
        places.setdefault(name, []).append(position)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    listed = "; ".join(f"{name!r} in positions {_listed(found)}" for name, found in list(twice.items())[:5])
    more = f"; and {len(twice) - 5} more names" if len(twice) > 5 else ""
    where = f"{label}, line {line}" if line is not None else label
    raise TableError(
        f"{where}: columns have the same name: {listed}{more}. Give each column a name of its own.",
        file=label,
        line=line,
        column=next(iter(twice)),
    )


def trimmed(array: pa.Array) -> pa.Array:
    """Return the strings without the spaces around them."""
    return pc.ascii_trim(array, " ")


def shortened(names: list[str], limit: int = 8) -> str:
    """Return names in a row for a message, the first few only."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without a full stop, for a message."""
    return str(error.args[0] if error.args else error).split("\n")[0].strip().rstrip(".")


def is_empty(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Mark the empty strings of a column."""
    # Not by comparing with "": Arrow would import pandas, where there is one, to look at that Python string.
    marks: npt.NDArray[np.bool_] = pc.binary_length(column).to_numpy() == 0
    return marks


def _plain_array(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if is_media(
        kind
    ):  # a record that a file brings is no cell that may open files: that type is given by `fathom.read` alone
        return array.cast(pa.struct([("path", pa.string()), ("folder", pa.string())]))
    if pa.types.is_dictionary(kind):
        values = _plain_array(array.dictionary)  # views of strings cannot be taken from
        return pa.DictionaryArray.from_arrays(array.indices, values).dictionary_decode()
    if pa.types.is_run_end_encoded(kind):
        return _plain_array(pc.run_end_decode(array))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return array.cast(pa.string())
    return array


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _text_bytes(chunk: pa.Array) -> int:
    """Return the bytes of a chunk's text; a slice shares the buffer of the whole, so the offsets are asked."""
    offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int32) if len(chunk) else np.zeros(1, dtype=np.int32)
    return int(offsets[min(chunk.offset + len(chunk), len(offsets) - 1)]) - int(
        offsets[min(chunk.offset, len(offsets) - 1)]
    )


def _listed(positions: list[int]) -> str:
    shown = [str(position) for position in positions[:5]]
    if len(positions) > 5:
        return ", ".join(shown) + ", …"
    return " and ".join([", ".join(shown[:-1]), shown[-1]])
