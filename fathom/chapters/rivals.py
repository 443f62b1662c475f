"""The simpler models that compete with the network: every baseline, on hand-made features of the same rows.

Where rows are folded, a baseline is treated as the network is: one fit a fold, each on all other rows with its settings chosen on the fold, and the mean of
their answers is the model.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fathom.baselines.contract import Baseline, Fitted, Matrix, Truth
from fathom.bundle.answers.inference import Answers
from fathom.bundle.description import Description
from fathom.chapters.candidates import Candidate, as_candidate, by_fold, training_weights, validation_weights
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import encode_targets, hand_made_features, target_classes
from fathom.data.modalities.contract import Features, Modality
from fathom.data.rows.folding import Folds
from fathom.data.table import Table
from fathom.progress import Progress
from fathom.settings import Settings

Fit = Mapping[str, Fitted]  # what a baseline has learned of each target


@dataclass(frozen=True)
class Lesson:
    """What one fit learns from and is checked on: features, and the truth of each target."""

    train: Features
    truth: Mapping[str, Truth]
    validation: Features
    check: Mapping[str, Truth]


def fit_baselines(
    prepared: Prepared,
    settings: Settings,
    baselines: Sequence[Baseline],
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
) -> list[Candidate]:
    """Fit every baseline that is available, each on every target; stop tuning them after ``seconds`` in all."""
    able = [baseline for baseline in baselines if baseline.available()]
    progress.begin("Fitting simpler models", len(able))
    lessons = [_lesson(one, settings) for one in prepared.fits()]
    share = None if seconds is None else seconds / len(able) / len(prepared.targets) / len(lessons)
    candidates = []
    for done, baseline in enumerate(able):
        started = time.perf_counter()
        fits = [_fit(baseline, lesson, settings.seed, share) for lesson in lessons]
        took = time.perf_counter() - started
        candidates.append(candidate_of(prepared, baseline, fits, took, settings, modalities))
        progress.advance(done + 1, baseline.NAME)
    progress.end(f"{len(candidates)} models")
    return candidates


def _lesson(prepared: Prepared, settings: Settings) -> Lesson:
    columns, sides = prepared.columns, []
    known = encode_targets(columns, prepared.train)
    every = (
        (prepared.train, known, training_weights(prepared, settings, known)),
        (prepared.validation, encode_targets(columns, prepared.validation), validation_weights(prepared)),
    )
    for table, values, weights in every:
        truth = {
            column.name: Truth(_plain(values[column.name]), target_classes(column), weights.get(column.name))
            for column in prepared.targets
        }
        sides.append((hand_made_features(columns, table), truth))
    return Lesson(*sides[0], *sides[1])


def _fit(baseline: Baseline, lesson: Lesson, seed: int, seconds: float | None) -> Fit:
    return {
        name: baseline.fit(lesson.train, truth, lesson.validation, lesson.check[name], seed=seed, seconds=seconds)
        for name, truth in lesson.truth.items()
    }


def candidate_of(
    prepared: Prepared,
    baseline: Baseline,
    fits: Sequence[Fit],
    seconds: float,
    settings: Settings,
    modalities: Sequence[Modality],
) -> Candidate:
    """Turn what a baseline has learned into a candidate that answers as a server would."""
    from fathom.bundle.loading import baseline_weights, reload_baselines

    described = {
        name: {"name": one.baseline, "classes": one.classes, "settings": [fitted[name].settings for fitted in fits]}
        for name, one in fits[0].items()
    }
    description = Description("baseline", baseline.NAME, prepared.columns, baselines=described)
    saved = baseline_weights(fits)

    def features_of(table: Table) -> Matrix:
        return hand_made_features(prepared.columns, table).matrix

    def unseen(table: Table, folds: Folds) -> Answers:
        matrix = features_of(table)
        return by_fold([lambda rows, fit=fit: _as_fitted(fit, matrix[rows]) for fit in fits], folds)  # type: ignore[misc]

    def as_fitted(table: Table) -> Answers:
        matrix = features_of(table)
        return _mean([_as_fitted(fit, matrix) for fit in fits])

    def reloaded(table: Table) -> Answers:
        matrix, again = features_of(table), reload_baselines(description, saved)
        return _mean([{name: baseline.predict(one, matrix) for name, one in fit.items()} for fit in again])

    return as_candidate(
        prepared,
        description,
        weights=saved,
        graph=graph_of(baseline, fits, prepared),
        summary=baseline.SUMMARY if len(fits) == 1 else f"{baseline.SUMMARY} The mean of {len(fits)} fits.",
        fit_seconds=seconds,
        trainers={"trainer": as_fitted, "reloaded bundle": reloaded},
        notes=_notes(fits),
        modalities=modalities,
        threads=settings.threads,
        unseen=unseen if len(fits) > 1 else None,
    )


def graph_of(baseline: Baseline, fits: Sequence[Fit], prepared: Prepared) -> bytes:
    """Write the mean of the fits as one ONNX graph, an output a target."""
    from fathom.baselines.graph import mean_of, onnx_model

    fragments = []
    for index, (name, one) in enumerate(fits[0].items()):
        answer = f"answer_{index}"
        outputs = [answer] if len(fits) == 1 else [f"{answer}/fit_{number}" for number in range(len(fits))]
        drawn = [
            (baseline.nodes(fit[name], "features", output), output) for fit, output in zip(fits, outputs, strict=True)
        ]
        fragments.append((mean_of(drawn, answer), answer, one.classes))
    width = hand_made_features(prepared.columns, prepared.train.take([0])).matrix.shape[1]
    return onnx_model(fragments, width)


def _notes(fits: Sequence[Fit]) -> dict[str, Any]:
    """Return the settings that were taken for the first target: of several fits, each that was taken, in their order."""
    notes = [next(iter(fit.values())).notes for fit in fits]
    if len(notes) == 1:
        return dict(notes[0])
    return {name: ", ".join(dict.fromkeys(_shown(one.get(name)) for one in notes)) for name in notes[0]}


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)


def _as_fitted(fit: Fit, matrix: Matrix) -> Answers:
    return {name: one.estimator(matrix) for name, one in fit.items() if one.estimator is not None}


def _mean(answers: Sequence[Answers]) -> Answers:
    return {name: np.mean([one[name] for one in answers], axis=0) for name in answers[0]}


def _plain(values: Any) -> Any:
    return values.astype(np.int64) if values.dtype.kind == "i" else values.astype(np.float64)
