"""The network that competes: planned, trained, and exported as it would be shipped."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fathom.bundle.description import Description
from fathom.bundle.inference import Answers
from fathom.candidates import Candidate, as_candidate, training_weights, validation_weights
from fathom.data.encoding import Column, encode_inputs, encode_targets, input_parts
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.effort import Sizes
from fathom.errors import OptionError
from fathom.larger import window_rows
from fathom.preparing import Prepared
from fathom.progress import Progress
from fathom.settings import Settings
from fathom.storing import batch_reader


@dataclass(frozen=True)
class Trained:
    """A network as training left it: its plan and training's, the network itself, every epoch, and the seconds it took."""

    plan: Any
    training: Any
    network: Any
    history: Any
    seconds: float


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

    candidate = as_candidate(
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
