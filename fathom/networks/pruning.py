"""A network without its weakest hidden units: whole units go, so what is left is an ordinary, narrower network.

What hangs on a unit goes with it: its weights in, its offset and scales, and what the next layer or head makes of it. A unit is as strong as its weights in times its weights out. Source:
Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.1 (https://arxiv.org/abs/1608.08710); in chains whose layers add to what came before, all of them lose the same
units, as in section 3.3 there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fathom.networks.network import Network, NetworkPlan
from fathom.networks.trunks.residual import is_residual

PRUNABLE = ("mlp", "tabm")


def can_prune(plan: NetworkPlan) -> bool:
    """Say whether the trunk is a chain of plain layers, and the network one."""
    options = plan.trunk_options
    return plan.trunk in PRUNABLE and plan.networks == 1 and not is_residual(options["layers"], options.get("skip"))


def pruned(network: Network, share: float) -> Network:
    """Return a network whose hidden layers keep a ``share`` of their units, the strongest, with the weights that they had."""
    plan = network.plan
    width = int(plan.trunk_options["width"])
    kept = max(8, int(width * share))
    small = Network(replace(plan, trunk_options={**plan.trunk_options, "width": kept}))
    weights = dict(network.state_dict())
    layers = sorted({int(name.split(".")[2]) for name in weights if name.startswith("trunk.layers.")})
    before: Tensor | None = None
    for number, layer in enumerate(layers):
        prefix = f"trunk.layers.{layer}."
        after = f"trunk.layers.{layers[number + 1]}." if number + 1 < len(layers) else "heads."
        units = _strongest(weights, prefix, after, plan.trunk == "tabm", kept)
        for name in [each for each in weights if each.startswith(prefix)]:
            weights[name] = _cut(name.removeprefix(prefix), weights[name], before, units, plan.trunk == "tabm")
        before = units
    for name in [each for each in weights if each.startswith("heads.") and each.endswith("weight")]:
        assert before is not None
        weights[name] = weights[name].index_select(1, before)  # (member, width, output)
    small.load_state_dict(weights)
    return small


def _strongest(weights: Mapping[str, Tensor], prefix: str, after: str, shared: bool, kept: int) -> Tensor:
    """Return the numbers of the strongest units of a layer, in their order."""
    own = weights[f"{prefix}weight"]
    strength = own.square().sum(0 if shared else 1).sqrt()
    if shared:
        strength = strength * weights[f"{prefix}scale_out"].abs().mean(0)
    leaving: Any = torch.zeros_like(strength)
    for name, weight in weights.items():
        if name.startswith(after) and name.endswith("weight"):
            if after == "heads.":
                leaving = leaving + weight.square().sum((0, 2))
            else:
                leaving = leaving + weight.square().sum(1 if shared else 0)
    return torch.sort(torch.topk(strength * leaving.sqrt(), kept).indices).values


def _cut(name: str, weight: Tensor, before: Tensor | None, units: Tensor, shared: bool) -> Tensor:
    """Return a layer's tensor for the units that are left of it and of the layer before."""
    if name == "weight":
        outputs, inputs = (1, 0) if shared else (0, 1)
        weight = weight.index_select(outputs, units)
        return weight if before is None else weight.index_select(inputs, before)
    if name == "scale_in":
        return weight if before is None else weight.index_select(1, before)
    return weight.index_select(weight.ndim - 1, units)
