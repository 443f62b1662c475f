"""Scalars to tokens by piecewise-linear encoding: a number becomes how far it reaches into each of its bins.

Why it exists: fed as one plain input, a number can bend the answer only slowly; cut at its own quantiles, it bends it anywhere.
Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022, section 3.2
(https://arxiv.org/abs/2203.05556), in the form used by TabM (Gorishniy, Kotelnikov and Babenko, ICLR 2025, appendix on embeddings,
https://arxiv.org/abs/2410.24210): a linear embedding plus a learned piecewise-linear one that starts at zero. Written from the papers; the
authors' package (Apache-2.0) serves as the second opinion in our tests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.encoders.contract import Features
from fathom.shapes import Part, Shape

NAME = "piecewise"
READS: Shape = "scalar"
SUMMARY = "how far a number reaches into each of its quantile bins"
SOURCE = "https://arxiv.org/abs/2203.05556"


@dataclass(frozen=True)
class Options:
    """The bins are those between the column's knots, or, where these are many, ``most_bins`` made of neighbours: ``None`` keeps all.

    Few rows bend an answer in few places only (docs/log.md, small tables).
    """

    most_bins: int | None = None


def thinned(part: Part, most_bins: int | None) -> Part:
    """Return the part with at most ``most_bins`` bins; the outermost knots stay.

    >>> thinned(Part("a", "value", "scalar", knots=(0.0, 1.0, 2.0, 3.0, 4.0)), 2).knots
    (0.0, 2.0, 4.0)
    """
    if most_bins is None or len(part.knots) - 1 <= most_bins:
        return part
    kept = [round(place * (len(part.knots) - 1) / most_bins) for place in range(most_bins + 1)]
    return replace(part, knots=tuple(part.knots[place] for place in kept))


def bins(parts: Sequence[Part]) -> tuple[Tensor, Tensor]:
    """Return the left edge and the inverse width of every bin, each ``(part, bin)``; absent bins have inverse width 0.

    >>> left, inverse = bins([Part("a", "value", "scalar", knots=(0.0, 1.0, 3.0)), Part("b", "value", "scalar", knots=(0.0, 2.0))])
    >>> left.tolist(), inverse.tolist()
    ([[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.5], [0.5, 0.0]])
    """
    count = max(len(part.knots) - 1 for part in parts)
    left, inverse = torch.zeros(len(parts), count), torch.zeros(len(parts), count)
    for row, part in enumerate(parts):
        knots = torch.tensor(part.knots)
        left[row, : len(knots) - 1] = knots[:-1]
        inverse[row, : len(knots) - 1] = 1.0 / (knots[1:] - knots[:-1])
    return left, inverse


def ladder(left: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """Return the left edges as two steps of a search: those of groups ``(part, group)``, and within them ``(part, group, bin)``.

    Absent bins lie at infinity, so that no number reaches them.
    """
    parts, count = left.shape
    size = max(2, math.isqrt(count))  # ONNX Runtime does not sum over nothing, so each step has two at least
    groups = max(2, -(-count // size))
    edges = left.masked_fill(inverse == 0, math.inf)
    edges[:, 0] = left[:, 0]
    edges = functional.pad(edges, (0, groups * size - count), value=math.inf).view(parts, groups, size)
    return edges[:, :, 0].contiguous(), edges


class PiecewiseLinear(nn.Module):
    """Embeds ``scalars (row, part)`` as ``tokens (row, part, width)``.

    In training all bins of a number are one product, which learns fast. In answering only the bin in which the number lies is
    looked up, and what the bins below it sum to: a tenth of the arithmetic, and the same sum.
    """

    left: Tensor
    inverse: Tensor
    groups: Tensor
    edges: Tensor
    first: Tensor

    def __init__(self, parts: Sequence[Part], width: int) -> None:
        super().__init__()
        left, inverse = bins(parts)
        groups, edges = ladder(left, inverse)
        self.register_buffer("left", left, persistent=False)
        self.register_buffer("inverse", inverse, persistent=False)
        self.register_buffer("groups", groups, persistent=False)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("first", torch.arange(len(parts)), persistent=False)
        bound = width**-0.5
        self.slope = nn.Parameter(torch.empty(len(parts), width).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(len(parts), width).uniform_(-bound, bound))
        self.steps = nn.Parameter(torch.zeros(len(parts), left.shape[1], width))

    def forward(self, scalars: Tensor) -> Features:
        """Map ``(row, part)`` to one token a part."""
        x = scalars.unsqueeze(-1)  # (row, part, 1)
        bent = self._all_bins(x) if self.training else self._one_bin(x)
        return Features(torch.addcmul(self.offset, x, self.slope) + bent)

    def _all_bins(self, x: Tensor) -> Tensor:
        reach = ((x - self.left) * self.inverse).clamp(0.0, 1.0)  # (row, part, bin): 1 below the number, 0 above it
        return torch.bmm(reach.transpose(0, 1), self.steps).transpose(0, 1)  # (row, part, width)

    def _one_bin(self, x: Tensor) -> Tensor:
        count = self.left.shape[1]
        parts, groups, size = self.edges.shape
        group = (x >= self.groups[:, 1:]).sum(-1)  # (row, part)
        edges = functional.embedding(self.first * groups + group, self.edges.view(parts * groups, size))
        place = (
            self.first * count + group * size + (x >= edges[..., 1:]).sum(-1)
        )  # (row, part), among the bins of all parts
        below = functional.pad(self.steps.cumsum(1)[:, :-1], (0, 0, 1, 0))  # what the bins below a bin sum to
        left, inverse = (functional.embedding(place, edge.view(-1, 1)) for edge in (self.left, self.inverse))
        reach = ((x - left) * inverse).clamp(0.0, 1.0)
        below, steps = (functional.embedding(place, table.flatten(0, 1)) for table in (below, self.steps))
        return torch.addcmul(below, reach, steps)


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, part)`` scalars to tokens of ``width``."""
    return PiecewiseLinear([thinned(part, options.most_bins) for part in parts], width)
