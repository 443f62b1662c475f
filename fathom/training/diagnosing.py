"""What the doctor finds in a network that has learned: gradients that explode or vanish, dead units, a loss that does not fall.

Each function looks at one thing, returns a `Diagnosis` or ``None``, and needs no more than what it is given, so that each can be tried alone.
Sources: vanishing and exploding gradients: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013
(https://arxiv.org/abs/1211.5063), sections 2 and 3.2; Glorot and Bengio, AISTATS 2010, figure 7; dead units: Maas, Hannun and Ng, "Rectifier
Nonlinearities Improve Neural Network Acoustic Models", 2013, section 2; running statistics: Ioffe and Szegedy, ICML 2015
(https://arxiv.org/abs/1502.03167), section 3.1. The thresholds are ours, set far from what the networks of this project show when all is well.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from fathom.networks.heads import head_for
from fathom.shapes import Part
from fathom.training.batching import Batch

CLIPPED_STEPS = 0.95  # share of the steps
CLIPPED_TIMES = 30.0  # how many times the bound the gradient is
VANISHED = 1e-5  # gradient of the first layers, as a share of the last layers'
DEAD_SHARE = 0.5  # of the units of a layer
FALLEN = 0.999  # of the loss of a constant
DIVERGED = 2.0  # times the loss of a constant
RISEN = 1.1  # times the lowest loss of an earlier epoch
MOVED_MEAN, MOVED_VARIANCE = 0.1, 0.3  # in an epoch; the mean in standard deviations, the variance as a logarithm

Norms = dict[str, float]
Statistics = dict[str, tuple[list[float], list[float]]]


@dataclass(frozen=True)
class Diagnosis:
    """Something that went wrong in training: its name, where, in one sentence, and what to do about it.

    ``epoch`` and ``step`` (of the epoch) count from 1 and are ``None`` where it concerns all of training. ``numbers`` are JSON-able.
    """

    name: str
    sentence: str
    remedy: str
    epoch: int | None = None
    step: int | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def gradient_norms(network: nn.Module) -> Norms:
    """Return the length of the gradient of every layer that has a matrix of weights, in the order of the layers.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> (3 * layer(torch.ones(1, 1))).sum().backward()
    >>> gradient_norms(nn.Sequential(layer, nn.ReLU()))
    {'0': 3.0}
    """
    named = [
        (name.rpartition(".")[0] or name, weight) for name, weight in network.named_parameters() if weight.requires_grad
    ]
    lengths = torch.stack([_length(weight.grad) for _, weight in named]).tolist() if named else []
    squares: dict[str, float] = {}
    for (layer, _), length in zip(named, lengths, strict=True):
        squares[layer] = squares.get(layer, 0.0) + length**2
    matrices = {layer for layer, weight in named if weight.ndim > 1}
    return {layer: math.sqrt(square) for layer, square in squares.items() if layer in matrices}


def _length(gradient: Tensor | None) -> Tensor:
    return torch.zeros((), dtype=torch.float64) if gradient is None else gradient.detach().double().norm().cpu()


def exploding(clipped: float, times: float) -> Diagnosis | None:
    """Judge by the share of steps whose gradient was cut to its bound, and how many times the bound it was (geometric mean).

    >>> exploding(0.4, 2.0), exploding(1.0, 250.0).name
    (None, 'exploding gradients')
    """
    if clipped < CLIPPED_STEPS or times < CLIPPED_TIMES:
        return None
    return Diagnosis(
        "exploding gradients",
        f"The gradient had to be cut at {clipped:.0%} of the steps, and was {_times(times)} as long as allowed, so that steps had a direction but no length of their own.",
        "Lower --learning-rate, take fewer --layers or residual blocks (--skip), and look for extreme values in the target.",
        numbers={"clipped": clipped, "times": times},
    )


def vanishing(norms: Norms, epoch: int) -> Diagnosis | None:
    """Judge by the gradients of the first quarter of the layers against those of the last.

    >>> vanishing({"a": 0.2, "b": 0.1, "c": 0.3}, 1)
    >>> vanishing({"a": 1e-12, "b": 1e-6, "c": 0.3}, 1).numbers
    {'first': 1e-12, 'last': 0.3, 'share': 3.3...e-12, 'layers': 3}
    """
    lengths = list(norms.values())
    quarter = max(1, len(lengths) // 4)
    first, last = median(lengths[:quarter] or [0.0]), max(lengths[-quarter:], default=0.0)
    if len(lengths) < 2 or not last > 0 or first / last > VANISHED:
        return None
    size = f"{first:.2g}, {first / last:.0e} of" if first else "0, against"
    return Diagnosis(
        "vanishing gradients",
        f"The first layers hardly learned: of {len(lengths)} layers the gradient of the first was {size} that of the last, {last:.2g}.",
        "Use residual, normalised blocks (--skip), or take fewer --layers.",
        epoch=epoch,
        numbers={"first": first, "last": last, "share": first / last, "layers": len(lengths)},
    )


def silent_units(network: nn.Module, forward: Callable[[], Any]) -> dict[str, tuple[int, int]]:
    """Return, for every ReLU layer, how many of its units are 0 on all the rows that ``forward`` sends through, and how many it has.

    A unit is one place of the last axis, or of the channel axis of maps ``(row, channel, height, width)``.
    """
    alive: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            units = output.movedim(1, -1) if output.ndim == 4 else output
            fires = (units > 0).flatten(0, -2).any(dim=0)
            alive[name] = alive[name] | fires if name in alive else fires

        return hook

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.ReLU)
    ]
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return {name: (int((~fires).sum()), len(fires)) for name, fires in alive.items()}


def dead_units(silent: Mapping[str, tuple[int, int]], rows: int) -> Diagnosis | None:
    """Judge by the layer with the greatest share of units that are 0 for all of ``rows`` rows.

    >>> dead_units({"a": (3, 100)}, 512), dead_units({"a": (3, 100), "b": (90, 100)}, 512).numbers["layers"]
    (None, {'a': 0.03, 'b': 0.9})
    """
    shares = {name: dead / units for name, (dead, units) in silent.items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    if not worst or shares[worst] < DEAD_SHARE:
        return None
    dead, units = silent[worst]
    many = sum(share >= DEAD_SHARE for share in shares.values())
    others = f", and in {many - 1} more of {len(shares)} layers at least half" if many > 1 else ""
    return Diagnosis(
        "dead units",
        f"In the layer {worst}, {dead} of {units} units are 0 for all of {rows:,} rows{others}: they say nothing and no longer learn.",
        "Lower --learning-rate, or use residual, normalised blocks (--skip).",
        numbers={"layers": shares, "rows": rows},
    )


def constant_loss(targets: Sequence[Part], answers: Batch, rows: Batch) -> float | None:
    """Return the mean loss over ``rows`` of the best network that answers every row alike, as learned from ``answers``.

    A scalar is answered with its mean, a code with the shares of the classes, both weighted as the loss is; ``None`` where a target has another shape.
    """
    total = 0.0
    for part in targets:
        known, weights = answers.truth.get(part.column), answers.weights.get(part.column)
        if part.shape not in ("scalar", "code") or known is None:
            return None
        counted = torch.ones(len(known), dtype=torch.float64) if weights is None else weights.double()
        if part.shape == "scalar":
            output = ((known.double() * counted).sum() / counted.sum()).view(1, 1, 1)
        else:
            shares = torch.bincount(known, counted, minlength=part.codes) / counted.sum()
            output = shares.clamp(min=1e-12).log().view(1, 1, -1)
        truth = rows.truth[part.column]
        repeated = output.to(torch.float32).expand(len(truth), -1, -1)
        total += float(head_for(part.shape).loss(repeated, truth, rows.weights.get(part.column)))
    return total


def unhelpful_loss(losses: Sequence[float], constant: float) -> Diagnosis | None:
    """Judge by the training loss of the epochs against that of a constant.

    >>> unhelpful_loss([0.9, 0.5], 1.0), unhelpful_loss([1.1, 1.0], 1.0).name, unhelpful_loss([0.9, 7.0], 1.0).name
    (None, 'loss never fell', 'loss diverged')
    """
    known = [loss for loss in losses if math.isfinite(loss)]
    if not known or not math.isfinite(constant) or constant <= 0 or known[-1] < FALLEN * constant:
        return None
    numbers = {"first": known[0], "lowest": min(known), "last": known[-1], "constant": constant}
    rose = known[-1] > RISEN * min(known) and min(known) < FALLEN * constant
    if rose or known[-1] > DIVERGED * constant:
        return Diagnosis(
            "loss diverged",
            f"The loss on the training rows ended at {known[-1]:.4g}, above the {constant:.4g} of a constant answer; its lowest was {min(known):.4g}.",
            "Lower --learning-rate, ten times to begin with, and look for extreme values in the columns.",
            numbers=numbers,
        )
    return Diagnosis(
        "loss never fell",
        f"The loss on the training rows ended at {known[-1]:.4g}, no lower than the {constant:.4g} of a constant answer: the network learned nothing from the columns.",
        "If simpler models do better, change --learning-rate, take fewer --layers or residual blocks (--skip), or give more --epochs; if they do not, the "
        "columns may say nothing about the target.",
        numbers=numbers,
    )


def running_statistics(network: nn.Module) -> Statistics:
    """Return the running mean and variance of every layer that keeps them, as batch normalisation does."""
    found = {}
    for name, module in network.named_modules():
        buffers = dict(module.named_buffers(recurse=False))
        mean, variance = buffers.get("running_mean"), buffers.get("running_var")
        if mean is not None and variance is not None:
            found[name] = (mean.double().tolist(), variance.double().tolist())
    return found


def unsettled(before: Statistics, after: Statistics, epoch: int) -> Diagnosis | None:
    """Judge by how far running means and variances moved in the last epoch, on average over the units of a layer.

    >>> unsettled({"norm": ([0.0], [1.0])}, {"norm": ([0.01], [1.02])}, 4)
    >>> unsettled({"norm": ([0.0], [1.0])}, {"norm": ([2.0], [1.0])}, 4).numbers
    {'layer': 'norm', 'mean_moved': 2.0, 'variance_moved': 0.0}
    """
    worst: tuple[float, str, float, float] = (1.0, "", 0.0, 0.0)
    for name in before.keys() & after.keys():
        (mean, variance), (mean_now, variance_now) = before[name], after[name]
        moved = _average(
            [abs(b - a) / math.sqrt(max(v, 1e-12)) for a, b, v in zip(mean, mean_now, variance_now, strict=True)]
        )
        scaled = _average(
            [abs(math.log(max(b, 1e-12) / max(a, 1e-12))) for a, b in zip(variance, variance_now, strict=True)]
        )
        worst = max(worst, (max(moved / MOVED_MEAN, scaled / MOVED_VARIANCE), name, moved, scaled))
    _, name, moved, scaled = worst
    if not name:
        return None
    return Diagnosis(
        "unsettled statistics",
        f"The running mean and variance of the layer {name} still moved in epoch {epoch}, by {moved:.2g} standard deviations and {math.expm1(scaled):.0%}, so it "
        "answers otherwise than it was trained.",
        "Give more --epochs or larger --batch-rows, or lower --learning-rate.",
        epoch=epoch,
        numbers={"layer": name, "mean_moved": moved, "variance_moved": scaled},
    )


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _times(times: float) -> str:
    return f"{times:,.0f} times" if times < 1e6 else f"{times:.0e} times"
