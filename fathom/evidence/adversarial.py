"""How easily is it fooled: the rows that still get the right answer when somebody changes them a little in the way that hurts most.

*White box*, on the weights of a shipped network: FGSM and PGD (`fathom.evidence.attacking`). *Black box*, on whatever ships, by its answers alone: for pictures, squares of pixels pushed to one end of what is allowed, kept where
the answer gets worse (Andriushchenko et al., "Square Attack", ECCV 2020, https://arxiv.org/abs/1912.00049); for numbers, the same with columns in place of squares; for texts, slips of the pen in
single words (after Gao et al., "DeepWordBug", 2018, https://arxiv.org/abs/1801.04354). A row counts as holding only if it holds against all of them, as in AutoAttack (Croce and Hein, ICML 2020,
https://arxiv.org/abs/2003.01690). Beside them, changes as large by mere chance: what is lost to these is no attack's merit. Where the black box finds more than the white, gradients hide how weak the network is (Athalye, Carlini and Wagner,
ICML 2018, https://arxiv.org/abs/1802.00420).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import input_parts, inputs_of
from fathom.data.table import Table
from fathom.evidence.contract import Case, Finding, Part, left_out, not_applicable, some
from fathom.evidence.hardened import told_price, told_seconds
from fathom.evidence.perturbing import CHANGES, Change
from fathom.scoring import row_losses
from fathom.shapes import arrays_of

NAME = "adversarial"
QUESTION = "How easily is it fooled?"
SOURCE = "Madry et al., ICLR 2018, https://arxiv.org/abs/1706.06083; Andriushchenko et al., ECCV 2020, https://arxiv.org/abs/1912.00049; Croce and Hein, ICML 2020, https://arxiv.org/abs/2003.01690"
SERVES: tuple[str, ...] = ("number", "image", "text")

REACHES = {"number": (0.05, 0.1, 0.25), "image": (1.0, 2.0, 4.0, 8.0), "text": (0.05, 0.1, 0.2)}
UNITS = {
    "number": "standard deviations of each number (of its normal scores)",
    "image": "of 255 steps of each pixel",
    "text": "of the words",
}
MOST_ROWS = {"number": 200, "image": 100, "text": 100}
TRIES = {"number": 60, "image": 60, "text": 40}  # of the black box, each of which asks the model about every row
FEWEST_ROWS = 30
GRADIENT_PASSES = 63  # that FGSM and PGD together take as long as: a pass back takes two forward
EASY = 0.5  # of the rows that were right: fewer that hold at the second reach is easy to fool
HIDDEN = 0.05  # of the rows, that the black box must find beyond the white one for gradients to hide

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weak:
    """What came of one reach: each row's loss ``(row,)`` and whether it holds, by attack."""

    reach: float
    losses: dict[str, Floats]


def run(case: Case) -> Finding:
    """Attack the rows that are judged on through pictures, numbers and texts, one kind of column at a time."""
    module = sys.modules[__name__]
    kinds = [kind for kind in REACHES if any(column.modality == kind for column in inputs_of(case.columns))]
    if not kinds:
        return not_applicable(module, "Pictures, numbers and texts are attacked, and there are none.")
    if case.sealed.table.rows < FEWEST_ROWS:
        return not_applicable(module, f"There are fewer than {FEWEST_ROWS} rows to attack.")
    passes = {kind: len(REACHES[kind]) * (TRIES[kind] + GRADIENT_PASSES) * len(kinds) for kind in kinds}
    most = {
        kind: case.allowance.affords(NAME, min(MOST_ROWS[kind], case.sealed.table.rows), FEWEST_ROWS, passes[kind])
        for kind in kinds
    }
    if case.taught != "off":  # whoever had it taught against pushes is told what that came to
        most = {kind: max(count, FEWEST_ROWS) for kind, count in most.items()}
    if not all(most.values()):
        return left_out(module, case.allowance, FEWEST_ROWS * max(passes.values()))
    lines: list[dict[str, Any]] = []
    easy, hidden = [], []
    for kind in kinds:
        part = some(case.sealed, most[kind])
        clean = case.answer(part.table)
        for place, reach in enumerate(REACHES[kind]):
            weak = _attacked(case, part, kind, reach, clean)
            bound = float(np.quantile(row_losses(part.truth, clean), 0.75))
            own = _lines(case, part, kind, weak, clean, bound)
            if case.twin is not None:
                other = replace(case, model=case.twin.model, answer=case.twin.answer)
                plain = other.answer(part.table)
                beside = _lines(other, part, kind, _attacked(other, part, kind, reach, plain), plain, bound)
                own = [{**line, "plain": two["holds"]} for line, two in zip(own, beside, strict=True)]
            lines += own
            if place == 1 and own[-1]["holds"] < EASY * own[-1]["before"]:
                easy.append(kind)
            found = {line["attack"]: line["holds"] for line in own}
            if "PGD" in found and found["PGD"] - found["black box"] > HIDDEN:
                hidden.append(kind)
    return _finding(case, kinds, lines, easy, hidden)


