"""Numbers of any size become numbers that a network can read: normal scores, with fine steps where a long tail needs them."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LANDMARKS = 256
KNOTS = 129  # edges of 128 bins; 48 cost adult 0.005 of accuracy (docs/log.md), where a long tail needs its own
FARTHEST = 4.0  # no encoded value lies farther from the middle
HUGE = 1e300  # beyond, differences of two numbers overflow
LEAST_GAP = 1e-3  # between knots; closer ones make slopes that only add noise


def counted(numbers: Numbers) -> tuple[Numbers, Counts]:
    """Return the distinct finite numbers, increasing, and on how many rows each stands."""
    distinct, counts = np.unique(np.clip(numbers[np.isfinite(numbers)], -HUGE, HUGE), return_counts=True)
    return distinct, counts


def spread(counts: Counts, limit: int) -> npt.NDArray[np.int64]:
    """Choose at most ``limit`` (0, or 3 and more) of the distinct values, first and last among them; return their places.

    Half stand evenly by row, half evenly by distinct value, so that a long tail behind a heap of equal values (92 of 100 rows
    are zero) gets its share too. When no value is repeated the two halves interleave.

    >>> spread(np.array([920, 20, 20, 20, 20]), 4).tolist()
    [0, 1, 3, 4]
    """
    if len(counts) <= limit or not limit:
        return np.arange(min(len(counts), limit))
    by_row = limit - limit // 2
    rows = np.linspace(0, counts.sum() - 1, by_row)
    first = np.searchsorted(np.cumsum(counts), rows, side="right")
    second = ((np.arange(limit // 2) + 0.5) / (limit // 2) * (len(counts) - 1)).astype(np.int64)
    return np.unique(np.concatenate([first, second])).astype(np.int64)


def normal_scores(counts: Counts, chosen: npt.NDArray[np.int64]) -> Numbers:
    """Return the normal score of the middle rank of each chosen value: strictly increasing, within ±4.

    The score is the value a standard normal variable has at that rank (the rank-based inverse normal transform; van der
    Waerden, 1952). Beyond ±3 the scores are drawn in to a quarter, so that room is left for values never seen.
    """
    middles = (np.cumsum(counts)[chosen] - counts[chosen] / 2) / counts.sum()
    normal = NormalDist()
    middles = np.clip(middles, 1e-12, 1 - 1e-12).tolist()  # at most LANDMARKS of them
    scores = np.array([normal.inv_cdf(middle) for middle in middles])
    return np.where(np.abs(scores) > 3, np.sign(scores) * (3 + (np.abs(scores) - 3) / 4), scores)


def forth(numbers: Numbers, landmarks: npt.ArrayLike, scores: npt.ArrayLike) -> Numbers:
    """Turn numbers into scores: straight lines between the landmarks, and beyond them ever slower towards ±4.

    Order is kept everywhere; infinite numbers become ±4, NaN stays.

    >>> forth(np.array([1.5, np.inf]), (1.0, 2.0), (-1.0, 1.0)).tolist()
    [0.0, 4.0]
    """
    places, values = np.asarray(landmarks, np.float64), np.asarray(scores, np.float64)
    low, high = places[0], places[-1]
    scored = np.clip(np.interp(np.clip(numbers, -HUGE, HUGE), places, values), values[0], values[-1])
    outside = np.flatnonzero((numbers > high) | (numbers < low))
    if len(outside):
        far = numbers[outside]
        unit = _unit(places, values)
        above = far > high
        with np.errstate(over="ignore"):
            distance = np.where(above, far - high, low - far) / unit
            share = 1 - 1 / (1 + np.log1p(distance))  # 0 at the end, 1 at infinity
        scored[outside] = np.where(
            above, values[-1] + (FARTHEST - values[-1]) * share, values[0] - (FARTHEST + values[0]) * share
        )
    return scored


def back(answer: Numbers, landmarks: npt.ArrayLike, scores: npt.ArrayLike) -> Numbers:
    """Turn scores into numbers again; scores beyond the outermost landmarks become those landmarks."""
    return np.interp(answer, np.asarray(scores, np.float64), np.asarray(landmarks, np.float64))


def _unit(places: Numbers, values: Numbers) -> float:
    """Return the distance that counts as one step outside the landmarks: what lies between the scores -1 and 1."""
    middle = np.interp([-1.0, 1.0], values, places)
    for width in (middle[1] - middle[0], places[-1] - places[0], abs(places[0])):
        if width > 0:
            return float(max(width, 1e-300))
    return 1.0


def knots(encoded: Numbers, counts: Counts, limit: int = KNOTS) -> tuple[float, ...]:
    """Return the increasing places between which the encoded values of the training rows are spread evenly, at least two.

    ``encoded`` are the codes of the distinct values, increasing, and ``counts`` their rows.
    """
    if not len(encoded):
        return (0.0, 1.0)
    places = encoded[spread(counts, limit)].astype(np.float32)
    kept = [float(places[0])]
    for place in places[1:]:  # at most `limit`
        if place - kept[-1] >= LEAST_GAP:
            kept.append(float(place))
    return tuple(kept) if len(kept) > 1 else (kept[0], kept[0] + 1.0)


def mean_and_deviation(numbers: Numbers) -> tuple[float, float]:
    """Return the mean and the standard deviation; 0 and 1 for no numbers, and a deviation of 1 for equal ones.

    The numbers are divided by the largest first, so that squares neither overflow nor vanish.
    """
    largest = float(np.abs(numbers).max()) if len(numbers) else 0.0
    if not largest:
        return 0.0, 1.0
    share = numbers / largest
    deviation = float(share.std()) * largest
    mean = float(share.mean()) * largest
    return mean, deviation if deviation > 1e-14 * largest and deviation > 1e-300 else 1.0
