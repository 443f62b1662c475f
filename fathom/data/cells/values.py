"""What the flat modalities share: words for missing, cells as clean words, types by name, slips of the pen."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.errors import OptionError

Mask = npt.NDArray[np.bool_]  # (row,)
Counts = npt.NDArray[np.int64]

# What people write for "not known", compared in lower case after stripping. The first list are words that cannot be a category;
# the second may be one ("unknown", "none", "-" as a size), so only numbers, dates and yes/no columns count it as missing.
MISSING_ANYWHERE = ("", "na", "n/a", "nan", "null", "?", "#n/a", "<na>")
MISSING_WORDS = (*MISSING_ANYWHERE, "none", "missing", "-", "--", ".", "not available", "unknown")


def plain(values: pa.Array) -> pa.Array:
    """Return the values as one array of a plain type: large strings, numbers, true/false, or dates and times.

    Dictionaries and run-lengths are written out, strings of every kind become ``large_string``. What no flat modality can read
    (lists, records, bytes that are no text) becomes the word for its type, so that it counts as there but unreadable.

    >>> plain(pa.array(["a", None]).dictionary_encode()).type
    DataType(large_string)
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(values.storage)
    if pa.types.is_dictionary(kind):
        return plain(values.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(values))
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.large_string())
    if is_heavy(kind):
        return _words_for(values)
    return values


def is_text(values: pa.Array) -> bool:
    """Say whether plain values are strings."""
    return bool(pa.types.is_large_string(values.type))


def is_number(values: pa.Array) -> bool:
    """Say whether plain values are of a number type; true and false are none."""
    types = pa.types
    return bool(types.is_integer(values.type) or types.is_floating(values.type) or types.is_decimal(values.type))


def is_bytes(kind: pa.DataType) -> bool:
    """Say whether cells of this type hold bytes."""
    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def is_heavy(kind: pa.DataType) -> bool:
    """Say whether cells of this type are lists, records or bytes, which have no words and which only the kinds of a deep shape read.

    >>> is_heavy(pa.list_(pa.float64())), is_heavy(pa.binary()), is_heavy(pa.string())
    (True, True, False)
    """
    return bool(pa.types.is_nested(kind) or is_bytes(kind))


def _words_for(values: pa.Array) -> pa.Array:
    if is_bytes(values.type):
        try:
            return values.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            pass  # bytes that are not UTF-8
    return pc.if_else(values.is_valid(), pa.scalar(f"<{values.type}>", pa.large_string()), None)


def as_mask(marks: pa.Array) -> Mask:
    """Return Arrow's true and false ``(row,)`` as NumPy's; null is false."""
    return np.asarray(marks.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def encoded_once(values: pa.Array) -> pa.DictionaryArray:
    """Return plain values as a dictionary of the distinct ones and each cell's place in it."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values if pa.types.is_dictionary(values.type) else plain(values).dictionary_encode()


def places_in(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """Return where in the dictionary each cell stands ``(row,)``, -1 for null."""
    return np.asarray(encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def evenly(values: pa.Array, limit: int) -> pa.Array:
    """Return at most ``limit`` of the values, evenly spread over the rows.

    >>> evenly(pa.array(range(10)), 4).to_pylist()
    [0, 3, 6, 9]
    """
    if len(values) <= limit:
        return values
    return values.take(pa.array(np.linspace(0, len(values) - 1, limit).astype(np.int64)))


def missing_mask(values: pa.Array, words: tuple[str, ...] = MISSING_WORDS) -> Mask:
    """Mark the cells ``(row,)`` that are null, not a number, or one of the words for missing.

    >>> missing_mask(pa.array(["41", " N/A ", None, ""])).tolist()
    [False, True, True, True]
    """
    values = plain(values)
    marks = values.is_null(nan_is_null=pa.types.is_floating(values.type))
    if is_text(values):
        short = pc.less_equal(
            pc.binary_length(values), 64
        )  # a word for missing is short: spare the long texts the copy
        cells = pc.if_else(short, values, pa.scalar("long", values.type)) if not pc.all(short).as_py() else values
        marks = pc.or_(marks, pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), pa.array(words, values.type)))
    return as_mask(marks)


def words_of(values: pa.Array) -> pa.Array:
    """Return each cell as the one word that stands for its value, whatever type it came in; missing cells stay null.

    Strings are stripped. Whole numbers have no point (``3.0`` is ``3``), moments no empty fraction, true and false are small.

    >>> words_of(pa.array([3.0, 2.5, None])).to_pylist()
    ['3', '2.5', None]
    """
    values = plain(values)
    kind = values.type
    if is_text(values):
        return pc.utf8_trim_whitespace(values)
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.trunc(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
        words = pc.if_else(whole, _whole_words(numbers, whole), numbers.cast(pa.large_string()))
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.large_string()), words)
    if pa.types.is_duration(kind):
        return values.cast(pa.int64()).cast(pa.large_string())
    words = values.cast(pa.large_string())
    if pa.types.is_decimal(kind):
        words = pc.replace_substring_regex(words, r"\.0+$", "")
        return pc.replace_substring_regex(words, r"(\.\d*[1-9])0+$", r"\1")
    if pa.types.is_timestamp(kind):
        return pc.replace_substring_regex(words, r"\.0+(Z?)$", r"\1")
    return words


def _whole_words(numbers: pa.Array, whole: pa.Array) -> pa.Array:
    return pc.if_else(whole, numbers, 0.0).cast(pa.int64(), safe=False).cast(pa.large_string())


def tally(values: pa.Array, missing: tuple[str, ...] = MISSING_ANYWHERE) -> tuple[pa.Array, Counts]:
    """Return the distinct words of the cells that are not missing, in no certain order, and on how many rows each stands.

    >>> words, rows = tally(pa.array(["cook", "nurse ", "nurse", None]))
    >>> words.to_pylist(), rows.tolist()
    (['cook', 'nurse'], [1, 2])
    """
    encoded = encoded_once(values)
    words = words_of(encoded.dictionary)
    rows = np.bincount(places_in(encoded) + 1, minlength=len(words) + 1)[1:]
    kept = ~missing_mask(words, missing) & (rows > 0)
    again = words.filter(pa.array(kept)).dictionary_encode()  # ' nurse' and 'nurse' are one word
    rows = np.bincount(places_in(again), weights=rows[kept], minlength=len(again.dictionary)).astype(np.int64)
    return again.dictionary, rows


def kind_name(values: pa.Array) -> str:
    """Return the name of the values' type, ``string`` for every type of text; ``restored`` reads it."""
    kind = plain(values.slice(0, 0)).type
    return "string" if pa.types.is_large_string(kind) else str(kind)


def kind_of(name: str) -> pa.DataType:
    """Return the Arrow type that is written ``name``, the reverse of ``str(type)`` for the types that words can be read back into.

    >>> kind_of("timestamp[us, tz=UTC]")
    TimestampType(timestamp[us, tz=UTC])
    """
    if match := re.fullmatch(r"timestamp\[(\w+)(?:, tz=(.+))?\]", name):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)", name):
        return getattr(pa, f"decimal{match[1]}")(int(match[2]), int(match[3]))
    return pa.type_for_alias(name)


