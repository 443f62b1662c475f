"""The network that competes learns: its readers, and each of its fits."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fathom.chapters.adopting import (
    FINE_TUNE_BATCH,
    FINE_TUNE_EPOCHS,
    FINE_TUNE_RATE,
    read_through,
    readable,
    readers_of,
    take_weights,
)
from fathom.chapters.candidates import training_weights, validation_weights
from fathom.chapters.larger import window_rows
from fathom.chapters.planning import network_plan, told_readers, training_plan
from fathom.chapters.prepared import Prepared
from fathom.chapters.sheets import sheet
from fathom.chapters.storing import batch_reader
from fathom.data.encoding import encode_inputs, encode_targets, inputs_of
from fathom.data.modalities.contract import Modality
from fathom.effort import Sizes
from fathom.progress import Progress
from fathom.settings import Settings

READING_SHARE = 0.6  # of the time to train, that readers which stay as they are may read in


@dataclass(frozen=True)
class Trained:
    """What training left: the plan of the network, its own, the network or the committee of networks, how each of them fared, the seconds it took, and what it saw: some rows and their variations."""

    plan: Any
    training: Any
    network: Any
    histories: tuple[Any, ...]
    seconds: float
    seen: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Start:
    """Old weights from which a network of the same plan goes on, those of each network of a committee; with a share of the learning rate, for a share of the epochs."""

    plan: Any
    weights: tuple[Mapping[str, Any], ...]
    rate: float
    epochs: float


def train_network(
    prepared: Prepared,
    settings: Settings,
    sizes: Sizes,
    modalities: Sequence[Modality],
    seconds: float | None,
    progress: Progress,
    checkpoints: Path | None = None,
    start: Start | None = None,
    margins: bool = False,
) -> Trained:
    """Build and train the network, or, where rows are folded, one for each fold left out; from the weights of ``start``, if given. Training ends after ``seconds`` at the latest.

    With ``margins`` it also learns how far its answers that are numbers may be off (`fathom.training.margins`), for one that is to be shipped.

    ``checkpoints`` is a folder in which training puts itself down, and from which it goes on. Raises CheckpointError when that of other rows or
    settings lie there.
    """
    started = time.perf_counter()
    from fathom.networks.committee import joined

    plan = start.plan if start else network_plan(prepared, settings, sizes, modalities)
    plan = replace(plan, margins=margins)
    training = training_plan(settings, sizes, None)
    if start:
        rate, epochs = start.rate * training.learning_rate, max(1, round(start.epochs * training.epochs))
        training = replace(training, learning_rate=rate, epochs=epochs)
    fits = prepared.fits()
    for reader, why in told_readers(prepared, settings, modalities).items():
        progress.say(f"{reader} {why}.")
    begin = partial(progress.begin, "Training the network", len(fits) * training.epochs)
    networks, histories = [], []
    for number, one in enumerate(fits):
        left = None if seconds is None else seconds - (time.perf_counter() - started)
        own = replace(
            training,
            seed=(settings.seed + number) % 2**63,
            seconds=None if left is None else max(1.0, left / (len(fits) - number)),
        )
        folder = checkpoints / f"fold-{number + 1}" if checkpoints and number else checkpoints
        place = _Place(
            folder, progress.say, (lambda: None) if number else begin, start.weights[number] if start else None
        )
        told = partial(_tell, progress, number, len(fits))
        network, history, done, seen = _train_one(one, settings, plan, own, told, place, progress)
        networks.append(network)
        histories.append(history)
    best = ", ".join(f"{history.best_epoch} of {len(history.epochs)}" for history in histories)
    progress.end(f"best epoch {best}")
    done = replace(done, seed=settings.seed, seconds=seconds)
    return Trained(plan, done, joined(networks), tuple(histories), time.perf_counter() - started, seen)


def _tell(progress: Progress, number: int, count: int, epoch: Any, epochs: int) -> None:
    """Tell of an epoch; those of several networks are counted on."""
    which = f"network {number + 1} of {count}, " if count > 1 else ""
    progress.advance(number * epochs + epoch.epoch, f"{which}validation loss {epoch.validation_loss:.4f}")
    measured = ("train_loss", "validation_loss", "learning_rate", "seconds")
    progress.measure(number * epochs + epoch.epoch, {name: getattr(epoch, name) for name in measured})


@dataclass(frozen=True)
class _Place:
    """Where the checkpoints of one network lie, if anywhere, who hears of them and of the beginning of training, and the old weights that it starts from, if any."""

    folder: Path | None
    told: Callable[[str], None]
    begin: Callable[[], None]
    weights: Mapping[str, Any] | None = None


def _train_one(
    prepared: Prepared,
    settings: Settings,
    plan: Any,
    training: Any,
    told: Callable[[Any, int], None],
    place: _Place,
    progress: Progress,
) -> tuple[Any, Any, Any, tuple[dict[str, Any], ...]]:
    """Train one network; return it, its history, the plan of its training as it was carried out, and what it saw."""
    started = time.perf_counter()
    import torch

    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.networks.network import Network
    from fathom.training import hardening, margins
    from fathom.training.augmentations import planned
    from fathom.training.batching import as_batch
    from fathom.training.checkpointing import Checkpoints, run_name
    from fathom.training.loop import train
    from fathom.training.objectives import predict

    columns = prepared.columns
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = Network(plan)
        if place.weights is not None:
            network.load_state_dict({**network.state_dict(), **place.weights})
        else:
            take_weights(network, network.arrays, readers_of(columns, settings))
        train_rows = _train_rows(prepared, settings)
        check = as_batch(
            encode_inputs(columns, prepared.validation),
            encode_targets(columns, prepared.validation),
            validation_weights(prepared),
        )
        if training.seconds is not None:
            within = READING_SHARE * training.seconds
            train_rows = readable(network, train_rows, prepared.readings, within, settings.seed, progress)
        frozen = frozen_readers(network.encoders)
        varied = [part for part in plan.inputs if not any(part in network.arrays[name] for name in frozen)]
        kinds = {column.name: column.modality for column in inputs_of(columns)}
        adversary = {
            array: own
            for array, own in hardening.planned(settings.adversarial, plan.inputs, kinds).items()
            if array not in frozen
        }
        augment = planned(settings.augment, varied, train_rows.sample, check)
        training = replace(training, augment=augment, adversary=adversary)
        read = read_through(network, train_rows, prepared.readings, progress)
        check_read = read_through(network, check, prepared.readings)
        place.begin()
        if training.seconds is not None:  # what has gone by until now counts
            training = replace(training, seconds=max(1.0, training.seconds - (time.perf_counter() - started)))
        checkpoints = None
        if place.folder:
            name = run_name(plan, training, train_rows.sample)
            checkpoints = Checkpoints(place.folder, name, settings.checkpoint_seconds, told=place.told)
        history = train(network, read, check_read, training, predict, told, checkpoints)
        if settings.fine_tune:
            history = _fine_tuned(network, history, train_rows, check, training, told)
        margins.learn(network, (train_rows if settings.fine_tune else read).sample, training.seed)
        return network, history, training, sheet(prepared, plan.inputs, train_rows.sample, training)


def _fine_tuned(
    network: Any, first: Any, rows: Any, check: Any, training: Any, told: Callable[[Any, int], None]
) -> Any:
    """Let the readers that were taught elsewhere go on learning with the rest, at a low rate; keep what came of it if the validation rows are answered better."""
    import copy

    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.training.loop import train
    from fathom.training.objectives import predict

    before = copy.deepcopy(network.state_dict())
    for reader in frozen_readers(network.encoders).values():
        reader.freeze(False)
    own = replace(
        training,
        learning_rate=FINE_TUNE_RATE,
        epochs=FINE_TUNE_EPOCHS,
        batch_rows=min(training.batch_rows, FINE_TUNE_BATCH),
        averaging=0.0,
        warm_up=0.1,
        seconds=None if training.seconds is None else max(1.0, training.seconds - first.epochs[-1].seconds),
    )
    second = train(network, rows, check, own, predict, told)
    lowest = min(epoch.validation_loss for epoch in first.epochs)
    done = len(first.epochs)
    later = [replace(epoch, epoch=done + epoch.epoch) for epoch in second.epochs]
    epochs = (*first.epochs, *later)
    if not second.best_epoch or second.epochs[second.best_epoch - 1].validation_loss >= lowest:
        network.load_state_dict(before)
        return replace(
            first, epochs=epochs, stopped=f"{first.stopped}; to go on teaching what was taught elsewhere did not help"
        )
    return replace(
        second, epochs=epochs, best_epoch=done + second.best_epoch, findings=(*first.findings, *second.findings)
    )


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
