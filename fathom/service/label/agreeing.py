"""How far two people agree on the rows that both labelled: Cohen's kappa of classes, the intraclass correlation of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathom.resampling import Interval, Resamples

KAPPA, CORRELATION = "Cohen's kappa", "intraclass correlation"


@dataclass(frozen=True)
class Agreement:
    """How far two people agree: the name of the ``measure``, its value with the bootstrap's interval, on how many ``rows``; of numbers also by how much they differ in the mean, ``apart``."""

    measure: str
    value: Interval
    rows: int
    apart: float | None = None

    def sentence(self) -> str:
        """Say it in words.

        >>> Agreement(KAPPA, Interval(0.75, 0.5, 1.0), 40).sentence()
        "Cohen's kappa 0.75 (0.50 to 1.00), 40 rows in common"
        """
        if self.value.value != self.value.value:
            told = self.value.reason
        else:
            between = f" ({self.value.low:.2f} to {self.value.high:.2f})" if self.value.low == self.value.low else ""
            told = f"{self.measure} {self.value.value:.2f}{between}"
        apart = "" if self.apart is None else f", {self.apart:.4g} apart in the mean"
        return f"{told}{apart}, {self.rows:,} rows in common"


def agreement_of(one: Mapping[str, str], other: Mapping[str, str], numbers: bool, seed: int = 0) -> Agreement:
    """Return how far two people agree, from their labels by row.

    >>> agreement_of({"1": "2", "2": "5"}, {"1": "2.5", "2": "5"}, numbers=True).apart
    0.25
    """
    if not numbers:
        return Agreement(KAPPA, *agreement(one, other, seed))
    rows = sorted(set(one) & set(other))
    first, second = (np.array([float(labels[row]) for row in rows], np.float64) for labels in (one, other))
    apart = float(np.abs(first - second).mean()) if rows else None
    return Agreement(CORRELATION, correlation(first, second, seed), len(rows), apart)


def agreement(one: Mapping[str, str], other: Mapping[str, str], seed: int = 0) -> tuple[Interval, int]:
    """Return Cohen's kappa of two people on the rows that both labelled, with its interval, and how many those are.

    Kappa is what two people agree beyond what they would by chance: 1 is always, 0 as chance would have it (Cohen, "A coefficient of agreement for nominal scales",
    Educational and Psychological Measurement 20, 1960). The interval is the bootstrap's.

    >>> both = {str(row): "ab"[row % 2] for row in range(100)}
    >>> kappa, rows = agreement(both, both)
    >>> kappa.value, rows
    (1.0, 100)
    """
    rows = sorted(set(one) & set(other))
    if not rows:
        return Interval(float("nan"), reason="No row has been labelled by both."), 0
    classes = sorted({*(one[row] for row in rows), *(other[row] for row in rows)})
    place = {label: number for number, label in enumerate(classes)}
    first, second = (np.array([place[labels[row]] for row in rows]) for labels in (one, other))
    draws = Resamples.draw(len(rows), seed=seed)
    size = len(classes)
    joint = draws.sums_by(first * size + second, size * size).reshape(-1, size, size) / len(rows)
    observed = np.trace(joint, axis1=1, axis2=2)
    expected = (joint.sum(axis=2) * joint.sum(axis=1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: npt.NDArray[np.float64] = np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)
    reason = "Both gave every row the same label, so there is nothing that chance could not do."
    return draws.interval(kappa, reason), len(rows)


def correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], seed: int = 0) -> Interval:
    """Return the intraclass correlation of two people's numbers ``(row,)``, with the bootstrap's interval.

    It is the share of all that varies which is due to the rows: 1 where both say the same of every row, lower where they scatter and also where one always says more than the other.
    Source: Shrout and Fleiss, "Intraclass correlations: uses in assessing rater reliability", Psychological Bulletin 86(2), 1979, ICC(2, 1) (https://doi.org/10.1037/0033-2909.86.2.420).

    >>> correlation(np.arange(9.0), np.arange(9.0)).value, round(correlation(np.arange(9.0), np.arange(9.0) + 5).value, 3)
    (1.0, 0.375)
    """
    rows = len(one)
    if rows < 2:
        return Interval(float("nan"), reason="Fewer than two rows have been labelled by both.")
    draws = Resamples.draw(rows, seed=seed)
    middle = (
        one.mean() + other.mean()
    ) / 2  # what is added to both changes nothing, and squares of large numbers lose digits
    one, other = one - middle, other - middle
    columns = np.stack([one, other, one**2, other**2, one * other], 1)
    sums = np.stack([draws.means(column) for column in columns.T], 1)  # (draw, moment)
    a, b, aa, bb, ab = sums.T
    total = aa - a**2 + bb - b**2
    # Mean squares of a table of `rows` rows and two people: between rows, between people, what is left.
    between = rows / (rows - 1) * (total / 2 + ab - a * b)
    people = rows * (a - b) ** 2 / 2
    left = rows / (rows - 1) * (total / 2 - (ab - a * b))
    spread = between + left + 2 * (people - left) / rows
    with np.errstate(invalid="ignore", divide="ignore"):
        found: npt.NDArray[np.float64] = np.where(spread > 1e-12 * (aa + bb), (between - left) / spread, np.nan)
    return draws.interval(found, "Both gave every row the same number, so there is nothing to agree on.")
