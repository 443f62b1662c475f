"""Does it give its training rows away: whether an answer tells that a row was learned from.

The *gap* is how much lower the loss is on training rows than on rows that were not learned from. *Membership inference* guesses by an answer whether its row was learned from: here an attacker who sees the loss (Yeom,
Giacomelli, Fredrikson and Jha, CSF 2018, https://arxiv.org/abs/1709.01604), and, where models can be fitted again, one who compares it with what shadow models say that did or did not learn from the row: LiRA, Carlini et al.,
"Membership Inference Attacks From First Principles", IEEE S&P 2022, section V (https://arxiv.org/abs/2112.03570). What counts is how many are found where almost nobody is wrongly named: the true positive rate at a
false positive rate of one in a hundred, of which chance has one in a hundred, too. *Canaries* are training rows that get a wrong target on purpose: a model that answers them as it was taught has learned them by heart (after Carlini et al., "The
Secret Sharer", USENIX Security 2019, https://arxiv.org/abs/1802.08232).
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column, hanging_together
from fathom.data.table import Table
from fathom.evidence.affording import REFITS
from fathom.evidence.contract import TASKS, Case, Finding, Part, Rows, left_out, not_applicable, some
from fathom.quantities import significant
from fathom.resampling import error_of_mean, share_limits, units_of
from fathom.scoring import row_losses

NAME = "memorising"
QUESTION = "Does it give its training rows away?"
SOURCE = "Carlini et al., IEEE S&P 2022, https://arxiv.org/abs/2112.03570; Yeom et al., CSF 2018, https://arxiv.org/abs/1709.01604"
SERVES = TASKS

FEWEST_ROWS = 100
MOST_ROWS = 5_000
RATE = 0.01  # of rows wrongly named, at which the attack is measured
GIVEN_AWAY = 5.0  # times chance, above which rows are given away
SHADOWS = {"quick": 0, "standard": 0, "thorough": 16}
CANARIES = 30
MOST_CANARIES = 0.02  # of the training rows
BY_HEART = 0.3  # of the canaries above those of models that never met them, that count as learned by heart
FAR_LOWER = 0.25  # of the loss on other rows: so low on training rows is learned by heart

AGAIN = 400  # times that the rows are drawn again

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[Any] | None
Attack = tuple[Floats, Floats, Groups, Groups]  # scores of rows that were learned from and of others, and their groups


def run(case: Case) -> Finding:
    """Attack the shipped model with its own training rows and as many others."""
    module = sys.modules[__name__]
    if case.train is None:
        return not_applicable(module, "Training rows are compared with others, and a bundle holds none.")
    if min(case.train.rows, case.sealed.table.rows) < FEWEST_ROWS:
        return not_applicable(module, f"There are fewer than {FEWEST_ROWS} rows on either side.")
    truth = _truth(case, case.train)
    most = case.allowance.affords(NAME, min(MOST_ROWS, case.train.rows), FEWEST_ROWS, known=True)
    if not most:
        return left_out(module, case.allowance, FEWEST_ROWS, known=True)
    learned = some(Part(case.train, truth, np.zeros(len(truth)), hanging_together(case.columns, case.train)), most)
    others = some(case.sealed, MOST_ROWS)
    inside = row_losses(learned.truth, case.answer(learned.table))
    outside = row_losses(others.truth, others.answer)
    gap, gap_low, gap_high = _difference(outside, inside, others.groups, learned.groups)
    attacks: dict[str, Attack] = {"loss": (-inside, -outside, learned.groups, others.groups)}
    shadows = 0
    if case.refit is not None and SHADOWS[case.effort] and case.shipped in case.refit.names:
        attacks["shadow models"], shadows = _shadowed(case)
    lines = [_line(name, *found) for name, found in attacks.items()]
    worst = max(lines, key=lambda line: line["found"])
    canaries = _canaries(case)
    known = gap_low > 0 and inside.mean() < FAR_LOWER * outside.mean()
    known = known or (canaries is not None and canaries["learned"] - canaries["chance"] > BY_HEART)
    given = worst["low"] > RATE * GIVEN_AWAY
    unit = "nats" if case.classes is not None else f"in {case.target.name}'s unit"
    sentence = (
        f"The loss is {significant(gap)} ({significant(gap_low)} to {significant(gap_high)}) {unit} lower on rows that it learned from. Somebody who sees answers{' and can train models alike' if shadows else ''} finds "
        f"{100 * worst['found']:.1f} % ({100 * worst['low']:.1f} to {100 * worst['high']:.1f}) of these rows where 1 % of the others are wrongly named; guessing finds 1 %."
    )
    if canaries is not None:
        sentence += f" Of {canaries['count']} training rows that were given a wrong target on purpose, it repeats {100 * canaries['learned']:.0f} %, and a model that never met them {100 * canaries['chance']:.0f} %."
        lines.append({"attack": "canaries", "found": canaries["learned"], "low": canaries["low"], "high": canaries["high"], "area": None})  # fmt: skip
    return Finding(
        NAME,
        QUESTION,
        "yes" if given else "it learns rows by heart" if known else "hardly",
        sentence,
        worst["found"],
        worst["low"],
        worst["high"],
        unit="of the training rows found, 1 % of others wrongly named",
        status="warning" if given or known else "good",
        remedy="Give the bundle only to people who may know who is in the table. A smaller network (--layers 1), fewer epochs, and more rows help; answers that are rounded give less away."
        if given or known
        else "",
        rows=lines,
        plot={"gap": {"value": gap, "low": gap_low, "high": gap_high}, "canaries": canaries, "shadows": shadows},
        source=SOURCE,
    )


def found_at(inside: Floats, outside: Floats, rate: float = RATE) -> float:
    """Return the share of ``inside`` scores above the score that only a share ``rate`` of ``outside`` ones exceed; equal scores are named by chance.

    >>> found_at(np.array([3.0, 2.0, 0.0, 0.0]), np.array([1.0] + 99 * [0.0]))
    0.5
    """
    return float(_named(inside, outside, rate).mean())


def _named(inside: Floats, outside: Floats, rate: float = RATE) -> Floats:
    """Return the chance ``(row,)`` with which each ``inside`` row is found, as `found_at` says."""
    bound = np.sort(outside)[::-1][min(len(outside) - 1, int(rate * len(outside)))]
    above, level = float((outside > bound).mean()), float((outside == bound).mean())
    share = min(1.0, max(0.0, (rate - above) / level)) if level else 0.0
    return np.asarray((inside > bound) + share * (inside == bound), np.float64)


def area(inside: Floats, outside: Floats) -> float:
    """Return the chance that a row that was learned from scores higher than another.

    >>> area(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    0.875
    """
    order = np.sort(outside)
    below, upto = np.searchsorted(order, inside, "left"), np.searchsorted(order, inside, "right")
    return float((below + upto).mean() / 2 / len(outside))


def _line(name: str, inside: Floats, outside: Floats, own: Groups, other: Groups) -> dict[str, Any]:
    found = _named(inside, outside)
    # Both the rows that are found and the bound, which hangs on few others, are a matter of chance: count the fewer.
    draws = np.random.default_rng(0)
    one, two = _drawn_again(draws, len(inside), own), _drawn_again(draws, len(outside), other)
    again = [found_at(inside[next(one)], outside[next(two)]) for _ in range(AGAIN)]
    low, high = share_limits(found, own)
    return {
        "attack": name,
        "found": float(found.mean()),
        "low": float(min(low, np.quantile(again, 0.025))),
        "high": float(max(high, np.quantile(again, 0.975))),
        "area": area(inside, outside),
    }


def _drawn_again(random: np.random.Generator, rows: int, groups: Groups) -> Iterator[Rows]:
    """Yield as many rows, or groups of rows that hang together, as there are, drawn with replacement, again and again."""
    unit, count = units_of(rows, groups)
    order = np.argsort(unit, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(unit[order])) + 1)
    while True:
        drawn = random.integers(0, count, count)
        yield drawn if groups is None else np.concatenate([members[one] for one in drawn])


def _difference(one: Floats, other: Floats, groups: Groups, other_groups: Groups) -> tuple[float, float, float]:
    error = float(np.hypot(error_of_mean(one, groups), error_of_mean(other, other_groups)))
    value = float(one.mean() - other.mean())
    return value, value - 1.96 * error, value + 1.96 * error


def _truth(case: Case, table: Table) -> Any:
    column: Column = case.target
    assert column.kind is not None
    encoded = column.kind.encode(column.state, table.column(column.name))[:, 0]
    if case.classes is not None:
        return encoded
    return np.asarray(column.kind.decode(column.state, encoded.astype(np.float64)).to_numpy(zero_copy_only=False))


def _confidence(truth: Any, answer: Any) -> Floats:
    """Return a number that is about normal over models: the logit of the true class, or minus the logarithm of the error."""
    losses = row_losses(truth, answer)
    if answer.ndim == 1:
        return -np.log(losses + 1e-6 * (float(np.std(truth)) + 1e-12))
    true = np.clip(np.exp(-losses), 1e-7, 1 - 1e-7)
    return np.asarray(np.log(true / (1 - true)))


def _shadowed(case: Case) -> tuple[Attack, int]:
    """Return the likelihood ratios of the rows that a victim model learned from and of those it did not, and the number of shadow models.

    Rows that hang together are learned from together, or not at all.
    """
    assert case.refit is not None
    rows, random = case.refit.train.rows, np.random.default_rng(case.seed)
    count = min(rows, 2 * MOST_ROWS)
    asked = np.sort(random.permutation(rows)[:count])
    table, truth = case.refit.train.take(asked), case.refit.truth[asked]
    models = SHADOWS[case.effort] + 1
    within = case.refits.share(REFITS[NAME] * 2 / 3 / models)
    groups = hanging_together(case.columns, table)
    unit, units = units_of(count, groups)
    halves = (np.argsort(random.random((models, units)), axis=1) < units // 2)[:, unit]  # (model, row)
    said = np.stack(
        [_confidence(truth, case.refit.fit(case.shipped, asked[half], None, within)(table)) for half in halves]
    )
    victim, shadows, met = said[0], said[1:], halves[1:]
    ratio = _log_density(victim, shadows, met) - _log_density(victim, shadows, ~met)
    sides = [None if groups is None else groups[mine] for mine in (halves[0], ~halves[0])]
    return (ratio[halves[0]], ratio[~halves[0]], sides[0], sides[1]), models - 1


def _log_density(victim: Floats, shadows: Floats, those: npt.NDArray[np.bool_]) -> Floats:
    """Return the logarithm of the normal density of the victim's confidence among that of some shadow models, row by row; all rows share the spread, since the models are few."""
    count = np.maximum(those.sum(axis=0), 1)
    mean = np.where(those, shadows, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(those, shadows - mean, 0.0) ** 2).sum() / max(int(those.sum()) - len(mean), 1)) + 1e-6
    return np.asarray(-0.5 * ((victim - mean) / spread) ** 2 - np.log(spread))


