"""How far what is seen in service lies from the reference, how sure that is, and whether it is worth a word.

Every question has one effect size, in the same units everywhere:

* numbers and words: the **share of rows that moved**, 0 to 1. For numbers it is Kuiper's distance, the largest difference in the share of rows that lie between any two
  values; for words the total variation distance, the largest difference in the share of rows with any set of words.
* marks (missing, unreadable, not sure, held by the interval): the difference of the two shares.
* losses: the difference of the two means, in standard deviations (Cohen, Statistical Power Analysis, 1988, section 2.2).

An alarm needs both: a chance below 5 % after Holm's correction for the number of questions, and an effect of at least ``LEAST``. Large windows make any trifle certain; small ones make accidents large.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers.reference import Losses, Ordered, Share, Sketch, Words
from fathom.quantities import significant
from fathom.resampling import wilson
from fathom.service.watch import chances

LEVEL = 0.05  # chance that any question of a look without drift is called certain
FEWEST_ROWS = 50  # of a window, from which a question is asked
DRAWS = 200  # resamples of an interval
LEAST: Mapping[str, float] = {"moved": 0.10, "share": 0.05, "loss": 0.20}  # the smallest effect that is worth a word
WORSE = {"held": -1, "loss": 1}  # questions of which one direction alone is bad news

Unit = Literal["moved", "share", "loss"]
Measures = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Drift:
    """One question to one column, answered.

    ``effect`` with its 95 % interval, in the unit that ``unit`` names; ``chance`` that it comes about without drift, ``corrected`` for the number of questions. ``status``: ``steady``; ``changed``, certain but smaller than
    ``least``; ``expected``, certain but announced, or time going by; ``drift``, an alarm; ``too few rows``.
    """

    column: str
    question: str
    about: Literal["column", "answer", "truth"]
    unit: Unit
    effect: float
    low: float
    high: float
    chance: float
    rows: int
    reference_rows: int
    words: str
    corrected: float = 1.0
    status: str = "steady"

    @property
    def least(self) -> float:
        """The smallest effect that is worth a word."""
        return LEAST[self.unit]

    @property
    def size(self) -> float:
        """The effect in the direction that counts."""
        sign = WORSE.get(self.question, 0)
        return abs(self.effect) if not sign else sign * self.effect

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; what is not known is ``None``."""
        values = {**asdict(self), "least": self.least}
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }


def compare(
    column: str,
    about: Literal["column", "answer", "truth"],
    reference: Mapping[str, Sketch],
    measured: Measures,
    *,
    show: Any = None,
    draws: int = DRAWS,
) -> list[Drift]:
    """Answer every question that the reference and the measures share. ``show`` writes a number as the column does; ``draws`` 0 leaves the intervals out."""
    found = []
    for question, sketch in reference.items():
        if question not in measured:
            continue
        values = measured[question]
        if isinstance(sketch, Share):
            answer = _shares(sketch, values)
        elif isinstance(sketch, Losses):
            answer = _losses(sketch, values)
        elif isinstance(sketch, Words):
            answer = _words(sketch, values, draws)
        else:
            answer = _numbers(sketch, values, show or _plain, draws)
        unit, effect, low, high, chance, rows, words = answer
        few = min(rows, sketch.rows) < FEWEST_ROWS
        status = "too few rows" if few else "steady"
        found.append(
            Drift(
                column,
                question,
                about,
                unit,
                effect,
                low,
                high,
                1.0 if few else chance,
                rows,
                sketch.rows,
                words,
                status=status,
            )
        )
    return found


_Answer = tuple[Unit, float, float, float, float, int, str]


def _numbers(sketch: Ordered, values: npt.NDArray[Any], show: Any, draws: int) -> _Answer:
    known = values[np.isfinite(values)]
    before, after = sketch.cells, sketch.count(known)
    n, m = sketch.rows, len(known)
    if not n or not m:
        return "moved", math.nan, math.nan, math.nan, 1.0, m, "no value to compare"
    distance = float(_kuiper(before[None] / n, after[None] / m)[0])
    chance = chances.kuiper(distance, n, m)
    effect = _unbiased(distance, math.sqrt(math.pi / 2 * (1 / n + 1 / m)))  # the mean of Kuiper's distribution
    low, high = _interval(effect, chance, before, after, _kuiper, draws)
    shown = [
        f"{show(float(np.quantile(known, share, method='inverted_cdf')))} ({show(sketch.quantile(share))})"
        for share in (0.1, 0.5, 0.9)
    ]
    words = f"a tenth below {shown[0]}, half below {shown[1]}, a tenth above {shown[2]}; in brackets the training rows"
    return "moved", effect, low, high, chance, m, words


