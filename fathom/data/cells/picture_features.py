"""What was measured in pictures before networks read them: colours, the ways that edges run, and the picture in small.

Sources: colour histograms: Swain and Ballard, "Color Indexing", IJCV 7, 1991; histograms of oriented gradients, here on a few large cells: Dalal and Triggs, CVPR 2005,
section 6. Every number of a row hangs on that row alone, to the last bit.
"""

import numpy as np
import numpy.typing as npt

CELLS, WAYS = 5, 8  # of the gradients: cells a side, directions
SMALL = {1: 8, 3: 4}  # pixels a side of the picture in small, by channels
BINS = 8  # of the brightness of each channel
AT_ONCE = 1_024  # rows

Floats = npt.NDArray[np.float32]


def _names(channels: int) -> tuple[str, ...]:
    colour = ("grey",) if channels == 1 else ("red", "green", "blue")
    small = SMALL[channels]
    return (
        *(f"{name} {bin_ + 1} of {BINS}" for name in colour for bin_ in range(BINS)),
        *(f"edges {way * 180 // WAYS}° at {y}, {x}" for way in range(WAYS) for y in range(CELLS) for x in range(CELLS)),
        *(f"{name} at {y}, {x}" for name in colour for y in range(small) for x in range(small)),
    )


NAMES = {channels: _names(channels) for channels in SMALL}


def matrix_of(grid: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the features ``(row, feature)`` of pictures ``(row, channel, height, width)``, named in :data:`NAMES`."""
    matrix = np.empty((len(grid), len(NAMES[grid.shape[1]])), np.float64)
    for start in range(0, len(grid), AT_ONCE):
        some = grid[start : start + AT_ONCE]
        matrix[start : start + AT_ONCE] = np.concatenate([_shades(some), _edges(some), _small(some)], axis=1)
    return matrix


def _shades(grid: npt.NDArray[np.uint8]) -> Floats:
    """Return the share of the picture's pixels in each bin of brightness, a channel."""
    flat = grid.reshape(*grid.shape[:2], grid.shape[2] * grid.shape[3])
    there = np.maximum((flat != 0).sum(axis=2, dtype=np.int64), 1)
    levels = (flat >> 5) + 1
    levels[flat == 0] = 0
    counts = [(levels == level + 1).sum(axis=2, dtype=np.int64) / there for level in range(BINS)]
    return np.stack(counts, axis=2).reshape(len(grid), grid.shape[1] * BINS).astype(np.float32)


def _edges(grid: npt.NDArray[np.uint8]) -> Floats:
    """Return how strong the edges of each direction are in each cell, of the picture's edges as a whole."""
    grey = grid[:, 0].astype(np.float32)
    for channel in range(1, grid.shape[1]):
        grey += grid[:, channel]
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    strength = np.sqrt(down * down + across * across)
    way = np.floor(np.arctan2(down, across) * np.float32(WAYS / np.pi)).astype(np.int8) % WAYS
    ways = [_pooled(np.where(way == each, strength, np.float32(0)), CELLS, CELLS) for each in range(WAYS)]
    found = np.stack(ways, axis=1).reshape(len(grid), WAYS * CELLS * CELLS)
    whole = found.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(found / np.maximum(whole, np.float32(1e-6))), np.float32)


def _small(grid: npt.NDArray[np.uint8]) -> Floats:
    side = SMALL[grid.shape[1]]
    channels = [_pooled(grid[:, channel].astype(np.float32), side, side, mean=True) for channel in range(grid.shape[1])]
    return np.concatenate([channel.reshape(len(grid), side * side) for channel in channels], axis=1)


def _pooled(values: Floats, high: int, wide: int, mean: bool = False) -> Floats:
    """Sum, or average, ``(row, y, x)`` over ``high`` × ``wide`` cells."""
    rows = np.linspace(0, values.shape[1], high + 1).astype(np.int64)
    columns = np.linspace(0, values.shape[2], wide + 1).astype(np.int64)
    summed = np.add.reduceat(np.add.reduceat(values, columns[:-1], axis=2), rows[:-1], axis=1)
    if mean:
        summed = summed / (np.maximum(np.diff(rows), 1)[:, None] * np.maximum(np.diff(columns), 1)).astype(np.float32)
    return summed.astype(np.float32)


__all__ = ["NAMES", "matrix_of"]
