"""How far the interval of a number reaches below and above an answer, row by row: the margins that a network tells, times a factor learned on other rows; NumPy alone.

Conformalized quantile regression (Romano, Patterson and Candès, NeurIPS 2019, https://arxiv.org/abs/1905.03222), scaled as by Sesia and Candès ("A comparison of some conformal quantile regression methods",
Stat 9, 2020, section 2.3): how far each truth lies out is measured in margins of its row, and the factor is the k-th smallest of these, k = ceil((n + 1) level), so that a share ``level`` of rows like
these is held whatever the margins are worth.
"""

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers.banding import half_width

Floats = npt.NDArray[np.float64]

LEAST = 1e-9  # margin, in encoded units, that is divided by


def out_by(answers: Floats, margins: Floats, truth: npt.NDArray[np.generic]) -> Floats:
    """Return how many margins ``(row, 2)``, below and above, each truth ``(row,)`` lies from its answer, all in encoded units.

    >>> out_by(np.array([10.0, 10.0]), np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([7.0, 11.0])).tolist()
    [3.0, 0.5]
    """
    off = np.asarray(truth, np.float64) - answers
    return np.asarray(np.abs(off) / np.maximum(np.where(off < 0, margins[:, 0], margins[:, 1]), LEAST))


def factor_of(answers: Floats, margins: Floats, truth: npt.NDArray[np.generic], level: float) -> float:
    """Return how many margins an interval must reach to hold a share ``level`` of rows."""
    return half_width(out_by(answers, margins, truth), level)


def interval_score(answers: Floats, reach: Floats, truth: npt.NDArray[np.generic], level: float) -> float:
    """Return the mean interval score of intervals that ``reach (row, 2)`` below and above their answers: their width, and what a truth outside costs; lower is better.

    Source: Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102, 2007, section 6.2.

    >>> interval_score(np.array([0.0, 0.0]), np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.5, 2.0]), 0.5)
    4.0
    """
    off = np.asarray(truth, np.float64) - answers
    outside = np.maximum(-off - reach[:, 0], 0.0) + np.maximum(off - reach[:, 1], 0.0)
    return float((reach.sum(axis=1) + 2.0 / (1.0 - level) * outside).mean())
