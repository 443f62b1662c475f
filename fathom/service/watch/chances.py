"""How likely chance alone makes a difference at least as large: the few tests that watching needs, written from their papers, NumPy alone."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

EXACT_ROWS = 200_000  # up to so many rows of both sides, a difference of shares is tested exactly
_TINY = 1e-300


def kuiper(distance: float, first: int, second: int) -> float:
    """Return the chance of Kuiper's distance between two samples of ``first`` and ``second`` numbers of one distribution.

    Unlike that of Kolmogorov and Smirnov it sees a change of spread as well as one of place. Kuiper, Proc. Kon. Ned. Akad. Wet. A 63, 1960; the correction for
    few rows is that of Stephens, J. R. Statist. Soc. B 32, 1970, section 3. Ties make it larger than the truth, never smaller.

    >>> round(kuiper(0.1, 500, 500), 4), kuiper(0.0, 500, 500)
    (0.1115, 1.0)
    """
    root = math.sqrt(first * second / (first + second))
    scaled = (root + 0.155 + 0.24 / root) * distance
    if scaled < 0.4:
        return 1.0  # exact to seven digits
    terms = [(4 * j * j * scaled**2 - 1) * math.exp(-2 * j * j * scaled**2) for j in range(1, 101)]
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def chi_square(statistic: float, freedom: int) -> float:
    """Return the chance of a chi-square statistic at least so large (Pearson, Phil. Mag. 50, 1900).

    The regularised incomplete gamma function: its series (Abramowitz and Stegun, 1964, 6.5.29) or continued fraction (6.5.31).

    >>> round(chi_square(3.841458820694124, 1), 12)
    0.05
    """
    half, x = freedom / 2, statistic / 2
    if x <= 0 or freedom <= 0:
        return 1.0
    front = math.exp(half * math.log(x) - x - math.lgamma(half))
    if x < half + 1:
        term = total = 1 / half
        place = half
        while abs(term) > abs(total) * 1e-16:
            place += 1
            term *= x / place
            total += term
        return max(0.0, 1.0 - total * front)
    start = x + 1 - half
    return front * _fraction(start, ((-i * (i - half), start + 2 * i) for i in range(1, 10_000)))


def student(statistic: float, freedom: float) -> float:
    """Return the chance of Student's t at least so far from 0, either way: the incomplete beta function (DLMF 8.17.22).

    >>> round(student(2.0, 10.0), 6)
    0.073388
    """
    if not math.isfinite(statistic):
        return 0.0
    x = freedom / (freedom + statistic**2)
    return _beta(x, freedom / 2, 0.5)


def welch(first: tuple[int, float, float], second: tuple[int, float, float]) -> float:
    """Return the chance of a difference of two means; each side is rows, mean and standard deviation (Welch, Biometrika 34, 1947).

    >>> round(welch((50, 0.5, 1.0), (60, 0.0, 1.0)), 4)
    0.0104
    """
    (n, mean, deviation), (m, other, spread) = first, second
    one, two = deviation**2 / n, spread**2 / m
    if one + two == 0:
        return 1.0 if mean == other else 0.0
    freedom = (one + two) ** 2 / (one**2 / (n - 1) + two**2 / (m - 1))
    return student((mean - other) / math.sqrt(one + two), freedom)


def fisher(hits: int, rows: int, other_hits: int, other_rows: int) -> float:
    """Return the chance of a difference of two shares: Fisher's exact test, both ways (Fisher, Statistical Methods for Research Workers, 1934, section 21.02).

    >>> round(fisher(8, 10, 1, 10), 6)
    0.005477
    """
    total, marked = rows + other_rows, hits + other_hits
    if marked in (0, total):
        return 1.0
    if total > EXACT_ROWS:
        counts = np.array([[hits, rows - hits], [other_hits, other_rows - other_hits]])
        return homogeneous(counts[0], counts[1])
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    inside = np.arange(max(0, marked - other_rows), min(rows, marked) + 1)
    chances = (
        logs[rows] - logs[inside] - logs[rows - inside]
        + logs[other_rows] - logs[marked - inside] - logs[other_rows - marked + inside]
        - logs[total] + logs[marked] + logs[total - marked]
    )  # fmt: skip
    observed = chances[hits - inside[0]]
    return float(min(1.0, np.exp(chances[chances <= observed + 1e-7]).sum()))


def homogeneous(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], least: float = 5.0) -> float:
    """Return the chance that two rows of counts ``(word,)`` differ so much, of one distribution.

    Words too rare to be expected ``least`` times on either side are counted together (Cochran, Biometrics 10, 1954, section 5), the rarest first.

    >>> round(homogeneous(np.array([30, 70]), np.array([50, 50])), 6)
    0.003892
    """
    both = first + second
    n, m = int(first.sum()), int(second.sum())
    order = np.argsort(-both, kind="stable")
    first, second, both = first[order], second[order], both[order]
    expected = both * (min(n, m) / max(n + m, 1))
    kept = int((expected >= least).sum())
    tail = expected[kept:].sum()
    if kept < len(both) and tail < least and kept:  # what is left joins the rarest word that is frequent enough
        kept -= 1
    groups = np.minimum(np.arange(len(both)), kept)
    one, two = np.bincount(groups, first, kept + 1), np.bincount(groups, second, kept + 1)
    one, two = one[one + two > 0], two[one + two > 0]
    if len(one) < 2 or not n or not m:
        return 1.0
    whole = one + two
    statistic = sum(
        float(((side - whole * rows / (n + m)) ** 2 / (whole * rows / (n + m))).sum())
        for side, rows in ((one, n), (two, m))
    )
    return chi_square(statistic, len(one) - 1)


def holm(chances: Sequence[float]) -> list[float]:
    """Return what each chance is worth among so many: if those below a level are believed, that one of them misleads has at most this level as its chance.

    Whatever they have to do with each other (Holm, Scand. J. Statist. 6, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    chance = np.asarray(chances, np.float64)
    order = np.argsort(chance, kind="stable")
    adjusted = np.maximum.accumulate(chance[order] * np.arange(len(chance), 0, -1))
    found = np.empty(len(chance))
    found[order] = np.minimum(adjusted, 1.0)
    return [float(value) for value in found]


def _beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a

    def steps() -> Iterator[tuple[float, float]]:
        for m in range(10_000):
            if m:
                yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0
            yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0

    return front * _fraction(1.0, steps())


def _fraction(start: float, steps: Iterable[tuple[float, float]]) -> float:
    """Return 1 / (start + a1 / (b1 + a2 / (b2 + …))) (Lentz, Applied Optics 15, 1976; as Thompson and Barnett, J. Comput. Phys. 64, 1986)."""
    value = c = start or _TINY
    d = 0.0
    for a, b in steps:
        d = 1 / ((b + a * d) or _TINY)
        c = (b + a / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return 1 / value
