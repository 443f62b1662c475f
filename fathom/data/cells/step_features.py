"""Hand-made features of steps in time, for the baselines: level, shape, change, seasons, spectrum, and a coarse copy.

The kinds of statistics are those that do well over many series sets: Lubba et al., "catch22: CAnonical Time-series CHaracteristics", Data Mining and Knowledge Discovery 33,
2019 (https://doi.org/10.1007/s10618-019-00647-x), and means of stretches, slopes and spreads as in Deng et al., "A time series forest", Information Sciences 239, 2013.
"""

import itertools

import numpy as np
import numpy.typing as npt

from fathom.data.cells.nested import Places
from fathom.data.cells.steps import Block

Features = dict[str, npt.NDArray[np.float64]]  # name -> (row,), NaN where it has no meaning

STRETCHES = 12  # of the coarse copy of a channel
FEW_STRETCHES = 4  # where there are many channels
MANY_CHANNELS = 12
LAGS = (1, 2, 3, 5, 8, 13)
BANDS = (0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5)  # cycles a step
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
MOST_PAIRED = 6  # channels whose correlation with each other is a feature
TINY = 1e-12


def features(block: Block, lengths: Places, names: tuple[str, ...]) -> Features:
    """Return the features of a filled block ``(row, step, channel)``, zero after a row's last step; NaN for rows without steps.

    A row's features hang on the row and the block's number of steps alone.
    """
    made: Features = {"steps": lengths.astype(np.float64)}
    inside = np.arange(block.shape[1]) < lengths[:, None]
    count = np.maximum(lengths, 1).astype(np.float64)
    stretches = STRETCHES if len(names) <= MANY_CHANNELS else FEW_STRETCHES
    with np.errstate(all="ignore"):
        centred = []
        for channel, name in enumerate(names):
            steps = np.ascontiguousarray(block[:, :, channel])
            own, around = _of_channel(steps, inside, lengths, count, stretches)
            centred.append(around)
            made |= {f"{name} {what}" if name else what: value for what, value in own.items()}
        for first in range(min(len(names), MOST_PAIRED)):
            for second in range(first):
                product = (centred[first] * centred[second]).sum(axis=1)
                size = np.sqrt(np.square(centred[first]).sum(axis=1) * np.square(centred[second]).sum(axis=1))
                made[f"{names[second]} with {names[first]}"] = product / np.maximum(size, TINY)
    nothing = lengths == 0
    for values in made.values():
        values[nothing | ~np.isfinite(values)] = np.nan
    return made


def _of_channel(
    steps: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    lengths: Places,
    count: npt.NDArray[np.float64],
    stretches: int,
) -> tuple[Features, npt.NDArray[np.float64]]:
    """Return a channel's features, and its deviations from the row's mean."""
    mean = steps.sum(axis=1) / count
    around = np.where(inside, steps - mean[:, None], 0.0)
    variance = np.square(around).sum(axis=1) / count
    spread = np.sqrt(variance)
    scale = np.maximum(spread, TINY)
    made: Features = {"mean": mean, "spread": spread}
    made["skewness"] = (around**3).sum(axis=1) / count / scale**3
    made["tails"] = (around**4).sum(axis=1) / count / scale**4
    ordered = np.sort(np.where(inside, steps, np.inf), axis=1)
    for quantile in QUANTILES:
        place = np.floor(quantile * np.maximum(lengths - 1, 0) + 0.5).astype(np.int64)
        made[f"quantile {quantile:g}"] = np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
    made["lowest"] = np.where(inside, steps, np.inf).min(axis=1)
    made["highest"] = np.where(inside, steps, -np.inf).max(axis=1)
    made["place of the lowest"] = np.where(inside, steps, np.inf).argmin(axis=1) / count
    made["place of the highest"] = np.where(inside, steps, -np.inf).argmax(axis=1) / count
    last = np.maximum(lengths - 1, 0)[:, None]
    made["first"] = steps[:, 0].copy()
    made["last"] = np.take_along_axis(steps, last, axis=1)[:, 0]
    place = np.where(inside, np.arange(steps.shape[1]) - (count[:, None] - 1) / 2, 0.0)
    made["slope"] = (place * around).sum(axis=1) / np.maximum(np.square(place).sum(axis=1), TINY) * count
    made |= _changes(steps, around, inside, count)
    made |= _rhythm(around, variance * count)
    sums = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    for stretch in range(stretches):
        start = np.minimum(lengths * stretch // stretches, last[:, 0])
        stop = np.maximum(lengths * (stretch + 1) // stretches, start + 1)
        between = np.take_along_axis(sums, np.stack([start, stop], axis=1), axis=1)
        made[f"stretch {stretch + 1}"] = (between[:, 1] - between[:, 0]) / (stop - start)
    return made, around


def _changes(
    steps: npt.NDArray[np.float64],
    around: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    count: npt.NDArray[np.float64],
) -> Features:
    """Return how a channel changes from step to step."""
    both = inside[:, 1:] & inside[:, :-1]
    change = np.where(both, np.diff(steps, axis=1), 0.0)
    pairs = np.maximum(count - 1, 1)
    crossed = both & (np.signbit(around[:, 1:]) != np.signbit(around[:, :-1]))
    turned = both[:, 1:] & (np.signbit(change[:, 1:]) != np.signbit(change[:, :-1]))
    return {
        "change": np.abs(change).sum(axis=1) / pairs,
        "spread of change": np.sqrt(np.square(change).sum(axis=1) / pairs),
        "largest rise": change.max(axis=1, initial=0.0),
        "largest fall": change.min(axis=1, initial=0.0),
        "crossings of the mean": crossed.sum(axis=1) / pairs,
        "turns": turned.sum(axis=1) / pairs,
    }


def _rhythm(around: npt.NDArray[np.float64], energy: npt.NDArray[np.float64]) -> Features:
    """Return autocorrelations, the strongest season and the spectrum, by the Fourier transform of the padded row."""
    steps = around.shape[1]
    size = 1 << max(1, (2 * steps - 1).bit_length())
    spectrum = np.fft.rfft(around, size, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    lagged = np.fft.irfft(power, size, axis=1)[:, :steps] / np.maximum(energy, TINY)[:, None]
    made: Features = {f"lag {lag}": lagged[:, lag].copy() for lag in LAGS if lag < steps}
    if steps > 4:
        # A season is the highest autocorrelation after the first fall below zero.
        fallen = np.logical_or.accumulate(lagged < 0, axis=1)
        later = np.where(fallen, lagged, -np.inf)
        season = later.argmax(axis=1)
        made["season"] = season.astype(np.float64)
        made["strength of the season"] = np.where(
            fallen.any(axis=1), np.take_along_axis(lagged, season[:, None], axis=1)[:, 0], 0.0
        )
    frequency = np.arange(power.shape[1]) / size
    total = np.maximum(power.sum(axis=1), TINY)
    for low, high in itertools.pairwise(BANDS):
        inside = (frequency > low) & (frequency <= high) if low else frequency <= high
        made[f"power to {high:g}"] = power[:, inside].sum(axis=1) / total
    shares = power / total[:, None]
    made["centre of the spectrum"] = (shares * frequency).sum(axis=1)
    made["peak of the spectrum"] = frequency[power.argmax(axis=1)]
    made["entropy of the spectrum"] = -(shares * np.log(shares + TINY)).sum(axis=1) / np.log(power.shape[1])
    return made


__all__ = ["Features", "features"]
