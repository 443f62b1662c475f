"""Which row should a person label next: the one that tells a model most, and not the like of one that has just been asked for.

What a model is least sure of teaches it most: the *margin* between its two likeliest classes is smallest there (Scheffer, Decomain and Wrobel, "Active Hidden Markov Models for
Information Extraction", IDA 2001; Settles, "Active Learning Literature Survey", 2009, section 3.1). The least sure rows are often much alike, so of up to ten times as many as are needed those are taken that lie
farthest apart (greedy k-centres: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, algorithm 1; margin and diversity
together: Zhdanov, "Diverse mini-batch Active Learning", 2019, https://arxiv.org/abs/1901.05954). Without a model the order is random, which every such method must beat.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

BATCH = 20  # rows that are chosen to lie apart
POOL = 10  # times as many least sure rows they are chosen from, at most
LEAST_SURE = 5  # and no more than every fifth of the rows that are left


def margins(probabilities: Floats) -> Floats:
    """Return how much likelier the likeliest class is than the next ``(row,)``, from probabilities ``(row, class)``.

    >>> margins(np.array([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1]])).round(3).tolist()
    [0.0, 0.5]
    """
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0], np.float64)


def informative_order(probabilities: Floats, features: Callable[[Rows], Floats], seed: int = 0) -> Rows:
    """Return all rows, the most informative first: batches of `BATCH` rows that are unsure and lie apart.

    ``features`` returns numbers of some rows ``(row, feature)``, in which distance means something; NaN is taken as the mean.

    >>> chances = np.array([[0.9, 0.1], [0.5, 0.5], [0.51, 0.49], [0.8, 0.2]])
    >>> informative_order(chances, lambda rows: rows[:, None].astype(float)).tolist()[0]
    1
    """
    unsure = margins(probabilities)
    ties = np.random.default_rng(seed).permutation(len(unsure))
    left = ties[np.argsort(unsure[ties], kind="stable")]
    ordered: list[Rows] = []
    while len(left):
        pool = left[: min(BATCH * POOL, max(BATCH, len(left) // LEAST_SURE))]
        chosen = apart(_standard(features(pool)), min(BATCH, len(pool)))
        ordered.append(pool[chosen])
        rest = np.ones(len(left), np.bool_)
        rest[chosen] = False
        left = left[rest]
    return np.concatenate(ordered) if ordered else np.empty(0, np.int64)


def random_order(rows: int, seed: int = 0) -> Rows:
    """Return all rows in an order of chance."""
    return np.random.default_rng(seed).permutation(rows)


def apart(points: Floats, count: int) -> Rows:
    """Return ``count`` points ``(row, feature)`` that lie far apart, the first one first: each is the farthest from those before it.

    >>> apart(np.array([[0.0], [0.1], [1.0], [0.6]]), 3).tolist()
    [0, 2, 3]
    """
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        nearest[chosen[-1]] = -1.0
        chosen.append(int(nearest.argmax()))
    return np.array(chosen, np.int64)


def _standard(features: Floats) -> Floats:
    """Return features with mean 0 and spread 1, unknown ones at the mean."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(features)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, features, 0.0).sum(axis=0) / count
        centred = np.where(known, features - mean, 0.0)
        spread = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0), np.float64)
