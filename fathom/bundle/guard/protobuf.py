"""Takes protobuf messages apart, in order and without believing any length: enough to look at an ONNX file before ONNX Runtime does.

Source of the encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_FIELDS = 1_000_000  # of a file; long runs of whole numbers count as one
_WINDOW = 64  # bytes of a run that are looked at first

Value = int | memoryview | npt.NDArray[np.int64]


class MalformedError(Exception):
    """The bytes are no protobuf message of the kind that was expected; says why."""


class Budget:
    """How many fields may still be read of a file."""

    def __init__(self, fields: int = MOST_FIELDS) -> None:
        self.left = fields

    def spend(self) -> None:
        """Take one. Raises MalformedError when there is none."""
        self.left -= 1
        if self.left < 0:
            raise MalformedError(f"it has more than {MOST_FIELDS:,} parts")


def fields(message: memoryview, budget: Budget) -> Iterator[tuple[int, int, Value]]:
    """Yield the number, the wire type and the value of each field: a whole number, the bytes, or the whole numbers of a run with the same number.

    Raises MalformedError for anything that is cut off, a group, or a number that is too long.

    >>> [(number, value) for number, _, value in fields(memoryview(b"\\x08\\x96\\x01"), Budget())]
    [(1, 150)]
    """
    place, end = 0, len(message)
    while place < end:
        budget.spend()
        begin = place
        tag, place = _varint(message, place, end)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise MalformedError("a field has no number")
        if wire == VARINT:
            value, place = _varint(message, place, end)
            if place < end and begin + 1 < end and tag < 128 and message[place] == tag:
                run, place = _run(message, begin, end, tag)
                yield number, VARINT, run
            else:
                yield number, VARINT, value
        elif wire in (FIXED64, FIXED32, BYTES):
            if wire == BYTES:
                size, place = _varint(message, place, end)
            else:
                size = 8 if wire == FIXED64 else 4
            if size > end - place:
                raise MalformedError(f"a field claims {size:,} bytes where {end - place:,} are left")
            yield number, wire, message[place : place + size]
            place += size
        else:
            raise MalformedError(f"a field is of the wire type {wire}, which nothing writes")


def packed_numbers(value: memoryview) -> npt.NDArray[np.int64]:
    """Return the whole numbers that stand packed in a field. Raises MalformedError when the last is cut off."""
    content = np.frombuffer(value, np.uint8)
    if len(content) and content[-1] >= 128:
        raise MalformedError("a number is cut off")
    ends = np.flatnonzero(content < 128)
    return _decoded(content, np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends, ends)


def _varint(message: memoryview, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 70:
        byte = message[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise MalformedError("a number is cut off or longer than ten bytes")


def _run(message: memoryview, begin: int, end: int, tag: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the numbers of neighbouring fields with the same one-byte ``tag``, and where they end."""
    pieces, place, window = [], begin, _WINDOW
    while True:
        content = np.frombuffer(message[place : min(end, place + window)], np.uint8)
        ends = np.flatnonzero(content < 128)
        ends = ends[: len(ends) // 2 * 2]  # a tag and a number each
        if not len(ends):
            break
        starts = np.concatenate([[0], ends[:-1] + 1])
        sound = (content[starts[::2]] == tag) & (starts[::2] == ends[::2])
        count = len(sound) if sound.all() else int(sound.argmin())
        pieces.append(_decoded(content, starts[1::2][:count], ends[1::2][:count]))
        place += int(ends[2 * count - 1]) + 1 if count else 0
        if count < len(sound) or place >= end:
            break
        window *= 2
    return np.concatenate(pieces), place


def _decoded(
    content: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the numbers that stand between starts and ends, seven bits a byte, the lowest first."""
    lengths = ends - starts + 1
    if len(lengths) and lengths.max() > 10:
        raise MalformedError("a number is longer than ten bytes")
    values = np.zeros(len(starts), np.uint64)
    for step in range(int(lengths.max(initial=0))):
        there = np.flatnonzero(lengths > step)
        values[there] |= (content[starts[there] + step].astype(np.uint64) & np.uint64(127)) << np.uint64(7 * step)
    return values.astype(np.int64)
