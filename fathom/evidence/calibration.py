"""Do stated probabilities and intervals come true: how often a model is right when it says that it is 80 % sure.

For classes: rows are sorted by the probability that the model states, cut into ten bins of equally many rows (a
reliability diagram: Niculescu-Mizil and Caruana, ICML 2005), and each bin's mean probability stands against
the share of rows that came true, with Wilson's 95 % interval. For numbers: an answer is given an interval as wide as
the errors on the *validation* rows say (split conformal prediction: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
JASA 113, 2018, algorithm 2), and the share that it promises stands against the share of test rows that it covers. On
the line, what is stated is what is observed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import banding
from fathom.resampling import Floats, share_limits

NAME = "calibration"
QUESTION = "Do stated probabilities and intervals come true?"
SOURCE = "Niculescu-Mizil and Caruana, ICML 2005; Wilson, JASA 22, 1927; Lei et al., JASA 113, 2018"

BINS = 10
LEAST_ROWS = 10  # of a bin, because a share of fewer rows says nothing
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # what intervals promise


def of_probabilities(
    truth: npt.NDArray[Any],
    probabilities: npt.NDArray[Any],
    *,
    bins: int = BINS,
    groups: npt.NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Hold stated probabilities ``(row, class)`` against the truth ``(row,)`` of codes; -1 is a class never seen.

    For two classes the probability of class 1, for more that of the likeliest class. Equal probabilities share a bin,
    so there may be fewer bins than asked for, and with under 100 rows there are, each of at least 10.

    Returns the data of the plot: ``kind`` and ``bins``, each ``{predicted, observed, low, high, rows}``.

    >>> plot = of_probabilities(np.array([0, 1, 1, 1]), np.array([[0.2, 0.8]] * 4))
    >>> plot["kind"], plot["bins"][0]["predicted"], plot["bins"][0]["observed"], plot["bins"][0]["rows"]
    ('probability', 0.8, 0.75, 4)
    """
    if probabilities.shape[1] == 2:
        stated, hit = probabilities[:, 1].astype(np.float64), truth == 1
    else:
        stated, hit = probabilities.max(axis=1).astype(np.float64), truth == probabilities.argmax(axis=1)
    bins = max(1, min(bins, len(stated) // LEAST_ROWS))
    order = np.sort(stated)
    bin_of_row = np.searchsorted(order, stated, side="left") * bins // max(len(stated), 1)
    rows = np.bincount(bin_of_row, minlength=bins)
    used = np.flatnonzero(rows)
    predicted = np.bincount(bin_of_row, weights=stated, minlength=bins)[used] / rows[used]
    members = [bin_of_row == one for one in used]
    return {"kind": "probability", "bins": _bins(predicted, [hit[mine] for mine in members], groups, members)}


def widths_at(
    level: float, chosen: npt.NDArray[Any], residuals: npt.NDArray[Any], predicted: npt.NDArray[Any]
) -> Floats:
    """Return how far an interval of this ``level`` reaches to either side of each answer ``(row,)``, learned from the answers to validation rows and their residuals ``(chosen,)``.

    It is as a served interval is: by the size of the answer where there are rows enough, else as wide for every row. At level 0.9 it is the served interval.

    >>> widths_at(0.5, np.zeros(4), np.array([-1.0, 2.0, -3.0, 4.0]), np.zeros(2))
    array([3., 3.])
    """
    assert len(residuals), "there are no residuals to learn a width from"
    errors = np.abs(residuals).astype(np.float64)
    bands = banding.learn(np.asarray(chosen, np.float64), errors, level)
    return banding.reach(bands, banding.half_width(errors, level), np.asarray(predicted, np.float64))


def of_intervals(
    truth: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    chosen: npt.NDArray[Any],
    residuals: npt.NDArray[Any],
    *,
    levels: Sequence[float] = LEVELS,
    groups: npt.NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Hold intervals around test answers against the truth, both ``(row,)``; ``chosen`` and ``residuals (chosen,)`` are the answers to validation rows, and how far these are off.

    Returns the data of the plot: ``kind`` and one bin per level, ``predicted`` the level and ``observed`` the share
    covered.

    >>> truth, predicted, residuals = np.array([1.0, 2.0, 3.0, 9.0]), np.zeros(4), np.array([-1.0, 2.0, -3.0, 4.0])
    >>> [bin["observed"] for bin in of_intervals(truth, predicted, predicted, residuals, levels=(0.4, 0.8))["bins"]]
    [0.5, 0.75]
    """
    if not len(truth) or not len(residuals):
        return {"kind": "interval", "bins": []}
    error = np.abs(np.asarray(truth, dtype=np.float64) - predicted)
    covered = [error <= widths_at(level, chosen, residuals, predicted) for level in levels]
    every = [np.ones(len(error), np.bool_)] * len(covered)
    return {"kind": "interval", "bins": _bins(np.asarray(levels), covered, groups, every)}


def _bins(
    predicted: Floats,
    hits: Sequence[npt.NDArray[np.bool_]],
    groups: npt.NDArray[Any] | None,
    members: Sequence[npt.NDArray[np.bool_]],
) -> list[dict[str, float]]:
    """Return a dictionary a bin, from what is ``predicted (bin,)``, the hits ``(member,)`` of each bin, and which rows ``(row,)`` are its members."""
    found = []
    for said, hit, mine in zip(predicted.tolist(), hits, members, strict=True):
        low, high = share_limits(hit, None if groups is None else groups[mine])
        found.append({"predicted": said, "observed": float(hit.mean()), "low": low, "high": high, "rows": len(hit)})
    return found
