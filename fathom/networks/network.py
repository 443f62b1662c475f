"""Encoders, a trunk and heads become one network; the only place where they meet."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from fathom.errors import OptionError, suggestion
from fathom.networks.encoders import default_encoder, encoder_named
from fathom.networks.encoders.contract import Features
from fathom.networks.heads import head_for
from fathom.networks.trunks import trunk_named
from fathom.networks.trunks.contract import Summary
from fathom.shapes import FLAT, Part, Shape


@dataclass(frozen=True)
class NetworkPlan:
    """Everything that is needed to build a network again: it goes into the bundle as JSON.

    ``inputs`` are the parts that the network reads, ``targets`` the one part of each column that it predicts; ``width`` is a token's;
    ``encoders`` names the encoder of a shape where it is not the default; ``trunk_options`` and ``encoder_options`` are fields of the
    ``Options`` of those modules, where they differ from their defaults.
    """

    inputs: tuple[Part, ...]
    targets: tuple[Part, ...]
    trunk: str = "tabm"
    width: int = 16
    trunk_options: Mapping[str, Any] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    encoder_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "NetworkPlan":
        """Return the plan that ``to_json`` wrote."""
        parts = {
            side: tuple(Part(**{**part, "knots": tuple(part["knots"])}) for part in values[side])
            for side in ("inputs", "targets")
        }
        return cls(**{**values, **parts})


def options_of(kind: type[Any], values: Mapping[str, Any], owner: str) -> Any:
    """Make an ``Options`` from values by name. Raises OptionError for a name that it does not have."""
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            raise OptionError(
                f"{owner} has no option {name!r}.{suggestion(name, known)} It has: {', '.join(known) or 'none'}."
            )
    return kind(**values)


def shapes_of(parts: Sequence[Part]) -> tuple[Shape, ...]:
    """Return the flat shapes that occur among the parts, in the order in which their arrays are passed."""
    return tuple(shape for shape in FLAT if any(part.shape == shape for part in parts))


class Network(nn.Module):
    """Maps ``{shape: (row, part)}`` to ``{target: output (row, member, …)}``."""

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.plan = plan
        self.shapes = shapes_of(plan.inputs)
        self.encoders = nn.ModuleDict()
        for shape in self.shapes:
            encoder = encoder_named(plan.encoders[shape], shape) if shape in plan.encoders else default_encoder(shape)
            options = options_of(encoder.Options, plan.encoder_options.get(shape, {}), f"The encoder {encoder.NAME!r}")
            self.encoders[shape] = encoder.build(
                options, [part for part in plan.inputs if part.shape == shape], plan.width
            )
        trunk = trunk_named(plan.trunk)
        options = options_of(trunk.Options, plan.trunk_options, f"The trunk {trunk.NAME!r}")
        self.trunk = trunk.build(options, len(plan.inputs), plan.width)
        # Targets are numbered: a module's name may not hold a full stop, and a column's may.
        self.heads = nn.ModuleList(
            head_for(part.shape).build(part, self.trunk.width, self.trunk.members)  # type: ignore[arg-type]
            for part in plan.targets
        )

    def tokens(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return the tokens of all columns, ``(row, token, width)``."""
        read = [self.encoders[shape](inputs[shape]) for shape in self.shapes]
        return Features(torch.cat([features.tokens for features in read], dim=1))

    def summary(self, inputs: Mapping[str, Tensor]) -> Summary:
        """Return what the trunk makes of the tokens."""
        summary: Summary = self.trunk(self.tokens(inputs))
        return summary

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's output, ``(row, member, …)``."""
        summary = self.summary(inputs)
        return {part.column: head(summary) for part, head in zip(self.plan.targets, self.heads, strict=True)}

    def answer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's answer: ``(row,)`` scalars or ``(row, class)`` probabilities."""
        outputs = self(inputs)
        return {part.column: head_for(part.shape).read_out(outputs[part.column]) for part in self.plan.targets}

    @property
    def parameter_count(self) -> int:
        """The number of weights that training changes."""
        return sum(parameter.numel() for parameter in self.parameters())
