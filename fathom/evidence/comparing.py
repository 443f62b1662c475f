"""Two models answer the same rows: how their errors differ, and what becomes of both where cells are missing or damaged."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.bundle.answers.inference import Answers
from fathom.data.encoding import inputs_of
from fathom.data.table import Table
from fathom.model import Model
from fathom.resampling import Floats, Interval, Resamples, squares_of_sums
from fathom.scoring import Metric, row_losses, score

LOST = 0.1  # of the cells that are emptied
SEVERITY = 3  # of 5 (fathom.data.modalities.contract)


@dataclass(frozen=True)
class Duel:
    """What two models say of one target of the same rows: each with the truth ``(row,)`` in its own codes, and its answers."""

    metric: Metric
    old: tuple[Any, Any]
    new: tuple[Any, Any]

    def growth(self, draws: Resamples) -> tuple[Interval, float]:
        """Return by how much the error has grown, with its interval, above 0 where the new model is worse; and the old error."""
        before, after = (
            score(truth, answer, names=[self.metric.name], resamples=draws)[self.metric.name]
            for truth, answer in (self.old, self.new)
        )
        error = float(self.metric.error(np.array(before.value)))
        if not math.isfinite(before.value) or not math.isfinite(after.value):
            return Interval(math.nan, reason=before.reason or after.reason), error
        return draws.interval(self.metric.error(after.draws) - self.metric.error(before.draws)), error

    def losses(self) -> Floats:
        """Return by how much each row's loss has grown ``(row,)``."""
        return np.asarray(row_losses(*self.new) - row_losses(*self.old), np.float64)


def spiegelhalter(truth: npt.NDArray[Any], answer: npt.NDArray[Any], groups: npt.NDArray[Any] | None = None) -> float:
    """Return Spiegelhalter's z of probabilities ``(row, class)``: far from 0 where they do not come true; for more than two classes, of the likeliest one's. Of rows that hang together, ``groups (row,)``, it is measured how far sums of groups spread.

    >>> truth = np.array([0, 1] * 500)
    >>> bool(abs(spiegelhalter(truth, np.full((1000, 2), 0.5))) < 2), bool(spiegelhalter(truth, np.array([[0.1, 0.9]] * 1000)) > 3)
    (True, True)
    """
    if answer.shape[1] == 2:
        stated, hit = answer[:, 1], truth == 1
    else:
        stated, hit = answer.max(axis=1), truth == answer.argmax(axis=1)
    stated = np.clip(np.asarray(stated, np.float64), 1e-6, 1 - 1e-6)
    weight = 1 - 2 * stated
    off = (hit - stated) * weight
    squares = float((weight**2 * stated * (1 - stated)).sum()) if groups is None else squares_of_sums(off, groups)
    return float(off.sum()) / math.sqrt(squares) if squares > 0 else 0.0


def emptied(model: Model, rows: Table, seed: int) -> Table:
    """Return rows with a tenth of the cells of every input emptied."""
    generator = np.random.default_rng(seed)
    for column in inputs_of(model.columns):
        if column.name in rows.names:
            values = rows.column(column.name)
            lost = pa.array(generator.random(rows.rows) < LOST)
            rows = rows.with_column(column.name, pc.if_else(lost, pa.scalar(None, values.type), values))
    return rows


def worn(model: Model, rows: Table, seed: int) -> Table:
    """Return rows damaged as the world damages every kind of cell, halfway."""
    for place, column in enumerate(inputs_of(model.columns)):
        if column.name in rows.names and column.kind is not None:
            rows = rows.with_column(column.name, column.kind.corrupt(rows.column(column.name), SEVERITY, seed + place))
    return rows


def checked(model: Model, rows: Table) -> Table:
    """Return the inputs of rows as a model checks them, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged cells and further columns are meant here
        return model.checked(rows)


def answers_of(model: Model, rows: Table) -> Answers:
    """Answer rows that may be damaged, in encoded units."""
    return model.answer(checked(model, rows))
