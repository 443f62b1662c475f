"""Texts and pictures that stand, almost unchanged, in two tables: found by their sketches, without comparing every pair.

Texts: sets of three neighbouring words, compared by MinHash in bands (Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4). Pictures:
brightness on a grid of 16 by 16, compared by correlation, which light, size and packing hardly change.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells.values import words_of
from fathom.data.encoding import Column
from fathom.data.rows.hashing import hash_values

TOGETHER = 3  # neighbouring words
BANDS, HASHES_A_BAND = 12, 3
ALIKE = 0.6  # share of equal MinHashes of two texts that are copies
FEWEST_WORDS = 8  # of a text that is compared; shorter ones are equal by chance
SIDE = 16  # of the grid of brightness
CORRELATED = 0.995  # brightness of two pictures that are copies
FLATTEST = 2.0  # deviation of brightness, in 255 steps, of a picture that shows anything

Marks = npt.NDArray[np.bool_]


def texts_met(known: pa.Array, asked: pa.Array) -> Marks:
    """Mark the texts of ``asked (row,)`` of which ``known`` holds an almost unchanged copy.

    >>> story = "it was the best of times it was the worst of times it was the age of wisdom"
    >>> texts_met(pa.array([story]), pa.array([story.replace("age", "year").upper(), "a text of entirely other words that nobody has ever met before"])).tolist()
    [True, False]
    """
    one, other = _sketches(known), _sketches(asked)
    met = np.zeros(len(asked), np.bool_)
    there, here = np.flatnonzero(one[:, 0]), np.flatnonzero(other[:, 0])
    if not len(there) or not len(here):
        return met
    for band in range(BANDS):
        part = slice(band * HASHES_A_BAND, (band + 1) * HASHES_A_BAND)
        keys = [
            sketch[:, part].astype(np.uint64) @ np.array([1, 1_000_003, 998_244_353], np.uint64)
            for sketch in (one, other)
        ]
        order = there[np.argsort(keys[0][there], kind="stable")]
        place = np.minimum(np.searchsorted(keys[0][order], keys[1][here]), len(order) - 1)
        found = order[place]
        met[here] |= (one[found] == other[here]).mean(axis=1) >= ALIKE
    return met  # fmt: skip


def _sketches(values: pa.Array) -> npt.NDArray[np.uint64]:
    """Return the MinHashes ``(row, hash)`` of texts; zeros for one that is too short."""
    texts = pc.utf8_lower(pc.fill_null(words_of(values), ""))
    parted = pc.utf8_split_whitespace(pc.replace_substring_regex(texts, r"[^\p{L}\p{N}]+", " "))
    words = hash_values(parted.flatten())
    lengths = pc.list_value_length(parted).to_numpy(zero_copy_only=False).astype(np.int64)
    row = np.repeat(np.arange(len(parted)), lengths)
    sketches = np.zeros((len(parted), BANDS * HASHES_A_BAND), np.uint64)
    if len(words) < TOGETHER:
        return sketches
    inside = row[: len(row) - TOGETHER + 1] == row[TOGETHER - 1 :]
    runs = sum(words[start : len(words) - TOGETHER + 1 + start] * np.uint64(2 * start + 1) for start in range(TOGETHER))
    runs, row = np.asarray(runs)[inside], row[: len(row) - TOGETHER + 1][inside]
    if not len(row):
        return sketches
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    for place in range(sketches.shape[1]):
        salt = np.uint64((0x9E3779B97F4A7C15 * (2 * place + 1)) % 2**64)
        mixed = (runs ^ (runs >> np.uint64(29))) * salt
        sketches[row[starts], place] = np.minimum.reduceat(mixed ^ (mixed >> np.uint64(32)), starts)
    sketches[lengths < FEWEST_WORDS] = 0
    return sketches


def pictures_met(column: Column, known: pa.Array, asked: pa.Array) -> Marks:
    """Mark the pictures of ``asked (row,)`` of which ``known`` holds an almost unchanged copy."""
    assert column.kind is not None
    one, other = (_outlines(column.kind.encode(column.state, values)) for values in (known, asked))
    met = np.zeros(len(other), np.bool_)
    for start in range(0, len(other), 1_000):
        met[start : start + 1_000] = (other[start : start + 1_000] @ one.T).max(axis=1, initial=0.0) >= CORRELATED
    return met


def _outlines(grid: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Return the brightness of pictures on a small grid ``(row, place)``, with mean 0 and length 1; zeros for one that shows nothing."""
    light = np.asarray(grid, np.float32).mean(axis=1)
    for axis in (1, 2):
        size = light.shape[axis]
        edges = np.linspace(0, size, min(SIDE, size) + 1).astype(int)
        light = np.add.reduceat(light, edges[:-1], axis=axis) / np.diff(edges).reshape(
            (-1, 1) if axis == 1 else (1, -1)
        )
    flat = light.reshape(len(light), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat[flat.std(axis=1) < FLATTEST] = 0.0
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)
