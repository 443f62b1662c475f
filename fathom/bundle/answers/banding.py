"""How far the interval of a number reaches, by how large the answer is: small answers and large ones err by different amounts; NumPy alone.

The answers to rows that the model has not learned from are parted into bands of as many rows each, and each band takes the half width that holds its truths on 90 % of its rows: Mondrian conformal regression
(Boström and Johansson, "Mondrian conformal regressors", COPA 2020, PMLR 128; Vovk, Gammerman and Shafer, 2005, section 4.5). So the promise is kept among cheap homes and among dear ones, not only on the whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BANDS = 8
FEWEST_ROWS = 50  # of a band

Floats = npt.NDArray[np.float64]
Bands = Mapping[str, Sequence[float]]  # edges between the bands, and the half width of each


def learn(answers: Floats, residuals: Floats, level: float) -> dict[str, list[float]] | None:
    """Return the edges between bands of answers and the half width of each, from absolute residuals ``(row,)``; ``None`` where there are too few rows for two bands.

    >>> found = learn(np.arange(200.0), np.where(np.arange(200) < 100, 1.0, 10.0), 0.9)
    >>> found["half_widths"]
    [1.0, 1.0, 10.0, 10.0]
    """
    known = np.isfinite(answers) & np.isfinite(residuals)
    answers, residuals = answers[known], residuals[known]
    count = min(MOST_BANDS, len(answers) // FEWEST_ROWS)
    if count < 2:
        return None
    edges = np.unique(np.quantile(answers, np.linspace(0, 1, count + 1)[1:-1]))
    band = np.searchsorted(edges, answers)
    counts = np.bincount(band, minlength=len(edges) + 1)
    if counts.min() < FEWEST_ROWS // 2:  # many answers are the same
        return None
    return {
        "edges": edges.tolist(),
        "half_widths": [half_width(residuals[band == number], level) for number in range(len(counts))],
    }


def half_width(residuals: Floats, level: float) -> float:
    """Return the k-th smallest residual, k = ceil((n + 1) level), the largest where that is more than there are.

    >>> half_width(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    ordered = np.sort(residuals)
    place = int(
        np.ceil((len(ordered) + 1) * level - 1e-9)
    )  # what rounding adds is taken back: 0.8 x 5 is 4, not a little more
    return float(ordered[min(len(ordered), max(place, 1)) - 1])


def reach(bands: Bands | None, usual: float, answers: Floats) -> Floats:
    """Return how far the interval of each answer ``(row,)`` reaches to either side: that of its band, or without bands the ``usual`` half width.

    >>> reach({"edges": [10.0], "half_widths": [1.0, 5.0]}, 3.0, np.array([2.0, 80.0])).tolist(), reach(None, 3.0, np.array([2.0])).tolist()
    ([1.0, 5.0], [3.0])
    """
    if bands is None:
        return np.full(len(answers), usual)
    return np.asarray(np.asarray(bands["half_widths"])[np.searchsorted(np.asarray(bands["edges"]), answers)])


def holds(off: npt.NDArray[np.floating[Any]], reach: Floats) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)`` whose truth, which is ``off (row,)`` the answer, lies in the interval that ``reach (row, 2)`` says, below and above.

    >>> holds(np.array([-1.0, -3.0, 2.0]), np.array([[2.0, 1.0]] * 3)).tolist()
    [True, False, False]
    """
    return np.asarray((-off <= reach[:, 0]) & (off <= reach[:, 1]))
