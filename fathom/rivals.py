"""The simpler models that compete with the network: every baseline, on hand-made features of the same training rows."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fathom.baselines.contract import Baseline, Truth
from fathom.bundle.description import Description
from fathom.bundle.inference import Answers
from fathom.candidates import Candidate, as_candidate, training_weights, validation_weights
from fathom.data.encoding import encode_targets, hand_made_features, target_classes
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.preparing import Prepared
from fathom.progress import Progress
from fathom.settings import Settings


def fit_baselines(
    prepared: Prepared,
    settings: Settings,
    baselines: Sequence[Baseline],
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
) -> list[Candidate]:
    """Fit every baseline that is available, each on every target; stop tuning them after ``seconds`` in all."""
    from fathom.baselines.graph import onnx_model
    from fathom.bundle.loading import baseline_weights, reload_baselines

    able = [baseline for baseline in baselines if baseline.available()]
    progress.begin("Fitting simpler models", len(able))
    train, check = (
        hand_made_features(prepared.columns, prepared.train),
        hand_made_features(prepared.columns, prepared.validation),
    )
    known, checked = (
        encode_targets(prepared.columns, prepared.train),
        encode_targets(prepared.columns, prepared.validation),
    )
    weights, tuning = training_weights(prepared, settings, known), validation_weights(prepared)
    candidates = []
    for done, baseline in enumerate(able):
        started = time.perf_counter()
        fitted = {
            column.name: baseline.fit(
                train,
                Truth(_plain(known[column.name]), target_classes(column), weights.get(column.name)),
                check,
                Truth(_plain(checked[column.name]), target_classes(column), tuning.get(column.name)),
                seed=settings.seed,
                seconds=None if seconds is None else seconds / len(able) / len(prepared.targets),
            )
            for column in prepared.targets
        }
        took = time.perf_counter() - started
        fragments = [
            (baseline.nodes(one, "features", f"answer_{index}"), f"answer_{index}", one.classes)
            for index, one in enumerate(fitted.values())
        ]
        described = {
            name: {"name": one.baseline, "classes": one.classes, "settings": one.settings}
            for name, one in fitted.items()
        }
        description = Description("baseline", baseline.NAME, prepared.columns, baselines=described)

        def as_fitted(table: Table, fitted: Mapping[str, Any] = fitted) -> Answers:
            matrix = hand_made_features(prepared.columns, table).matrix
            return {name: one.estimator(matrix) for name, one in fitted.items() if one.estimator is not None}

        saved = baseline_weights(fitted)

        def reloaded(
            table: Table, description: Description = description, saved: bytes = saved, baseline: Baseline = baseline
        ) -> Answers:
            matrix = hand_made_features(prepared.columns, table).matrix
            return {name: baseline.predict(one, matrix) for name, one in reload_baselines(description, saved).items()}

        candidates.append(
            as_candidate(
                prepared,
                description,
                weights=saved,
                graph=onnx_model(fragments, train.matrix.shape[1]),
                summary=baseline.SUMMARY,
                fit_seconds=took,
                trainers={"trainer": as_fitted, "reloaded bundle": reloaded},
                notes=dict(next(iter(fitted.values())).notes),
                modalities=modalities,
                threads=settings.threads,
            )
        )
        progress.advance(done + 1, baseline.NAME)
    progress.end(f"{len(candidates)} models")
    return candidates


def _plain(values: Any) -> Any:
    return values.astype(np.int64) if values.dtype.kind == "i" else values.astype(np.float64)
