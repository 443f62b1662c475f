"""What a fit shows of its model's reasons: how the answer goes with the columns that matter, and why three rows were answered so."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.chapters.candidates import in_units
from fathom.chapters.judging import Judged
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, class_labels, inputs_of, target_classes
from fathom.evidence import dependence
from fathom.evidence.affording import Allowance
from fathom.evidence.contract import left_out
from fathom.model import Model
from fathom.reasons import METHODS
from fathom.reasons.asking import fewest_rows
from fathom.reasons.rows import explain_row
from fathom.scoring import row_losses
from fathom.settings import Settings
from fathom.shapes import FLAT

FLAT_ROWS, DEEP_ROWS = 2_048, 384  # that a method may answer for one row; one with a text or a picture costs more
QUICKER = 4  # times fewer rows at quick effort
ROWS = 3  # that are explained
FEWEST_DRAWN = 30  # rows that a curve is the mean of

NAME = "reasons"
QUESTION = "Why were single rows answered so?"
SOURCE = "Lundberg and Lee, NeurIPS 2017; Ribeiro, Singh and Guestrin, KDD 2016; Zeiler and Fergus, ECCV 2014"


def reasons_of_fit(
    prepared: Prepared,
    model: Model,
    judged: Judged,
    importance: Sequence[dict[str, Any]],
    settings: Settings,
    allowance: Allowance,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return ``dependence``, on validation rows, and ``reasons`` of three test rows of the first target: a sure answer, an unsure one and the most wrong one; and a finding for each that costs more than it may.

    Where three rows cost too much, the unsure answer alone is explained, if need be by the first method alone.
    """
    target = prepared.targets[0]
    names = [column.name for column in inputs_of(prepared.columns)]
    readers = {column.name: column for column in inputs_of(prepared.columns)}
    ordered = [readers[entry["column"]] for entry in importance if entry["column"] in readers] or list(readers.values())
    classes = class_labels(target) if target_classes(target) else None
    deep = any(column.kind is not None and column.kind.SHAPE not in FLAT for column in ordered)
    unasked = []
    flat = sum(column.kind is not None and column.kind.SHAPE in FLAT for column in ordered)
    passes = dependence.MOST_VALUES * min(flat, dependence.MOST_COLUMNS)
    held = min(prepared.validation.rows, dependence.MOST_ROWS)
    most = allowance.affords(dependence.NAME, held, FEWEST_DRAWN, passes, known=True)
    drawn = []
    if most:
        drawn = dependence.curves(
            lambda rows: in_units(target, model.answer(rows)[target.name]),
            prepared.validation.select(names),
            ordered,
            classes,
            most_rows=most,
            groups=prepared.validation_groups,
        )
    else:
        least = min(held, FEWEST_DRAWN) * passes
        unasked.append(left_out(dependence, allowance, least, "fathom explain RUN ROWS", known=True))
    wanted = (DEEP_ROWS if deep else FLAT_ROWS) // (QUICKER if settings.effort == "quick" else 1)
    fewest = fewest_rows(prepared.columns)
    rows, methods, most = _afforded(allowance, max(wanted, fewest), fewest)
    if not rows:
        unasked.append(left_out(sys.modules[__name__], allowance, fewest, "fathom explain RUN ROWS --row 1"))
    truth, answer = judged.truth[target.name], judged.answers[judged.shipped.name][target.name]
    found = []
    chosen = list(three_rows(target, truth, answer).items())
    for why, row in chosen if rows >= len(chosen) else chosen[1:2] * rows or chosen[:rows]:
        one = prepared.sealed.take([row])
        assert target.kind is not None
        found.append(
            {
                "why": why,
                "where": prepared.sealed.where(row),
                "truth": target.kind.show(target.state, one.column(target.name)[0].as_py()),
                **explain_row(
                    model,
                    one.select(names),
                    methods=methods,
                    most_rows=most,
                    counterfactual=len(methods) == len(METHODS),
                    seed=settings.seed,
                ),
            }
        )
    told = [{"target": target.name, **finding.as_json()} for finding in unasked]
    return {"dependence": drawn, "reasons": found}, told


def _afforded(allowance: Allowance, wanted: int, fewest: int) -> tuple[int, list[str], int]:
    """Return how many rows are explained, by which methods, and how many rows each may answer for one: as much of three rows by all methods as can be paid for; no rows where nothing can."""
    every = [method.NAME for method in METHODS]
    for rows, methods, besides in ((ROWS, every, 1), (1, every, 1), (1, every[:1], 0)):
        most = allowance.affords(NAME, wanted, fewest, rows * (len(methods) + besides))
        if most:
            return rows, methods, most
    return 0, [], 0


def three_rows(target: Column, truth: npt.NDArray[Any], answer: npt.NDArray[Any]) -> dict[str, int]:
    """Return a sure and right answer, one that could as well be another, and the most wrong one, each by what is said of it; of a number, the nearest, the usual and the furthest.

    Where they are the same row, it is returned once.
    """
    losses = row_losses(truth, answer)
    losses = np.where(np.isfinite(losses), losses, -np.inf)
    if target_classes(target):
        ordered = np.sort(answer, axis=1)
        margin = ordered[:, -1] - ordered[:, -2] if answer.shape[1] > 1 else ordered[:, -1]
        right = answer.argmax(axis=1) == truth
        chosen = {
            "A sure answer": int(np.argmax(np.where(right, margin, -1.0))),
            "An unsure answer": int(np.argmin(margin)),
            "The most wrong answer": int(np.argmax(losses)),
        }
    else:
        usual = int(np.argsort(losses, kind="stable")[len(losses) // 2])
        chosen = {
            "An answer that is right": int(np.argmin(np.where(np.isfinite(losses), losses, np.inf))),
            "An answer as wrong as usual": usual,
            "The most wrong answer": int(np.argmax(losses)),
        }
    found: dict[str, int] = {}
    for why, row in chosen.items():
        if row not in found.values():
            found[why] = row
    return found
