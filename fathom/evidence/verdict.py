"""Is deep learning worth it here: the network against the best simpler model, on rows that neither has seen.

The question is not "is it better?" but "is it better by enough, and do these rows prove it?". Both models are scored on
the same resamples of the test rows (paired bootstrap), the difference gets a 95 % interval, and three lines decide:

* **worth it**: the whole interval lies above 0, and the difference is at least ``MARGIN`` of the simpler model's error;
* **not worth it**: the difference is below ``MARGIN``, and even the top of the interval is below ``CLEAR``;
* **cannot tell yet**: otherwise, and then the number of rows is stated that would probably settle it.

Why two margins. A network costs more to train, to run and to understand, so a gain too small to notice is no gain:
without ``MARGIN`` a tie could never be called, however many rows there are (an equivalence margin, as in Schuirmann,
Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). With ``MARGIN`` alone, two equally good models whose errors
correlate by 0.9 would need some 7,000 test rows to be called a tie more often than not, with ``CLEAR`` some 300. And
either mistake is bounded, whatever the number of rows: "worth it" for a network that is no better, and "not worth it"
for one that is better by ``CLEAR``, each happen about 2.5 times of 100 at most, the share that a 95 % interval leaves
beyond one end.

Fewer than six test rows (or groups of them, where rows come in groups) prove nothing: that all of them point one way then
happens by chance more often than 5 times of 100 (2 / 2⁵), so there is no interval and the answer is "cannot tell yet".

The interval covers the choice of test rows, not that of the training rows or of the random start of the training.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fathom.quantities import counted
from fathom.resampling import Floats, Resamples
from fathom.scoring import Answer, Metric, Truth, score

NAME = "verdict"
QUESTION = "Is deep learning worth it here?"
SOURCE = (
    "Efron and Tibshirani, An Introduction to the Bootstrap, 1993; Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987"
)

MARGIN = 0.01  # of the simpler model's error: a smaller gain is not worth a second model
CLEAR = 0.05  # of the simpler model's error: a gain that we promise not to deny
FEWEST = 6  # test rows, or groups of them: of fewer, all may point one way by chance more often than 1 time of 20
FLOOR = 0.001  # of a constant's error: where nearly nothing is left to gain, MARGIN of it is nothing at all

Word = Literal["worth it", "not worth it", "cannot tell yet"]
COSTS = ("fit_seconds", "predict_seconds_per_row", "bytes")
ORDER: tuple[Word, ...] = ("not worth it", "cannot tell yet", "worth it")


@dataclass(frozen=True)
class Contender:
    """A model's name and what it costs; ``None`` where that is not known."""

    name: str
    fit_seconds: float | None = None
    predict_seconds_per_row: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Contest:
    """One target on the test rows: the truth, and the answers of the network, the best baseline and a constant.

    ``truth (row,)``; answers ``(row, class)`` probabilities or ``(row,)`` numbers in the target's unit. The best
    baseline is to be chosen on the validation rows, so that its score here is not flattered by the choice.
    """

    target: str
    metric: Metric
    truth: Truth
    network: Answer
    baseline: Answer
    constant: Answer


@dataclass(frozen=True)
class Verdict:
    """The answer, the numbers it rests on, and one sentence. The fields are those of ``result.json``."""

    answer: Word
    metric: str
    better: Literal["higher", "lower"]
    network: str
    baseline: str
    difference: float | None
    low: float | None
    high: float | None
    relative: float | None
    ratios: dict[str, float | None]
    rows_to_settle: int | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary of JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Gap:
    """By how much the network's error is smaller than a rival's, with its 95 % interval, and the margin that counts.

    ``low`` and ``high`` are NaN where there are too few rows to resample.
    """

    difference: float
    low: float
    high: float
    margin: float

    @property
    def answer(self) -> Word:
        """Decide by the three lines of this module.

        >>> Gap(16, 9, 24, margin=5.6).answer, Gap(-9, -16, -2, margin=5.6).answer, Gap(8, -4, 20, margin=5.6).answer
        ('worth it', 'not worth it', 'cannot tell yet')
        """
        if self.low > 0 and self.difference >= self.margin:
            return "worth it"
        if (self.difference < self.margin and self.high < self.margin * CLEAR / MARGIN) or self.high <= 0:
            return "not worth it"
        return "cannot tell yet"

    def growth(self) -> float:
        """Return how many times as many rows would probably settle it: the interval shrinks with their square root.

        That is, by when the interval leaves 0 or ``CLEAR`` behind if the difference stays what it is. NaN without an
        interval.

        >>> round(Gap(8, -8, 24, margin=5.6).growth(), 1)
        4.0
        """
        if self.difference >= self.margin:
            return ((self.difference - self.low) / self.difference) ** 2
        return ((self.high - self.difference) / (self.margin * CLEAR / MARGIN - self.difference)) ** 2


