"""Reads JSON lines one by one, for the files where Arrow's reader would change a value, and says which line is broken."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data import strict_json
from fathom.data.files.characters import text_blocks
from fathom.data.files.finding import Content
from fathom.data.table import SkippedRow
from fathom.errors import TableError

_EXACT = 2**53
_COLUMNS = 100_000


@dataclass(frozen=True)
class Number:
    """A number as it stands in the file."""

    text: str
    whole: bool


class _RefusedError(Exception):
    """Why a line cannot be a row."""


def read_values(
    content: Content, codec: str, bad_rows: str
) -> tuple[pa.Table, npt.NDArray[np.int64], tuple[SkippedRow, ...]]:
    """Return the table, the line of each row, and the lines left out.

    Loops over the lines in Python: about a hundred times slower than Arrow, and only for files that Arrow cannot be trusted
    with. Raises TableError for the first bad line, unless ``bad_rows`` is ``skip``.
    """
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    skipped: list[SkippedRow] = []
    for line, text in enumerate(b"".join(text_blocks(content, codec)).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            row = _row(text)
        except _RefusedError as error:
            if bad_rows == "error":
                raise _bad_line(content, line, str(error), text) from None
            skipped.append(SkippedRow(content.label, line, str(error)))
            continue
        for name, value in row.items():
            values = columns.setdefault(name, [])
            values.extend([None] * (len(lines) - len(values)))
            values.append(value)
        lines.append(line)
        if len(columns) > _COLUMNS:
            raise TableError(
                f"{content.label} has more than {_COLUMNS:,} different keys, and each key is a column. "
                "If the keys are values, write them as values: {'key': …, 'value': …}.",
                file=content.label,
                line=line,
            )
    if not lines:
        raise TableError(
            f"{content.label} has no usable line: all {len(skipped):,} are bad "
            f"(line {skipped[0].line}: {skipped[0].reason}). Each line must be one JSON object.",
            file=content.label,
        )
    for values in columns.values():
        values.extend([None] * (len(lines) - len(values)))
    arrays = {name: _array(values) for name, values in columns.items()}
    return pa.table(arrays), np.array(lines, dtype=np.int64), tuple(skipped)


def _row(text: bytes) -> dict[str, Any]:
    try:
        value = strict_json.parse(text, number=Number)
    except strict_json.NotStrictError as error:
        raise _RefusedError(f"it {error}") from None
    if isinstance(value, dict):
        return value
    kind = {list: "an array", str: "a string", Number: "a number", bool: "true or false"}.get(type(value), "null")
    raise _RefusedError(f"it is {kind}, not an object")


def _bad_line(content: Content, line: int, reason: str, text: bytes) -> TableError:
    start = text[:200].decode("utf-8", "ignore")
    shown = repr(start[:60] + ("…" if len(start) > 60 else ""))
    return TableError(
        f"{content.label}, line {line} cannot be a row: {reason}: {shown}. Each line must be one JSON object, such as "
        '{"age": 41, "job": "nurse"}. Correct it, or leave such lines out with --bad-rows skip (in Python: bad_rows="skip").',
        file=content.label,
        line=line,
    )


def _array(values: list[Any]) -> pa.Array:
    """Return a key's values in the type that keeps them all, or as strings just as they stand in the file."""
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    try:
        if kinds == {Number}:
            return _numbers(values, present)
        if len(kinds) <= 1:
            return pa.array([_bare(value) for value in values])
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _numbers(values: list[Any], present: list[Number]) -> pa.Array:
    if all(number.whole for number in present):
        return pa.array([None if value is None else int(value.text) for value in values], pa.int64())
    for number in present:
        if (number.whole and abs(int(number.text)) > _EXACT) or not np.isfinite(float(number.text)):
            raise OverflowError
    return pa.array([None if value is None else float(value.text) for value in values], pa.float64())


def _bare(value: Any) -> Any:
    """Return a nested value with plain numbers."""
    return _walked(value, lambda number: int(number.text) if number.whole else _finite(number.text))


def _finite(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise OverflowError
    return value


def _walked(value: Any, number: Callable[[Number], Any]) -> Any:
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, list):
        return [_walked(item, number) for item in value]
    if isinstance(value, dict):
        return {name: _walked(item, number) for name, item in value.items()}
    return value


def _text(value: Any) -> str:
    """Return a value as JSON writes it, a string as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(_inner(item) for item in value) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_inner(item)}" for name, item in value.items())
            + "}"
        )
    return {True: "true", False: "false", None: "null"}[value]


def _inner(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _text(value)