def restored(words: pa.Array, kind: str) -> pa.Array:
    """Return words as values of the type written ``kind``; as words where Arrow cannot read that type back."""
    try:
        return words.cast(kind_of(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return words


def share_in_words(share: float) -> str:
    """Write a share of less than one in per cent, never rounded up to the whole.

    >>> share_in_words(0.98234), share_in_words(0.99999)
    ('98.2 %', '99.9 %')
    """
    return f"{np.floor(share * 1000) / 10:.1f} %"


def quoted(values: pa.Array, row: int) -> str:
    """Write one cell between quotes, shortened to what fits a sentence."""
    text = str(words_of(values.slice(row, 1))[0].as_py())
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def as_tuple(value: Any) -> Any:
    """Return lists, as they come back from JSON, as tuples, inner ones too."""
    return tuple(as_tuple(item) for item in value) if isinstance(value, (list, tuple)) else value


def empty_some(values: pa.Array, share: float, generator: np.random.Generator) -> pa.Array:
    """Return the values with about ``share`` of them made null."""
    return pc.if_else(pa.array(generator.random(len(values)) < share), pa.scalar(None, values.type), values)


def mistype(values: pa.Array, share: float, generator: np.random.Generator) -> pa.Array:
    """Return strings of which about ``share`` have a slip of the pen: a lost, doubled or wrong letter, another case, a stray blank."""
    if not len(values):
        return values
    nothing = pa.scalar("", values.type)
    kind = generator.integers(0, 5, len(values))
    hit = generator.random(len(values)) < share
    place = int(generator.integers(0, 3))
    head, tail = pc.utf8_slice_codeunits(values, 0, place + 1), pc.utf8_slice_codeunits(values, place + 1)
    last = pc.utf8_slice_codeunits(values, place, place + 1)
    slips = (
        pc.binary_join_element_wise(pc.utf8_slice_codeunits(values, 0, place), tail, nothing),
        pc.binary_join_element_wise(head, last, tail, nothing),
        pc.utf8_replace_slice(values, place, place + 1, "q"),
        pc.utf8_swapcase(values),
        pc.binary_join_element_wise(values, pa.scalar(" ", values.type), nothing),
    )
    for index, slip in enumerate(slips):
        values = pc.if_else(pa.array(hit & (kind == index)), slip.cast(values.type), values)
    return values


def level(severity: int) -> int:
    """Return the place of a severity from 1 to 5 in a list of five.

    Raises OptionError for any other severity.
    """
    if severity not in (1, 2, 3, 4, 5):
        raise OptionError(f"There is no severity {severity!r}. Severities go from 1 (a little) to 5 (badly).")
    return severity - 1
