"""What competes: a fitted model as it would be shipped, and what its answers and its rows are worth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.contract import Matrix
from fathom.bundle.answers import banding, doubting, margining
from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.answers.tempering import temper
from fathom.bundle.description import INTERVAL_LEVEL, Description
from fathom.bundle.saving import assemble
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, target_classes
from fathom.data.modalities.contract import Modality
from fathom.data.rows.folding import Folds
from fathom.data.table import Table
from fathom.settings import Settings
from fathom.shapes import Arrays, margins_of

Unseen = Callable[[Table, Folds], Answers]


@dataclass(frozen=True)
class Candidate:
    """A fitted model as it would be shipped: the files of a bundle, and what answers from them.

    ``weights`` are empty where there are none to go on from; ``trainers`` are the other ways in which the same model answers, by name: as it was trained, and reloaded from its weights; ``answers`` are those
    for the validation rows. ``unseen`` answers a table that stands in the place of validation rows, each row, with the fold it is in, by the fit that
    has not learned from it; ``None`` where the model is one fit. ``recalling`` answers as ``inference`` does, without reading again what a frozen reader has read before.
    """

    name: str
    summary: str
    description: Description
    weights: bytes
    graph: bytes
    inference: Inference
    fit_seconds: float
    answers: Answers
    trainers: Mapping[str, Callable[[Table], Answers]] = field(repr=False)
    notes: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] | None = None
    unseen: Unseen | None = field(default=None, repr=False)
    recalling: Inference | None = field(default=None, repr=False)

    @property
    def asked(self) -> Inference:
        """What answers questions about the model: as it is shipped or, where readers stay as they are, with what they have made of rows before."""
        return self.recalling or self.inference

    def answer_unseen(self, table: Table, folds: Folds | None) -> Answers:
        """Answer rows of which ``folds (row,)`` says by which fit, or, without folds, any rows but training rows."""
        return self.asked.tell(table) if self.unseen is None or folds is None else self.unseen(table, folds)

    @property
    def kind(self) -> str:
        """``network`` or ``baseline``."""
        return self.description.kind

    @property
    def size(self) -> int:
        """The size of what a server needs."""
        return len(self.graph) + len(self.description.to_bytes())

    def files(
        self, samples: Sequence[Mapping[str, Any]] = (), more: Mapping[str, bytes] | None = None
    ) -> dict[str, bytes]:
        """Return the candidate as the files of a bundle, with ``more`` that it may hold."""
        return assemble(self.description, self.weights or None, self.graph, samples, more)


def truth_in_units(column: Column, table: Table) -> Any:
    """Return a target's true values: numbers in their own unit, or integer codes."""
    assert column.kind is not None
    encoded = column.kind.encode(column.state, table.column(column.name))[:, 0]
    return encoded if target_classes(column) else in_units(column, encoded.astype(np.float64))


def in_units(column: Column, answer: Any) -> Any:
    """Turn an encoded answer into the target's own unit; probabilities stay as they are."""
    if answer.ndim == 2:
        return answer
    assert column.kind is not None
    values = column.kind.decode(column.state, answer)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def half_widths(prepared: Prepared, answers: Answers, level: float = INTERVAL_LEVEL) -> dict[str, float]:
    """Return, for each target, how far an interval must reach to hold a share ``level`` of the validation rows.

    Split conformal prediction with absolute residuals: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al., JASA
    113, 2018, algorithm 2: the k-th smallest residual with k = ceil((n + 1) level). Of folded rows, the residuals are those of the fit that left the row
    out: cross-conformal prediction, Vovk, Ann. Math. Artif. Intell. 74, 2015, which holds nearly so many.
    """
    widths = {}
    for column in prepared.targets:
        if answers[column.name].ndim == 1:
            truth = truth_in_units(column, prepared.validation)
            widths[column.name] = banding.half_width(np.abs(in_units(column, answers[column.name]) - truth), level)
    return widths


def bands_of(prepared: Prepared, answers: Answers, level: float = INTERVAL_LEVEL) -> dict[str, dict[str, list[float]]]:
    """Return, for each target that is a number and has enough validation rows, how far an interval must reach by how large the answer is."""
    found = {}
    for column in prepared.targets:
        if answers[column.name].ndim == 1:
            said = in_units(column, answers[column.name])
            bands = banding.learn(said, np.abs(said - truth_in_units(column, prepared.validation)), level)
            if bands is not None:
                found[column.name] = bands
    return found


