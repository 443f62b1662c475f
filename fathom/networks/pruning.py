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

from fathom.networks.encoders import default_encoder, encoder_named
from fathom.networks.encoders.contract import Encoder
from fathom.networks.network import Network, NetworkPlan
from fathom.networks.trunks.residual import is_residual
from fathom.shapes import FLAT, Shape, arrays_of

PRUNABLE = ("mlp", "tabm")
TIED = "its numbers are normalised or carried on together, so that none can go without moving the others; a student of half the width learns anew"


def can_prune(plan: NetworkPlan) -> bool:
    """Say whether the network is one, and its trunk or what reads one of its columns has units of its own."""
    return plan.networks == 1 and (_trunk_is_a_chain(plan) or bool(_thinner(plan, 0.5)))


def left_whole(plan: NetworkPlan) -> dict[str, str]:
    """Return the encoders of deep columns, and the trunk, from which no unit is taken, each with why in words."""
    if plan.networks > 1:
        return {"the committee": "its networks differ, and so would the units that each can do without"}
    arrays = {name: parts[0].shape for name, parts in arrays_of(plan.inputs).items() if parts[0].shape not in FLAT}
    thinner = _thinner(plan, 0.5)
    whole = [_encoder(plan, name, shape).NAME for name, shape in arrays.items() if name not in thinner]
    told = dict.fromkeys((f"the encoder {name!r}" for name in whole), TIED)
    if not plan.trunk_options["layers"]:
        told["the trunk"] = "it has no hidden layer"
    elif not _trunk_is_a_chain(plan):
        told[f"the trunk {plan.trunk!r}"] = (
            "its layers add to what came before, so that a unit lives through all of them"
        )
    return told


def pruned(network: Network, share: float) -> Network:
    """Return a network whose hidden layers keep a ``share`` of their units, the strongest, with the weights that they had.

    Thinned are the layers of a plain trunk, and what modules of encoders name as ``BETWEEN``: units that one layer makes and one other reads.
    """
    plan = network.plan
    options = {**plan.encoder_options, **_thinner(plan, share)}
    trunk = dict(plan.trunk_options)
    if _trunk_is_a_chain(plan):
        trunk["width"] = max(8, int(int(trunk["width"]) * share))
    small = Network(replace(plan, trunk_options=trunk, encoder_options=options))
    weights = dict(network.state_dict())
    if _trunk_is_a_chain(plan):
        _cut_trunk(weights, plan, trunk["width"])
    _cut_between(weights, network, small)
    small.load_state_dict(weights)
    return small


def _trunk_is_a_chain(plan: NetworkPlan) -> bool:
    options = plan.trunk_options
    return plan.trunk in PRUNABLE and options["layers"] > 0 and not is_residual(options["layers"], options.get("skip"))


def _encoder(plan: NetworkPlan, name: str, shape: Shape) -> Encoder:
    return encoder_named(plan.encoders[name], shape) if name in plan.encoders else default_encoder(shape)


def _thinner(plan: NetworkPlan, share: float) -> dict[str, dict[str, Any]]:
    """Return the options of the encoders that can have fewer units inside, with a share of them."""
    found = {}
    for name, parts in arrays_of(plan.inputs).items():
        own = plan.encoder_options.get(name, {})
        usual = _encoder(plan, name, parts[0].shape).Options(**own)
        if hasattr(usual, "between"):
            found[name] = {**own, "between": usual.between * share}
    return found


def _cut_between(weights: dict[str, Tensor], network: Network, small: Network) -> None:
    """Keep, of the units between two layers, the strongest: as many as the smaller network has there."""
    sizes = {name: tensor.shape for name, tensor in small.state_dict().items()}
    for path, module in network.encoders.named_modules(prefix="encoders"):
        if not hasattr(module, "BETWEEN"):
            continue
        maker, reader = (f"{path}.{name}" for name in module.BETWEEN)
        own = [name for name in weights if name.startswith(f"{maker}.") and weights[name].ndim]
        made = next(weights[name] for name in own if weights[name].ndim > 1)
        read = weights[f"{reader}.weight"]
        strength = made.flatten(1).square().sum(1).sqrt() * read.transpose(0, 1).flatten(1).square().sum(1).sqrt()
        for name in own:  # a normalisation between them scales a unit up or down
            if weights[name].ndim == 1 and name.endswith(".1.weight"):
                variance = weights[name.replace(".weight", ".running_var")]
                strength = strength * weights[name].abs() / (variance + 1e-5).sqrt()
        units = torch.sort(torch.topk(strength, sizes[f"{reader}.weight"][1]).indices).values
        for name in own:
            weights[name] = weights[name].index_select(0, units)
        weights[f"{reader}.weight"] = read.index_select(1, units)


def _cut_trunk(weights: dict[str, Tensor], plan: NetworkPlan, kept: int) -> None:
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
    for name in [each for each in weights if each.startswith("margins.") and each.endswith("weight")]:
        assert before is not None
        whole = plan.trunk_options["width"]
        weights[name] = torch.cat((weights[name][:whole].index_select(0, before), weights[name][whole:]))


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
