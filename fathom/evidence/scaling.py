"""Would more rows help: the models learn from growing shares of the training rows, and a power law through their errors says what more would bring.

The error of a learner falls with the rows that it learned from as ``c + a * rows ** -b`` (Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017,
https://arxiv.org/abs/1712.00409; Rosenfeld et al., "A Constructive Prediction of the Generalization Error Across Scales", ICLR 2020, https://arxiv.org/abs/1909.12673): ``b`` says how fast, ``c``
is what no number of rows takes away. The intervals are over test rows and over how far the errors lie from the law, not over which rows were learned from; beyond ten times the rows a law through
few points is a guess, beyond a hundred times nothing is said.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.rows.splitting import drawn
from fathom.evidence.affording import REFITS
from fathom.evidence.contract import TASKS, Case, Finding, not_applicable, side_by_side
from fathom.quantities import significant
from fathom.resampling import Floats, Resamples
from fathom.scoring import METRICS, Metric, primary, score

NAME = "scaling"
QUESTION = "Would more rows help?"
SOURCE = "Hestness et al., 2017, https://arxiv.org/abs/1712.00409; Rosenfeld et al., ICLR 2020, https://arxiv.org/abs/1909.12673"
SERVES = TASKS

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of the training rows; all of them are there already
NETWORK_SHARES = {"quick": (), "standard": (1 / 16, 1 / 8, 1 / 4), "thorough": SHARES}
NETWORK_WORK = 0.7  # of what fitting again may take here
SIMPLER_WORK = 0.3  # of it, where the clock counts
RIVALS = {
    "quick": 1,
    "standard": 1,
    "thorough": 99,
}  # simpler models that are fitted again besides the one that is shipped
MOST_JUDGED = 4_000  # test rows that the models answer: nearest neighbours take longer to answer than to learn
FEWEST_ROWS = 30  # that a model learns from
FEWEST_JUDGED = 50
FARTHEST = 100.0  # times the rows, up to which the law is followed
GAIN = 0.02  # of the error, that twice the rows must take away to count as help
BETTER = 0.9  # of the present error: the goal where the user states none
POWERS = np.arange(1, 61) / 20  # that are tried
DRAWS = 300


@dataclass(frozen=True)
class Law:
    """Power laws ``floor + scale * rows ** -power``, one a draw ``(draw,)``; the first is that of the errors as they are."""

    floor: Floats
    scale: Floats
    power: Floats

    def error(self, rows: float) -> Floats:
        """Return the errors ``(draw,)`` at so many rows."""
        return self.floor + self.scale * rows**-self.power

    def rows_for(self, error: float) -> Floats:
        """Return the rows ``(draw,)`` that it takes to come down to an error; infinite where no number does."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rows = (self.scale / (error - self.floor)) ** (1 / self.power)
        return np.where((self.power > 0) & (error > self.floor), rows, np.inf)


def fit_law(rows: npt.NDArray[Any], errors: Floats, seed: int = 0) -> Law:
    """Fit a power law to ``errors (draw, point)`` at ``rows (point,)``.

    Fewer than four points have a floor of 0. The draws after the first are
    moved by chance as far as the points lie from the law, so that an interval holds that, too.

    >>> law = fit_law(np.array([100, 200, 400, 800]), 0.1 + 3.0 * np.array([[100.0, 200, 400, 800]]) ** -0.5)
    >>> round(float(law.power[0]), 1), bool(8_000 < law.rows_for(0.13)[0] < 13_000)
    (0.5, True)
    """
    law = _fitted(rows, errors)
    off = errors[0] - np.array([law.error(n)[0] for n in rows])
    if len(errors) > 1 and len(rows) > 2:
        spread = np.sqrt((off**2).sum() / max(len(rows) - 2, 1))
        noise = np.random.default_rng(seed).normal(0.0, spread, errors.shape)
        noise[0] = 0.0
        law = _fitted(rows, np.maximum(errors + noise, 1e-3 * errors[0].min()))
    return law


def _fitted(rows: npt.NDArray[Any], errors: Floats) -> Law:
    """Fit each draw: of sixty powers that whose floor and scale, by least squares, leave the least; an error counts the less, the larger it is."""
    sizes = np.maximum(errors, 0.1 * errors.max(axis=1, keepdims=True) + 1e-12)
    weights = 1 / sizes**2
    weights = weights / weights.sum(axis=1, keepdims=True)  # (draw, point)
    found: list[tuple[Floats, Floats, Floats]] = []
    for power in POWERS:
        x = (rows / rows[-1]) ** -power
        mean_x, mean_y = weights @ x, (weights * errors).sum(axis=1)
        through = (weights * x * errors).sum(axis=1) / (weights @ x**2)
        scale = (weights * x * errors).sum(axis=1) - mean_x * mean_y
        scale = np.maximum(scale / (weights @ x**2 - mean_x**2), 0.0)
        floor = mean_y - scale * mean_x
        if len(rows) < 4:  # too few points for three numbers
            floor = np.full(len(errors), -1.0)
        scale, floor = np.where(floor < 0, through, scale), np.maximum(floor, 0.0)
        left = floor[:, None] + scale[:, None] * x - errors
        found.append((floor, scale, (weights * left**2).sum(axis=1)))
    best = np.stack([left for _, _, left in found]).argmin(axis=0)
    each = np.arange(len(errors))
    floor, scale = (np.stack([one[place] for one in found])[best, each] for place in (0, 1))
    power = np.where(scale > 0, POWERS[best], 0.0)
    return Law(floor, scale * rows[-1] ** power, power)


