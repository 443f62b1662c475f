"""Steps in time of ragged rows: laid out as one block, filled where they have gaps, shortened where they are too many."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathom.data.cells.nested import Leaves, Numbers, Places

LARGEST = 1e30  # a number beyond is cut to it, so that squares and sums stay finite
NUMBERS_AT_ONCE = 4_000_000
STEEP = 8.0  # deviations from the mean up to which a step is taken as it is; beyond, its logarithm counts

Block = npt.NDArray[np.float64]  # (row, step, channel)
Known = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """Every number of a column with the row, the step and the channel that it belongs to, rows in order."""

    numbers: Numbers
    row: Places
    step: Places
    channel: Places
    rows: int

    @classmethod
    def of(cls, leaves: Leaves, by_channel: bool, wanted: Places | None = None) -> "Track":
        """Take the outer place for the channel and the inner one for the step, or the other way round.

        ``wanted[place]`` is the channel that a place stands for, -1 for none.
        """
        step, channel = (leaves.inner, leaves.outer) if by_channel else (leaves.outer, leaves.inner)
        numbers, row = np.clip(leaves.numbers, -LARGEST, LARGEST), leaves.row
        if wanted is not None:
            channel = np.where(channel < len(wanted), wanted[np.minimum(channel, len(wanted) - 1)], -1)
            kept = channel >= 0
            numbers, row, step, channel = numbers[kept], row[kept], step[kept], channel[kept]
        return cls(numbers, row, step, channel, leaves.rows)

    def lengths(self) -> Places:
        """Return how many steps each row ``(row,)`` has, up to its last one with a number."""
        found = np.zeros(self.rows, np.int64)
        there = np.isfinite(self.numbers)
        np.maximum.at(found, self.row[there], self.step[there] + 1)
        return found

    def blocks(self, steps: int, channels: int) -> Iterator[tuple[slice, Block]]:
        """Yield some rows at a time as ``(row, step, channel)``, NaN where no number is; steps from ``steps`` on are left out."""
        at_once = max(1, NUMBERS_AT_ONCE // max(1, steps * channels))
        for start in range(0, self.rows, at_once):
            stop = min(self.rows, start + at_once)
            those = slice(*np.searchsorted(self.row, (start, stop)))
            row, step, channel = self.row[those] - start, self.step[those], self.channel[those]
            block = np.full((stop - start, steps, channels), np.nan)
            kept = (step < steps) & (channel < channels)
            block[row[kept], step[kept], channel[kept]] = self.numbers[those][kept]
            yield slice(start, stop), block


def lengths_of(block: Block) -> Places:
    """Return how many steps each row of a block has, up to its last one with a number.

    >>> lengths_of(np.array([[[1.0], [np.nan]], [[np.nan], [np.nan]]])).tolist()
    [1, 0]
    """
    known: Known = np.isfinite(block)
    there = np.asarray(known.any(axis=2))
    last = block.shape[1] - np.argmax(there[:, ::-1], axis=1)
    return np.where(there.any(axis=1), last, 0).astype(np.int64)


def pooled(block: Block, factor: int) -> Block:
    """Return the means of every ``factor`` neighbouring steps that are known.

    >>> pooled(np.array([[[1.0], [3.0], [np.nan], [4.0], [5.0]]]), 2)[0, :, 0].tolist()
    [2.0, 4.0, 5.0]
    """
    if factor == 1:
        return block
    rows, steps, channels = block.shape
    lacking = -steps % factor
    wide = np.pad(block, ((0, 0), (0, lacking), (0, 0)), constant_values=np.nan)
    wide = wide.reshape(rows, -1, factor, channels)
    known = np.isfinite(wide)
    count = known.sum(axis=2)
    total = np.where(known, wide, 0.0).sum(axis=2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def filled(block: Block, lengths: Places, empty: npt.NDArray[np.float64]) -> Block:
    """Return the block with its gaps filled: on a straight line between the known steps beside them, level at the ends.

    A channel without any known step takes its value of ``empty (channel,)``; steps after a row's last are 0.

    >>> filled(np.array([[[1.0], [np.nan], [3.0], [np.nan]]]), np.array([4]), np.zeros(1))[0, :, 0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    known = np.isfinite(block)
    inside = (np.arange(block.shape[1]) < lengths[:, None])[:, :, None]
    if not (known | ~inside).all():
        steps = block.shape[1]
        place = np.arange(steps)[None, :, None]
        before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
        after = np.minimum.accumulate(np.where(known, place, steps)[:, ::-1], axis=1)[:, ::-1]
        left, right = np.maximum(before, 0), np.minimum(after, steps - 1)
        low = np.take_along_axis(block, np.where(before >= 0, left, right), axis=1)
        high = np.take_along_axis(block, np.where(after < steps, right, left), axis=1)
        share = np.where(
            (before >= 0) & (after < steps) & (after > before), (place - left) / np.maximum(right - left, 1), 0.0
        )
        block = np.where(np.isfinite(low) & np.isfinite(high), low + (high - low) * share, empty)
    return np.where(inside, block, 0.0)


def scaled(block: Block, centre: npt.NDArray[np.float64], spread: npt.NDArray[np.float64]) -> Block:
    """Return deviations from the centre in units of the spread; of those beyond `STEEP` the logarithm goes on.

    >>> scaled(np.array([[[2.0], [1e30]]]), np.zeros(1), np.ones(1))[0, :, 0].round(1).tolist()
    [2.0, 77.1]
    """
    away = (block - centre) / spread
    far = np.abs(away)
    return np.where(far > STEEP, np.sign(away) * (STEEP + np.log1p(np.maximum(far - STEEP, 0.0))), away)


def centre_and_spread(numbers: Numbers) -> tuple[float, float]:
    """Return mean and deviation of the numbers that are known, the outermost thousandth at either end cut to the others; 0 and 1 of none.

    >>> centre_and_spread(np.array([1.0, 3.0, np.nan]))
    (2.0, 1.0)
    """
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return 0.0, 1.0
    if len(known) > 1_000_000:
        known = known[np.linspace(0, len(known) - 1, 1_000_000).astype(np.int64)]
    low, high = (
        np.quantile(known, (0.001, 0.999), method="nearest") if len(known) > 2_000 else (known.min(), known.max())
    )
    known = np.clip(known, low, high)
    mean = float(known.mean())
    deviation = float(known.std())
    return mean, deviation if deviation > 1e-9 * max(1.0, abs(mean)) else 1.0


__all__ = ["Block", "Track", "centre_and_spread", "filled", "lengths_of", "pooled", "scaled"]
