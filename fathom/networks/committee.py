"""Several networks of one plan answer together: the answer is the mean of theirs.

Why it exists: a small table has no rows to spare for choosing an epoch. So several networks learn, each from all rows but a fold that chooses its epoch: every
row teaches, and the mean is better than any of them. Source: Krogh and Vedelsby, "Neural network ensembles, cross validation, and active learning", NeurIPS 7,
1994, sections 2 and 3 (https://papers.nips.cc/paper/1001). A *member* of a trunk shares weights with the others and has seen the same rows; a network
of a committee shares none.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fathom.networks.heads import head_for
from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part, spread_of


class Committee(nn.Module):
    """Maps the arrays of `fathom.shapes.arrays_of` to the mean answer of its networks: ``(row,)`` scalars or ``(row, class)`` probabilities."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def plan(self) -> NetworkPlan:
        """The plan of each of the networks, which says how many there are."""
        return self._first.plan

    @property
    def arrays(self) -> dict[str, tuple[Part, ...]]:
        """The arrays that the networks read, in the order in which they are passed, with the parts of each."""
        return self._first.arrays

    def answer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's answer: ``(row,)`` scalars or ``(row, class)`` probabilities."""
        answers = [network.answer(inputs) for network in self.networks]  # type: ignore[operator]
        return _mean(answers)

    def tell(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every target's answer, the mean of its margins, and how far the members of all networks are apart, as `Network.tell` does."""
        every = [network.tell(inputs) for network in self.networks]  # type: ignore[operator]
        told = _mean(every)
        for part in self.plan.targets:
            name = spread_of(part.column)
            if name in told:
                answers, spreads = (torch.stack([one[key] for one in every]) for key in (part.column, name))
                told[name] = head_for(part.shape).spread_of_many(answers, spreads)
        return told

    @property
    def parameter_count(self) -> int:
        """The number of weights that training changes, of all networks."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def _first(self) -> Network:
        first = self.networks[0]
        assert isinstance(first, Network)
        return first


def _mean(answers: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in answers]).mean(dim=0) for name in answers[0]}


def joined(networks: Sequence[Network]) -> Network | Committee:
    """Return the only network, or the committee of several."""
    return networks[0] if len(networks) == 1 else Committee(networks)


def built(plan: NetworkPlan) -> Network | Committee:
    """Build what a plan says, with weights that have not learned: a network, or a committee of ``plan.networks``."""
    return joined([Network(plan) for _ in range(plan.networks)])
