"""Ragged steps of bytes, the compact form of recordings and videos: lists of steps, each of the same number of bytes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]  # (step, byte)
Places = npt.NDArray[np.int64]


def kind(width: int) -> pa.DataType:
    """Return the type of cells of steps of ``width`` bytes."""
    return pa.large_list(pa.binary(width))


def packed(rows: Sequence[Bytes | None], width: int) -> pa.Array:
    """Return rows of steps as cells; ``None`` is a missing one.

    >>> packed([np.array([[1, 2]], np.uint8), None], 2).to_pylist()
    [[b'\\x01\\x02'], None]
    """
    lengths = [0 if row is None else len(row) for row in rows]
    flat = np.concatenate([np.zeros((0, width), np.uint8), *(row for row in rows if row is not None)])
    steps = pa.Array.from_buffers(pa.binary(width), len(flat), [None, pa.py_buffer(np.ascontiguousarray(flat))])
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), pa.int64())
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.LargeListArray.from_arrays(offsets, steps, mask=missing).cast(kind(width))


def lengths(cells: pa.Array) -> Places:
    """Return how many steps each cell ``(row,)`` has."""
    return np.asarray(cells.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def places(cells: pa.Array) -> Places:
    """Return where in its row each step of all cells stands ``(step,)``."""
    counts = lengths(cells)
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def flat(cells: pa.Array) -> Bytes:
    """Return the steps of all cells end to end, ``(step, byte)``."""
    width, steps = cells.type.value_type.byte_width, cells.flatten()
    if not len(steps):
        return np.zeros((0, width), np.uint8)
    return np.frombuffer(steps.buffers()[1], np.uint8, len(steps) * width, steps.offset * width).reshape(-1, width)


def block(cells: pa.Array, most: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the bytes as ``(row, most, byte)``, steps beyond cut off, and which steps are there ``(row, most)``."""
    there = np.arange(most) < lengths(cells)[:, None]
    found = np.zeros((len(cells), most, cells.type.value_type.byte_width), np.float32)
    found[there] = flat(cells)[places(cells) < most]
    return found, there


def in_rows(steps: Bytes, like: pa.Array) -> pa.Array:
    """Return steps that were changed as the cells that they came from."""
    counts, known = lengths(like), np.asarray(like.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    pieces = np.split(steps, np.cumsum(counts)[:-1]) if len(counts) else []
    return packed([piece if there else None for piece, there in zip(pieces, known, strict=True)], steps.shape[1])


__all__ = ["block", "flat", "in_rows", "kind", "lengths", "packed", "places"]
