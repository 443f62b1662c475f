"""Spiking neurons: what they do, how they learn although a spike has no slope, and what they would cost on a chip made for them.

A leaky integrate-and-fire neuron adds what comes in to its voltage, which leaks away; when the voltage reaches 1 it sends a spike and starts again lower by 1:

::

    voltage[t] = leak * voltage[t - 1] + current[t] - spike[t - 1]
    spike[t]   = 1 where voltage[t] >= 1, else 0

A step has no slope, so on the way back it is given the slope of a fast sigmoid, ``1 / (1 + 10 |voltage - 1|)^2``: Neftci, Mostafa and Zenke, "Surrogate Gradient Learning in Spiking Neural
Networks", IEEE Signal Processing Magazine 36(6), 2019 (https://arxiv.org/abs/1901.09948), with the function of Zenke and Ganguli, "SuperSpike", Neural Computation 30(6), 2018.

Weights are whole multiples of 1/256, as such chips hold them (eight bits and a sign: Davies et al., "Loihi", IEEE Micro 38(1), 2018), and learn through the rounding as if it were not there (Bengio,
Leonard and Courville, 2013, https://arxiv.org/abs/1308.3432). Sums of such weights are exact in any order, so that a spike is a spike on every machine.

Energy: an addition of 32 bits takes 0.9 pJ, a multiplication with its addition 4.6 pJ, in 45 nm (Horowitz, "Computing's energy problem", ISSCC 2014, figure 1.1.9). Memory, which costs more, is not counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

ADDITION, MULTIPLICATION = 0.9e-12, 4.6e-12  # joules
STEEPNESS = 10.0
GRID = 256.0  # of a weight
COARSE = 16.0  # of what comes in, and of a bias
VOLTAGE_GRID = GRID * COARSE
LARGEST = 8.0
# What stands for neurons in a graph while it is exported: no operator of ONNX does what they do, so `fathom.bundle.graph.unrolling` writes their moments out.
NEURONS = "fathom::Neurons"


class _Spike(torch.autograd.Function):
    """1 where the voltage is 1 or more; on the way back the slope of a fast sigmoid."""

    @staticmethod
    def forward(context: Any, voltage: Tensor) -> Tensor:
        context.save_for_backward(voltage)
        spikes: Tensor = (voltage >= 1.0).to(voltage.dtype)
        return spikes

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> Tensor:
        (voltage,) = context.saved_tensors
        passed: Tensor = slopes[0] / (1.0 + STEEPNESS * (voltage - 1.0).abs()) ** 2
        return passed


def spike(voltage: Tensor) -> Tensor:
    """Return the spikes of voltages.

    >>> spike(torch.tensor([0.2, 1.0, 3.0])).tolist()
    [0.0, 1.0, 1.0]
    """
    if torch.is_grad_enabled():
        spikes: Tensor = _Spike.apply(voltage)  # type: ignore[no-untyped-call]
        return spikes
    return (voltage >= 1.0).to(voltage.dtype)


def rounded(values: Tensor, grid: float) -> Tensor:
    """Return values as whole multiples of ``1 / grid`` between -8 and 8; on the way back as if they were not rounded.

    >>> rounded(torch.tensor([0.3, 99.0]), 16.0).tolist()
    [0.3125, 8.0]
    """
    whole = torch.round(values.clamp(-LARGEST, LARGEST) * grid) / grid
    return values + (whole - values).detach() if torch.is_grad_enabled() else whole


class Synapses(nn.Module):
    """A layer of weights on a grid: what arrives at neurons of what others send.

    ``fan_out`` is how many each one reaches, ``moments`` how often the layer answers for one picture that stands still.
    """

    fan_out: int
    moments: int = 1


class TimeSynapses(Synapses):
    """Weights over ``kernel`` neighbouring moments: maps ``(row, channel, moment)`` to ``(row, neuron, moment)``."""

    def __init__(self, before: int, after: int, kernel: int, strength: float = 1.5) -> None:
        super().__init__()
        self.layer = nn.Conv1d(before, after, kernel, padding=kernel // 2)
        nn.init.normal_(self.layer.weight, std=strength / (before * kernel) ** 0.5)
        self.fan_out = kernel * after

    def forward(self, sent: Tensor) -> Tensor:
        """Return the currents."""
        assert self.layer.bias is not None
        bias = rounded(self.layer.bias, COARSE)
        return functional.conv1d(sent, rounded(self.layer.weight, GRID), bias, padding=int(self.layer.padding[0]))


class PlaceSynapses(Synapses):
    """Weights over 3 × 3 neighbouring places: maps ``(row, channel, height, width)`` to ``(row, neuron, height, width)``."""

    def __init__(self, before: int, after: int, moments: int, strength: float) -> None:
        super().__init__()
        self.layer, self.moments = nn.Conv2d(before, after, 3, padding=1), moments
        nn.init.normal_(self.layer.weight, std=strength / (9 * before) ** 0.5)
        self.fan_out = 9 * after

    def forward(self, sent: Tensor) -> Tensor:
        """Return the currents."""
        assert self.layer.bias is not None
        return functional.conv2d(sent, rounded(self.layer.weight, GRID), rounded(self.layer.bias, COARSE), padding=1)


class Neurons(nn.Module):
    """Leaky integrate-and-fire neurons; ``leak`` is what is left of the voltage after a moment."""

    def __init__(self, leak: float) -> None:
        super().__init__()
        self.leak = leak

    def forward(self, currents: Tensor) -> Tensor:
        """Map the currents ``(row, moment, …)`` to the spikes of the same shape."""
        if torch.onnx.is_in_onnx_export():
            return torch.onnx.ops.symbolic(
                NEURONS, (currents,), {"leak": self.leak}, dtype=currents.dtype, shape=currents.shape
            )
        spikes, voltage = [], torch.zeros_like(currents[:, 0])
        for current in currents.unbind(1):
            voltage = rounded(self.leak * voltage, VOLTAGE_GRID) + current
            sent = spike(voltage)
            voltage = voltage - sent
            spikes.append(sent)
        return torch.stack(spikes, 1)


@dataclass
class Traffic:
    """What a spiking network did for ``rows`` rows: numbers that came in from outside, spikes, and what both set off."""

    rows: int = 0
    spikes: float = 0.0
    additions: float = 0.0
    multiplications: float = 0.0
    dense: float = 0.0
    seen: list[Synapses] = field(default_factory=list)

    @property
    def joules(self) -> float:
        """Energy a row: a multiplication for each number from outside, an addition for each spike that reaches a neuron."""
        return (self.additions * ADDITION + self.multiplications * MULTIPLICATION) / max(self.rows, 1)

    @property
    def dense_joules(self) -> float:
        """Energy a row of the same layers without spikes: a multiplication for every weight and place, once where a picture stands still."""
        return self.dense * MULTIPLICATION / max(self.rows, 1)


@contextmanager
def counted(network: nn.Module) -> Iterator[Traffic]:
    """Count what spiking layers of a network do while it answers.

    An upper bound: at the edges of a picture or a series a spike reaches fewer neurons than is counted.
    """
    traffic = Traffic()

    def heard(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, Synapses)
        sent = given[0]
        outside = bool(((sent != 0) & (sent != 1)).any())
        arrived = float((sent != 0).sum()) * module.fan_out
        if outside:
            traffic.multiplications += arrived
        else:
            traffic.spikes += float(sent.sum())
            traffic.additions += arrived
        traffic.dense += sent.numel() * module.fan_out / module.moments

    hooks = [module.register_forward_hook(heard) for module in network.modules() if isinstance(module, Synapses)]
    try:
        yield traffic
    finally:
        for hook in hooks:
            hook.remove()


__all__ = ["Neurons", "PlaceSynapses", "Synapses", "TimeSynapses", "Traffic", "counted", "rounded", "spike"]