def factors_of(
    prepared: Prepared, description: Description, answers: Answers, level: float = INTERVAL_LEVEL
) -> dict[str, float]:
    """Return, for each target whose margins are told, by how much they must be multiplied to hold a share ``level`` of the validation rows; nothing where intervals by the size of the answer, as ``description`` has them, score better there."""
    found: dict[str, float] = {}
    for column in prepared.targets:
        margins = answers.get(margins_of(column.name))
        if margins is None or not prepared.validation.rows:
            continue
        assert column.kind is not None
        truth = column.kind.encode(column.state, prepared.validation.column(column.name))[:, 0]
        factors = {column.name: margining.factor_of(answers[column.name], margins, truth, level)}
        said, known = in_units(column, answers[column.name]), truth_in_units(column, prepared.validation)
        by_size, by_row = (
            margining.interval_score(said, one.reach(column, answers, said), known, level)
            for one in (description, replace(description, factors=factors))
        )
        if by_row < by_size:
            found |= factors
    return found


def set_thresholds(prepared: Prepared, answers: Answers) -> dict[str, list[float]]:
    """Return, for each target that is a category, the least probability with which each class may be the true one; learned from the validation rows."""
    found = {}
    for column in prepared.targets:
        if answers[column.name].ndim == 2 and prepared.validation.rows:
            truth = truth_in_units(column, prepared.validation).astype(np.int64)
            found[column.name] = doubting.thresholds(answers[column.name], truth)
    return found


def class_weights(columns: Sequence[Column], truth: Arrays) -> dict[str, Matrix]:
    """Return what each row counts so that every class counts alike in sum: rows / (classes x rows of the class)."""
    weights: dict[str, Matrix] = {}
    for column in columns:
        classes = target_classes(column)
        if classes:
            counts = np.bincount(truth[column.name], minlength=classes)
            present = max(int((counts > 0).sum()), 1)
            weights[column.name] = (len(truth[column.name]) / (present * np.maximum(counts, 1)))[truth[column.name]]
    return weights


def training_weights(prepared: Prepared, settings: Settings, truth: Arrays) -> dict[str, Matrix]:
    """Return, for each target whose rows do not all count alike, what each training row counts: its own weight times that of its class, with mean 1."""
    weights = class_weights(prepared.targets, truth) if settings.class_weights else {}
    if prepared.weights is None:
        return weights
    every = {column.name: prepared.weights * weights.get(column.name, 1.0) for column in prepared.targets}
    return {name: weight / weight.mean() for name, weight in every.items()}


def validation_weights(prepared: Prepared) -> dict[str, Matrix]:
    """Return, for each target, what each validation row counts when an epoch or a setting is chosen; nothing where all count alike."""
    if prepared.validation_weights is None:
        return {}
    return {column.name: prepared.validation_weights for column in prepared.targets}


def by_fold(answerers: Sequence[Callable[[npt.NDArray[np.int64]], Answers]], folds: Folds) -> Answers:
    """Let each answerer answer the rows of its fold, given their positions, and return the answers of all, in the order of the rows.

    >>> by_fold([lambda rows: {"y": rows * 1.0}, lambda rows: {"y": rows * 10.0}], np.array([1, 0, 1]))
    {'y': array([ 0.,  1., 20.])}
    """
    whole: Answers = {}
    for number, answerer in enumerate(answerers):
        rows = np.flatnonzero(folds == number)
        for name, answer in answerer(rows).items() if len(rows) else ():
            whole.setdefault(name, np.empty((len(folds), *answer.shape[1:])))[rows] = answer
    return whole


def as_candidate(
    prepared: Prepared,
    description: Description,
    *,
    weights: bytes,
    graph: bytes,
    summary: str,
    fit_seconds: float,
    trainers: Mapping[str, Callable[[Table], Answers]],
    notes: Mapping[str, Any],
    modalities: Sequence[Modality],
    threads: int | None,
    unseen: Unseen | None,
) -> Candidate:
    """Open a model as a server would, and learn its intervals and its temperatures from the validation rows, whatever ``description`` says of them.

    The mean of several fits has no temperature: how sure one of them is says little of how sure their mean is.
    """
    from fathom.chapters.calibrating import temperatures

    description = description.uncalibrated()
    files = assemble(description, weights or None, graph, [])
    inference = Inference.open(files, modalities, threads or 0)
    candidate = Candidate(
        description.name,
        summary,
        description,
        weights,
        graph,
        inference,
        fit_seconds,
        {},
        trainers,
        notes,
        unseen=unseen,
    )
    answers = candidate.answer_unseen(prepared.validation, prepared.folds)
    tempers = temperatures(prepared, answers) if unseen is None else {}
    answers = temper(answers, tempers)
    description = replace(
        description,
        half_widths=half_widths(prepared, answers),
        bands=bands_of(prepared, answers),
        temperatures=tempers,
        thresholds=set_thresholds(prepared, answers),
    )
    description = replace(description, factors=factors_of(prepared, description, answers))
    inference = replace(inference, description=description)
    return replace(candidate, description=description, inference=inference, answers=answers)
