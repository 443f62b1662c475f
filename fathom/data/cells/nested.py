"""Finds where each number stands in cells that hold many: lists, lists of lists, records of lists, and text of numbers.

A series may come as a list of numbers, as a list of steps that each list their channels, as a list of channels that each list their steps, as a
record of one list a channel, as a list of records, or as text: ``1.5 2 3``, ``[1.5, 2, 3]``, ``1,2,3:4,5,6`` (channels parted by colons, as in the
``.ts`` files of the UEA archive) and ``[[1, 2], [3, 4]]``. All of them become *leaves*: numbers, each with its row and its places in the outer and the inner list.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

_APART = r"[\[\](){},;\s|]+"
_INNER_ENDS = r"\]\s*[,;]?\s*\[|:"


@dataclass(frozen=True)
class Leaves:
    """Numbers ``(leaf,)``, NaN where a place holds none, with the ``row``, the place in the ``outer`` list and in the ``inner`` one, in this order.

    ``deep`` says whether there is an inner list at all; ``names`` are the fields of records, and ``fields`` says where they stand: their place is the outer or the inner
    one. ``rows`` counts the cells; ``foreign (row,)`` marks those that hold something that is no number.
    """

    numbers: Numbers
    row: Places
    outer: Places
    inner: Places
    rows: int
    deep: bool
    foreign: npt.NDArray[np.bool_]
    names: tuple[str, ...] = ()
    fields: str = ""


def leaves(values: pa.Array) -> Leaves:
    """Return the numbers of cells of any type; none of cells that hold no list, record or text of numbers.

    >>> found = leaves(pa.array([[1.0, None], [], None, [4.0]]))
    >>> found.numbers.tolist(), found.row.tolist(), found.outer.tolist()
    ([1.0, nan, 4.0], [0, 0, 3], [0, 1, 0])
    >>> leaves(pa.array(["1 2:3 4", "[[5, 6], [7]]"])).inner.tolist()
    [0, 1, 0, 1, 0, 1, 0]
    """
    values = as_lists(values)
    kind = values.type
    if pa.types.is_struct(kind):
        return _of_records(values)
    if not is_list(kind):
        return _nothing(len(values), pc.is_valid(values))
    row, outer = places(values)
    inside = values.flatten()
    if pa.types.is_struct(inside.type):
        return _of_steps(inside, row, outer, len(values))
    if is_list(inside.type):
        place, inner = places(inside)
        return _made(inside.flatten(), row[place], outer[place], inner, len(values), deep=True)
    return _made(inside, row, outer, np.zeros_like(outer), len(values), deep=False)


def is_list(kind: pa.DataType) -> bool:
    """Say whether cells of this type are lists."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_text(kind: pa.DataType) -> bool:
    """Say whether cells of this type are strings."""
    types = pa.types
    if types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def as_lists(values: pa.Array) -> pa.Array:
    """Return text of numbers as lists of their tokens, other cells as they are.

    >>> as_lists(pa.array(["1, 2", "", None])).to_pylist()
    [['1', '2'], None, None]
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_run_end_encoded(values.type):
        values = pc.run_end_decode(values)
    if not is_text(values.type):
        return values
    text = pc.utf8_trim_whitespace(values.cast(pa.large_string()))
    if not pc.any(pc.match_substring_regex(text, _INNER_ENDS)).as_py():
        return _tokens(text)
    groups = pc.split_pattern_regex(text, _INNER_ENDS)
    inner = _tokens(groups.flatten())
    return _lists(groups, inner)


def _tokens(text: pa.Array) -> pa.Array:
    """Split each text into its tokens; null where there is none."""
    clean = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, _APART, " "))
    clean = pc.if_else(pc.equal(clean, pa.scalar("", clean.type)), pa.scalar(None, clean.type), clean)
    return pc.split_pattern(clean, " ")


def _lists(like: pa.Array, inside: pa.Array) -> pa.Array:
    """Return lists as long as those of ``like``, of the values of ``inside``."""
    known = pc.is_valid(like)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(like), 0).to_numpy(zero_copy_only=False), np.int64)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, inside, mask=pc.invert(known))


def places(values: pa.Array) -> tuple[Places, Places]:
    """Return for every item of lists which list it is in and where in it it stands."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False), np.int64)
    row = np.repeat(np.arange(len(values)), lengths)
    starts = np.cumsum(lengths) - lengths
    return row, np.arange(len(row)) - starts[row]


def _made(
    inside: pa.Array,
    row: Places,
    outer: Places,
    inner: Places,
    rows: int,
    *,
    deep: bool,
    names: tuple[str, ...] = (),
    fields: str = "",
) -> Leaves:
    numbers, foreign = as_numbers(inside)
    marks = np.zeros(rows, np.bool_)
    marks[row[foreign]] = True
    return Leaves(numbers, row, outer, inner, rows, deep, marks, names, fields)