def run(case: Case) -> Finding:
    """Fit the models again on shares of the training rows, and say what twice as many rows would bring, and how many a goal takes."""
    module = sys.modules[__name__]
    if case.refit is None:
        return not_applicable(
            module, "Models are fitted again for this, and a bundle holds no training rows to fit on."
        )
    if case.sealed.table.rows < FEWEST_JUDGED or case.refit.train.rows * SHARES[1] < FEWEST_ROWS:
        return not_applicable(module, f"A share of {case.refit.train.rows:,} training rows is too few to learn from.")
    metric = METRICS[case.metric or primary("regression" if case.classes is None else "classification")]
    case = _judged(case)
    draws = case.sealed.resamples(case.seed, count=DRAWS)
    curves = {
        name: points for name, shares in _planned(case, metric, draws).items() if len(points := _points(case, name, shares, metric, draws)) > 2
    }  # fmt: skip
    if not curves:
        return not_applicable(module, "There was no time to fit models again.")
    laws = {
        name: fit_law(np.array([n for n, _ in points]), np.stack([e for _, e in points], axis=1), case.seed)
        for name, points in curves.items()
    }
    return _finding(case, metric, curves, laws)


def _judged(case: Case) -> Case:
    """Return the case with at most as many test rows as models are judged by here, drawn by what they hold."""
    if case.sealed.table.rows <= MOST_JUDGED:
        return case
    order = drawn(case.sealed.table, MOST_JUDGED)
    answers = {name: answer[order] for name, answer in case.answers.items()}
    return replace(case, sealed=case.sealed.take(order), answers=answers)


def _planned(case: Case, metric: Metric, draws: Resamples) -> dict[str, tuple[float, ...]]:
    """Return the models to fit again, and on which shares: the shipped one, the network, and the best of the simpler ones."""
    assert case.refit is not None
    wrong = {name: float(_errors(case, answer, metric, draws)[0]) for name, answer in case.answers.items()}
    simpler = [one.name for one in case.costs if one.name not in ("network", case.shipped)]
    simpler = sorted(simpler, key=lambda name: wrong.get(name, np.inf))[: RIVALS[case.effort]]
    planned: dict[str, tuple[float, ...]] = {}
    for cost in case.costs:
        if cost.name == "network":
            shares = NETWORK_SHARES[case.effort]
        elif cost.name not in (case.shipped, *simpler):
            continue
        elif case.refits.seconds is not None and cost.fit_seconds * sum(SHARES) > SIMPLER_WORK * case.refits.seconds:
            shares = SHARES[:2]
        else:
            shares = SHARES
        if cost.name in case.refit.names and shares:
            planned[cost.name] = shares
    return planned or {name: SHARES for name in case.refit.names if name not in ("network", "constant")}


def _points(
    case: Case, name: str, shares: tuple[float, ...], metric: Metric, draws: Resamples
) -> list[tuple[int, Floats]]:
    """Return how many rows a model learned from and its errors ``(resample + 1,)``, share after share."""
    assert case.refit is not None
    every = case.refit.train.rows
    order, unit = side_by_side(case.columns, case.refit.train)
    whole = case.train is not None and case.train.rows == every and name in case.answers
    wanted = [share for share in (*shares, *(() if whole else (1.0,))) if share * every >= FEWEST_ROWS]
    ends = np.append(np.flatnonzero(np.diff(unit)) + 1, every)  # a share cuts no group in two
    points: list[tuple[int, Floats]] = []
    for share in wanted:
        part = NETWORK_WORK if name == "network" else SIMPLER_WORK
        within = case.refits.share(
            REFITS[NAME] * part * share**0.5 / sum(one**0.5 for one in wanted)
        )  # about as many epochs each
        count = int(ends[np.abs(ends - share * every).argmin()])
        if count < FEWEST_ROWS or (points and count == points[-1][0]) or (whole and count == every):
            continue  # of few groups
        answer = case.refit.fit(name, order[:count], None, within)(case.sealed.table)
        points.append((count, _errors(case, answer, metric, draws)))
    if whole:
        points.append((every, _errors(case, case.answers[name], metric, draws)))
    return points


