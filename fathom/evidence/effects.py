"""The effect of a treatment with confounders held alike: double machine learning, and how strong a missing confounder would have to be.

Chernozhukov et al., "Double/debiased machine learning for treatment and structural parameters", The Econometrics Journal 21, 2018 (https://doi.org/10.1111/ectj.12097), sections 4.1 and 5.1; Cinelli and
Hazlett, Journal of the Royal Statistical Society B 82, 2020 (https://doi.org/10.1111/rssb.12348). scikit-learn fits the learners.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.errors import require
from fathom.resampling import dealt, error_of_mean, squares_of_sums

FOLDS = 5
Z = 1.959963984540054  # of a 95 % interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """An effect with its standard error; ``outcome_left`` and ``treatment_left (row,)`` are what the confounders leave of target and treatment, ``chance (row,)`` is that of being treated, or the expected dose."""

    value: float
    error: float
    outcome_left: Floats
    treatment_left: Floats
    chance: Floats

    @property
    def limits(self) -> tuple[float, float]:
        """The 95 % interval."""
        return self.value - Z * self.error, self.value + Z * self.error


def double_machine_learning(
    outcome: Floats,
    treatment: Floats,
    confounders: Floats,
    *,
    binary: bool,
    seed: int = 0,
    groups: npt.NDArray[Any] | None = None,
) -> Estimate:
    """Return the effect of ``treatment (row,)``, 0 or 1 where ``binary``, on ``outcome (row,)``, with ``confounders (row, feature)`` held alike.

    What predicts target and treatment from the confounders is fitted by `fit_best`; rows that share a label of ``groups (row,)`` are in one fold, and count together for the error.

    >>> random = np.random.default_rng(0)
    >>> age = random.normal(size=2_000)
    >>> drug = (random.random(2_000) < 1 / (1 + np.exp(-age))).astype(float)
    >>> ill = 1.5 * drug + 2.0 * age + random.normal(size=2_000)
    >>> found = double_machine_learning(ill, drug, age[:, None], binary=True)
    >>> naive = ill[drug == 1].mean() - ill[drug == 0].mean()
    >>> bool(found.limits[0] < 1.5 < found.limits[1]), bool(naive > 2.5)
    (True, True)
    """
    rows, folds = len(outcome), dealt(len(outcome), groups, FOLDS, seed)
    expected, chance = np.empty(rows), np.empty(rows)
    with_it, without = np.empty(rows), np.empty(rows)
    for fold in range(FOLDS):
        own, others = folds == fold, folds != fold
        chance[own] = fit_best(confounders[others], treatment[others], seed)(confounders[own])
        if binary:
            for answer, value in ((with_it, 1.0), (without, 0.0)):
                same = others & (treatment == value)
                answer[own] = fit_best(confounders[same], outcome[same], seed)(confounders[own])
        else:
            expected[own] = fit_best(confounders[others], outcome[others], seed)(confounders[own])
    if binary:
        chance = np.clip(chance, 0.01, 0.99)
        seen = np.where(treatment == 1, with_it, without)
        weight = treatment / chance - (1 - treatment) / (1 - chance)
        scores = with_it - without + weight * (outcome - seen)
        value, error = float(scores.mean()), error_of_mean(scores, groups)
        expected = chance * with_it + (1 - chance) * without
    else:
        left = treatment - chance
        value = float((left * (outcome - expected)).sum() / (left**2).sum())
        scores = left * (outcome - expected - value * left)
        error = float(np.sqrt(squares_of_sums(scores, groups)) / (left**2).sum())
    return Estimate(value, error, outcome - expected, treatment - chance, chance)


def placebo(
    outcome_left: Floats,
    treatment: Floats,
    confounders: Floats,
    *,
    seed: int = 0,
    groups: npt.NDArray[Any] | None = None,
) -> tuple[float, float]:
    """Return the effect of a treatment that has none, with its standard error: one slope, as for a number.

    ``outcome_left (row,)`` is what confounders do not say of the outcome. Where what they say of it or of the treatment is learned badly, a treatment that hangs on them seems to
    have an effect.
    """
    folds = dealt(len(treatment), groups, FOLDS, seed)
    left = np.array(treatment, np.float64)
    for fold in range(FOLDS):
        own, others = folds == fold, folds != fold
        left[own] -= fit_best(confounders[others], treatment[others], seed)(confounders[own])
    value = float((left * outcome_left).sum() / (left**2).sum())
    return value, float(np.sqrt(squares_of_sums(left * (outcome_left - value * left), groups)) / (left**2).sum())


def fit_best(x: Floats, y: Floats, seed: int) -> Callable[[Floats], Floats]:
    """Fit a line with squares, splines and boosted trees, and return their mean, weighted as suits held-out rows best (stacking: Breiman, Machine Learning 24, 1996)."""
    ensemble, linear = require("sklearn.ensemble", "train"), require("sklearn.linear_model", "train")
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-12

    def grown(x: Floats) -> Floats:
        scaled = np.clip((x - middle) / spread, -5, 5)
        return np.hstack([scaled, scaled**2])

    def straight(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        fitted = linear.RidgeCV(np.logspace(-2, 4, 7)).fit(grown(x), y)
        return lambda asked: np.asarray(fitted.predict(grown(asked)))

    def trees(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        fitted = ensemble.HistGradientBoostingRegressor(
            learning_rate=0.15, max_iter=40, max_leaf_nodes=8, min_samples_leaf=max(5, len(y) // 100), random_state=seed
        ).fit(x, y)
        return lambda asked: np.asarray(fitted.predict(asked))

    def binned(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        several = require("sklearn.pipeline", "train").make_pipeline(
            require("sklearn.preprocessing", "train").SplineTransformer(
                n_knots=7, degree=2, knots="quantile", include_bias=False
            ),
            linear.RidgeCV(np.logspace(-2, 4, 7)),
        )
        fitted = several.fit(x, y)
        return lambda asked: np.asarray(fitted.predict(asked))

    if len(y) < 20:
        return lambda asked: np.full(len(asked), float(y.mean()) if len(y) else 0.0)
    every = (straight, binned, trees)
    held = np.random.default_rng(seed).permutation(len(y)) % 3 == 0
    said = np.stack([fit(x[~held], y[~held])(x[held]) for fit in every], axis=1)
    middle_y = y.mean()
    shares, _ = require("scipy.optimize", "train").nnls(said - middle_y, y[held] - middle_y)
    shares = shares / shares.sum() if shares.sum() > 1 else shares
    used = [(share, fit(x, y)) for share, fit in zip(shares, every, strict=True) if share > 0.02]
    return lambda asked: middle_y + sum((share * (one(asked) - middle_y) for share, one in used), np.zeros(len(asked)))


def robustness_value(estimate: Estimate) -> float:
    """Return the share of what is left of target and of treatment that a missing confounder must explain to take the estimate away (Cinelli and Hazlett, 2020, section 4.2).

    >>> one = np.array([1.0, -1.0, 1.0, -1.0])
    >>> robustness_value(Estimate(1.0, 0.1, one, one, one)) > 0.9
    True
    """
    left, moved = estimate.outcome_left, estimate.treatment_left
    slope = (moved * left).sum() / max((moved**2).sum(), 1e-12)
    rest = left - slope * moved
    f = np.sqrt((slope**2 * (moved**2).sum()) / max((rest**2).sum(), 1e-12))
    return float(0.5 * (np.sqrt(f**4 + 4 * f**2) - f**2)) if np.isfinite(f) and f < 1e6 else 1.0
