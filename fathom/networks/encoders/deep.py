"""What every deep column has around its encoder: a token for cells that hold nothing, and practice in doing without the column.

A column that is left out at random in training teaches the network to answer when it is missing: Neverova et al., "ModDrop: adaptive multi-modal
gesture recognition", IEEE TPAMI 38(8), 2016, section 4.2 (https://arxiv.org/abs/1501.00102).
"""

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features


def holds(values: Tensor) -> Tensor:
    """Return whether each row ``(row,)`` of a deep array holds anything: a row that is zero throughout does not.

    >>> holds(torch.tensor([[0, 0], [7, 0]])).tolist()
    [False, True]
    """
    return (values != 0).flatten(1).any(dim=1)


def known_steps(values: Tensor) -> Tensor:
    """Return which steps ``(row, step)`` of ``codes (row, step)`` or ``vectors (row, step, channel)`` are there."""
    return (values if values.ndim == 2 else values[:, :, 0]) != 0


class DeepColumn(nn.Module):
    """Maps one deep array to the tokens ``(row, token, width)`` of its encoder, or to learned ones where a row holds nothing.

    In training, ``left_out`` is the probability with which a row goes without the column.
    """

    def __init__(self, encoder: nn.Module, width: int, left_out: float) -> None:
        super().__init__()
        self.encoder, self.left_out = encoder, left_out
        self.tokens = int(encoder.tokens)  # type: ignore[arg-type]
        self.nothing = nn.Parameter(
            torch.zeros(self.tokens * width)
        )  # one vector: no layer whose gradient would be watched

    def forward(self, values: Tensor) -> Features:
        """Map ``(row, …)`` to :class:`Features`."""
        features = self.encoder(values)
        known = holds(values)
        if self.training and self.left_out:
            known = known & (torch.rand(len(known), device=known.device) >= self.left_out)
        return Features(
            torch.where(known[:, None, None], features.tokens, self.nothing.view(self.tokens, -1)), None, features.maps
        )
