"""Cells become 64-bit hashes, the same in every process and on every machine, without a Python loop over rows.

Rows are split and identifiers are put into buckets by these hashes, so they may never change between versions.

A string is hashed as the sum, modulo 2**64, of one pseudo-random number for each byte *at its place* in the string, which is
the idea of tabulation hashing (Zobrist, "A new hashing method with application for game playing", University of
Wisconsin, technical report 88, 1970). A sum can be taken over Arrow's buffers with one cumulative sum, whatever the lengths of
the strings. The mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014, figure 17; constants of Stafford's variant 13). This is no cryptographic hash: who knows it can make
two strings that collide. By chance, two of a million different cells collide once in 37 million tables.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells.media import is_media, paths_of
from fathom.errors import TableError

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

SLICE = 1 << 16  # elements mixed at once: the working arrays of 512 KiB stay in a processor's cache

# One arbitrary odd number for each kind of thing, so that equal bits of different kinds do not collide.
_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio, the increment of SplitMix64
_SALT = np.uint64(0x7C4F1B2D9A6E3583)
_NULL = np.uint64(0xD1B54A32D192ED03)
_NOT_A_NUMBER = np.uint64(0xABC98388FB8FAC03)
_TEXT = np.uint64(0x8CB92BA72F3D8DD7)
_FRACTION = np.uint64(0xDB4F0B9175AE2165)
_MOMENT = np.uint64(0xBBE0563303A4615F)
_LIST = np.uint64(0xA0F2EC75A1FE1575)
_RECORD = np.uint64(0x89E182857D9ED689)


def hash_values(values: pa.Array, salt: int = 0) -> Hashes:
    """Return one hash for each cell ``(row,)``; equal cells have equal hashes, and other salts give other hashes.

    Whole numbers hash alike in every number type (``3`` and ``3.0``), strings in every string type. Strings, numbers,
    moments and lists with equal bits differ. Missing cells share one hash, and so do cells that are not a number.

    Raises TableError for a union of types, which no file that Fathom reads can hold.

    >>> one, other, again = hash_values(pa.array(["nurse", "cook", "nurse"]))
    >>> bool(one == again), bool(one == other)
    (True, False)
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    salted = _mix(np.array([salt % 2**64], np.uint64) ^ _SALT)[0]
    return _mix(_unsalted(values) ^ salted)


