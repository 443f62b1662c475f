"""Hand-made features of what is heard of recordings: loudness, bands, cepstrum, and the shape of the spectrum.

Sources: Davis and Mermelstein, IEEE TASSP 28(4), 1980 (cepstrum of mel bands); Tzanetakis and Cook, IEEE TSAP 10(5), 2002, section III (centre, slope, flux, crossings of zero).
"""

import numpy as np
import numpy.typing as npt

from fathom.data.cells.sounds import BANDS, FLOOR, LOWEST, mel

Matrix = npt.NDArray[np.float64]

CEPSTRUM = 13
STRETCHES = 6
TINY = 1e-12
_COURSES = ("loudness", "crossings of zero", "centre", "width", "roll-off", "flatness", "flux")
NAMES = (
    "seconds",
    "place of the loudest",
    "seconds of the attack",
    "seconds of the decay",
    *(f"loudness {stretch + 1}" for stretch in range(STRETCHES)),
    *(f"{name} {what}" for name in _COURSES for what in ("mean", "spread")),
    *(f"cepstrum {place} {what}" for place in range(1, CEPSTRUM + 1) for what in ("mean", "spread")),
    *(f"band {band + 1} {what}" for band in range(BANDS) for what in ("mean", "spread")),
    *(f"band {band + 1} at the loudest" for band in range(0, BANDS, 2)),
)


def matrix_of(block: npt.NDArray[np.float32], there: npt.NDArray[np.bool_], highest: float, hop: float) -> Matrix:
    """Return the features ``(row, feature)`` of bytes ``(row, step, 2 + band)``; NaN for rows without steps.

    ``highest`` is the pitch of the highest band in Hz, ``hop`` the seconds of a step.
    """
    made = [
        _of_rows(block[start : start + 64], there[start : start + 64], highest, hop)
        for start in range(0, len(block), 64)
    ]
    matrix = np.concatenate([np.zeros((0, len(NAMES))), *made])
    matrix[~there.any(axis=1)] = np.nan
    return matrix


def _of_rows(block: npt.NDArray[np.float32], there: npt.NDArray[np.bool_], highest: float, hop: float) -> Matrix:
    heard = (block.astype(np.float64) - 1) / 2 + FLOOR  # decibels
    lengths = there.sum(axis=1)
    count = np.maximum(lengths, 1)
    loud, bands = np.where(there, heard[:, :, 0], FLOOR), heard[:, :, 2:]
    top = loud.argmax(axis=1)
    peak = np.take_along_axis(loud, top[:, None], axis=1)
    near = (loud > peak - 20) & there
    first = near.argmax(axis=1)
    after = (loud < peak - 20) & (np.arange(loud.shape[1]) > top[:, None])
    end = np.where(after.any(axis=1), after.argmax(axis=1), lengths)
    columns = [lengths * hop, top / count, (top - first) * hop, (end - top) * hop]
    level = np.concatenate([np.zeros((len(loud), 1)), np.cumsum(np.where(there, loud, 0.0), axis=1)], axis=1)
    for stretch in range(STRETCHES):
        start = np.minimum(lengths * stretch // STRETCHES, np.maximum(lengths - 1, 0))
        stop = np.maximum(lengths * (stretch + 1) // STRETCHES, start + 1)
        between = np.take_along_axis(level, np.stack([start, np.minimum(stop, loud.shape[1])], axis=1), axis=1)
        columns.append((between[:, 1] - between[:, 0]) / (stop - start))
    power = 10.0 ** (bands / 10)
    share = power / np.maximum(power.sum(axis=2, keepdims=True), TINY)
    pitch = np.linspace(float(mel(LOWEST)), float(mel(highest)), BANDS + 2)[1:-1]
    centre = (share * pitch).sum(axis=2)
    width = np.sqrt((share * np.square(pitch - centre[:, :, None])).sum(axis=2))
    roll = pitch[np.minimum((np.cumsum(share, axis=2) < 0.85).sum(axis=2), BANDS - 1)]
    flat = bands.mean(axis=2) - 10 * np.log10(np.maximum(power.mean(axis=2), TINY))
    flux = np.abs(np.diff(bands, axis=1, prepend=bands[:, :1])).mean(axis=2)
    for course in (loud, block[:, :, 1].astype(np.float64), centre, width, roll, flat, flux):
        columns += _mean_and_spread(course, there, count)
    angle = np.pi * np.arange(1, CEPSTRUM + 1)[:, None] * (np.arange(BANDS) + 0.5) / BANDS
    for wave in np.cos(angle):
        columns += _mean_and_spread((bands * wave).mean(axis=2), there, count)
    for band in range(BANDS):
        columns += _mean_and_spread(bands[:, :, band], there, count)
    loudest = np.take_along_axis(bands, top[:, None, None], axis=1)[:, 0]
    columns += [loudest[:, band] for band in range(0, BANDS, 2)]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _mean_and_spread(course: Matrix, there: npt.NDArray[np.bool_], count: npt.NDArray[np.int64]) -> list[Matrix]:
    """Return the mean and the deviation of a course ``(row, step)`` over the steps that are there."""
    course = np.ascontiguousarray(np.where(there, course, 0.0))
    mean = course.sum(axis=1) / count
    around = np.where(there, course - mean[:, None], 0.0)
    return [mean, np.sqrt(np.square(around).sum(axis=1) / count)]


__all__ = ["NAMES", "matrix_of"]
