"""The models that compete: one network, and every baseline on hand-made features, learned from the same training rows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fathom.baselines.contract import Baseline, Matrix, Truth
from fathom.bundle.description import INTERVAL_LEVEL, Description
from fathom.bundle.inference import Answers, Inference
from fathom.bundle.saving import assemble
from fathom.data.encoding import Column, encode_inputs, encode_targets, hand_made_features, input_parts, target_classes
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.effort import Sizes
from fathom.errors import OptionError
from fathom.larger import window_rows
from fathom.preparing import Prepared
from fathom.progress import Progress
from fathom.settings import Settings
from fathom.shapes import Arrays
from fathom.storing import batch_reader


@dataclass(frozen=True)
class Candidate:
    """A fitted model as it would be shipped: the files of a bundle, and what answers from them.

    ``trainers`` are the other ways in which the same model answers, by name: as it was trained, and reloaded from its weights; ``answers`` are those
    for the validation rows.
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

    @property
    def kind(self) -> str:
        """``network`` or ``baseline``."""
        return self.description.kind

    @property
    def size(self) -> int:
        """The size of what a server needs."""
        return len(self.graph) + len(self.description.to_bytes())

    def files(self, samples: Sequence[Mapping[str, Any]] = ()) -> dict[str, bytes]:
        """Return the candidate as the files of a bundle."""
        return assemble(self.description, self.weights, self.graph, samples)


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
    """Return how far an interval must reach to hold a share ``level`` of the validation rows, a target.

    Split conformal prediction with absolute residuals: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al., JASA
    113, 2018, algorithm 2: the k-th smallest residual with k = ceil((n + 1) level).
    """
    widths = {}
    for column in prepared.targets:
        if answers[column.name].ndim == 1:
            truth = truth_in_units(column, prepared.validation)
            residuals = np.sort(np.abs(in_units(column, answers[column.name]) - truth))
            place = min(len(residuals), int(np.ceil((len(residuals) + 1) * level)))
            widths[column.name] = float(residuals[place - 1])
    return widths


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
    """Return what each training row counts, a target that weighs its rows: its own weight times its class's, with mean 1."""
    weights = class_weights(prepared.targets, truth) if settings.class_weights else {}
    if prepared.weights is None:
        return weights
    every = {column.name: prepared.weights * weights.get(column.name, 1.0) for column in prepared.targets}
    return {name: weight / weight.mean() for name, weight in every.items()}


