"""Integrated gradients: what each piece of a row has to do with a network's answer, from its gradient on the way from nothing to the row (torch).

The way goes from what the columns are on average, from a text without its words, a picture or a series without its values, to the row, in even steps; a piece's share is its change times the mean gradient. The shares sum to the
answer less that at the start, up to the error of the steps (completeness). Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, sections 3 and 5
(https://arxiv.org/abs/1703.01365). It looks into the network, where the methods of `fathom.reasons` only ask it; other models have no gradient.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from fathom.bundle.answers import background
from fathom.data.cells import subwords
from fathom.data.encoding import encode_inputs, inputs_of
from fathom.data.table import Table
from fathom.errors import OptionError, check_installed
from fathom.model import Model
from fathom.reasons.contract import Part, Shares
from fathom.reasons.rows import Asked
from fathom.shapes import FLAT, arrays_of

NAME = "gradients"
SUMMARY = "the change of each piece from nothing, times the network's mean gradient on the way"
SOURCE = "Sundararajan, Taly and Yan, ICML 2017, https://arxiv.org/abs/1703.01365"

STEPS = 64
NEAR_NOTHING = 4  # the power that makes steps shorter near the start, where a network that divides by the size of what it reads changes fastest
SIDES = 7  # of a picture's patches, as in `fathom.data.cells.pieces`


def integrated(asked: Asked, steps: int = STEPS) -> tuple[list[Part], Shares]:
    """Return the pieces of a row and their shares: columns, the subwords of texts, the patches of pictures, the steps of series and recordings.

    Raises OptionError where the bundle holds no network, ExtraError without torch.
    """
    model = asked.model
    if model.description.kind != "network":
        raise OptionError(
            f"Gradients are those of a network, and this bundle holds {model.description.name!r}. Ask for shap, lime or occlusion, or fit with --keep network."
        )
    check_installed(("torch", "safetensors"), "train")
    import torch

    from fathom.bundle.loading import reload_network

    network = reload_network(model.description, model.files["weights.safetensors"])
    networks = list(network.networks) if hasattr(network, "networks") else [network]
    arrays = {
        name: torch.from_numpy(np.array(values))
        for name, values in encode_inputs(model.columns, asked.subject.row).items()
    }
    usual = {name: torch.from_numpy(values) for name, values in _usual(model).items()}
    even = (torch.arange(steps) + 0.5) / steps
    along = even**NEAR_NOTHING
    change: dict[str, Any] = dict.fromkeys(arrays, 0.0)
    ends = np.zeros(2)
    for one in networks:
        shares, ends_of = _of_one(one, asked, arrays, usual, along)
        for name, values in shares.items():
            change[name] = change[name] + values / len(networks)
        ends += ends_of / len(networks)
    scale = _unit(asked)
    parts, values = _parts(asked, arrays, change)
    return parts, Shares(scale * np.array(values), *_in_units(asked, ends), steps + 2)


def _usual(model: Model) -> dict[str, Any]:
    """Return the arrays of the rows that stand in, their deep columns empty."""
    others = background.rows_of(model.files, model.columns)
    inputs = inputs_of(model.columns)
    count = max(others.rows, 1)
    made = {
        column.name: others.column(column.name)
        if column.name in others.names and others.rows
        else column.kind.blank(column.state, count)
        for column in inputs
        if column.kind is not None
    }
    return dict(encode_inputs(model.columns, Table.of(made)))


def _of_one(
    network: Any, asked: Asked, arrays: Mapping[str, Any], usual: Mapping[str, Any], along: Any
) -> tuple[dict[str, Any], Any]:
    """Return the shares ``{array: of each of its numbers, or of each of its parts}`` in one network, and its answers at both ends of the way."""
    import torch

    steps = len(along)
    ways = torch.cat([along, torch.tensor([0.0, 1.0])])
    caught: dict[str, tuple[Any, Any]] = {}
    hooks = []
    inputs = {}
    for name, values in arrays.items():
        many = values.expand(len(ways), *values.shape[1:])
        inputs[name] = many
        if name in FLAT:
            with torch.no_grad():
                start = network.encoders[name](usual[name]).tokens.mean(0, keepdim=True)
            hooks.append(network.encoders[name].register_forward_hook(partial(_from_tokens, caught, name, start, ways)))
        elif values.is_floating_point() or values.dtype == torch.uint8:
            way = ways.view(-1, *[1] * (values.ndim - 1))
            mask = (values != 0).float() if values.dtype == torch.uint8 else torch.ones_like(values)
            if values.dtype == torch.uint8:  # a pixel of a picture is 1 to 255
                start = values.float().median() * mask
            else:
                start = torch.zeros_like(values)
                start[..., 0] = values[..., 0]  # channel 0 says that a step is there
            walked = (start + way * (values.float() - start)).requires_grad_()
            inputs[name], caught[name] = walked, (walked, values.float() - start)
        else:
            table = next(
                module for module in network.encoders[name].modules() if isinstance(module, torch.nn.Embedding)
            )
            hooks.append(table.register_forward_hook(partial(_from_nothing, caught, name, ways)))
    try:
        answer = network.answer(inputs)[asked.target.name]
    finally:
        for hook in hooks:
            hook.remove()
    one = _explained(asked, answer)
    walked_all = {name: walked for name, (walked, _) in caught.items()}
    gradients = torch.autograd.grad(one[:steps].sum(), list(walked_all.values()), allow_unused=True)
    shares = {}
    for (name, (_, moved)), gradient in zip(caught.items(), gradients, strict=True):
        length = NEAR_NOTHING * along ** (1 - 1 / NEAR_NOTHING) / steps  # of each step
        weighed = length.view(-1, *[1] * (moved.ndim - 1))
        mean = torch.zeros_like(moved) if gradient is None else (weighed * gradient[:steps]).sum(0, keepdim=True)
        shares[name] = (moved * mean)[0].detach().double().numpy()
    return shares, one[steps:].detach().double().numpy()


def _from_tokens(caught: Any, name: str, start: Any, ways: Any, module: Any, inputs: Any, output: Any) -> Any:
    """Put tokens on the way from the usual ones to those of the row in their place."""
    whole = output.tokens.detach()
    moved = whole[:1] - start
    walked = (start + ways.view(-1, 1, 1) * moved).requires_grad_()
    caught[name] = (walked, moved)
    return output._replace(tokens=walked)


def _from_nothing(caught: Any, name: str, ways: Any, module: Any, inputs: Any, output: Any) -> Any:
    """Put vectors on the way from zero to those of the row's codes in their place."""
    moved = output[:1].detach()
    walked = (ways.view(-1, 1, 1) * moved).requires_grad_()
    caught[name] = (walked, moved)
    return walked


