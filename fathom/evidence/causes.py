"""What does a column cause: the effect of one column on the target, with what may cause both held alike, as far as a table without an experiment can tell.

Two ways. *Double machine learning* (Chernozhukov et al., "Double/debiased machine learning for treatment and structural parameters", The Econometrics Journal 21, 2018,
https://doi.org/10.1111/ectj.12097): what the confounders say of the target and of the treatment is learned on four fifths of the rows and taken off the fifth that is left, so that an error of either
learner counts only times the other's; the mean of what remains is the effect, with a normal interval. A treatment of two values takes the score of their section 5.1 (the effect may differ from row to
row), a number that of section 4.1 (one slope). A *T-learner* (Künzel, Sekhon, Bickel and Yu, PNAS 116, 2019, https://doi.org/10.1073/pnas.1804597116) fits the network, or trees where there is none to fit, to
the treated rows and to the others apart, and takes the mean difference of their answers; it has no interval, since how far training moves it is not known.

Two checks of the estimate. *Placebo*: the treatment dealt out anew, by its chance given the confounders, must have no effect. *Overlap*: rows that are almost sure to be treated, or not to be, have nothing to be compared
with. That no confounder is missing cannot be checked: how strong one would have to be is told as the robustness value of Cinelli and Hazlett, Journal of the Royal Statistical Society B 82, 2020
(https://doi.org/10.1111/rssb.12348).
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells.values import words_of
from fathom.data.encoding import Column, hanging_together, inputs_of, target_classes
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.evidence.affording import REFITS
from fathom.evidence.contract import Case, Effect, Finding, not_applicable
from fathom.evidence.effects import Estimate, Z, double_machine_learning, fit_best, placebo, robustness_value
from fathom.quantities import significant
from fathom.resampling import squares_of_sums

NAME = "causes"
QUESTION = "What does this column cause?"
SOURCE = "Chernozhukov et al., The Econometrics Journal 21, 2018, https://doi.org/10.1111/ectj.12097; Künzel et al., PNAS 116, 2019, https://doi.org/10.1073/pnas.1804597116"
SERVES: tuple[str, ...] = ("number", "category", "yes_no")

FEWEST_ROWS = 200
MOST_ROWS = 50_000
EDGE = 0.02  # of a chance, from either end: rows beyond have nothing to be compared with
FEW_COMPARABLE = 0.9  # of the rows that must lie between the edges
LITTLE_LEFT = 0.01  # of what a number differs by, that its confounders must leave
ASIDE = ("rows that can be compared", "robustness value")  # lines that are no estimates
Z_PLACEBO = 2.5758293035489  # of a 99 % interval: one estimate of a hundred is doubted by chance
WORDS = (
    "This is an effect only if every common cause of {treatment} and {target} is among the columns that were held alike ({held}), and none of these is itself an effect of {treatment}; no table can show that. "
    "An experiment that deals out {treatment} by chance can."
)

Floats = npt.NDArray[np.float64]


def run(case: Case) -> Finding:
    """Estimate the effect that the user asks for; rows that the model was judged on are not used by a fit, and are by a check of a bundle."""
    module = sys.modules[__name__]
    if case.effect is None:
        return not_applicable(module, "No column is named with --effect, for example --effect treatment.")
    found = _parts(case, case.effect)
    if isinstance(found, str):
        return not_applicable(module, found)
    table, outcome, treatment, confounders, what, binary, held = found
    groups = hanging_together(case.columns, table)
    estimate = double_machine_learning(outcome, treatment, confounders, binary=binary, seed=case.seed, groups=groups)
    dealt = _dealt(treatment, estimate, binary, case.seed)
    none, none_error = placebo(estimate.outcome_left, dealt, confounders, seed=case.seed, groups=groups)
    low, high = estimate.limits
    naive = _naive(outcome, treatment, binary, groups)
    between = (estimate.chance > EDGE) & (estimate.chance < 1 - EDGE)
    comparable = float(between.mean()) if binary else 1.0
    learner = _t_learner(case, table, outcome, treatment, confounders) if binary else None
    sound = abs(none) <= Z_PLACEBO * none_error
    clear = low > 0 or high < 0
    apart = learner is not None and not low - (high - low) <= learner["value"] <= high + (high - low)
    lines = [_line("double machine learning", estimate.value, low, high), _line("naive difference", *naive)]
    if learner:
        lines.append(_line(f"T-learner on {learner['on']}", learner["value"], None, None))
    lines.append(_line("placebo (no effect by construction)", none, none - Z * none_error, none + Z * none_error))
    if binary:
        lines.append({"estimate": "rows that can be compared", "value": comparable, "low": None, "high": None})
    strength = robustness_value(estimate)
    lines.append({"estimate": "robustness value", "value": strength, "low": None, "high": None})
    treated, target = case.effect.treatment, case.target.name
    sentence = (
        f"With {held} held alike, {what} by {significant(estimate.value)} ({significant(low)} to {significant(high)}); as the rows stand, the difference is {significant(naive[0])}. "
        + (f"A T-learner on {learner['on']} says {significant(learner['value'])}. " if learner else "")
        + f"A common cause that is not in the table would have to explain {100 * strength:.0f} % of what is left of both to take all of it away. "
        + WORDS.format(treatment=repr(treated), target=repr(target), held=held)
    )
    left = 1.0 if binary else float(np.var(estimate.treatment_left) / max(np.var(treatment), 1e-300))
    trouble = _trouble(sound, comparable, left, apart, treated)
    return Finding(
        NAME,
        f"What does {treated} cause?",
        "not to be told from this table" if trouble else "an effect" if clear else "no clear effect",
        sentence,
        estimate.value,
        low,
        high,
        unit=f"{'share' if case.classes is not None else 'unit'} of {target}",
        status="warning" if trouble else "neutral",
        remedy=trouble,
        rows=lines,
        plot={"estimates": [line for line in lines if line["estimate"] not in ASIDE]},
        source=SOURCE,
    )


def _trouble(sound: bool, comparable: float, left: float, apart: bool, treatment: str) -> str:
    """Return why the estimate must not be trusted, or an empty string."""
    if left < LITTLE_LEFT:
        return f"Do not use the estimate: the other columns tell {treatment} almost exactly ({100 * left:.2g} % of its differences are left), so hardly any row shows what it does alone. Leave out of --confounders what is {treatment} by another name."
    if not sound:
        return "Do not use the estimate: a treatment dealt out by chance seems to have an effect, too, so the columns that are held alike are not held alike well enough."
    if comparable < FEW_COMPARABLE:
        return f"Do not use the estimate for all rows: {100 * (1 - comparable):.0f} % of them are almost sure to have, or not to have, {treatment}, and nothing to be compared with. Ask it of rows that could have had either."
    if apart:
        return "The two ways of estimating do not agree: more rows, or fewer and better confounders, must decide between them."
    return ""


def _parts(case: Case, effect: Effect) -> Any:
    """Return the rows, the outcome, treatment and confounders in numbers, what the effect is in words, whether the treatment has two values, and what is held alike; or why not."""
    names = {column.name: column for column in inputs_of(case.columns)}
    if effect.treatment not in names:
        return f"{effect.treatment!r} is not among the columns that the model reads."
    others = [name for name in (effect.confounders or names) if name != effect.treatment]
    for name in others:
        if name not in names:
            return f"The confounder {name!r} is not among the columns that the model reads."
    if not others:
        return "There is no other column that could be held alike."
    table = _rows(case)
    treatment, words = _treatment(names[effect.treatment], table)
    if treatment is None:
        return f"{effect.treatment!r} has to be a number, or to have two values; it has {words}."
    known = np.isfinite(treatment)
    table, treatment = table.take(np.flatnonzero(known)), treatment[known]
    binary = len(words) == 2
    fewest = min((treatment == value).sum() for value in (0.0, 1.0)) if binary else len(treatment)
    if len(treatment) < FEWEST_ROWS or fewest < FEWEST_ROWS / 4:
        return f"There are too few rows ({len(treatment):,}, {fewest:,} of the rarer kind) for an effect."
    outcome, of = _outcome(case, table)
    if outcome is None:
        return of
    matrix = np.nan_to_num(np.concatenate([_features(names[name], table) for name in others], axis=1), nan=-1.0)
    what = (
        f"{effect.treatment} {words[1]!r} instead of {words[0]!r} changes {of}"
        if binary
        else f"one more of {effect.treatment} changes {of}"
    )
    held = ", ".join(others[:8]) + (f" and {len(others) - 8} further columns" if len(others) > 8 else "")
    return table, outcome, treatment, matrix, what, binary, held


def _rows(case: Case) -> Table:
    """Return the rows to estimate on, ordered by what they hold: the training and validation rows of a fit, or all rows of a check."""
    parts = [case.train, case.chosen.table if case.chosen and case.chosen.table is not case.train else None]
    if case.train is None:
        parts = [case.chosen.table if case.chosen else None, case.sealed.table]
    names = case.sealed.table.names
    held = [part.select(names).arrow for part in parts if part is not None]
    joined = Table(pa.concat_tables(held, promote_options="permissive"))
    return joined.take(drawn(joined, MOST_ROWS))


def _treatment(column: Column, table: Table) -> tuple[Any, Any]:
    """Return the treatment in numbers, NaN where it is missing, and its two words; words of a number are empty."""
    assert column.kind is not None
    values = table.column(column.name)
    missing = column.kind.missing(values)
    words = np.asarray(words_of(values).fill_null("").to_numpy(zero_copy_only=False), np.object_)
    kinds, counts = np.unique(words[~missing], return_counts=True)
    if len(kinds) == 2:
        return np.where(missing, np.nan, (words == kinds[1]).astype(np.float64)), [str(kind) for kind in kinds]
    if column.kind.NAME == "number":
        return column.kind.features(column.state, values).matrix[:, 0], []
    return None, len(counts)


def _outcome(case: Case, table: Table) -> tuple[Any, str]:
    kind = case.target.kind
    assert kind is not None
    encoded = kind.encode(case.target.state, table.column(case.target.name))[:, 0]
    if case.classes is None:
        values = kind.decode(case.target.state, encoded.astype(np.float64))
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64), case.target.name
    if target_classes(case.target) != 2:
        return (
            None,
            f"{case.target.name!r} has {len(case.classes)} classes; an effect is estimated on a number, or on the share of one class of two.",
        )
    return (encoded == 1).astype(np.float64), f"the share of {case.classes[1]!r}"


def _features(column: Column, table: Table) -> Floats:
    """Return a column's features, of which categories of up to 30 codes are laid out one by one."""
    assert column.kind is not None
    made = column.kind.features(column.state, table.column(column.name))
    pieces = []
    for place, size in enumerate(made.sizes):
        values = made.matrix[:, place]
        pieces.append(
            values[:, None] if not 2 < size <= 30 else (values[:, None] == np.arange(size)[None]).astype(float)
        )
    return np.asarray(np.concatenate(pieces, axis=1), np.float64)