def _errors(case: Case, answer: Any, metric: Metric, draws: Resamples) -> Floats:
    return metric.error(score(case.sealed.truth, answer, names=[metric.name], resamples=draws)[metric.name].draws)


def _finding(case: Case, metric: Metric, curves: dict[str, Any], laws: dict[str, Law]) -> Finding:
    shipped = case.shipped if case.shipped in laws else next(iter(laws))
    law, now = laws[shipped], curves[shipped][-1][0]
    twice, present = law.error(2 * now), law.error(now)
    saved = 1 - twice / present
    helps = bool(np.quantile(saved[1:], 0.025) > 0 and saved[0] > GAIN)

    def shown(error: Any) -> float:
        """Turn an error back into the score that it is of."""
        return float(error if metric.better == "lower" else 1 - error)

    goal = (
        metric.error(np.array([case.goal]))[0] if case.goal is not None else BETTER * float(curves[shipped][-1][1][0])
    )
    need = law.rows_for(float(goal))
    low, high = np.sort([shown(limit) for limit in np.quantile(twice, [0.025, 0.975])])
    sentence = (
        f"With twice the {now:,} training rows, the {metric.label} of {shipped} would go from {significant(shown(present[0]))} to about {significant(shown(twice[0]))} ({significant(low)} to {significant(high)}). "
        f"{metric.label[0].upper() + metric.label[1:]} of {significant(shown(goal))} would take {_rows(need, now)}."
    )
    sentence += _rivalry(curves, laws)
    rows = [
        {"model": name, "rows": count, "score": shown(errors[0]), **_limits(shown, errors)}
        for name, points in curves.items()
        for count, errors in points
    ]
    ahead = [float(n) for n in np.geomspace(min(p[0][0] for p in curves.values()), 10 * now, 24)]
    drawn = {
        name: {
            "points": [line for line in rows if line["model"] == name],
            "law": [{"rows": n, "score": shown(one.error(n)[0]), **_limits(shown, one.error(n))} for n in ahead],
            "power": float(one.power[0]),
            "power_low": float(np.quantile(one.power, 0.025)),
            "power_high": float(np.quantile(one.power, 0.975)),
            "floor": shown(one.floor[0]),
        }
        for name, one in laws.items()
    }
    return Finding(
        NAME,
        QUESTION,
        "yes" if helps else "hardly",
        sentence,
        float(law.power[0]),
        float(np.quantile(law.power, 0.025)),
        float(np.quantile(law.power, 0.975)),
        unit="power of the law",
        remedy="" if helps else "Better columns, or rows of the kinds on which it errs, will bring more than more rows of the same kind.",
        rows=rows,
        plot={"metric": metric.label, "models": drawn, "now": now, "goal": shown(goal)},
        source=SOURCE,
    )  # fmt: skip


def _limits(shown: Callable[[Any], float], errors: Floats) -> dict[str, float]:
    limits = np.sort([shown(limit) for limit in np.quantile(errors, [0.025, 0.975])])
    return {"low": float(limits[0]), "high": float(limits[1])}


def _rows(need: Floats, now: int) -> str:
    """Write how many rows it takes, with what the draws say; beyond a hundred times as many, that it takes more."""
    if need[0] <= now:
        return "no more rows than there are"
    if need[0] > FARTHEST * now:
        return f"more than {FARTHEST:.0f} times as many rows, if any number is enough"
    low, high = np.quantile(need, [0.025, 0.975], method="nearest")
    most = f"{_round(high):,}" if high <= FARTHEST * now else f"more than {_round(FARTHEST * now):,}"
    return f"about {_round(need[0]):,} rows ({_round(low):,} to {most})"


def _round(count: float) -> int:
    return int(float(f"{count:.2g}"))


def _rivalry(curves: dict[str, Any], laws: dict[str, Law]) -> str:
    """Say whether the network goes on improving where the best simpler model stops."""
    others = {name: points for name, points in curves.items() if name != "network"}
    if "network" not in laws or not others:
        return ""
    best = min(others, key=lambda name: others[name][-1][1][0])
    now = curves["network"][-1][0]
    gains = {name: laws[name].error(now) / laws[name].error(4 * now) for name in ("network", best)}
    faster = np.quantile(gains["network"] - gains[best], [0.025, 0.975])
    if faster[0] > 0:
        ahead = laws["network"].error(now)[0] > laws[best].error(now)[0]
        grid = now * np.geomspace(1, FARTHEST, 200)
        passed = [n for n in grid if laws["network"].error(n)[0] < laws[best].error(n)[0]]
        met = f", and would pass it at about {_round(passed[0]):,} rows" if ahead and passed else ""
        return f" The network gains more from more rows than {best}{met}."
    if faster[1] < 0:
        return f" The network gains less from more rows than {best}."
    return f" That the network gains more from more rows than {best} cannot be told from these."


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "Law", "fit_law", "run"]
