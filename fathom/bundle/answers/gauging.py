"""The numbers by which cells and answers are watched, whatever their kind: at a fit for the reference, in service for the requests.

What is measured hangs on the shape that a column writes: of a ``scalar`` its values, of a ``code`` its words, of ``codes`` how many there are and how surprising they are, of ``vectors`` their length, level,
spread and roughness, of a ``grid`` its brightness, contrast, sharpness and colour; of every column which cells hold nothing or cannot be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.bundle.answers import doubting
from fathom.bundle.answers.banding import holds
from fathom.bundle.answers.reference import Reference, Sketch, sketched
from fathom.bundle.description import Description
from fathom.data.cells import calendars
from fathom.data.cells import values as cells
from fathom.data.encoding import Column, class_labels, inputs_of
from fathom.data.table import Table
from fathom.scoring import Answer, Truth, row_losses

ROWS = 20_000  # of the training rows, evenly spread, that a reference is made of
DEEP_ROWS = 2_000  # of a column of pictures, texts, recordings, …
AT_ONCE = 256  # rows of a deep column that are measured together
USUAL_CODES = 1_000  # whose frequency is kept; the others share theirs
UNNAMED = "id"  # the modality whose words do not come again

Marks = npt.NDArray[np.bool_]
Reach = npt.NDArray[np.float64]  # (row, 2), below and above
Measures = dict[
    str, npt.NDArray[Any]
]  # question -> (row,): bool for marks, int for words (-1: no cell), float for numbers (NaN: no cell)


@dataclass(frozen=True)
class Usual:
    """How surprising each code of a column of steps is: minus the logarithm of its frequency, in nats, for the most frequent ``codes``, and for any other ``rest``.

    The mean over a text is its cross-entropy with how often words come in training (Shannon, "A Mathematical Theory of Communication", 1948, section 7): it rises when words, topic
    or language are others.
    """

    codes: tuple[int, ...]
    nats: tuple[float, ...]
    rest: float

    @classmethod
    def learn(cls, block: npt.NDArray[Any], codes: int) -> "Usual":
        """Learn from codes ``(row, step)``, 0 being no step; half a count is added to each, so that none is impossible."""
        counts = np.bincount(block[block > 0].astype(np.int64), minlength=codes)[:codes] + 0.5
        counts[0] = 0.0
        order = np.lexsort((np.arange(codes), -counts))[: min(USUAL_CODES, codes - 1)]
        others = counts.sum() - counts[order].sum()
        rest = max(others / max(codes - 1 - len(order), 1), 0.5) / counts.sum()
        nats = -np.log(counts[order] / counts.sum())
        return cls(tuple(order.tolist()), tuple(nats.round(6).tolist()), round(float(-np.log(rest)), 6))

    def surprise(self, block: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the mean of each row ``(row,)``, NaN where it has no code.

        >>> Usual((1,), (0.5,), 4.0).surprise(np.array([[1, 2], [1, 0], [0, 0]])).tolist()
        [2.25, 0.5, nan]
        """
        table = np.full(int(max(block.max(initial=0), *self.codes, 1)) + 1, self.rest)
        table[list(self.codes)] = self.nats
        table[0] = 0.0
        steps = (block > 0).sum(axis=1)
        return np.where(steps > 0, table[block].sum(axis=1) / np.maximum(steps, 1), np.nan)


def settled(columns: Sequence[Column], rows: Table) -> tuple[Table, dict[str, Marks]]:
    """Return rows in the input columns, decoded once where that takes long, a column that is not there as missing; and mark the cells ``(row,)`` that could not be decoded."""
    found, broken = {}, {}
    for column in inputs_of(columns):
        values = rows.column(column.name) if column.name in rows.names else pa.nulls(rows.rows)
        if column.kind is not None and hasattr(column.kind, "settle"):
            values, broken[column.name] = column.kind.settle(column.state, values, lambda done: None)
        found[column.name] = values
    return Table.of(found, name=rows.name), broken


