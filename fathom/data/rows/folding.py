"""Rows of a small table are shared out among folds, so that each row checks one model and teaches all others.

Folds hang on hashes alone, as the parts of a table do (`fathom.data.rows.splitting`): equal rows, or rows of one group, share a fold, and no row moves
between runs. Source of cross-validation: Stone, "Cross-validatory choice and assessment of statistical predictions", J. R. Stat. Soc. B 36, 1974.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.rows.splitting import TEST, TRAIN, Hashes, Split

Folds = npt.NDArray[np.int64]


def fold_of(keys: Hashes, count: int, classes: npt.NDArray[np.int64] | None = None) -> Folds:
    """Return the fold of each row, ``(row,)`` from 0: at most ``count`` folds, of nearly as many rows each; equal ``keys`` share one.

    ``classes (row,)`` are codes of which every fold gets its share. There are fewer folds where there are fewer different keys.

    >>> np.bincount(fold_of(np.arange(10, dtype=np.uint64), 5)).tolist()
    [2, 2, 2, 2, 2]
    >>> fold_of(np.array([7, 7, 8, 8], np.uint64), 5).tolist()
    [0, 0, 1, 1]
    """
    order = np.zeros(len(keys), np.int64) if classes is None else classes
    places = np.empty(len(keys), np.float64)
    for code in np.unique(order):
        rows = np.flatnonzero(order == code)
        _, inverse, counts = np.unique(keys[rows], return_inverse=True, return_counts=True)
        places[rows] = ((np.cumsum(counts) - counts / 2) / len(rows))[inverse]
    return np.unique(np.floor(places * count), return_inverse=True)[1].astype(np.int64)


def fold(parts: Split, keys: Hashes, count: int, classes: pa.Array | None = None) -> tuple[Split, Folds] | None:
    """Make all rows but the test rows training rows that are folded; ``None`` where no two folds can be made.

    ``keys (row,)`` are those by which the rows were parted, ``classes (row,)`` the values of a target that is a category. The test rows stay what they were.

    >>> parts = Split(np.array([0, 0, 1, 2, 0], np.int8), "by a hash of each row", "")
    >>> folded, folds = fold(parts, np.arange(5, dtype=np.uint64), 2)
    >>> folded.part.tolist(), folds.tolist()
    ([0, 0, 0, 2, 0], [0, 0, 1, 1])
    """
    known = np.flatnonzero(parts.part != TEST)
    codes = None
    if classes is not None:
        encoded = classes.take(pa.array(known)).dictionary_encode().indices
        codes = encoded.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    folds = fold_of(keys[known], count, codes)
    made = int(folds.max(initial=0)) + 1
    if made < 2:
        return None
    how = f"{parts.how}; all others are in {made} folds, each of which checks the models that learn from the rest"
    return replace(parts, part=np.where(parts.part == TEST, TEST, TRAIN).astype(np.int8), how=how), folds