def judge(
    contests: Sequence[Contest],
    *,
    network: Contender,
    baseline: Contender,
    resamples: Resamples,
    table_rows: int | None = None,
) -> Verdict:
    """Decide whether the network is worth it over the best baseline.

    ``resamples`` are those of the test rows. ``table_rows`` is the number of rows of the whole table, of which the test
    rows keep their share when it grows; without it ``rows_to_settle`` counts test rows. For one target the difference
    is that of its metric, above 0 where the network is better. For several it is the mean over targets of error / a
    constant's error, on the same resamples. A network must also beat the constant to be worth it.

    >>> from fathom.scoring import find_metric
    >>> truth = np.linspace(0.0, 9.0, 200)
    >>> contest = Contest("price", find_metric("rmse", "regression"), truth, truth + 1, truth - 2, truth * 0 + 4.5)
    >>> network, trees = Contender("network", fit_seconds=60), Contender("LightGBM", fit_seconds=2)
    >>> judge([contest], network=network, baseline=trees, resamples=Resamples.draw(200)).sentence
    "Deep learning is worth it here: the network's RMSE on 200 test rows is 1.00, against 2.00 for the best simpler
    model (LightGBM), better by 1.00 (95 % interval 1.00 to 1.00); it took 30 times as long to train."
    """
    errors, reason = _errors(contests, resamples)
    value = {who: float(draws[0]) for who, draws in errors.items()}
    gap, over_constant = (_gap(errors, rival, resamples) for rival in ("baseline", "constant"))
    answer: Word = ORDER[min(ORDER.index(gap.answer), ORDER.index(over_constant.answer))]
    if math.isnan(gap.difference):  # a network without a score has lost; a metric without a value has not decided
        answer = "not worth it" if math.isfinite(value["baseline"]) else "cannot tell yet"
    undecided = [one for one in (gap, over_constant) if one.answer == answer == "cannot tell yet"]
    rows = _more_rows(undecided, table_rows or resamples.rows)
    ratios = {cost: _ratio(getattr(network, cost), getattr(baseline, cost)) for cost in COSTS}
    useless = over_constant.low <= 0 and resamples.interval(errors["constant"] - errors["baseline"]).low <= 0
    clauses = [
        _opening(answer, contests[0].target if len(contests) == 1 else f"the {len(contests)} targets", useless),
        reason if math.isnan(gap.difference) else _comparison(contests, value, gap, baseline.name, resamples),
        _ending(answer, gap, ratios["fit_seconds"], rows, useless, "rows" if table_rows else "test rows"),
    ]
    single = contests[0].metric if len(contests) == 1 else None
    return Verdict(
        answer=answer,
        metric=single.name if single else "error against a constant",
        better=single.better if single else "lower",
        network=network.name,
        baseline=baseline.name,
        difference=_known(gap.difference),
        low=_known(gap.low),
        high=_known(gap.high),
        relative=_ratio(_known(gap.difference), value["baseline"]),
        ratios=ratios,
        rows_to_settle=rows,
        sentence="".join(clauses),
    )


def _errors(contests: Sequence[Contest], resamples: Resamples) -> tuple[dict[str, Floats], str]:
    """Draw the errors ``(resample + 1,)`` of the three models, and say in a clause why one is not defined.

    One target: the error of its metric. Several: the mean over targets of error / a constant's error; a target that a
    constant gets right, or on which the baseline's metric is not defined, cannot compare models and is left out.
    """
    by_target, reason = [], ""
    for contest in contests:
        errors = {}
        for who in ("constant", "baseline", "network"):
            interval = score(
                contest.truth, getattr(contest, who), names=[contest.metric.name], resamples=resamples
            )[contest.metric.name]  # fmt: skip
            errors[who] = contest.metric.error(interval.draws)
            if interval.reason:
                because = interval.reason[0].lower() + interval.reason[1:].rstrip(".")
                reason = f"the {who}'s {contest.metric.label} on {counted(resamples.rows, 'test row')} is not defined: {because}"
        by_target.append(errors)
    if len(contests) == 1:
        return by_target[0], reason
    usable = [errors for errors in by_target if errors["constant"][0] > 0 and np.isfinite(errors["baseline"][0])]
    reason = reason or f"a constant makes no error on {counted(resamples.rows, 'test row')}"
    draws = min((len(errors[who]) for errors in usable for who in errors), default=1)
    mean = {who: np.full(draws, 0.0 if usable else np.nan) for who in ("constant", "baseline", "network")}
    with np.errstate(all="ignore"):  # a resample in which the constant is right is not defined
        for errors in usable:
            for who in mean:
                mean[who] = mean[who] + errors[who][:draws] / errors["constant"][:draws] / len(usable)
    return mean, reason