def hash_rows(array: npt.NDArray[Any]) -> Hashes:
    """Return one hash for each row ``(row, …)`` of an array, by its bytes: the sum of its words, each scattered with its place.

    >>> one, other, again = hash_rows(np.array([[1, 2], [2, 1], [1, 2]]))
    >>> bool(one == again), bool(one == other)
    (True, False)
    """
    plain = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    padded = np.zeros((len(plain), -(-plain.shape[1] // 8) * 8), np.uint8)
    padded[:, : plain.shape[1]] = plain
    words, sums = padded.view(np.uint64), np.zeros(len(plain), np.uint64)
    for place, salt in enumerate(_mix(np.arange(1, words.shape[1] + 1, dtype=np.uint64))):
        sums += _mix(words[:, place] ^ salt)
    return _mix(sums)


def _mix(numbers: Hashes) -> Hashes:
    """Scatter 64-bit numbers one to one, so that each bit of the answer depends on all bits of the number."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _unsalted(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_dictionary(kind):
        hashes = _unsalted(values.dictionary)
        if not len(hashes):
            return np.full(len(values), _NULL)
        hashes = hashes[np.asarray(values.indices.fill_null(0))]
    elif pa.types.is_null(kind):
        return np.full(len(values), _NULL)
    elif isinstance(kind, pa.BaseExtensionType):
        return _unsalted(values.storage)
    elif pa.types.is_run_end_encoded(kind):
        return _unsalted(pc.run_end_decode(values))
    elif is_media(kind):
        return _unsalted(paths_of(values))  # not the folder: a row stays where it is on another machine
    elif pa.types.is_struct(kind):
        hashes = np.full(len(values), _RECORD)
        for index in range(kind.num_fields):
            hashes = _mix(hashes * _STEP + _unsalted(values.field(index)))
    elif pa.types.is_nested(kind):
        hashes = _hash_lists(values)
    elif _is_text(kind):
        hashes = _hash_text(values)
    elif pa.types.is_floating(kind):
        hashes = _hash_floats(values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False))
    elif pa.types.is_boolean(kind) or pa.types.is_unsigned_integer(kind):
        hashes = _hash_whole(values.cast(pa.uint64()).fill_null(0).to_numpy(zero_copy_only=False))
    elif pa.types.is_integer(kind):
        hashes = _hash_whole(values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
    elif pa.types.is_temporal(kind):
        wide = pa.int32() if kind.bit_width == 32 else pa.int64()
        moments = values.view(wide) if pa.types.is_time(kind) or pa.types.is_date(kind) else values.cast(wide)
        hashes = _mix(_hash_whole(moments.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)) ^ _MOMENT)
    else:  # decimals
        hashes = _hash_text(values.cast(pa.large_string()))
    if values.null_count:
        hashes = np.where(values.is_null().to_numpy(zero_copy_only=False), _NULL, hashes)
    return hashes


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    views = types.is_string_view(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind)
    return bool(
        views
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _hash_whole(numbers: npt.NDArray[np.int64] | npt.NDArray[np.uint64]) -> Hashes:
    hashes = _mix(numbers.view(np.uint64) + _STEP)
    if numbers.dtype == np.uint64:  # above 2**63 the bits are those of a negative number
        hashes = np.where(numbers >> np.uint64(63), _mix(hashes + _STEP), hashes)
    return hashes


def _hash_floats(numbers: npt.NDArray[np.float64]) -> Hashes:
    whole = (np.trunc(numbers) == numbers) & (np.abs(numbers) < 2.0**63)
    hashes = _mix(np.ascontiguousarray(numbers).view(np.uint64) ^ _FRACTION)
    hashes = np.where(whole, _hash_whole(np.where(whole, numbers, 0.0).astype(np.int64)), hashes)
    return np.where(np.isnan(numbers), _NOT_A_NUMBER, hashes)


def _hash_text(values: pa.Array) -> Hashes:
    data = values.cast(pa.large_binary())
    _, offset_buffer, byte_buffer = data.buffers()
    offsets = _offsets(offset_buffer, data)
    letters = (
        np.frombuffer(byte_buffer, np.uint8) if byte_buffer is not None and byte_buffer.size else np.empty(0, np.uint8)
    )
    table = _mix(np.arange(1, 257, dtype=np.uint64) * _STEP)
    return _sums(offsets, lambda start, stop: table[letters[start:stop]]) ^ _TEXT


def _hash_lists(values: pa.Array) -> Hashes:
    """Hash lists as strings are hashed, with an element's hash in place of a byte's number."""
    if pa.types.is_fixed_size_list(values.type):
        values = values.cast(pa.large_list(values.type.value_type))
    elif pa.types.is_map(values.type):
        offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1].astype(
            np.int64
        )
        entries = [_unsalted(values.keys), _unsalted(values.items)]
        hashes = _mix(entries[0] * _STEP + entries[1])
        return _sums(offsets, lambda start, stop: hashes[start:stop]) ^ _LIST
    elif pa.types.is_union(values.type):
        raise TableError(f"Cells of type {values.type} cannot be compared. Give each column one type.")
    else:
        values = values.cast(pa.large_list(values.type.value_type))
    offsets = _offsets(values.buffers()[1], values)
    elements = _unsalted(values.values)
    return _sums(offsets, lambda start, stop: elements[start:stop]) ^ _LIST


def _offsets(buffer: pa.Buffer | None, values: pa.Array) -> Offsets:
    if buffer is None or not buffer.size:
        return np.zeros(len(values) + 1, np.int64)
    return np.frombuffer(buffer, np.int64)[values.offset : values.offset + len(values) + 1]


def _sums(offsets: Offsets, elements: Callable[[int, int], Hashes]) -> Hashes:
    """Return for each row the sum of its elements' numbers, each mixed with its place in the row, mixed with the count.

    Works in slices of ``SLICE`` elements, so a string longer than the slice costs no more memory than a short one.
    """
    first, last = int(offsets[0]), int(offsets[-1])
    running = np.zeros(len(offsets), np.uint64)  # the sum of all elements before each offset
    total = np.uint64(0)
    for start in range(first, last, SLICE):
        stop = min(start + SLICE, last)
        after = int(np.searchsorted(offsets, start, "right"))  # the first offset beyond the slice's start
        end = int(np.searchsorted(offsets, stop, "left"))  # rows after - 1 … end - 1 touch this slice
        bounds = offsets[after - 1 : end + 1]
        inside = np.clip(bounds, start, stop)
        begins = np.repeat(bounds[:-1], inside[1:] - inside[:-1])
        places = (np.arange(start, stop) - begins).astype(np.uint64)
        sums = np.cumsum(_mix(elements(start, stop) + places * _STEP)) + total
        before = int(np.searchsorted(offsets, stop, "right"))
        ends = slice(after, before)  # the offsets within the slice, its stop included
        running[ends] = sums[offsets[ends] - start - 1]
        total = sums[-1]
    return _mix(np.diff(running) + (np.diff(offsets).astype(np.uint64) + np.uint64(1)) * _STEP)


__all__ = ["Hashes", "hash_values"]
