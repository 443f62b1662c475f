"""What is to be trained, before it is: the plan of the network, with what reads each column and why, and the plan of its training."""

from collections.abc import Sequence
from typing import Any

from fathom.chapters.adopting import options_for, readers_of
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, input_parts, inputs_of
from fathom.data.modalities.contract import Modality
from fathom.effort import Sizes
from fathom.errors import OptionError
from fathom.settings import Settings
from fathom.shapes import FLAT, arrays_of


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
        rises=sizes.rises,
        averaging=sizes.averaging,
        seconds=seconds,
        seed=settings.seed,
        threads=settings.threads,
    )


def check_adversary(prepared: Prepared, settings: Settings) -> None:
    """Raise OptionError for an ``adversarial`` that cannot be read, or that pushes no column of the table; what a reader taught elsewhere reads is not pushed."""
    from fathom.training.hardening import check_kinds

    frozen = readers_of(prepared.columns, settings)
    check_kinds(settings.adversarial, {one.name: one.modality for one in inputs_of(prepared.columns) if one.name not in frozen})  # fmt: skip


def network_plan(prepared: Prepared, settings: Settings, sizes: Sizes, modalities: Sequence[Modality]) -> Any:
    """Return the plan of the network: its inputs and targets, and the trunk and encoders of the settings.

    Raises OptionError for an encoder that is not there or does not read the shape of the kind it is wanted for.
    """
    from fathom.networks.encoders import default_encoder
    from fathom.networks.network import NetworkPlan
    from fathom.training.augmentations import check_names

    inputs = input_parts(prepared.columns)
    choices = encoder_choices(prepared, settings, modalities)
    check_names(settings.augment, inputs)
    encoders = _chosen_encoders(prepared.columns, settings, modalities)
    encoders |= {array: choice.encoder for array, choice in choices.items()}
    options = {array: dict(choice.options) for array, choice in choices.items() if choice.options}
    targets = tuple(column.parts[0] for column in prepared.targets)
    taken = {
        array: encoders.get(array) or default_encoder(parts[0].shape).NAME for array, parts in arrays_of(inputs).items()
    }
    for array, name in taken.items():
        if name in sizes.encoder_options:
            options[array] = {**options.get(array, {}), **sizes.encoder_options[name]}
    return NetworkPlan(
        inputs,
        targets,
        settings.trunk,
        sizes.token_width,
        sizes.trunk_options,
        encoders,
        options,
        networks=sizes.folds,
    )


def encoder_choices(prepared: Prepared, settings: Settings, modalities: Sequence[Modality]) -> dict[str, Any]:
    """Return what reads every deep array (`fathom.networks.encoders.choosing.Choice`), and why."""
    from fathom.networks.encoders import TAUGHT_ELSEWHERE
    from fathom.networks.encoders.choosing import Choice, choose

    readers = readers_of(prepared.columns, settings)
    wanted = _chosen_encoders(prepared.columns, settings, modalities)
    arrays = arrays_of(input_parts(prepared.columns))
    rows = prepared.counts["train"]
    choices: dict[str, Any] = {}
    for array, parts in arrays.items():
        reader = readers.get(parts[0].column)
        if reader is not None:
            stays = "and goes on learning" if settings.fine_tune else "and stays as it is"
            reason = f"it was taught elsewhere ({reader.folder.name}), {stays}"
            choices[array] = Choice(reader.encoder, reason, options_for(reader, parts[0]))
        elif wanted.get(array) in TAUGHT_ELSEWHERE:
            raise OptionError(
                f"The encoder {wanted[array]!r} is nothing without weights that were taught elsewhere. Name their folder with --pretrained {parts[0].column}=FOLDER in place of --encoder."
            )
        elif array not in FLAT:
            choices[array] = choose(parts[0], rows, wanted.get(array))
    return choices


def _chosen_encoders(columns: Sequence[Column], settings: Settings, modalities: Sequence[Modality]) -> dict[str, str]:
    """Return the encoder of every array that the settings name one for, by a column's name or its kind's."""
    from fathom.data.modalities import by_name
    from fathom.networks.encoders import encoder_named

    arrays = arrays_of(input_parts(columns))
    kinds = {column.name: column.modality for column in inputs_of(columns)}
    encoders: dict[str, str] = {}
    for wanted, name in settings.encoder.items():
        shape = None if wanted in kinds else by_name(wanted, modalities).SHAPE
        fitting = {
            array: parts[0].shape
            for array, parts in arrays.items()
            if any(wanted == part.column for part in parts)
            or (parts[0].shape == shape and (shape in FLAT or kinds[parts[0].column] == wanted))
        }
        if not fitting:
            raise OptionError(
                f"--encoder chooses {name!r} for {wanted!r}, and the table has no such column: none is of shape {shape!r}."
            )
        for array, read in fitting.items():
            encoders[array] = encoder_named(name, read).NAME
    return encoders


def told_readers(prepared: Prepared, settings: Settings, modalities: Sequence[Modality]) -> dict[str, str]:
    """Return what reads each deep column and why, for people."""
    arrays = arrays_of(input_parts(prepared.columns))
    return {
        f"{arrays[array][0].column} is read by": f"{choice.encoder}: {choice.reason}"
        for array, choice in encoder_choices(prepared, settings, modalities).items()
    }
