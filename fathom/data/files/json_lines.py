"""Reads JSON lines: one object a line, keys are columns; no value is changed without a word.

Arrow's reader does the work where it is faithful. Where it is not (whole numbers too large for it become fractions, text
that looks like a time becomes one, NaN is taken, a key of several kinds or deep nesting stops it), the lines are
read one by one by ``fathom.data.files.json_values``. Grammar: RFC 8259.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from fathom.data.columns import plain
from fathom.data.files.characters import Characters, examine, open_text, text_blocks
from fathom.data.files.finding import Content
from fathom.data.files.header import completed
from fathom.data.files.json_values import read_values
from fathom.data.files.lines import Lines, blank_lines
from fathom.data.files.text_files import BadRows
from fathom.data.table import Source, Table
from fathom.errors import TableError

_EXACT = 2**53  # beyond it, neighbouring whole numbers become the same float64
_DEPTH = 100  # Arrow's parser is recursive: nested some thousand deep, it crashes the process
_PARSED = 4 << 20  # bytes; a longer line makes the reader start again with larger blocks
_LARGEST_PARSED = 1 << 30
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}\n"))
_STEPS = np.zeros(256, dtype=np.int64)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1


def read_json_lines(content: Content, *, bad_rows: BadRows = "error", encoding: str | None = None) -> Table:
    """Read a table of JSON lines. A key that a line lacks is null there.

    Whole numbers become int64, numbers float64, text strings; a key whose values are of several kinds, or too large for
    these, becomes strings as they stand in the file.
    Raises TableError naming the line for broken JSON, a line that is no object, NaN and Infinity, or a key that comes
    twice (unless ``bad_rows`` is ``skip``).
    """
    characters = examine(content, encoding)
    if content.head.lstrip()[:1] == b"[" and content.ending == ".json":
        raise TableError(
            f"{content.label} is one JSON array, and JSON lines were expected: one object on each line, without "
            "brackets around them or commas between. In pandas: to_json(path, orient='records', lines=True).",
            file=content.label,
        )
    fast = _arrow_table(content, characters)
    table, lines, skipped = (*fast, ()) if fast is not None else read_values(content, characters.codec, bad_rows)
    if not table.num_columns:
        raise TableError(f"{content.label} has no columns: its objects have no keys.", file=content.label)
    names, renamed = completed(table.column_names)
    table, sentences = plain(table.rename_columns(list(names)), content.label)
    notes = [f"Compression: {content.compression}."] if content.compression else []
    if skipped:
        notes.append(f"{len(skipped):,} bad {'line was' if len(skipped) == 1 else 'lines were'} left out.")
    consecutive = int(lines[-1]) - int(lines[0]) == len(lines) - 1
    return Table(
        table,
        sources=(Source(content.label, len(lines), int(lines[0]), None if consecutive else lines),),
        decisions=("Format: JSON lines, one object a line.", characters.decisions[0], *renamed, *sentences, *notes),
        skipped=skipped,
        name=content.name,
    )


def _arrow_table(content: Content, characters: Characters) -> tuple[pa.Table, Lines] | None:
    """Return the table as Arrow reads it and the line of each row, or None where Arrow may not be faithful."""
    objects = _lines_with_brackets(content, characters.codec)
    if not objects:
        return None
    table = _parse(content, characters.codec)
    # Arrow also takes two objects on a line, one that runs over lines, and null; the careful reader says what is wrong.
    if table is None or table.num_rows != objects or any(_holds_large(column) for column in table.columns):
        return None
    lines = np.arange(1, characters.lines + 1, dtype=np.int64)
    if table.num_rows != characters.lines:
        lines = np.setdiff1d(lines, blank_lines(content, characters.codec))
    return (table, lines) if table.num_rows == len(lines) else None


def _lines_with_brackets(content: Content, codec: str) -> int | None:
    """Count the lines that can hold an object; None if the text may hold what Arrow takes without a word, or crashes on."""
    carried, depth, last, count = b"", 0, ord("\n"), 0
    for block in text_blocks(content, codec):
        joined = carried + block[:16]
        if any(word in block or word in joined for word in (b"NaN", b"Infinity")):
            return None
        carried = block[-16:]
        marks = np.frombuffer(block.translate(None, _NO_BRACKETS), dtype=np.uint8)
        if not len(marks):
            continue
        breaks = marks == ord("\n")
        count += int((~breaks & np.r_[last == ord("\n"), breaks[:-1]]).sum())
        last = int(marks[-1])
        heights = depth + np.cumsum(_STEPS[marks])
        ends = np.maximum.accumulate(np.where(breaks, np.arange(len(marks)), -1))
        # Brackets inside strings count as well: each line begins anew, so that they cannot add up.
        nested = heights - np.where(ends >= 0, heights[ends], 0)
        if int(nested.max()) > _DEPTH:
            return None
        depth = int(nested[-1])
    return count


def _parse(content: Content, codec: str) -> pa.Table | None:
    """Parse with Arrow, keeping text that looks like a time as text; None when Arrow refuses."""
    try:
        first = _first_lines(content, codec)
        schema = _parse_once(pa.BufferReader(first), None).schema if first else pa.schema([])
        seen = schema.names
        texts = {field.name: _without_times(field.type) for field in schema if _has_times(field.type)}
        while True:
            table = _parse_once(open_text(content, codec), texts)
            seen += [name for name in table.column_names if name not in set(seen)]
            found = {field.name: _without_times(field.type) for field in table.schema if _has_times(field.type)}
            if not found:
                return table.select(seen)
            texts |= found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None


def _parse_once(stream: pa.NativeFile, texts: dict[str, pa.DataType] | None) -> pa.Table:
    block = _PARSED
    while True:
        try:
            return arrow_json.read_json(
                stream,
                arrow_json.ReadOptions(block_size=block),
                arrow_json.ParseOptions(explicit_schema=pa.schema(texts) if texts else None),
            )
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or block >= _LARGEST_PARSED:
                raise
            block *= 16
            stream.seek(0)


def _first_lines(content: Content, codec: str) -> bytes:
    block = next(text_blocks(content, codec), b"")[: 1 << 20]
    return block[: block.rfind(b"\n") + 1]


def _has_times(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _has_times(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_has_times(field.type) for field in kind)
    return bool(pa.types.is_timestamp(kind))


def _without_times(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _without_times(field.type)) for field in kind])
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _holds_large(column: pa.ChunkedArray | pa.Array) -> bool:
    """Say whether a column of fractions holds numbers so large that a whole number may have been rounded."""
    kind = column.type
    if pa.types.is_list(kind):
        return _holds_large(pc.list_flatten(column))
    if pa.types.is_struct(kind):
        return any(_holds_large(pc.struct_field(column, index)) for index in range(kind.num_fields))
    return bool(pa.types.is_floating(kind) and pc.any(pc.greater_equal(pc.abs(column), float(_EXACT))).as_py())