def attacked(case: Case, part: Part, kind: str, reach: float) -> list[dict[str, Any]]:
    """Return a line an attack on some rows through their columns of a kind: ``{columns, reach, attack, before, holds, low, high}``, the last of all attacks together."""
    clean = case.answer(part.table)
    bound = float(np.quantile(row_losses(part.truth, clean), 0.75))
    return _lines(case, part, kind, _attacked(case, part, kind, reach, clean), clean, bound)


def _finding(
    case: Case, kinds: Sequence[str], lines: list[dict[str, Any]], easy: list[str], hidden: list[str]
) -> Finding:
    told = []
    for kind in kinds:
        worst = [line for line in lines if line["columns"] == kind and line["attack"] == "all together"]
        line = worst[min(1, len(worst) - 1)]
        chance = next(
            one["holds"] for one in lines if (one["columns"], one["reach"], one["attack"]) == (kind, line["reach"], "chance")
        )  # fmt: skip
        what = "are right" if case.classes is not None else "stay as near to the truth as three of four were"
        told.append(
            f"{100 * line['before']:.0f} % of rows {what}; with {kind} columns changed by at most {line['reach']:g} {UNITS[kind]}, {100 * line['holds']:.0f} % "
            f"({100 * line['low']:.0f} to {100 * line['high']:.0f}) still are, against {100 * chance:.0f} % where chance changes as much"
        )
    model = case.model
    if model is None or model.description.kind != "network":
        told.append("what ships has no gradient to follow, so it was attacked by its answers alone")
    if hidden:
        told.append(
            "attacks that only ask find more than those that follow the gradient, which therefore hides how weak the network is"
        )
    told += told_price(case, lines)
    first = next(line for line in lines if line["attack"] == "all together")
    return Finding(
        NAME,
        QUESTION,
        "easily" if easy else "not easily",
        "; ".join(told)[0].upper() + "; ".join(told)[1:] + ".",
        first["holds"],
        first["low"],
        first["high"],
        unit=f"share of rows that hold at {first['reach']:g} {UNITS[first['columns']]}",
        status="warning" if easy or hidden else "good",
        remedy="Where somebody gains by a wrong answer, do not let this model alone decide: check rows for what is unusual, or have people look. To teach it against such changes, at a price that is shown: --adversarial auto."
        if easy
        else "",
        rows=lines,
        plot={"lines": lines},
        source=SOURCE,
        clocked=told_seconds(case),
    )  # fmt: skip


def _lines(case: Case, part: Part, kind: str, weak: Weak, clean: Any, bound: float) -> list[dict[str, Any]]:
    """Return a line an attack: how many rows hold; a number holds where its error stays below a bound, that of three of four rows as they are."""
    before = row_losses(part.truth, clean)

    def held(losses: Floats) -> npt.NDArray[np.bool_]:
        return losses < np.inf if case.classes is not None else losses <= bound

    right = clean.argmax(axis=1) == part.truth if case.classes is not None else held(before)
    every = {**weak.losses, "all together": np.max([weak.losses[n] for n in weak.losses if n != "chance"], axis=0)}
    lines = []
    for name, losses in every.items():
        holds = right & held(losses)
        low, high = part.share(holds)
        lines.append(
            {
                "columns": kind,
                "reach": weak.reach,
                "attack": name,
                "before": float(right.mean()),
                "holds": float(holds.mean()),
                "low": low,
                "high": high,
            }
        )
    return lines


