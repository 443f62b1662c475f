"""Which row should a person label next: one that tells a model much, and not the like of one that has just been asked for.

What a model is least sure of teaches it most: the *margin* between its two likeliest classes is smallest there (Scheffer, Decomain and Wrobel, "Active Hidden Markov Models for
Information Extraction", IDA 2001; Settles, "Active Learning Literature Survey", 2009, section 3.1). The least sure rows are often much alike, so a batch is drawn from up to ten times as many of them as k-means++ draws its
first centres: each with a chance that grows with the square of its distance from those drawn before (Arthur and Vassilvitskii, SODA 2007; for batches of labels Ash et al., "Deep Batch Active Learning by Diverse,
Uncertain Gradient Lower Bounds", ICLR 2020, https://arxiv.org/abs/1906.03671). Rows have length 1 there, and nothing is taken for being farthest: what is farthest is often merely odd (docs/log.md). Without a model the order
is random, which every such method must beat.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

BATCH = 20  # rows that are chosen to be unlike each other
POOL = 10  # times as many least sure rows they are chosen from, at most
LEAST_SURE = 5  # and no more than every fifth of the rows that are left


def margins(probabilities: Floats) -> Floats:
    """Return how much likelier the likeliest class is than the next ``(row,)``, from probabilities ``(row, class)``.

    >>> margins(np.array([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1]])).round(3).tolist()
    [0.0, 0.5]
    """
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0], np.float64)


def informative_order(sure: Floats, features: Callable[[Rows], Floats], seed: int = 0) -> Rows:
    """Return all rows, the most informative first: batches of `BATCH` rows that are unsure and unlike each other.

    ``sure (row,)`` says how sure the answer to each row is, in any unit: `margins` of classes, intervals of numbers from wide to narrow. Where all are alike, what is left is that rows differ.

    ``features`` returns numbers of some rows ``(row, feature)``, in which distance means something; NaN is taken as the mean.

    >>> chances = np.array([[0.9, 0.1], [0.5, 0.5], [0.51, 0.49], [0.8, 0.2]])
    >>> informative_order(margins(chances), lambda rows: rows[:, None].astype(float)).tolist()[0]
    1
    """
    generator = np.random.default_rng(seed)
    ties = generator.permutation(len(sure))
    left = ties[np.argsort(sure[ties], kind="stable")]
    ordered: list[Rows] = []
    while len(left):
        pool = left[: min(BATCH * POOL, max(BATCH, len(left) // LEAST_SURE))]
        chosen = spread(_directions(features(pool)), min(BATCH, len(pool)), generator)
        ordered.append(pool[chosen])
        rest = np.ones(len(left), np.bool_)
        rest[chosen] = False
        left = left[rest]
    return np.concatenate(ordered) if ordered else np.empty(0, np.int64)


def random_order(rows: int, seed: int = 0) -> Rows:
    """Return all rows in an order of chance."""
    return np.random.default_rng(seed).permutation(rows)


def spread(points: Floats, count: int, generator: np.random.Generator) -> Rows:
    """Return ``count`` points ``(row, feature)``, the first one first, the others drawn by chance, far ones likelier.

    >>> sorted(spread(np.array([[0.0], [0.0], [1.0], [0.0]]), 2, np.random.default_rng(0)).tolist())
    [0, 2]
    """
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    left = np.ones(len(points), np.bool_)
    for _ in range(count - 1):
        left[chosen[-1]] = False
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chances = np.where(left, nearest, 0.0)
        if not chances.sum() > 0:  # those that are left are all the same
            chances = left.astype(np.float64)
        chosen.append(int(generator.choice(len(points), p=chances / chances.sum())))
    return np.array(chosen, np.int64)


def _directions(features: Floats) -> Floats:
    """Return features as directions, of length 1."""
    standard = _standard(features)
    lengths = np.sqrt((standard**2).sum(axis=1, keepdims=True))
    return np.asarray(standard / np.where(lengths > 0, lengths, 1.0), np.float64)


def _standard(features: Floats) -> Floats:
    """Return features with mean 0 and spread 1, unknown ones at the mean."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(features)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, features, 0.0).sum(axis=0) / count
        centred = np.where(known, features - mean, 0.0)
        spread = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0), np.float64)
