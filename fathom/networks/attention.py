"""Multi-head attention and the block around it, which every Transformer here is made of.

Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2 (https://arxiv.org/abs/1706.03762); the norms stand before what they feed, as
Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020 (https://arxiv.org/abs/2002.04745), found easier to train.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention over ``tokens (row, token, width)``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def parted(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each token asks for, answers to and tells, a head: ``(row, head, token, width / heads)`` each."""
        queries, keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.queries_keys_values(tokens).chunk(3, dim=-1)
        )
        return queries, keys, values

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return what each token gathers from the tokens that ``mask (row, token)`` leaves visible."""
        queries, keys, values = self.parted(tokens)
        visible = None if mask is None else mask[:, None, None, :]
        gathered = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=visible)
        mixed: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return mixed


def shares(queries: Tensor, keys: Tensor, visible: Tensor | None) -> Tensor:
    """Return how much of the looks of a row's visible tokens falls on each, ``(row, token)``, in times an even share.

    ``queries`` and ``keys (row, head, token, width)``; ``visible (row, token)``, or ``None`` where all are.

    >>> shares(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2), torch.tensor([[True, True, False]])).tolist()
    [[1.0, 1.0, 0.0]]
    """
    if visible is None:
        visible = torch.ones(queries.shape[0], queries.shape[2], dtype=torch.bool, device=queries.device)
    levels = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    looks = levels.masked_fill(~visible[:, None, None, :], -torch.inf).softmax(-1).mean(1)  # (row, token, token)
    return torch.where(visible.unsqueeze(-1), looks, 0.0).sum(1)


class Block(nn.Module):
    """Attention, then a perceptron on each token, each on a normalised copy and added to what was there."""

    NOTICES = "attention"
    BETWEEN = ("perceptron.0", "perceptron.2")  # what makes units that nothing else reads, and what reads them

    def __init__(self, width: int, heads: int, dropout: float, between: float = 2.0) -> None:
        super().__init__()
        inside = int(between * width)
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, inside), nn.ReLU(), nn.Linear(inside, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Map ``(row, token, width)`` to the same shape; ``mask (row, token)`` leaves at least one token of each row visible."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), mask))
        updated: Tensor = tokens + self.dropout(self.perceptron(self.perceptron_norm(tokens)))
        return updated

    def noticed(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return how much of the block's looks falls on each token (`shares`)."""
        queries, keys, _ = self.attention.parted(self.attention_norm(tokens))
        return shares(queries, keys, mask)