def as_numbers(values: pa.Array) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return items as numbers, NaN where one is none or not finite, and mark those that hold something else.

    >>> as_numbers(pa.array(["1.5", "nan", "abc"]))[0].tolist(), as_numbers(pa.array(["1", "abc"]))[1].tolist()
    ([1.5, nan, nan], [False, True])
    """
    types, kind = pa.types, values.type
    if types.is_dictionary(kind):
        return as_numbers(values.dictionary_decode())
    if types.is_string(kind) or types.is_large_string(kind):
        return _from_words(values)
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind) or types.is_duration(kind):
        small = types.is_date32(kind) or types.is_time32(kind)
        seconds = (
            values.cast(pa.int32()).cast(pa.float64())
            if small
            else values.cast(pa.int64()).cast(pa.float64(), safe=False)
        )
    elif types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        seconds = values.cast(pa.float64(), safe=False)
    else:
        return np.full(len(values), np.nan), np.asarray(pc.is_valid(values).to_numpy(zero_copy_only=False), np.bool_)
    numbers = np.array(seconds.to_numpy(zero_copy_only=False), np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers, np.zeros(len(numbers), np.bool_)


_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NONE = ("", "nan", "null", "none", "na", "n/a", "?", "<na>", "inf", "+inf", "-inf", "infinity", "-infinity")


def _from_words(words: pa.Array) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    words = words.cast(pa.large_string())
    good = pc.fill_null(pc.match_substring_regex(words, _NUMBER), False)
    numbers = np.array(
        pc.if_else(good, words, pa.scalar(None, words.type)).cast(pa.float64()).to_numpy(zero_copy_only=False),
        np.float64,
    )
    numbers[~np.isfinite(numbers)] = np.nan
    nothing = pc.or_(pc.is_in(pc.utf8_lower(words), pa.array(_NONE, words.type)), pc.is_null(words))
    foreign = pc.invert(pc.or_(good, nothing))
    return numbers, np.asarray(foreign.to_numpy(zero_copy_only=False), np.bool_)


def _of_records(values: pa.Array) -> Leaves:
    """Return the leaves of records of lists: the field is the outer place."""
    names = tuple(field.name for field in values.type if is_list(field.type))
    pieces = []
    marks = np.zeros(len(values), np.bool_)
    for place, name in enumerate(names):
        column = pc.struct_field(values, name)
        row, inner = places(column)
        numbers, foreign = as_numbers(column.flatten())
        marks[row[foreign]] = True
        pieces.append((numbers, row, np.full_like(row, place), inner))
    if not pieces:
        return _nothing(len(values), pc.is_valid(values))
    numbers, row, outer, inner = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order = np.lexsort((inner, outer, row))
    return Leaves(numbers[order], row[order], outer[order], inner[order], len(values), True, marks, names, "outer")


def _of_steps(inside: pa.Array, row: Places, outer: Places, rows: int) -> Leaves:
    """Return the leaves of lists of records: the field is the inner place."""
    names = tuple(field.name for field in inside.type if not pa.types.is_nested(field.type))
    if not names:
        return _nothing(rows, pa.array(np.isin(np.arange(rows), row)))
    columns, marks = [], np.zeros(rows, np.bool_)
    for name in names:
        numbers, foreign = as_numbers(pc.struct_field(inside, name))
        marks[row[foreign]] = True
        columns.append(numbers)
    count = len(names)
    return Leaves(
        np.stack(columns, axis=1).reshape(-1),
        np.repeat(row, count),
        np.repeat(outer, count),
        np.tile(np.arange(count), len(row)),
        rows,
        True,
        marks,
        names,
        "inner",
    )


def mapped(values: pa.Array, change: Callable[[Numbers, Places, Places, Places, str], Numbers]) -> pa.Array:
    """Return cells of the same nesting, their numbers changed; text becomes lists, and what holds no numbers stays.

    ``change`` is told the numbers, their rows, their outer and inner places, and the name of their field.

    >>> mapped(pa.array([[1.0, 2.0], None]), lambda numbers, row, outer, inner, name: numbers + outer).to_pylist()
    [[1.0, 3.0], None]
    """
    values = as_lists(values)
    kind = values.type
    if pa.types.is_struct(kind):
        columns = []
        for place, field in enumerate(kind):
            column = pc.struct_field(values, place)
            if is_list(field.type):
                row, inner = places(column)
                new = change(as_numbers(column.flatten())[0], row, np.full_like(row, place), inner, field.name)
                column = _lists(column, _column(new))
            columns.append(column)
        return pa.StructArray.from_arrays(columns, names=[field.name for field in kind], mask=pc.is_null(values))
    if not is_list(kind):
        return values
    row, outer = places(values)
    inside = values.flatten()
    if pa.types.is_struct(inside.type):
        fields = list(inside.type)
        columns = [pc.struct_field(inside, place) for place in range(len(fields))]
        for place, field in enumerate(fields):
            if not pa.types.is_nested(field.type):
                numbers = as_numbers(columns[place])[0]
                columns[place] = _column(change(numbers, row, outer, np.full_like(row, place), field.name))
        return _lists(values, pa.StructArray.from_arrays(columns, names=[field.name for field in fields]))
    if is_list(inside.type):
        of_list, inner = places(inside)
        new = change(as_numbers(inside.flatten())[0], row[of_list], outer[of_list], inner, "")
        return _lists(values, _lists(inside, _column(new)))
    return _lists(values, _column(change(as_numbers(inside)[0], row, outer, np.zeros_like(outer), "")))


def _column(numbers: Numbers) -> pa.Array:
    return pa.array(numbers, mask=np.isnan(numbers))


def _nothing(rows: int, known: pa.Array) -> Leaves:
    none = np.zeros(0, np.int64)
    marks = np.asarray(known.to_numpy(zero_copy_only=False), np.bool_)
    return Leaves(np.zeros(0), none, none, none, rows, False, marks)


__all__ = ["Leaves", "as_lists", "as_numbers", "is_list", "is_text", "leaves", "mapped", "places"]
