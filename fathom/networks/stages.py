"""What each layer of a deep column's encoder makes of rows, read off while the network answers."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.encoders.deep import DeepColumn, known_steps
from fathom.networks.network import Network

POOLED_SIDE = 2  # a map is averaged over so many by so many fields: some of where things are is kept


class Activations(NamedTuple):
    """Of one stage: ``features (row, feature)``, averaged over places, and ``peaks (row, unit)``, the highest of each unit over all places."""

    features: Tensor
    peaks: Tensor


@torch.inference_mode()
def activations(network: Network, inputs: Mapping[str, Tensor], rows_at_once: int) -> dict[str, dict[str, Activations]]:
    """Return what every stage of every deep column's encoder makes of rows: ``{array: {stage: …}}``, stages from input to output.

    A stage's output is ``(row, unit)``, ``(row, unit, height, width)``, or ``(row, step, unit)``; ``(row, unit, step)`` where the encoder has an attribute ``unit_axis`` of 1.
    """
    network.eval()
    deep: dict[str, Any] = {
        name: column.encoder for name, column in network.encoders.items() if isinstance(column, DeepColumn)
    }
    heard: dict[str, dict[str, list[Activations]]] = {
        name: {stage: [] for stage in encoder.stages} for name, encoder in deep.items()
    }
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, rows_at_once):
        piece = {name: values[start : start + rows_at_once] for name, values in inputs.items()}
        hooks = [
            module.register_forward_hook(
                partial(_hear, heard[name][stage], piece[name], getattr(encoder, "unit_axis", -1))
            )
            for name, encoder in deep.items()
            for stage, module in encoder.stages.items()
        ]
        try:
            network.tokens(piece)
        finally:
            for hook in hooks:
                hook.remove()
    return {
        name: {stage: Activations(*map(torch.cat, zip(*pieces, strict=True))) for stage, pieces in stages.items()}
        for name, stages in heard.items()
    }


def _hear(
    heard: list[Activations], values: Tensor, unit_axis: int, module: nn.Module, inputs: Any, output: Any
) -> None:
    made = output[0] if isinstance(output, tuple) else output
    heard.append(_pooled(made.float(), values, unit_axis))


def _pooled(made: Tensor, values: Tensor, unit_axis: int) -> Activations:
    if made.ndim == 2:
        return Activations(made, made)
    if made.ndim == 4:
        side = min(POOLED_SIDE, made.shape[2], made.shape[3])
        return Activations(functional.adaptive_avg_pool2d(made, side).flatten(1), made.amax((2, 3)))
    steps = made if unit_axis != 1 else made.transpose(1, 2)  # (row, step, unit)
    there = torch.ones(steps.shape[:2], dtype=torch.bool)
    if values.ndim < 4 and steps.shape[1] == values.shape[1]:
        there = known_steps(values)
    mask = there.unsqueeze(-1)
    mean = (steps * mask).sum(1) / mask.sum(1).clamp(min=1)
    peaks = torch.where(mask, steps, steps.amin()).amax(1)
    return Activations(mean, peaks)


class Noticed(NamedTuple):
    """Of one stage: how much it takes of each step or patch, ``strength (row, place)``, and whether it says so by ``"attention"`` or by a ``"gate"``."""

    by: str
    strength: Tensor


@torch.inference_mode()
def noticed(network: Network, inputs: Mapping[str, Tensor]) -> dict[str, dict[str, Noticed]]:
    """Return what the stages of deep columns' encoders take of each step: ``{array: {stage: …}}``, of those stages that can tell.

    A stage can tell that has a function ``noticed`` of what it is given, and says by what in ``NOTICES``.
    """
    network.eval()
    found: dict[str, dict[str, Noticed]] = {}
    hooks = []

    def ask(array: str, stage: str, module: Any, given: Any) -> None:
        strength = module.noticed(*given)
        if strength is not None:
            found.setdefault(array, {})[stage] = Noticed(module.NOTICES, strength)

    for array, column in network.encoders.items():
        if not isinstance(column, DeepColumn):
            continue
        encoder: Any = column.encoder
        for stage, module in encoder.stages.items():
            if hasattr(module, "noticed"):
                hooks.append(module.register_forward_pre_hook(partial(ask, array, stage)))
    try:
        network.tokens(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def first_filters(encoder: nn.Module) -> Tensor | None:
    """Return the weights ``(filter, channel, height, width)`` of an encoder's first convolution of a grid; ``None`` where it has none."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            return module.weight.detach()
    return None


__all__ = ["Activations", "Noticed", "activations", "first_filters", "noticed"]