def _gap(errors: dict[str, Floats], rival: str, resamples: Resamples) -> Gap:
    """Compare the network with a rival, draw by draw."""
    interval = resamples.interval(errors[rival] - errors["network"])
    low, high = (interval.low, interval.high) if resamples.units >= FEWEST else (math.nan, math.nan)
    margin = max(MARGIN * float(errors[rival][0]), FLOOR * float(errors["constant"][0]))
    return Gap(interval.value, low, high, margin)


def _more_rows(undecided: Sequence[Gap], rows: int) -> int | None:
    """Return how many more rows would probably settle it, rounded up to two digits; ``None`` where nothing is open."""
    growth = max((gap.growth() for gap in undecided), default=math.nan)
    if not math.isfinite(growth):
        return None
    more = max(rows * (growth - 1), 1.0)
    unit: int = 10 ** max(math.floor(math.log10(more)) - 1, 0)
    return math.ceil(more / unit) * unit


def _opening(answer: Word, targets: str, useless: bool) -> str:
    """Begin the sentence with the answer."""
    if answer == "cannot tell yet":
        return "Cannot tell yet: " + (
            f"so far nothing here predicts {targets} better than a constant; " if useless else ""
        )
    if useless:
        return f"Nothing here predicts {targets} better than a constant, so deep learning is not worth it: "
    return f"Deep learning is {answer} here: "


def _comparison(
    contests: Sequence[Contest], value: dict[str, float], gap: Gap, baseline: str, resamples: Resamples
) -> str:
    """Say both scores, their difference and its interval."""
    metric = contests[0].metric if len(contests) == 1 else None
    scores = [float(metric.error(np.asarray(value[who]))) if metric else value[who] for who in ("network", "baseline")]
    text = _writer(scores, gap.difference, [limit for limit in (gap.low, gap.high) if math.isfinite(limit)])
    what = metric.label if metric else f"mean error over {len(contests)} targets, where a constant has 1,"
    low, high = text(abs(gap.low)), text(abs(gap.high))
    if gap.low < 0 < gap.high:
        interval = f" (95 % interval {low} worse to {high} better)"
    elif math.isfinite(gap.low):
        interval = f" (95 % interval {low} to {high})" if gap.low >= 0 else f" (95 % interval {high} to {low})"
    else:
        few = "test rows" if resamples.unit is None else "groups of test rows"
        interval = f" (too few {few} for an interval)"
    return (
        f"the network's {what} on {counted(resamples.rows, 'test row')} is {text(scores[0])}, against {text(scores[1])} for the best simpler "
        f"model ({baseline}), {'worse' if gap.difference < 0 else 'better'} by {text(abs(gap.difference))}{interval}"
    )


def _ending(answer: Word, gap: Gap, times: float | None, rows: int | None, useless: bool, unit: str) -> str:
    """Say what follows: the price of the network, the advice, or how many rows are missing."""
    if answer == "worth it":
        if times is None:
            return "."
        if 2 / 3 < times < 1.5:
            return "; it took about as long to train."
        return f"; it took {float(f'{times:.2g}'):,.3g} times as long to train."
    if answer == "cannot tell yet":
        return "." if rows is None else f"; about {rows:,} more {unit} would settle it."
    if useless or math.isnan(gap.difference):
        return "."
    little = ", too little to pay for a second model" if gap.difference > 0 else ""
    return f"{little}, so the simpler model is what you should use."


def _writer(scores: Sequence[float], difference: float, interval: Sequence[float]) -> Callable[[float], str]:
    """Return how to write these numbers: three digits of the scores, two of their difference where the interval allows.

    >>> text = _writer([545.4, 561.2], 15.8, [9.3, 24.8])
    >>> text(545.4), text(9.3), _writer([0.3012, 0.3005], 0.0007, [-0.002, 0.0034])(0.3005)
    ('545', '9', '0.30050')
    """
    most, widest = max(map(abs, scores)), max(map(abs, [difference, *interval]))
    exact = min(_places(abs(difference) or widest, 2), _places(widest, 2) + 1 if interval else 9)
    places = max(_places(most, 3), min(exact, _places(most, 3) + 3), 0)
    if places > 8 or most >= 1e15:
        return lambda number: f"{number:.3g}"
    return lambda number: f"{round(number, places) + 0.0:,.{places}f}"


def _places(number: float, digits: int) -> int:
    """Return how many decimals show this many digits of a number."""
    return digits - 1 - math.floor(math.log10(number)) if number > 0 else 0


def _ratio(one: float | None, other: float | None) -> float | None:
    """Divide, where there is something to divide by."""
    return one / other if one is not None and other else None


def _known(number: float) -> float | None:
    """Return the number, or ``None`` for NaN."""
    return number if math.isfinite(number) else None
