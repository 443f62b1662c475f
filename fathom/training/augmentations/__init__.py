"""Random variation of what a network learns from, by shape, on the batch and on its device: one more look at a row shows it a little otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import torch
from torch import Tensor

from fathom.errors import OptionError, suggestion
from fathom.shapes import Part, arrays_of
from fathom.training.augmentations import codes as steps
from fathom.training.augmentations import grid, vectors
from fathom.training.augmentations.contract import Augmentation
from fathom.training.batching import Batch, Mixed

AUGMENTATIONS: tuple[Augmentation, ...] = (grid, vectors, steps)

AUTO, OFF = "auto", "off"
MIX = "mixup"
LOOKED_AT = 10_000  # training rows, and a tenth as many validation rows, from which defaults are chosen

Plan = Mapping[str, Mapping[str, Any]]  # array -> options by name


def planned(setting: str, parts: Sequence[Part], train: Batch, validation: Batch) -> dict[str, dict[str, Any]]:
    """Return the options of every array that is varied, by the setting: ``auto``, ``off``, or ``flip=1,shift=0.1`` on top of what is chosen.

    Raises OptionError for a setting that cannot be read.
    """
    told = parsed(setting)
    if told is None:
        return {}
    codes = [values for values in train.truth.values() if not values.is_floating_point()]
    known = [values for values in validation.truth.values() if not values.is_floating_point()]
    plan: dict[str, dict[str, Any]] = {}
    for name, those in arrays_of(parts).items():
        augmentation = next((each for each in AUGMENTATIONS if those[0].shape == each.READS), None)
        if augmentation is None:
            continue
        rows = torch.linspace(0, train.rows - 1, min(train.rows, LOOKED_AT)).long()
        checked = torch.linspace(0, validation.rows - 1, min(validation.rows, LOOKED_AT // 10)).long()
        chosen = augmentation.choose(
            those[0],
            train.inputs[name][rows],
            codes[0][rows] if codes else None,
            validation.inputs[name][checked],
            known[0][checked] if known else None,
        )
        names = [entry.name for entry in fields(augmentation.Options)]
        plan[name] = asdict(replace(chosen, **{option: value for option, value in told.items() if option in names}))
    if len(train.inputs) > 1:  # what is mixed must be mixed in every column
        plan = {name: {**options, **({MIX: 0.0} if MIX in options else {})} for name, options in plan.items()}
    return {name: options for name, options in plan.items() if any(options.values())}


def check_names(setting: str, parts: Sequence[Part]) -> None:
    """Raise OptionError for a setting that cannot be read, or that names what varies none of these parts."""
    shapes = {part.shape for part in parts}
    known = [entry.name for each in AUGMENTATIONS if each.READS in shapes for entry in fields(each.Options)]
    every = [entry.name for each in AUGMENTATIONS for entry in fields(each.Options)]
    for name in parsed(setting) or {}:
        if name not in known:
            raise OptionError(
                f"--augment names {name!r}, which varies no column of this table.{suggestion(name, every)} There are: {', '.join(every)}; or auto, or off."
            )


def parsed(setting: str) -> dict[str, float] | None:
    """Return the values that a setting tells, or ``None`` for ``off``. Raises OptionError for one that cannot be read.

    >>> parsed("auto"), parsed("off"), parsed("flip=1, shift=0.2")
    ({}, None, {'flip': 1.0, 'shift': 0.2})
    """
    if setting in (AUTO, OFF):
        return {} if setting == AUTO else None
    told = {}
    for piece in setting.split(","):
        name, _sign, value = piece.partition("=")
        try:
            told[name.strip()] = float(value)
        except ValueError:
            raise OptionError(
                f"--augment is {setting!r}, where auto, off, or NAME=NUMBER with commas between is expected, for example flip=1,shift=0.1."
            ) from None
    return told


def augmented(batch: Batch, plan: Plan, seed: int, epoch: int, step: int) -> Batch:
    """Return the rows of a step as they are shown to the network; the same for the same seed, epoch and step, so that training can be taken up again."""
    if not plan:
        return batch
    inputs = dict(batch.inputs)
    generator = torch.Generator(next(iter(inputs.values())).device)
    generator.manual_seed((seed * 1_000_003 + epoch) * 1_000_003 + step)
    mixed = None
    for name, values in plan.items():
        augmentation = next(each for each in AUGMENTATIONS if name.startswith(f"{each.READS}_"))
        options = augmentation.Options(**values)
        inputs[name] = augmentation.vary(options, inputs[name], generator)
        if values.get(MIX):
            mixed = _partners(batch.rows, values[MIX], generator)
            inputs[name] = _mix(inputs[name], mixed)
    return replace(batch, inputs=inputs, mixed=mixed)


def _partners(rows: int, strength: float, generator: torch.Generator) -> Mixed:
    """Draw for all rows another row each, and the share of their own that is left, Beta(strength, strength)."""
    order = torch.randperm(rows, generator=generator, device=generator.device)
    draws = torch._sample_dirichlet(torch.full((2,), strength, device=generator.device), generator=generator)
    return Mixed(order, float(draws.max()))


def _mix(values: Tensor, mixed: Mixed) -> Tensor:
    """Mix bytes: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018 (https://arxiv.org/abs/1710.09412)."""
    own = mixed.share * values + (1 - mixed.share) * values[mixed.rows]
    return own.round().to(values.dtype)


__all__ = ["AUGMENTATIONS", "Augmentation", "augmented", "check_names", "parsed", "planned"]
