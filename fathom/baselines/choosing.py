"""Tries a few settings and keeps the one that answers the validation rows best."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from fathom.baselines.contract import Matrix, Truth
from fathom.errors import require

Setting = TypeVar("Setting")
Result = TypeVar("Result")

LEAST_PROBABILITY = 1e-15  # below it a probability counts as this in the log loss, as in scikit-learn before 1.5
NEVER = math.log(LEAST_PROBABILITY)  # the score of a class that no training row has


@dataclass(frozen=True)
class Choice(Generic[Setting, Result]):
    """The best setting, what came of it, its loss on the validation rows, and how many settings were tried."""

    setting: Setting
    result: Result
    loss: float
    tried: int


def choose(
    settings: Sequence[Setting],
    attempt: Callable[[Setting], tuple[float, Result]],
    *,
    seconds: float | None = None,
    patience: int | None = None,
) -> Choice[Setting, Result]:
    """Try ``settings`` in order and return the one with the lowest loss; the first of equals wins.

    ``attempt`` returns a loss and a result. The first setting is always tried; no new one is begun after ``seconds``, nor
    after more than ``patience`` settings in a row that were no better than the best.

    >>> choose([3, 2, 1, 0, -1, -2], lambda x: (x * x, str(x)), patience=1)
    Choice(setting=0, result='0', loss=0.0, tried=6)
    """
    start = monotonic()
    best: Choice[Setting, Result] | None = None
    best_at = 0
    tried = 0
    for setting in settings:
        if best is not None and (
            (seconds is not None and monotonic() - start >= seconds)
            or (patience is not None and tried - best_at > patience)
        ):
            break
        loss, result = attempt(setting)
        loss = float(loss) if math.isfinite(loss) else math.inf
        tried += 1
        if best is None or loss < best.loss:
            best, best_at = Choice(setting, result, loss, tried), tried
    if best is None:
        raise AssertionError("There must be at least one setting to try.")
    return Choice(best.setting, best.result, best.loss, tried)


def loss(answer: Matrix, truth: Truth) -> float:
    """Return the root mean squared error, or the log loss of class probabilities; 0 when there are no rows.

    >>> loss(np.array([[0.5, 0.5], [0.25, 0.75]]), Truth(np.array([0, 1]), classes=2))  # (log 2 + log 4/3) / 2
    0.490...
    """
    if len(truth.values) == 0:
        return 0.0
    if truth.classes == 0:
        return math.sqrt(np.average((answer - truth.values) ** 2, weights=truth.weights))
    of_truth = answer[np.arange(len(answer)), truth.values.astype(np.int64)]
    return float(np.average(-np.log(np.maximum(of_truth, LEAST_PROBABILITY)), weights=truth.weights))


def softmax(scores: Matrix) -> Matrix:
    """Turn scores ``(row, class)`` into probabilities."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def spread_out(values: Matrix, present: npt.NDArray[np.int64], classes: int, absent: float) -> Matrix:
    """Put columns of the classes ``present`` in training at their place among all classes; the others are ``absent``."""
    everywhere = np.full((len(values), classes), absent)
    everywhere[:, present] = values
    return everywhere


def shares(truth: Truth) -> Matrix:
    """Return each class's share of the rows, ``(class,)``; a class without rows counts as half a row, so that none is 0.

    >>> shares(Truth(np.array([0, 0, 0, 1]), classes=2)).tolist()
    [0.75, 0.25]
    """
    counts = np.bincount(truth.values.astype(np.int64), weights=truth.weights, minlength=truth.classes)
    counts = np.where(counts > 0, counts, 0.5)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def draw(truth: Truth, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw at most ``most`` rows, each class by its share and with at least one row; return their numbers, rising."""
    rows = len(truth.values)
    if rows <= most:
        return np.arange(rows)
    shuffled = np.random.default_rng(seed).permutation(rows)
    if truth.classes:  # sorted by class, every n-th row is a draw in which each class has its share
        shuffled = shuffled[np.argsort(truth.values[shuffled], kind="stable")]
    drawn = shuffled[np.linspace(0, rows - 1, most).round().astype(np.int64)]
    if truth.classes:
        codes = truth.values[shuffled]
        drawn = np.union1d(drawn, shuffled[np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])])
    return np.asarray(np.sort(drawn))


def part(truth: Truth, rows: npt.NDArray[Any]) -> Truth:
    """Return the truth of these rows."""
    return Truth(truth.values[rows], truth.classes, None if truth.weights is None else truth.weights[rows])


@contextmanager
def one_thread() -> Iterator[None]:
    """Let matrix products and scikit-learn's loops run on one thread, so that sums never depend on how many there are."""
    limits = require("threadpoolctl", "train").threadpool_limits
    with limits(limits=1):
        yield
