"""Writes a table as JSON lines, column by column: the text of all rows is made by Arrow, not by a loop over rows."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 65_536  # rows made at a time, so that memory stays small
_ESCAPES = [("\\", "\\\\"), ('"', '\\"'), *((chr(code), json.dumps(chr(code))[1:-1]) for code in range(32))]


def put_json_lines(table: pa.Table, file: Any) -> None:
    """Write one object a line. NaN and the infinities are null, dates and times ISO 8601 text, decimals numbers."""
    names = [json.dumps(name, ensure_ascii=False) + ": " for name in table.column_names]
    for batch in table.to_batches(max_chunksize=_ROWS):
        pieces: list[Any] = []
        for name, column in zip(names, batch.columns, strict=True):
            pieces += [(", " if pieces else "{") + name, _json(column)]
        lines = pc.binary_join_element_wise(*pieces, "}\n", "")
        file.write(b"".join(lines.cast(pa.binary()).to_pylist()))


def _json(column: pa.Array) -> pa.Array:
    """Return the JSON text of each value."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _json(column.dictionary_decode())
    if pa.types.is_nested(kind):  # rare in answers, and Arrow has no kernel for it
        return pa.array(
            [json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist()], pa.string()
        )
    if pa.types.is_floating(kind):
        known = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
        text = pc.replace_substring_regex(known.cast(pa.string()), r"^(-?\d+)$", r"\1.0")  # stays a fraction when read
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        text = column.cast(pa.string())
    else:
        text = _quoted(column.cast(pa.string()))
    return pc.fill_null(text, "null")


def _quoted(text: pa.Array) -> pa.Array:
    for character, escape in _ESCAPES:
        if pc.any(pc.match_substring(text, character)).as_py():
            text = pc.replace_substring(text, character, escape)
    return pc.binary_join_element_wise('"', text, '"', "")