def _canaries(case: Case) -> dict[str, Any] | None:
    """Return how many training rows with a wrong target a model learns by heart, of the kind that ships; ``None`` where none can be fitted."""
    refit = case.refit
    if refit is None or case.effort != "thorough" or case.shipped not in refit.names:
        return None
    random = np.random.default_rng(case.seed + 1)
    rows = refit.train.rows
    count = min(CANARIES, int(MOST_CANARIES * rows))
    if count < 5:
        return None
    chosen = np.sort(random.permutation(rows)[:count])
    taught = _wrong(case, refit.truth, chosen, random)
    planted = _replaced(case, refit.train, chosen, taught)
    within = case.refits.share(REFITS[NAME] / 6)  # twice; the shadow models have the rest
    every: Rows = np.arange(rows)
    if refit.taught is None:
        return None
    answer = refit.taught(case.shipped, planted, within)(refit.train.take(chosen))
    other = refit.fit(case.shipped, np.setdiff1d(every, chosen), None, within)(refit.train.take(chosen))
    hits = _repeats(case, refit.truth, answer, taught)
    low, high = share_limits(hits)
    return {
        "count": count,
        "learned": float(hits.mean()),
        "low": low,
        "high": high,
        "chance": float(_repeats(case, refit.truth, other, taught).mean()),
    }


