"""Encoders, a trunk and heads become one network; the only place where they meet."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from fathom.errors import OptionError, suggestion
from fathom.networks.encoders import default_encoder, encoder_named
from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.deep import DeepColumn
from fathom.networks.heads import head_for
from fathom.networks.margins import Margins
from fathom.networks.trunks import trunk_named
from fathom.networks.trunks.contract import Summary
from fathom.shapes import FLAT, Part, arrays_of, margins_of, spread_of


@dataclass(frozen=True)
class NetworkPlan:
    """Everything that is needed to build a network again: it goes into the bundle as JSON.

    ``inputs`` are the parts that the network reads, ``targets`` the one part of each column that it predicts; ``width`` is a token's;
    ``encoders`` names the encoder of an array (`fathom.shapes.arrays_of`) where it is not the default of its shape; ``trunk_options`` and ``encoder_options`` are
    fields of the ``Options`` of those modules, where they differ from their defaults. In training, a row goes without a deep column with probability ``left_out``,
    where there are others. ``networks`` of this plan answer together
    (`fathom.networks.committee`). With ``margins`` it also tells how far each answer that is a number may be off (`fathom.networks.margins`).
    """

    inputs: tuple[Part, ...]
    targets: tuple[Part, ...]
    trunk: str = "tabm"
    width: int = 16
    trunk_options: Mapping[str, Any] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    encoder_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    left_out: float = 0.1
    networks: int = 1
    margins: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "NetworkPlan":
        """Return the plan that ``to_json`` wrote."""
        parts = {side: tuple(_part(part) for part in values[side]) for side in ("inputs", "targets")}
        return cls(**{**values, **parts})


def _part(values: Mapping[str, Any]) -> Part:
    fixed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Part(**fixed)


def options_of(kind: type[Any], values: Mapping[str, Any], owner: str) -> Any:
    """Make an ``Options`` from values by name. Raises OptionError for a name that it does not have."""
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            raise OptionError(
                f"{owner} has no option {name!r}.{suggestion(name, known)} It has: {', '.join(known) or 'none'}."
            )
    return kind(**values)


class Network(nn.Module):
    """Maps the arrays of `fathom.shapes.arrays_of` to ``{target: output (row, member, …)}``."""

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.plan = plan
        self.arrays = arrays_of(plan.inputs)
        self.encoders = nn.ModuleDict()
        left_out = plan.left_out if len({part.column for part in plan.inputs}) > 1 else 0.0
        for name, parts in self.arrays.items():
            shape = parts[0].shape
            encoder = encoder_named(plan.encoders[name], shape) if name in plan.encoders else default_encoder(shape)
            options = options_of(encoder.Options, plan.encoder_options.get(name, {}), f"The encoder {encoder.NAME!r}")
            module = encoder.build(options, parts, plan.width)
            self.encoders[name] = module if shape in FLAT else DeepColumn(module, plan.width, left_out)
        trunk = trunk_named(plan.trunk)
        options = options_of(trunk.Options, plan.trunk_options, f"The trunk {trunk.NAME!r}")
        tokens = sum(
            len(parts) if parts[0].shape in FLAT else int(self.encoders[name].tokens)  # type: ignore[misc, arg-type]
            for name, parts in self.arrays.items()
        )
        self.trunk = trunk.build(options, tokens, plan.width)
        # Targets are numbered: a module's name may not hold a full stop, and a column's may.
        self.heads = nn.ModuleList(
            head_for(part.shape).build(part, self.trunk.width, self.trunk.members)  # type: ignore[arg-type]
            for part in plan.targets
        )
        # Built last and of zeros: the weights that are drawn are the same with and without them.
        numbers = [place for place, part in enumerate(plan.targets) if part.shape == "scalar" and plan.margins]
        self.margins = nn.ModuleDict({str(place): Margins(self.trunk.width) for place in numbers})  # type: ignore[arg-type]

    def tokens(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return the tokens of all columns, ``(row, token, width)``."""
        read = [self.encoders[name](inputs[name]) for name in self.arrays]
        return Features(torch.cat([features.tokens for features in read], dim=1))

    def summary(self, inputs: Mapping[str, Tensor]) -> Summary:
        """Return what the trunk makes of the tokens."""
        summary: Summary = self.trunk(self.tokens(inputs))
        return summary

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's output, ``(row, member, …)``."""
        return self._outputs(self.summary(inputs))

    def _outputs(self, summary: Summary) -> dict[str, Tensor]:
        return {part.column: head(summary) for part, head in zip(self.plan.targets, self.heads, strict=True)}

    def answer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's answer: ``(row,)`` scalars or ``(row, class)`` probabilities."""
        return read_out(self.plan, self(inputs))

    def tell(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's answer, and what there is to say of how sure it is: its margins ``(row, 2)`` under `margins_of` its name, and, where there are several members, their spread ``(row,)`` under `spread_of` it."""
        summary = self.summary(inputs)
        outputs, parts = self._outputs(summary), self.plan.targets
        told = read_out(self.plan, outputs)
        for place, module in self.margins.items():
            column = parts[int(place)].column
            told[margins_of(column)] = module(summary, outputs[column])
        if self.trunk.members == 1:
            return told
        return told | {spread_of(part.column): head_for(part.shape).spread(outputs[part.column]) for part in parts}

    @property
    def parameter_count(self) -> int:
        """The number of weights that training changes."""
        return sum(parameter.numel() for parameter in self.parameters())


def read_out(plan: NetworkPlan, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return every target's answer, ``(row,)`` scalars or ``(row, class)`` probabilities, from its output ``(row, member, …)``."""
    return {part.column: head_for(part.shape).read_out(outputs[part.column]) for part in plan.targets}
