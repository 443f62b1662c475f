"""What if the rows get worse: the test rows as the world spoils them, a little to badly, and whether the model notices.

Every input is spoiled as its kind is in the world (`corrupt` of its modality: noise and slips of the unit, typing errors, blur and bad light, lost pieces), at five severities, after
Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR 2019 (https://arxiv.org/abs/1903.12261). A model that is to be
trusted says that it is less sure when it is more often wrong (Ovadia et al., "Can You Trust Your Model's Uncertainty?", NeurIPS 2019, https://arxiv.org/abs/1906.02530): its mean
confidence must fall as severity rises, wherever accuracy does.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from fathom.bundle.answers.banding import holds
from fathom.data.encoding import inputs_of
from fathom.data.table import Table
from fathom.evidence.contract import EVERY_KIND, Case, Finding, Part, left_out, not_applicable, served, some
from fathom.quantities import significant
from fathom.resampling import Floats, Interval, Resamples
from fathom.scoring import METRICS, Metric, primary, score
from fathom.shapes import DEEP

NAME = "robustness"
QUESTION = "What if the rows get worse?"
SOURCE = "Hendrycks and Dietterich, ICLR 2019, https://arxiv.org/abs/1903.12261; Ovadia et al., NeurIPS 2019, https://arxiv.org/abs/1906.02530"
SERVES = EVERY_KIND

SEVERITIES = (1, 2, 3, 4, 5)
MIDDLE = 3  # severity at which each kind of column is spoiled alone
MOST_ROWS = {"quick": 500, "standard": 1_000, "thorough": 5_000}
DEEP_ROWS = 4  # times fewer where pictures, texts or sounds are spoiled and read
FEWEST_ROWS = 50
LEAST_FALL = 0.01  # of the share of right answers, or of confidence, that counts as one
ECHOED = 0.25  # of a fall of accuracy, that confidence must fall by
FEWEST_RIGHT = 0.5  # of what the model is better than a constant by, that the slightest severity must leave


@dataclass(frozen=True)
class Measured:
    """One severity: the score that decides, the share of right answers, the mean confidence, and of numbers how far intervals reach to either side on average, each drawn again ``(resample + 1,)``."""

    score: Floats
    right: Floats
    sure: Floats
    reach: Floats


def run(case: Case) -> Finding:
    """Answer the test rows as they are and at five severities; a good model is worse slowly, and says so."""
    module = sys.modules[__name__]
    columns = inputs_of(case.columns)
    deep = any(column.kind is not None and column.kind.SHAPE in DEEP for column in columns)
    most = min(case.sealed.table.rows, MOST_ROWS[case.effort] // (DEEP_ROWS if deep else 1))
    if most < FEWEST_ROWS or not columns:
        return not_applicable(module, f"There are fewer than {FEWEST_ROWS} rows whose truth is known.")
    passes = len(SEVERITIES) + len({column.modality for column in columns})
    most = case.allowance.affords(NAME, most, FEWEST_ROWS, passes)
    if not most:
        return left_out(module, case.allowance, FEWEST_ROWS * passes)
    part = some(case.sealed, most)
    metric = METRICS[case.metric or primary("regression" if case.classes is None else "classification")]
    draws = part.resamples(case.seed, count=500)
    names = [column.name for column in columns]
    steps = [_measured(case, part, severity, names, metric, draws) for severity in (0, *SEVERITIES)]
    rows = [_line(severity, step, draws, metric) for severity, step in zip((0, *SEVERITIES), steps, strict=True)]
    kinds = [_alone(case, part, kind, metric, draws, steps[0]) for kind in sorted({c.modality for c in columns})]
    kinds.sort(key=lambda line: -line["harm"])
    numbers = case.classes is None
    blind, early = not numbers and _blind(steps, draws), _early(case, part, steps, metric)
    first, last = rows[0], rows[-1]
    worst = f"{metric.label} goes from {significant(first['score'])} to {significant(last['score'])} ({significant(last['low'])} to {significant(last['high'])})"
    if numbers:
        sentence = (
            f"From {part.table.rows:,} rows as they are to the worst of five severities, {worst}, and 90 % intervals, plus and minus {significant(first['plus_and_minus'], 3)} on average "
            f"and then {significant(last['plus_and_minus'], 3)}, hold the truth on {100 * first['right']:.0f} % and then {100 * last['right']:.0f} % of rows."
        )
    else:
        sentence = (
            f"Of {part.table.rows:,} rows as they are, {100 * first['right']:.1f} % are answered right, and the model says that it is {100 * first['sure']:.1f} % sure. "
            f"Spoiled, on average over five severities, {100 * _mean(steps, 'right'):.1f} % are ({_points(steps, draws, 'right', 'fewer')}), "
            f"and it says {100 * _mean(steps, 'sure'):.1f} % ({_points(steps, draws, 'sure', 'less')}). At the worst, {worst}."
        )
    if len(kinds) > 1:
        sentence += f" Spoiled alone, {kinds[0]['spoiled']} columns do most harm."
    answer = "it does not notice" if blind else "it breaks early" if early else "it gets worse slowly"
    if not blind and not early and not numbers and _fall(steps, draws, "sure").low > 0:
        answer += ", and says so"
    return Finding(
        NAME,
        QUESTION,
        answer,
        sentence,
        last["score"],
        last["low"],
        last["high"],
        unit=f"{metric.label} at the worst severity",
        status="warning" if blind or early else "good",
        remedy=_remedy(blind, early),
        rows=[*rows, *({name: line[name] for name in ("spoiled", "score", "low", "high")} for line in kinds)],
        plot={"metric": metric.label, "severities": rows, "kinds": kinds, "numbers": numbers},
        source=SOURCE,
    )


def _remedy(blind: bool, early: bool) -> str:
    if blind:
        return "Do not trust its probabilities on rows that may be spoiled: check rows before they are asked, and watch for drift. Rows varied in training (--augment), or spoiled rows added to the table, help."
    if early:
        return "Slight slips already cost most of what the model knows: check that columns are measured the same way when it is used, or add rows that are spoiled so to the table."
    return ""


def spoiled(case: Case, table: Table, severity: int, names: list[str]) -> Table:
    """Return the table with the columns of these names spoiled, each by chance of its own; severity 0 is as it is."""
    if not severity:
        return table
    for place, column in enumerate(inputs_of(case.columns)):
        if column.name in names and column.kind is not None:
            values = column.kind.corrupt(table.column(column.name), severity, case.seed + 97 * place + severity)
            table = table.with_column(column.name, values)
    return table


def _measured(case: Case, part: Part, severity: int, names: list[str], metric: Metric, draws: Resamples) -> Measured:
    inputs = [column.name for column in inputs_of(case.columns)]
    table = spoiled(case, part.table.select(inputs), severity, names)
    answer = case.answer(table) if severity or not names else part.answer
    scores = score(part.truth, answer, names=[metric.name], resamples=draws)[metric.name].draws
    if answer.ndim == 1:
        interval, sure = served(case)(table, answer), np.full(len(answer), np.nan)
        right, reach = holds(part.truth - answer, interval), interval.mean(axis=1)
    else:
        right, sure = answer.argmax(axis=1) == part.truth, np.asarray(answer.max(axis=1), np.float64)
        reach = np.full(len(answer), np.nan)
    return Measured(scores, draws.means(right.astype(np.float64)), draws.means(sure), draws.means(reach))


def _line(severity: int, step: Measured, draws: Resamples, metric: Metric) -> dict[str, Any]:
    interval = draws.interval(step.score).as_json()
    line = {"spoiled": "nothing" if not severity else f"everything, severity {severity}", "severity": severity}
    line |= {"score": interval["value"], "low": interval["low"], "high": interval["high"]}
    for name, values in (("right", step.right), ("sure", step.sure), ("plus_and_minus", step.reach)):
        if np.isfinite(values[0]):
            own = draws.interval(values).as_json()
            line |= {name: own["value"], f"{name}_low": own["low"], f"{name}_high": own["high"]}
    return line


def _alone(case: Case, part: Part, kind: str, metric: Metric, draws: Resamples, clean: Measured) -> dict[str, Any]:
    """Return what comes of spoiling the columns of one kind alone."""
    names = [column.name for column in inputs_of(case.columns) if column.modality == kind]
    step = _measured(case, part, MIDDLE, names, metric, draws)
    harm = metric.error(step.score)[0] - metric.error(clean.score)[0]
    line = _line(MIDDLE, step, draws, metric)
    return {**line, "spoiled": kind, "columns": len(names), "harm": float(harm)}


def _blind(steps: list[Measured], draws: Resamples) -> bool:
    """Say whether accuracy falls beyond chance, and confidence does not, or by less than a quarter as much."""
    fall, quieter = _fall(steps, draws, "right"), _fall(steps, draws, "sure")
    if not fall.low > LEAST_FALL:
        return False
    return not quieter.low > 0 or quieter.value < ECHOED * fall.value


def _fall(steps: list[Measured], draws: Resamples, what: str) -> Interval:
    """Return how far the share of right answers, or confidence, falls from rows as they are to the mean of all severities."""
    first, *others = (getattr(step, what) for step in steps)
    return draws.interval(first - np.mean(others, axis=0))


def _mean(steps: list[Measured], what: str) -> float:
    """Return the mean over all severities."""
    return float(np.mean([getattr(step, what)[0] for step in steps[1:]]))


def _points(steps: list[Measured], draws: Resamples, what: str, down: str) -> str:
    """Return in words by how many points of a hundred something goes ``down``, as `_fall` has it, which decides what is warned of, or up."""
    fall = _fall(steps, draws, what)
    points = [100 * value for value in (fall.value, fall.low, fall.high)]
    if fall.value < 0:
        points, down = [-points[0], -points[2], -points[1]], "more"
    told = [f"{round(value, 1) + 0.0:.1f}" for value in points]  # no minus before a zero
    return f"{told[0]} points {down}, {told[1]} to {told[2]}"


def _early(case: Case, part: Part, steps: list[Measured], metric: Metric) -> bool:
    """Say whether the slightest severity costs, beyond chance, more than half of what the model is better than a constant by."""
    known = case.chosen if case.chosen is not None else part
    if case.classes is None:
        constant = np.full(len(part.truth), float(np.mean(known.truth)))
    else:
        counts = np.bincount(known.truth[known.truth >= 0], minlength=len(case.classes)) + 0.5
        constant = np.tile(counts / counts.sum(), (len(part.truth), 1))
    usual = metric.error(np.array([score(part.truth, constant, names=[metric.name])[metric.name].value]))[0]
    gain = usual - metric.error(steps[0].score)
    kept = usual - metric.error(steps[1].score)
    if not np.isfinite(gain).all() or gain[0] <= 0:
        return False
    return bool(np.quantile(kept[1:] - FEWEST_RIGHT * gain[1:], 0.975) < 0)


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "run", "spoiled"]
