"""Rows are pushed while a network learns, each in the way that hurts it most, so that small pushes hurt less when it is used.

*Adversarial training*: in place of a batch the network learns from what an attacker makes of it, who may move every number or pixel by at most the *reach* (Madry et al., "Towards Deep Learning Models Resistant to
Adversarial Attacks", ICLR 2018, section 2, https://arxiv.org/abs/1706.06083). One step along the sign of the gradient from a random start costs one more backward pass and holds about as much as many do (Wong, Rice and
Kolter, "Fast is better than free", ICLR 2020, section 4, https://arxiv.org/abs/2001.03994); ``steps`` takes more of them, where one step is learned by heart (their section 5). The epoch that is kept is the one that answers pushed validation
rows best (Rice, Wong and Kolter, "Overfitting in adversarially robust deep learning", ICML 2020, https://arxiv.org/abs/2002.11569).

How the rows of a step are pushed hangs on the network and on seed, epoch and step alone, so that training goes on bit for bit where it was interrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fathom.errors import OptionError, suggestion
from fathom.networks.network import Network
from fathom.shapes import Part, arrays_of
from fathom.training.batching import Batch
from fathom.training.objectives.contract import Objective

OFF, AUTO = "off", "auto"
STEPS = "steps"
REACHES = {"number": 0.1, "image": 4.0}  # of ``auto``: standard deviations of normal scores, and steps of 255
SPARE = 1.25  # times the reach, that one step is long (Wong et al., section 4.1)
STRIDE = 2.5  # times the reach, that several are long together
PIXELS = (1.0, 255.0)  # 0 is no picture

Plan = Mapping[str, Mapping[str, Any]]  # array -> reach, steps and, of numbers, which parts are pushed


def parsed(setting: str) -> dict[str, float] | None:
    """Return the reach of each kind and, where they are told, the steps; ``None`` for ``off``. Raises OptionError for a setting that cannot be read.

    >>> parsed("off"), parsed("auto"), parsed("number=0.2, steps=3")
    (None, {'number': 0.1, 'image': 4.0}, {'number': 0.2, 'steps': 3.0})
    """
    if setting in (OFF, AUTO):
        return None if setting == OFF else dict(REACHES)
    told = {}
    for piece in setting.split(","):
        name, _sign, value = (word.strip() for word in piece.partition("="))
        if name not in (*REACHES, STEPS):
            raise OptionError(
                f"--adversarial names {name!r}.{suggestion(name, [*REACHES, STEPS])} It is auto, off, or how far numbers (in standard deviations) and pictures (in steps of 255) are pushed, for example number=0.1,image=4."
            )
        try:
            told[name] = float(value)
        except ValueError:
            told[name] = 0.0
        if not 0 < told[name] < float("inf") or (name == STEPS and told[name] % 1):
            wanted = "a whole number from 1 on" if name == STEPS else "a number above 0"
            raise OptionError(f"--adversarial says {piece.strip()!r}, where {wanted} is expected, for example {name}={'3' if name == STEPS else REACHES[name]}.")  # fmt: skip
    if not set(told) & set(REACHES):
        raise OptionError("--adversarial says how many steps, and not how far: add number=0.1, or image=4, or both.")
    return told


def planned(setting: str, parts: Sequence[Part], kinds: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return how each array is pushed, of the ``parts`` that a network reads from columns of these ``kinds`` (by name)."""
    told = parsed(setting)
    if told is None:
        return {}
    plan: dict[str, dict[str, Any]] = {}
    for array, those in arrays_of(parts).items():
        own = [
            (place, kinds[part.column])
            for place, part in enumerate(those)
            if kinds[part.column] in told and part.name == "value"
        ]
        if not own or not (array == "scalar" or array.startswith("grid")):
            continue
        plan[array] = {"reach": told[own[0][1]], "steps": int(told.get(STEPS, 1))}
        if array == "scalar":
            plan[array]["parts"] = [place for place, _ in own]
    return plan


def check_kinds(setting: str, kinds: Mapping[str, str]) -> None:
    """Raise OptionError for a setting that cannot be read, or that pushes no column of these ``kinds`` (by name)."""
    told = parsed(setting)
    for kind in set(told or {}) - {STEPS}:
        if kind not in kinds.values() and not (setting == AUTO and set(REACHES) & set(kinds.values())):
            raise OptionError(
                f"--adversarial {setting} pushes columns of kind {kind}, and the table has none. It pushes {' and '.join(REACHES)} columns; leave it out for others."
            )


def pushed(network: Network, batch: Batch, plan: Plan, objective: Objective, seed: Sequence[int]) -> Batch:
    """Return the rows as an attacker leaves them who knows the network; its weights get no gradient.

    ``seed`` is a number, an epoch and a step, from which the random start is drawn.
    """
    if not plan:
        return batch
    generator = torch.Generator().manual_seed(((seed[0] * 1_000_003 + seed[1]) * 1_000_003 + seed[2]) % 2**63)
    with torch.inference_mode(False), torch.enable_grad():
        first = {name: batch.inputs[name].float() for name in plan}
        now = {
            name: _within(start + plan[name]["reach"] * (2 * torch.rand(start.shape, generator=generator) - 1), start, plan[name])
            for name, start in first.items()
        }  # fmt: skip
        for _ in range(max(one["steps"] for one in plan.values())):
            now = {name: values.detach().requires_grad_(True) for name, values in now.items()}
            moved = replace(batch, inputs={**batch.inputs, **now})
            total, _ = objective.loss(network, moved, generator)
            slopes = torch.autograd.grad(total, list(now.values()))
            for name, slope in zip(now, slopes, strict=True):
                own = plan[name]
                stride = own["reach"] * (SPARE if own["steps"] == 1 else STRIDE / own["steps"])
                now[name] = _within(now[name].detach() + stride * slope.sign(), first[name], own)
    inputs = {name: _as_before(values, batch.inputs[name]) for name, values in now.items()}
    return replace(batch, inputs={**batch.inputs, **inputs})


def _within(values: Tensor, first: Tensor, own: Mapping[str, Any]) -> Tensor:
    """Return what was pushed, brought back to within reach; what may not be pushed is as it was."""
    values = torch.minimum(torch.maximum(values, first - own["reach"]), first + own["reach"])
    if "parts" in own:
        held = torch.zeros(first.shape[1], dtype=torch.bool)
        held[own["parts"]] = True
        return torch.where(held, values, first)
    return torch.where(first > 0, values.clamp(*PIXELS), first)


def _as_before(values: Tensor, before: Tensor) -> Tensor:
    """Return values of the type that they had, whole ones where it was one of whole numbers."""
    values = values.detach()
    return values.to(before.dtype) if before.is_floating_point() else values.round().to(before.dtype)
