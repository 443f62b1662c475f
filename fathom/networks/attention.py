"""Multi-head attention and the block around it, which every Transformer here is made of.

Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2 (https://arxiv.org/abs/1706.03762); the norms stand before what they feed, as
Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020 (https://arxiv.org/abs/2002.04745), found easier to train.
"""

from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention over ``tokens (row, token, width)``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return what each token gathers from the tokens that ``mask (row, token)`` leaves visible."""
        queries, keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (row, head, token, width / heads)
            for part in self.queries_keys_values(tokens).chunk(3, dim=-1)
        )
        visible = None if mask is None else mask[:, None, None, :]
        gathered = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=visible)
        mixed: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """Attention, then a perceptron on each token, each on a normalised copy and added to what was there."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Map ``(row, token, width)`` to the same shape; ``mask (row, token)`` leaves at least one token of each row visible."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), mask))
        updated: Tensor = tokens + self.dropout(self.perceptron(self.perceptron_norm(tokens)))
        return updated