def _wrong(case: Case, truth: Any, chosen: Rows, random: np.random.Generator) -> Any:
    """Return a wrong target for each chosen row: another class, or the number of another row."""
    if case.classes is not None:
        return (truth[chosen] + random.integers(1, len(case.classes), len(chosen))) % len(case.classes)
    far = np.where(truth[chosen] > np.median(truth), np.quantile(truth, 0.02), np.quantile(truth, 0.98))
    return np.asarray(far)


def _replaced(case: Case, table: Table, chosen: Rows, taught: Any) -> Table:
    """Return the table with these targets in the chosen rows."""
    kind = case.target.kind
    assert kind is not None
    cells = table.column(case.target.name).to_pylist()
    known = _truth(case, table)
    for row, value in zip(chosen, taught, strict=True):
        if case.classes is None:
            donor = int(np.abs(known - value).argmin())
        else:
            donor = int(np.flatnonzero(known == value)[0]) if (known == value).any() else int(row)
        cells[row] = cells[donor]
    return table.with_column(case.target.name, pa.array(cells, table.column(case.target.name).type))


def _repeats(case: Case, truth: Any, answer: Any, taught: Any) -> npt.NDArray[np.bool_]:
    """Mark the canaries that an answer repeats: the class, or a number within half a standard deviation."""
    if case.classes is not None:
        return np.asarray(answer.argmax(axis=1) == taught)
    return np.asarray(np.abs(answer - taught) < 0.5 * np.std(truth))


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "area", "found_at", "run"]
