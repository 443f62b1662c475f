"""Are the reasons it gives the real ones: whether the answer moves more when the pieces that a method names are taken away than when as many others are, at random.

Of some test rows, each method of `fathom.reasons` names the pieces that matter most; these are taken away, other rows standing in than those it was found with, and the answer moves by so much; and by so much when as many
pieces drawn at random are. Of a category they are the pieces that push the probability of the answered class up, which must fall. The difference, row by row, is what the method knows. Sources: Samek et al., IEEE TNNLS 28(11), 2017, section III (https://arxiv.org/abs/1509.06321); comprehensiveness: DeYoung et al.,
ACL 2020, section 4 (https://arxiv.org/abs/1911.03429). A model whose answer hardly hangs on any piece has no reasons to be found.
"""

import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fathom import shapes
from fathom.data.encoding import inputs_of
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.evidence.affording import FREE
from fathom.evidence.contract import EVERY_KIND, Case, Finding, left_out, not_applicable, some
from fathom.quantities import significant
from fathom.reasons import METHODS
from fathom.reasons.agreeing import rank_correlation
from fathom.reasons.asking import Subject, fewest_rows, question_of
from fathom.reasons.contract import Question

NAME = "faithfulness"
QUESTION = "Are the reasons it gives the real ones?"
SOURCE = "Samek et al., IEEE TNNLS 28, 2017; DeYoung et al., ACL 2020"
SERVES = EVERY_KIND

# Rows that are explained, and rows that a method may answer for each; a row with a text or a picture costs more.
FLAT, DEEP = (16, 512), (8, 192)
FLAT_THOROUGH, DEEP_THOROUGH = (24, 1_024), (12, 1_024)
SHARE = 0.2  # of the pieces that are taken away
DRAWS = 8  # of as many pieces at random
FEWEST_ROWS = 8
MOST_OTHERS = 64  # rows that stand in, half to explain and half to judge the reasons

Floats = npt.NDArray[np.float64]


def run(case: Case) -> Finding:
    """Explain some test rows by every method and take away what each names."""
    if case.effort == "quick" and case.allowance != FREE:  # what is asked by name is asked whatever it costs
        return not_applicable(
            sys.modules[__name__],
            "It is asked at standard and thorough effort: `fathom check RUN ROWS --only faithfulness` asks it.",
        )
    names = [column.name for column in inputs_of(case.columns)]
    others = case.train if case.train is not None else case.chosen.table if case.chosen is not None else None
    if others is None or others.rows < FEWEST_ROWS or case.sealed.table.rows < FEWEST_ROWS:
        return not_applicable(sys.modules[__name__], "There are too few rows to explain some and let others stand in.")
    deep = any(column.kind is not None and column.kind.SHAPE not in shapes.FLAT for column in inputs_of(case.columns))
    if case.effort == "thorough":
        count, most = DEEP_THOROUGH if deep else FLAT_THOROUGH
    else:
        count, most = DEEP if deep else FLAT
    fewest, each = (
        fewest_rows(case.columns),
        (len(METHODS) + 1) * count,
    )  # the methods, and what comes of what they name
    most = case.allowance.affords(NAME, max(most, fewest), fewest, each)
    if not most:
        return left_out(sys.modules[__name__], case.allowance, fewest * each)
    explained = some(case.sealed, count)
    rows, draws = explained.table.select(names), explained.resamples(case.seed)
    others = others.select(names)
    found, orders = measured(case, rows, others.take(drawn(others, MOST_OTHERS)), most)
    if found is None:
        return not_applicable(
            sys.modules[__name__], "The model reads one column only, which is the reason for every answer."
        )
    told = []
    for place, method in enumerate(METHODS):
        gain = found[place, :, 0] - found[place, :, 1]
        interval = draws.interval(draws.means(gain)).as_json()
        told.append(
            {
                "method": method.NAME,
                "moves_by": float(found[place, :, 0].mean()),
                "at_random": float(found[place, :, 1].mean()),
                "more_by": interval["value"],
                "low": interval["low"],
                "high": interval["high"],
            }
        )
    first = told[0]
    agree = [value for one in orders for value in one]
    faithful = (first["low"] or 0.0) > 0
    nothing = not found[:, :, 0].max() > 1e-9
    sentence = (
        f"Taking away the fifth of a row’s pieces that {METHODS[0].NAME.upper()} names moves the answer by {significant(first['moves_by'])} on average, as many at random by {significant(first['at_random'])}; "
        f"the difference is {significant(first['more_by'])} (95 % interval {significant(first['low'])} to {significant(first['high'])}, {len(found[0])} rows)."
        + (
            f" The methods put the pieces into much the same order: their rank correlation is {np.mean(agree):.2f}."
            if agree
            else ""
        )
    )
    return Finding(
        NAME,
        QUESTION,
        "there are none" if nothing else "yes" if faithful else "not shown",
        sentence,
        first["more_by"],
        first["low"],
        first["high"],
        unit="probability" if case.classes is not None else "in the target's unit",
        status="neutral" if nothing else "good" if faithful else "warning",
        remedy=""
        if faithful or nothing
        else "Do not act on the reasons of single rows: as many pieces at random move the answer as much.",
        rows=told,
        plot={"agreement": float(np.mean(agree)) if agree else None},
        source=SOURCE,
    )


def measured(case: Case, rows: Table, others: Table, most: int) -> tuple[Floats | None, list[list[float]]]:
    """Return by how much the answer moves ``(method, row, named or at random)``, and each row's rank correlations between methods, each of which may answer about ``most`` rows for a row; ``None`` where rows have one piece."""
    standing, judging = (others.take(np.arange(start, others.rows, 2)) for start in (0, 1))
    moved, orders = [], []
    for row in range(rows.rows):
        one = rows.take([row])
        code = int(case.answer(one)[0].argmax()) if case.classes is not None else -1

        def answered(table: Table, code: int = code) -> Floats:
            answer = case.answer(table)
            return np.asarray(answer[:, code] if code >= 0 else answer, np.float64)

        asked, checked = (
            question_of(Subject(case.columns, one, stand_ins, answered), most, seed=case.seed)
            for stand_ins in (standing, judging)
        )
        if len(asked.parts) < 2:
            return None, []
        shares = [method.shares(asked).values for method in METHODS]
        moved.append(_moves(checked, shares, code >= 0, case.seed + row))
        pairs = [rank_correlation(one, other) for place, one in enumerate(shares) for other in shares[place + 1 :]]
        orders.append([value for value in pairs if value is not None])
    return np.stack(moved, axis=1), orders


def _moves(question: Question, shares: Sequence[Floats], fall: bool, seed: int) -> Floats:
    """Return by how much the answer moves without the pieces that each method names, and without as many at random ``(method, 2)``.

    Of a class, ``fall``, the pieces are those that push its probability up the most, which must fall.
    """
    count = len(question.parts)
    gone = max(1, round(SHARE * count))
    random = np.random.default_rng(seed)
    kept = np.ones((1 + len(shares) + DRAWS, count), np.bool_)
    for place, values in enumerate(shares, start=1):
        kept[place, np.argsort(-values if fall else -np.abs(values), kind="stable")[:gone]] = False
    for draw in range(DRAWS):
        kept[1 + len(shares) + draw, random.choice(count, gone, replace=False)] = False
    values = question.value(kept)
    away = values[0] - values[1:] if fall else np.abs(values[1:] - values[0])
    chance = float(away[len(shares) :].mean())
    return np.stack([away[: len(shares)], np.full(len(shares), chance)], axis=1)