def measured_cells(
    column: Column, values: pa.Array, usual: Usual | None = None, broken: Marks | None = None
) -> Measures:
    """Measure the cells of a column; those that are missing or cannot be read are marked, and count in no other measure. ``broken`` marks cells of values that are `settled`."""
    kind = column.kind
    assert kind is not None
    if broken is None and hasattr(kind, "settle"):
        values, broken = kind.settle(column.state, values, lambda done: None)
    if broken is not None:
        missing = np.asarray(kind.missing(values)) & ~broken
    else:
        missing, broken = np.asarray(kind.missing(values)), np.asarray(kind.unreadable(column.state, values))
    found: Measures = {"missing": missing, "unreadable": broken}
    there = ~missing & ~broken
    found.update(_of_shape(column, values, there, usual))
    return found


def _of_shape(column: Column, values: pa.Array, there: npt.NDArray[np.bool_], usual: Usual | None) -> Measures:
    kind = column.kind
    assert kind is not None
    if kind.NAME == UNNAMED:
        return {}
    if kind.NAME == "date":
        return {"values": np.where(there, calendars.days_of(values, column.state.formats), np.nan)}
    if kind.SHAPE == "scalar":
        return {"values": np.where(there, kind.features(column.state, values).matrix[:, 0], np.nan)}
    if kind.SHAPE == "code":
        return {"words": np.where(there, kind.encode(column.state, values)[:, 0], -1).astype(np.int64)}
    made: list[Measures] = []
    for start in range(0, max(len(values), 1), AT_ONCE):
        block = kind.encode(column.state, values.slice(start, AT_ONCE))
        made.append({"codes": _steps, "vectors": _vectors, "grid": _grid}[kind.SHAPE](block, usual))
    return {name: np.where(there, np.concatenate([piece[name] for piece in made]), np.nan) for name in made[0]}


def _steps(block: npt.NDArray[Any], usual: Usual | None) -> Measures:
    length = (block > 0).sum(axis=1).astype(np.float64)
    return {"length": length} | ({"surprise": usual.surprise(block)} if usual else {})


def _vectors(block: npt.NDArray[Any], usual: Usual | None) -> Measures:
    inside = block[:, :, 0] > 0
    steps = inside.sum(axis=1)
    numbers = np.where(inside[:, :, None], block[:, :, 1:], 0.0).astype(np.float64)
    count = np.maximum(steps * numbers.shape[2], 1)
    level = numbers.sum(axis=(1, 2)) / count
    spread = np.sqrt(np.maximum((numbers**2).sum(axis=(1, 2)) / count - level**2, 0.0))
    pairs = inside[:, 1:] & inside[:, :-1]
    moves = np.abs(np.diff(numbers, axis=1)).sum(axis=2) * pairs
    rough = moves.sum(axis=1) / np.maximum(pairs.sum(axis=1) * numbers.shape[2], 1)
    return {"length": steps.astype(np.float64), "level": level, "spread": spread, "roughness": rough}


def _grid(block: npt.NDArray[Any], usual: Usual | None) -> Measures:
    whole = block.astype(np.float64)
    there = np.asarray((block > 0).all(axis=1))  # (row, height, width)
    count = np.maximum(there.sum(axis=(1, 2)), 1)
    grey = whole.mean(axis=1) * there
    bright = grey.sum(axis=(1, 2)) / count
    contrast = np.sqrt(np.maximum((grey**2).sum(axis=(1, 2)) / count - bright**2, 0.0))
    pairs = there[:, :, 1:] & there[:, :, :-1]
    sharp = (np.abs(np.diff(grey, axis=2)) * pairs).sum(axis=(1, 2)) / np.maximum(pairs.sum(axis=(1, 2)), 1)
    found = {"brightness": bright, "contrast": contrast, "sharpness": sharp}
    if whole.shape[1] > 1:
        found["colour"] = ((whole.max(axis=1) - whole.min(axis=1)) * there).sum(axis=(1, 2)) / count
    return found


