"""The test rows drawn again a thousand times, once for all models, so that every score has an interval.

The bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13): draw as many rows as
there are, with replacement, and score again. Because every model is scored on the *same* resamples, the difference of
two models has an interval too, and it is far narrower than the two intervals side by side: the comparison is paired.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RESAMPLES = 1_000  # enough for 95 % percentile limits (Efron and Tibshirani, 1993, section 19.3)
LEVEL = 0.95
UNITS = 50_000  # at most so many rows, or blocks of rows, are drawn from: memory and time stay flat beyond
DENSE = 64  # keys up to which rows in groups are counted through a table (unit, key): 26 MB at most
CELLS = 250_000  # resamples are worked through in chunks of about so many counts: 2 MB, which stay in the cache


@dataclass(frozen=True)
class Interval:
    """A score and where it would lie, 95 times of 100, had other test rows been drawn.

    ``value`` is NaN where the score is not defined, and then ``reason`` says why. ``low`` and ``high`` are NaN where
    there was nothing to resample. ``draws (resample + 1,)`` holds the score itself and then that of every resample.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""
    draws: Floats = field(default_factory=lambda: np.full(1, np.nan), compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return ``value``, ``low`` and ``high`` with ``None`` for what does not exist, and then the ``reason``.

        >>> Interval(0.5, 0.4, 0.6).as_json()
        {'value': 0.5, 'low': 0.4, 'high': 0.6}
        >>> Interval(math.nan, reason="No test row is of class 'yes'.").as_json()
        {'value': None, 'low': None, 'high': None, 'reason': "No test row is of class 'yes'."}
        """
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        result: dict[str, Any] = {key: number if math.isfinite(number) else None for key, number in numbers.items()}
        return result | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Resamples:
    """How often each unit was drawn in each resample: ``counts (resample + 1, unit)``; resample 0 is the rows
    themselves.

    A unit is a row, or a group of rows that are drawn together; ``unit (row,)`` tells each row's, ``None`` where every
    row is its own. Counts are bytes, so 50,000 rows and 1,000 resamples take 50 MB.

    >>> resamples = Resamples.draw(4, count=2)
    >>> resamples.counts[0].tolist(), resamples.counts[1:].sum(axis=1).tolist()
    ([1, 1, 1, 1], [4, 4])
    """

    counts: npt.NDArray[np.uint8]
    rows: int
    unit: Integers | None = None

    @classmethod
    def draw(
        cls, rows: int, *, count: int = RESAMPLES, seed: int = 0, groups: npt.NDArray[Any] | None = None
    ) -> "Resamples":
        """Draw ``count`` resamples of ``rows`` test rows; the same seed draws the same.

        ``groups (row,)`` are labels; rows of one label are drawn together (the cluster bootstrap: Davison and Hinkley,
        Bootstrap Methods and their Application, 1997, section 3.8), because they are not independent. More than 50,000
        rows or groups are first thrown into 50,000 random blocks: the interval is the same, up to its own noise.
        """
        generator = np.random.default_rng(seed)
        unit, units = (None, rows) if groups is None else units_of(rows, groups)
        if units > UNITS:
            block = generator.permutation(units) % UNITS
            unit, units = (block if unit is None else block[unit]), UNITS
        counts = np.empty((count + 1, units), dtype=np.uint8)  # a unit is never drawn 256 times: chance below 1 / 256!
        counts[0] = 1
        for resample in range(1, count + 1 if units else 1):
            counts[resample] = np.bincount(generator.integers(0, units, units), minlength=units)
        return cls(counts=counts, rows=rows, unit=unit)

    @property
    def units(self) -> int:
        """The number of independent units: rows, or groups of rows."""
        return int(self.counts.shape[1])

    def sums(self, losses: Floats) -> Floats:
        """Sum rows of numbers ``(kind, row)`` over every resample: ``(resample + 1, kind)``."""
        if self.unit is not None:
            losses = np.stack([np.bincount(self.unit, kind, minlength=self.units) for kind in losses])
        return self._times(losses.T)

    def means(self, losses: Floats) -> Floats:
        """Average a number per row ``(row,)`` over every resample: ``(resample + 1,)``.

        >>> Resamples.draw(2, count=0).means(np.array([1.0, 2.0]))
        array([1.5])
        """
        sums = self.sums(np.stack([losses, np.ones(self.rows)]))
        return sums[:, 0] / sums[:, 1]

    def sums_by(self, keys: Integers, size: int) -> Floats:
        """Count the drawn rows of each key: ``(resample + 1, size)``. A row whose key is -1 is not counted.

        >>> Resamples.draw(3, count=0).sums_by(np.array([1, -1, 1]), 2)
        array([[0., 2.]])
        """
        if self.unit is not None and size <= DENSE:  # cheaper: one small table of units and keys
            cells = self.unit[keys >= 0] * size + keys[keys >= 0]
            table = np.bincount(cells, minlength=self.units * size).astype(np.float64)
            return self._times(table.reshape(self.units, size))
        order = np.argsort(keys, kind="stable")
        order = order[np.count_nonzero(keys < 0) :]
        ends = np.searchsorted(keys[order], np.arange(-1, size), side="right")
        result = np.empty((len(self.counts), size))
        for part, cumulative in self.cumulative(order):
            result[part] = np.diff(np.take(cumulative, ends, axis=1), axis=1)
        return result

    def cumulative(self, order: Integers, count: int | None = None) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
        """Walk through rows in this order and tell how many were drawn so far.

        Yields chunks: which resamples, and ``(resample, row + 1)`` whose first column is 0. ``count`` limits the
        resamples.
        """
        stop = len(self.counts) if count is None else min(count + 1, len(self.counts))
        for part in self._parts(len(order) + 1, stop):
            drawn = self.drawn(order, part)
            result = np.zeros((len(drawn), len(order) + 1), dtype=np.int32)
            np.cumsum(drawn, axis=1, dtype=np.int32, out=result[:, 1:])
            yield part, result

    def drawn(self, rows: Integers, part: slice) -> npt.NDArray[np.uint8]:
        """Return how often these rows were drawn in a chunk of resamples: ``(resample, row)``."""
        return np.take(self.counts[part], rows if self.unit is None else self.unit[rows], axis=1)

    def interval(self, draws: Floats, reason: str = "") -> Interval:
        """Turn draws ``(resample + 1,)`` of a score into the score and its 95 % percentile interval.

        The percentiles are moved outwards a little where units are few, because the bootstrap's spread is too small by
        the factor that parts the normal from Student's t distribution (Hesterberg, What Teachers Should Know About the
        Bootstrap, The American Statistician 69, 2015: the "expanded percentile interval"). Resamples in
        which the score is not defined do not count; when they are more than half there is no interval.
        """
        value = float(draws[0]) if np.isfinite(draws[0]) else math.nan
        if math.isnan(value):
            return Interval(value, reason=reason or "It is not defined on these rows.", draws=draws)
        defined = draws[1:][np.isfinite(draws[1:])]
        if self.units < 2 or len(defined) == 0 or 2 * len(defined) < len(draws) - 1:
            return Interval(value, draws=draws)
        tail = expanded_tail(self.units)
        low, high = np.quantile(defined, [tail, 1 - tail])
        return Interval(value, float(low), float(high), draws=draws)

    def _times(self, numbers: Floats) -> Floats:
        """Multiply the counts with ``(unit, kind)``, chunk by chunk: ``(resample + 1, kind)``."""
        result = np.empty((len(self.counts), numbers.shape[1]))
        for part in self._parts(self.units, len(self.counts)):
            result[part] = self.counts[part].astype(np.float64) @ numbers
        return result

    def _parts(self, width: int, stop: int) -> Iterator[slice]:
        """Cut the resamples into chunks of about ``CELLS`` numbers."""
        step = max(1, CELLS // max(width, 1))
        for start in range(0, stop, step):
            yield slice(start, min(start + step, stop))


def expanded_tail(units: int, level: float = LEVEL) -> float:
    """Return the share of resamples beyond each end of the interval: 0.025 for many units, less for few.

    Student's quantile comes from the normal one by the expansion of Abramowitz and Stegun (1964), 26.7.5.

    >>> round(expanded_tail(100_000), 4), round(expanded_tail(20), 4)
    (0.025, 0.0159)
    """
    return NormalDist().cdf(-math.sqrt(units / (units - 1)) * _student(units - 1, level))


def _student(freedom: int, level: float = LEVEL) -> float:
    z = NormalDist().inv_cdf((1 + level) / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def units_of(rows: int, groups: npt.NDArray[Any] | None) -> tuple[Integers, int]:
    """Return the unit ``(row,)`` of each row, and how many there are: itself, or its group where rows hang together.

    >>> units_of(3, np.array(["b", "a", "b"]))
    (array([1, 0, 1]), 2)
    """
    if groups is None:
        return np.arange(rows), rows
    labels, unit = np.unique(groups, return_inverse=True)
    return unit.reshape(-1).astype(np.int64), len(labels)


def dealt(rows: int, groups: npt.NDArray[Any] | None, parts: int, seed: int) -> Integers:
    """Deal rows out by chance and return the part ``(row,)`` of each, from 0, as many in each as can be; rows that share a label of ``groups (row,)`` are in one.

    >>> np.bincount(dealt(100, None, 5, seed=0)).tolist(), len(set(dealt(4, np.array(["a"] * 4), 2, seed=0).tolist()))
    ([20, 20, 20, 20, 20], 1)
    """
    unit, units = units_of(rows, groups)
    return np.asarray(np.random.default_rng(seed).permutation(units)[unit] % parts)


def squares_of_sums(scores: Floats, groups: npt.NDArray[Any] | None) -> float:
    """Return the sum of squares of ``scores (row,)`` that are 0 on average; of rows that hang together, of the sums of their groups.

    So the variance of a sum is estimated without knowing how rows of a group go together (Liang and Zeger, Biometrika 73, 1986; with the factor for few groups of Cameron and Miller, Journal of
    Human Resources 50, 2015, section II.C).
    """
    if groups is None:
        return float((scores**2).sum())
    unit, count = units_of(len(scores), groups)
    return float((np.bincount(unit, scores) ** 2).sum()) * count / max(count - 1, 1)


def error_of_mean(values: Floats, groups: npt.NDArray[Any] | None = None) -> float:
    """Return the standard error of the mean of ``values (row,)``, by rows or by groups of rows that hang together.

    >>> twice = np.repeat([1.0, 2.0, 3.0], 2)
    >>> round(error_of_mean(np.array([1.0, 2.0, 3.0])), 6), round(error_of_mean(twice, np.array([0, 0, 1, 1, 2, 2])), 6)
    (0.57735, 0.57735)
    """
    rows = len(values)
    if groups is None:
        return float(values.std(ddof=1) / np.sqrt(rows))
    return math.sqrt(squares_of_sums(values - values.mean(), groups)) / rows


def worth(hits: npt.NDArray[Any], groups: npt.NDArray[Any] | None = None) -> float:
    """Return how many rows that do not hang together would tell as much of a share as these ``hits (row,)`` do: all, or fewer where they come in groups.

    It is the effective size of a clustered sample, by its design effect (Kish, Survey Sampling, 1965, section 8.2), with Student's quantile where groups are few (Korn and Graubard, Survey Methodology 24, 1998). Where
    all rows are hits, or none, nothing is seen of how far groups differ, and rows of a group count as one.

    >>> worth(np.array([1, 0, 1, 1])), round(worth(np.repeat([1, 0] * 500, 3), np.repeat(np.arange(1000), 3)))
    (4, 997)
    """
    rows = len(hits)
    if groups is None or not rows:
        return rows
    unit, count = units_of(rows, groups)
    if count < 2:
        return 1
    few = (NormalDist().inv_cdf((1 + LEVEL) / 2) / _student(count - 1)) ** 2
    marks = np.asarray(hits, np.float64)
    alone, together = error_of_mean(marks), error_of_mean(marks, groups)
    if alone > 0 and together > 0:
        return min(float(rows), few * rows * (alone / together) ** 2)
    return few * rows**2 / float((np.bincount(unit).astype(np.float64) ** 2).sum())


def share_limits(hits: npt.NDArray[Any], groups: npt.NDArray[Any] | None = None) -> tuple[float, float]:
    """Return the 95 % interval of the share of ``hits (row,)``, low and high: Wilson's, of as many rows as they are `worth`.

    >>> [round(limit, 3) for limit in share_limits(np.ones(10))]
    [0.722, 1.0]
    """
    counted = worth(hits, groups)
    (low,), (high,) = wilson(np.array([float(np.mean(hits)) * counted]), np.array([float(counted)]))
    return float(low), float(high)


def wilson(hits: npt.NDArray[Any], rows: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a share, low and high (Wilson, JASA 22, 1927): never outside 0 to 1, never empty.

    >>> low, high = wilson(np.array([10]), np.array([10]))
    >>> low.round(3), high.round(3)
    (array([0.722]), array([1.]))
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = hits / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