def _words(sketch: Words, values: npt.NDArray[Any], draws: int) -> _Answer:
    there = values[values >= 0]
    codes = np.asarray(sketch.codes, np.int64)
    counted = (
        np.bincount(there, minlength=int(codes.max(initial=0)) + 1)[codes] if len(codes) else np.zeros(0, np.int64)
    )
    before, after = (
        np.append(sketch.counts, sketch.rest).astype(np.int64),
        np.append(counted, len(there) - counted.sum()),
    )
    n, m = sketch.rows, len(there)
    if not n or not m:
        return "moved", math.nan, math.nan, math.nan, 1.0, m, "no value to compare"
    whole = (before + after) / (n + m)
    alone = float(np.sqrt(2 / math.pi * whole * (1 - whole) * (1 / n + 1 / m)).sum()) / 2  # half the mean of |normal|
    effect = _unbiased(float(_variation(before[None] / n, after[None] / m)[0]), alone)
    chance = chances.homogeneous(before, after)
    low, high = _interval(effect, chance, before, after, _variation, draws)
    names = [*(repr(name) for name in sketch.names), "rare or new words"]
    moved = after / m - before / n
    places = [int(place) for place in np.argsort(-np.abs(moved), kind="stable")[:2]]
    words = "; ".join(
        f"{names[place]} {_per_cent(after[place] / m)} ({_per_cent(before[place] / n)})" for place in places
    )
    return "moved", effect, low, high, chance, m, f"{words}; in brackets the training rows"


def _shares(sketch: Share, marks: npt.NDArray[Any]) -> _Answer:
    n, m, before, after = sketch.rows, len(marks), sketch.count, int(marks.sum())
    if not n or not m:
        return "share", math.nan, math.nan, math.nan, 1.0, m, "no row to compare"
    first, second = before / n, after / m
    lows, highs = wilson(np.array([before, after]), np.array([n, m]))
    difference = second - first  # with the interval of Newcombe, Statistics in Medicine 17, 1998, method 10
    low = difference - math.hypot(second - lows[1], highs[0] - first)
    high = difference + math.hypot(highs[1] - second, first - lows[0])
    words = f"{_per_cent(second)} of the rows ({_per_cent(first)} before)"
    return "share", difference, low, high, chances.fisher(after, m, before, n), m, words


def _losses(sketch: Losses, losses: npt.NDArray[Any]) -> _Answer:
    known = losses[np.isfinite(losses)]
    n, m = sketch.rows, len(known)
    if min(n, m) < 2:
        return "loss", math.nan, math.nan, math.nan, 1.0, m, "too few rows whose truth is known"
    mean, deviation = float(known.mean()), float(known.std(ddof=1))
    pooled = math.sqrt(((n - 1) * sketch.deviation**2 + (m - 1) * deviation**2) / (n + m - 2)) or math.inf
    effect = (mean - sketch.mean) / pooled
    half = NormalDist().inv_cdf(0.975) * math.sqrt(1 / n + 1 / m + effect**2 / (2 * (n + m)))
    chance = chances.welch((m, mean, deviation), (n, sketch.mean, sketch.deviation))
    return (
        "loss",
        effect,
        effect - half,
        effect + half,
        chance,
        m,
        f"a loss of {significant(mean, 4)} a row ({significant(sketch.mean, 4)} when it was judged)",
    )


def _kuiper(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the distance between shares ``(draw, cell)``."""
    gap = np.cumsum(after - before, axis=1)
    return np.asarray(np.maximum(gap.max(axis=1), 0.0) - np.minimum(gap.min(axis=1), 0.0))


def _variation(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(after - before).sum(axis=1) / 2)


def _unbiased(distance: float, alone: float) -> float:
    """Return a distance without what chance alone would add to it, ``alone`` on average: the two add as the sides of a right angle do, nearly."""
    return math.sqrt(max(0.0, distance**2 - alone**2))


def _interval(effect: float, chance: float, before: Any, after: Any, measure: Any, draws: int) -> tuple[float, float]:
    """Return the 95 % interval of a distance: as far from the effect as the bootstrap's draws are from their mean; from 0 where there may be none."""
    if not draws:
        return math.nan, math.nan
    generator = np.random.default_rng(0)
    n, m = int(before.sum()), int(after.sum())
    drawn = measure(generator.multinomial(n, before / n, draws) / n, generator.multinomial(m, after / m, draws) / m)
    low, high = np.quantile(drawn, [0.025, 0.975]) - drawn.mean()
    return 0.0 if chance >= LEVEL else max(0.0, effect + float(low)), min(1.0, effect + float(high))


def decide(found: Sequence[Drift], expected: Collection[str] = (), level: float = LEVEL) -> list[Drift]:
    """Correct for how many questions were asked, and say of each whether it is an alarm.

    ``expected`` names columns whose change is no news. A question whose answer was sure before it was asked (no mark on either side) is not counted (Tarone, Biometrics 46, 1990).
    """
    asked = [place for place, one in enumerate(found) if one.status != "too few rows" and one.chance < 1.0]
    corrected = dict(zip(asked, chances.holm([found[place].chance for place in asked]), strict=True))
    return [
        replace(one, corrected=corrected[place], status=_status(one, corrected[place] < level, expected))
        if place in corrected
        else one
        for place, one in enumerate(found)
    ]


def _status(one: Drift, certain: bool, expected: Collection[str]) -> str:
    if not certain:
        return "steady"
    if one.column in expected or one.status == "expected":
        return "expected"
    return "drift" if one.size >= one.least else "changed"


def _plain(value: float) -> str:
    return significant(value, 4)


def _per_cent(share: float) -> str:
    return f"{100 * share:.3g} %"