def measured_answers(description: Description, target: Column, answer: Answer) -> Measures:
    """Measure answers in the target's unit, ``(row, class)`` probabilities or ``(row,)`` numbers: which they are, and how sure."""
    if answer.ndim == 1:
        return {"values": np.asarray(answer, np.float64)}
    found: Measures = {"words": answer.argmax(axis=1).astype(np.int64)}
    found["probability"] = np.asarray(answer[:, 1] if answer.shape[1] == 2 else answer.max(axis=1), np.float64)
    if target.name in description.thresholds:
        size = doubting.sets_of(answer, description.thresholds[target.name]).sum(axis=1)
        found |= {"not sure": size > 1, "none fits": size == 0}
    return found


def measured_truth(
    description: Description, target: Column, answer: Answer, truth: Truth, reach: Reach | None = None
) -> Measures:
    """Measure answers whose truth is known: the loss of each, and whether its set or interval holds the truth; ``reach (row, 2)`` is how far the interval of a number reaches below and above it, where that is known."""
    found: Measures = {"loss": row_losses(truth, answer)}
    if answer.ndim == 1:
        if reach is not None:
            found["held"] = holds(np.asarray(truth) - answer, reach)
    elif target.name in description.thresholds:
        codes = np.asarray(truth, np.int64)
        sets = doubting.sets_of(answer, description.thresholds[target.name])
        found["held"] = (codes >= 0) & sets[np.arange(len(codes)), np.maximum(codes, 0)]
    return found


def make_reference(
    description: Description,
    train: Table,
    answers: Mapping[str, Answer],
    truth: Mapping[str, Truth],
    unlike: Marks | None = None,
    reach: Mapping[str, Reach] | None = None,
) -> Reference:
    """Sketch the training rows, and the answers to rows that the model has not learned from with their truth, both in the targets' units; ``unlike (row,)`` marks those of them that are unlike the training rows, ``reach (row, 2)`` is how far the intervals of numbers reach."""
    columns: dict[str, dict[str, Sketch]] = {}
    usual: dict[str, Usual] = {}
    for column in (*inputs_of(description.columns), *description.targets):
        assert column.kind is not None
        deep = column.kind.SHAPE not in ("scalar", "code")
        values = cells.evenly(train.column(column.name), DEEP_ROWS if deep else ROWS)
        if column.kind.SHAPE == "codes":  # how usual a code is, is learned from other rows than those it is sketched of
            learned = column.kind.encode(column.state, values.take(pa.array(np.arange(0, len(values), 2))))
            usual[column.name] = Usual.learn(learned, column.parts[0].codes)
            values = values.take(pa.array(np.arange(1, len(values), 2)))
        found = measured_cells(column, values, usual.get(column.name))
        columns[column.name] = sketched(found, _names(column, values, found))
    judged: dict[str, dict[str, Sketch]] = {}
    for target in description.targets:
        answer = answers[target.name]
        found = measured_answers(description, target, answer)
        found |= measured_truth(description, target, answer, truth[target.name], (reach or {}).get(target.name))
        if unlike is not None and target is description.targets[0]:
            found["unlike"] = unlike
        labels = dict(enumerate(class_labels(target))) if answer.ndim == 2 else {}
        judged[target.name] = sketched(found, labels)
    stored = {name: {"codes": list(u.codes), "nats": list(u.nats), "rest": u.rest} for name, u in usual.items()}
    return Reference(columns, judged, stored)


def _names(column: Column, values: pa.Array, found: Measures) -> dict[int, str]:
    """Return how each code is shown: as the first cell that has it. Code 1 of an input is any word that is rare or new, and has no name."""
    if "words" not in found:
        return {}
    assert column.kind is not None
    codes, rows = np.unique(found["words"], return_index=True)
    least = 0 if column.role == "target" else 2
    return {
        int(code): column.kind.show(column.state, values[int(row)])
        for code, row in zip(codes, rows, strict=True)
        if code >= least
    }


def usual_of(reference: Reference, column: str) -> Usual | None:
    """Return how surprising the codes of a column are, where it has any."""
    stored = reference.usual.get(column)
    return Usual(tuple(stored["codes"]), tuple(stored["nats"]), float(stored["rest"])) if stored else None


__all__ = [
    "Measures",
    "Usual",
    "make_reference",
    "measured_answers",
    "measured_cells",
    "measured_truth",
    "settled",
    "usual_of",
]