def _naive(
    outcome: Floats, treatment: Floats, binary: bool, groups: npt.NDArray[Any] | None
) -> tuple[float, float, float]:
    """Return the plain difference of means, or the plain slope, with its interval."""
    if binary and groups is None:
        one, other = outcome[treatment == 1], outcome[treatment == 0]
        value, error = one.mean() - other.mean(), np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    else:
        moved = treatment - treatment.mean()
        value = (moved * outcome).sum() / (moved**2).sum()
        rest = outcome - outcome.mean() - value * moved
        error = np.sqrt(squares_of_sums(moved * rest, groups)) / (moved**2).sum()
    return float(value), float(value - Z * error), float(value + Z * error)


def _dealt(treatment: Floats, estimate: Estimate, binary: bool, seed: int) -> Floats:
    """Return the treatment dealt out anew: by its chance, or with its residuals shuffled, so that it has no effect."""
    random = np.random.default_rng(seed + 1)
    if binary:
        return (random.random(len(treatment)) < estimate.chance).astype(np.float64)
    return np.asarray(estimate.chance + random.permutation(estimate.treatment_left))


def _t_learner(
    case: Case, table: Table, outcome: Floats, treatment: Floats, confounders: Floats
) -> dict[str, Any] | None:
    """Return the mean difference of two models, one of the treated rows and one of the others."""
    effects, on = None, "trees"
    refit = case.refit
    assert case.effect is not None
    if refit is not None and "network" in refit.names:
        column = next(one for one in inputs_of(case.columns) if one.name == case.effect.treatment)
        own, _ = _treatment(column, refit.train)
        order = drawn(refit.train)
        groups = [order[own[order] == value] for value in (0.0, 1.0)]
        if min(len(group) for group in groups) >= FEWEST_ROWS / 4:
            answers = [
                refit.fit("network", group, None, case.refits.share(REFITS[NAME] / 2))(table) for group in groups
            ]
            numbers = [answer[:, 1] if answer.ndim == 2 else answer for answer in answers]
            effects, on = numbers[1] - numbers[0], "the network"
    if effects is None:
        sides = [fit_best(confounders[treatment == v], outcome[treatment == v], case.seed) for v in (0.0, 1.0)]
        effects = sides[1](confounders) - sides[0](confounders)
    return {"on": on, "value": float(effects.mean())}


def _line(name: str, value: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"estimate": name, "value": value, "low": low, "high": high}


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "run"]