def _explained(asked: Asked, answer: Any) -> Any:
    if asked.code < 0:
        return answer
    temperature = asked.model.description.temperatures.get(asked.target.name, 1.0)
    chances = (answer.clamp(min=1e-12).log() / temperature).softmax(dim=1)
    return chances[:, asked.code]


def _unit(asked: Asked) -> float:
    """Return how many units of the target an encoded one is."""
    if asked.code >= 0:
        return 1.0
    zero, one = _decoded(asked, np.array([0.0, 1.0]))
    return float(one - zero)


def _in_units(asked: Asked, ends: Any) -> tuple[float, float]:
    start, end = ends if asked.code >= 0 else _decoded(asked, ends)
    return float(start), float(end)


def _decoded(asked: Asked, numbers: Any) -> Any:
    assert asked.target.kind is not None
    return asked.target.kind.decode(asked.target.state, numbers).to_numpy(zero_copy_only=False)


def _parts(asked: Asked, arrays: Mapping[str, Any], change: Mapping[str, Any]) -> tuple[list[Part], list[float]]:
    """Gather what was found of numbers, codes and tokens into pieces that a person knows."""
    columns = {column.name: column for column in inputs_of(asked.model.columns)}
    found: dict[Part, float] = {}
    every = [part for column in columns.values() for part in column.parts]
    for name, parts in arrays_of(every).items():
        column = columns[parts[0].column]
        assert column.kind is not None
        values = change[name]
        if name in FLAT:
            for part, token in zip(parts, values, strict=True):
                key = Part(part.column, part.column)
                found[key] = found.get(key, 0.0) + float(token.sum())
        elif parts[0].shape == "codes":
            codes = arrays[name][0].numpy()
            known = np.flatnonzero(codes)
            shown = subwords.names(column.state.vocabulary) if hasattr(column.state, "vocabulary") else None
            for step in known:
                label = shown[codes[step]].replace(subwords.START, " ").strip() if shown else f"step {step + 1}"
                found[Part(column.name, label or "blank", (float(step),))] = float(values[step].sum())
        elif parts[0].shape == "grid":
            height, width = values.shape[1:]
            for row in range(min(SIDES, height)):
                for side in range(min(SIDES, width)):
                    place = (row / SIDES, side / SIDES, (row + 1) / SIDES, (side + 1) / SIDES)
                    patch = values[
                        :,
                        round(place[0] * height) : round(place[2] * height),
                        round(place[1] * width) : round(place[3] * width),
                    ]
                    found[Part(column.name, f"patch {row + 1}, {side + 1}", place)] = float(patch.sum())
        else:
            known = np.flatnonzero(arrays[name][0, :, 0].numpy())
            for step in known:
                found[Part(column.name, f"step {step + 1}", (float(step),))] = float(values[step].sum())
    return list(found), list(found.values())