def _loss(case: Case, part: Part, answer: Any) -> Floats:
    """Return each row's loss; that of a class which is not the likeliest any more is infinite."""
    losses = row_losses(part.truth, answer)
    if case.classes is None:
        return losses
    return np.where(answer.argmax(axis=1) == part.truth, losses, np.inf)


def _attacked(case: Case, part: Part, kind: str, reach: float, clean: Any) -> Weak:
    change = CHANGES[kind]([one for one in inputs_of(case.columns) if one.modality == kind], part.table, reach)
    random = np.random.default_rng(case.seed)
    everyone = np.ones(part.table.rows, np.bool_)
    part = replace(part, table=change(part.table, ~everyone, random))  # nothing is changed but how cells are held
    by_chance = _loss(case, part, case.answer(change(part.table, everyone, random)))
    losses = {"chance": by_chance, "black box": _black_box(case, part, change, TRIES[kind], clean)}
    if case.model is not None and case.model.description.kind == "network" and kind != "text":
        losses |= _white_box(case, part, kind, reach)
    return Weak(reach, losses)


def _black_box(case: Case, part: Part, change: Change, tries: int, clean: Any) -> Floats:
    """Return the losses of the worst of many changes, each kept where it makes the answer worse; rows that are lost are left alone."""
    random = np.random.default_rng(case.seed + 1)
    table, worst = part.table, row_losses(part.truth, clean)
    lost = _loss(case, part, clean)
    for _ in range(tries):
        still = np.isfinite(lost) if case.classes is not None else np.ones(len(lost), np.bool_)
        if not still.any():
            break
        tried = change(table, still, random)
        answer = case.answer(tried)
        losses = row_losses(part.truth, answer)
        worse = (losses > worst) & still
        table = _mixed(table, tried, worse)
        worst = np.where(worse, losses, worst)
        lost = np.maximum(lost, np.where(worse, _loss(case, part, answer), -np.inf))
    return lost


def _mixed(table: Table, other: Table, taken: npt.NDArray[np.bool_]) -> Table:
    """Return the table with the rows of the other where they are taken."""
    for name in table.names:
        one, two = table.column(name), other.column(name)
        if two is not one:
            rows = np.where(taken, len(one) + np.arange(len(one)), np.arange(len(one)))
            table = table.with_column(name, pa.concat_arrays([one, two]).take(pa.array(rows)))
    return table


def _white_box(case: Case, part: Part, kind: str, reach: float) -> dict[str, Floats]:
    """Return the losses after FGSM and PGD, on every array of this kind of column in turn: the worst."""
    from fathom.evidence.attacking import Attack

    assert case.model is not None
    description = case.model.description
    target = next(column for column in description.columns if column.name == case.target.name)
    assert target.kind is not None
    truth = target.kind.encode(target.state, part.table.column(target.name))[:, 0]
    kinds = {column.name: column.modality for column in inputs_of(description.columns)}
    found: dict[str, Floats] = {}
    for array, parts in arrays_of(input_parts(description.columns)).items():
        own = [place for place, one in enumerate(parts) if kinds[one.column] == kind and one.name == "value"]
        if not own or not (array == "scalar" or array.startswith("grid")):
            continue
        attack = Attack(description, case.model.content, target.name, array, own)
        arrays = attack.encode(part.table)
        for name, pushed in (
            ("FGSM", attack.fgsm(arrays, truth, reach)),
            ("PGD", attack.pgd(arrays, truth, reach, case.seed)),
        ):
            answer = attack.answer(pushed)
            if answer.ndim == 1:
                values = target.kind.decode(target.state, answer)
                answer = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
            losses = _loss(case, part, answer)
            found[name] = np.maximum(found[name], losses) if name in found else losses
    return found


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "attacked", "run"]
