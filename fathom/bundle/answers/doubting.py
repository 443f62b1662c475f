"""Which classes a row may be of: a set that holds the true one as often as promised, for each class; NumPy alone.

Class-conditional split conformal prediction: Vovk, "Conditional validity of inductive conformal predictors", Machine Learning 92, 2013, section 4 (https://arxiv.org/abs/1209.2673), with one
minus the probability of a class as its score (Sadinle, Lei and Wasserman, JASA 114, 2019, https://arxiv.org/abs/1609.00451). A set of several classes means *not sure*; an empty one that no class
fits the row as it fitted those of training.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LEVEL = 0.9  # share of the rows of a class whose set holds it
FEWEST_ROWS = 20  # of a class, from which its own threshold is learned; rarer ones take that of all

Floats = npt.NDArray[np.float64]
Sets = npt.NDArray[np.bool_]  # (row, class)


def thresholds(probabilities: Floats, truth: npt.NDArray[np.int64], level: float = LEVEL) -> list[float]:
    """Return the least probability with which each class is in a set, from rows that the model has not learned from.

    Of ``n`` rows of a class it is that of the k-th surest, with k = ceil((n + 1) level); 0 where there are too few rows to promise anything.

    >>> thresholds(np.array([[0.9, 0.1]] * 30 + [[0.2, 0.8]] * 30), np.array([0] * 30 + [1] * 30))
    [0.9, 0.8]
    """
    known = truth >= 0
    own = probabilities[known, truth[known]]
    every = _quantile(own, level)
    return [
        _quantile(own[truth[known] == code], level) if (truth[known] == code).sum() >= FEWEST_ROWS else every
        for code in range(probabilities.shape[1])
    ]


def _quantile(own: Floats, level: float) -> float:
    place = int(np.ceil((len(own) + 1) * level))
    return float(np.sort(own)[::-1][place - 1]) if 0 < place <= len(own) else 0.0


def sets_of(probabilities: Floats, least: Sequence[float]) -> Sets:
    """Return the set ``(row, class)`` of each row.

    >>> sets_of(np.array([[0.95, 0.05], [0.5, 0.5]]), [0.4, 0.4]).tolist()
    [[True, False], [True, True]]
    """
    return np.asarray(probabilities >= np.asarray(least) - 1e-12)


def in_words(sets: Sets, labels: Sequence[str]) -> pa.Array:
    """Write each set: empty where it is one class, which is an answer, ``not sure: A or B`` where it is several, ``none fits`` where it is none.

    >>> in_words(np.array([[True, False], [True, True], [False, False]]), ["no", "yes"]).to_pylist()
    ['', 'not sure: no or yes', 'none fits']
    """
    if not len(sets):
        return pa.array([], pa.string())
    patterns, place = np.unique(sets, axis=0, return_inverse=True)
    words = [_words([labels[int(code)] for code in np.flatnonzero(pattern)]) for pattern in patterns]
    return pa.array(words, pa.string()).take(pa.array(place.reshape(-1)))


def _words(names: list[str]) -> str:
    if not names:
        return "none fits"
    return "" if len(names) == 1 else f"not sure: {' or '.join(names)}"