def validation_weights(prepared: Prepared) -> dict[str, Matrix]:
    """Return what each validation row counts where an epoch or a setting is chosen, a target; nothing where all count alike."""
    if prepared.validation_weights is None:
        return {}
    return {column.name: prepared.validation_weights for column in prepared.targets}


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
            _candidate(
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


@dataclass(frozen=True)
class Trained:
    """A network as training left it: its plan and training's, the network itself, every epoch, and the seconds it took."""

    plan: Any
    training: Any
    network: Any
    history: Any
    seconds: float


def fit_network(
    prepared: Prepared,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
    checkpoints: Path | None = None,
) -> Candidate:
    """Build, train and export the network; the arguments are those of `train_network`."""
    trained = train_network(prepared, settings, sizes, modalities, seconds, progress, checkpoints)
    return export_network(prepared, trained, settings, sizes, modalities, progress)


def train_network(
    prepared: Prepared,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
    checkpoints: Path | None = None,
) -> Trained:
    """Build and train the network. Training ends after ``seconds`` at the latest.

    ``checkpoints`` is a folder in which training puts itself down, and from which it goes on. Raises CheckpointError when that of other rows or
    settings lie there.
    """
    started = time.perf_counter()
    import torch

    from fathom.networks.network import Network
    from fathom.training.batching import as_batch
    from fathom.training.checkpointing import Checkpoints, run_name
    from fathom.training.loop import train
    from fathom.training.objectives import predict
    from fathom.training.state import Epoch

    columns = prepared.columns
    plan = network_plan(prepared, settings, sizes, modalities)
    training = training_plan(settings, sizes, seconds)
    progress.begin("Training the network", training.epochs)

    def told(epoch: Epoch, epochs: int) -> None:
        progress.advance(epoch.epoch, f"validation loss {epoch.validation_loss:.4f}")
        measured = ("train_loss", "validation_loss", "learning_rate", "seconds")
        progress.measure(epoch.epoch, {name: getattr(epoch, name) for name in measured})

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Network(plan)
        train_rows = _train_rows(prepared, settings)
        if seconds is not None:  # what has gone by until now counts
            training = replace(training, seconds=max(1.0, seconds - (time.perf_counter() - started)))
        history = train(
            network,
            train_rows,
            as_batch(
                encode_inputs(columns, prepared.validation),
                encode_targets(columns, prepared.validation),
                validation_weights(prepared),
            ),
            training,
            predict,
            told,
            Checkpoints(
                checkpoints, run_name(plan, training, train_rows.sample), settings.checkpoint_seconds, told=progress.say
            )
            if checkpoints
            else None,
        )
    took = time.perf_counter() - started
    progress.end(f"best epoch {history.best_epoch} of {len(history.epochs)}")
    return Trained(plan, training, network, history, took)


def _train_rows(prepared: Prepared, settings: Settings) -> Any:
    """Return the training rows as batches are made from them: in memory, or on the disk."""
    from fathom.training.batching import StoredRows, as_batch

    known = encode_targets(prepared.columns, prepared.train)
    held = as_batch(encode_inputs(prepared.columns, prepared.train), known, training_weights(prepared, settings, known))
    if prepared.larger is None or prepared.larger.stored is None:
        return held
    stored = prepared.larger.stored
    return StoredRows(
        batch_reader(prepared, settings),
        stored.rows,
        prepared.epoch_rows(settings.effort),
        held,
        window_rows(settings, stored.row_bytes),
    )


def export_network(
    prepared: Prepared,
    trained: Trained,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    progress: Progress,
) -> Candidate:
    """Turn a trained network into a candidate that answers as a server would."""
    import torch

    from fathom.bundle.exporting import network_onnx
    from fathom.bundle.loading import network_weights, reload_network
    from fathom.networks.trunks import trunk_named
    from fathom.networks.trunks.residual import is_residual

    network, history = trained.network, trained.history

    layers = sizes.trunk_options["layers"]
    residual = settings.trunk == "transformer" or is_residual(layers, settings.skip)
    blocks = f"{layers} {'residual' if residual else 'plain'} layers"

    progress.begin("Exporting the network")
    description = Description("network", "network", prepared.columns, plan=trained.plan.to_json())
    saved = network_weights(network)

    candidate = _candidate(
        prepared,
        description,
        weights=saved,
        graph=network_onnx(network),
        summary=f"deep network: {trunk_named(settings.trunk).SUMMARY}, {blocks}, {network.parameter_count:,} weights",
        fit_seconds=trained.seconds,
        trainers={
            "trainer": lambda table: network_answers(network, prepared.columns, table),
            "reloaded bundle": lambda table: network_answers(
                reload_network(description, saved), prepared.columns, table
            ),
        },
        notes={"trunk": settings.trunk, **sizes.trunk_options, "blocks": blocks},
        modalities=modalities,
        threads=settings.threads or torch.get_num_threads(),
    )
    progress.end(f"{candidate.size / 1e6:.1f} MB")
    epochs = [
        _epoch_json(epoch, before) for epoch, before in zip(history.epochs, (None, *history.epochs), strict=False)
    ]
    return replace(
        candidate,
        training={
            "parameters": network.parameter_count,
            "epochs": epochs,
            "best_epoch": history.best_epoch,
            "stopped": history.stopped,
            "doctor": [asdict(finding) for finding in history.findings],
            "gradients": _gradients_json(history.gradients),
            "threads": [_choice_json(choice) for choice in history.threads],
            "plan": asdict(trained.training),
        },
    )


def network_answers(network: Any, columns: Sequence[Column], table: Table) -> Answers:
    """Answer rows with a network in memory, in encoded units and in the precision of its weights."""
    import torch

    precision = next(network.parameters()).dtype
    inputs = {shape: torch.from_numpy(array) for shape, array in encode_inputs(columns, table).items()}
    if "scalar" in inputs:
        inputs["scalar"] = inputs["scalar"].to(precision)
    with torch.inference_mode():
        return {name: answer.double().numpy() for name, answer in network.answer(inputs).items()}


def training_plan(settings: Settings, sizes: Sizes, seconds: float | None) -> Any:
    """Return the plan of training: the effort's sizes, but for what the user set."""
    from fathom.training.loop import TrainingPlan

    rate = sizes.learning_rate if settings.optimizer == "adamw" else 10 * sizes.learning_rate
    return TrainingPlan(
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate or rate,
        weight_decay=sizes.weight_decay if settings.optimizer == "adamw" else 1e-5,
        batch_rows=settings.batch_rows or sizes.batch_rows,
        epochs=settings.epochs or sizes.epochs,
        patience=sizes.patience,
        averaging=sizes.averaging,
        seconds=seconds,
        seed=settings.seed,
        threads=settings.threads,
    )


def network_plan(prepared: Prepared, settings: Settings, sizes: Sizes, modalities: Sequence[Modality]) -> Any:
    """Return the plan of the network: its inputs and targets, and the trunk and encoders of the settings.

    Raises OptionError for an encoder that is not there or does not read the shape of the kind it is wanted for.
    """
    from fathom.data.modalities import by_name
    from fathom.networks.encoders import encoder_named
    from fathom.networks.network import NetworkPlan

    inputs = input_parts(prepared.columns)
    encoders: dict[str, str] = {str(by_name(kind, modalities).SHAPE): name for kind, name in settings.encoder.items()}
    for shape, name in encoders.items():
        encoder_named(name, shape)  # type: ignore[arg-type]
        if all(part.shape != shape for part in inputs):
            raise OptionError(
                f"--encoder chooses {name!r}, and the table has no column for it: none is of shape {shape!r}."
            )
    targets = tuple(column.parts[0] for column in prepared.targets)
    return NetworkPlan(inputs, targets, settings.trunk, sizes.token_width, sizes.trunk_options, encoders)


def _candidate(
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
) -> Candidate:
    """Open a model as a server would, and learn its intervals from the validation rows."""
    files = assemble(description, weights, graph, [])
    inference = Inference.open(files, modalities, threads or 0)
    answers = inference.answer(prepared.validation)
    description = replace(description, half_widths=half_widths(prepared, answers))
    inference = replace(inference, description=description)
    return Candidate(
        description.name, summary, description, weights, graph, inference, fit_seconds, answers, trainers, notes
    )


def _plain(values: Any) -> Any:
    return values.astype(np.int64) if values.dtype.kind == "i" else values.astype(np.float64)


def _choice_json(choice: Any) -> dict[str, Any]:
    return {**asdict(choice), "milliseconds": {str(count): took for count, took in choice.milliseconds.items()}}


def _gradients_json(gradients: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    first, last = ([*gradients.values()] or [{}])[0], ([*gradients.values()] or [{}])[-1]
    layers = [{"layer": layer, "first": norm, "last": last[layer]} for layer, norm in first.items()]
    return {"epochs": [*gradients], "layers": layers}


def _epoch_json(epoch: Any, before: Any) -> dict[str, Any]:
    values = asdict(epoch)
    values["seconds"] = epoch.seconds - (before.seconds if before else 0.0)
    return {name: None if value != value else value for name, value in values.items()}
