"""Codes to tokens by a Transformer that has read a library before: BERT and its many descendants.

Why it exists: a table of two thousand texts cannot teach what words mean; a network that was taught on billions of words, to fill gaps or to tell like sentences from unlike ones, knows. Its answer for a text is the mean of what it
makes of the steps. Sources: Devlin, Chang, Lee and Toutanova, "BERT", NAACL 2019, section 3 (https://arxiv.org/abs/1810.04805); the mean over steps: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, section 3
(https://arxiv.org/abs/1908.10084). Unlike later Transformers, each norm stands behind what it follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.attention import shares
from fathom.networks.encoders.deep import known_steps
from fathom.networks.encoders.pretrained import PretrainedReader
from fathom.shapes import Part, Shape

NAME = "bert"
READS: Shape = "codes"
SUMMARY = "a Transformer that has read a library before (--pretrained)"
SOURCE = "https://arxiv.org/abs/1810.04805"

EPSILON = 1e-12
OWN_NAMES = (  # of a file's weights, and of ours
    ("attention.self.query", "query"),
    ("attention.self.key", "key"),
    ("attention.self.value", "value"),
    ("attention.output.dense", "mixed"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "inner"),
    ("output.dense", "outer"),
    ("output.LayerNorm", "norm"),
    ("encoder.layer.", "blocks."),
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "places"),
    ("embeddings.token_type_embeddings", "kinds"),
    ("embeddings.LayerNorm", "norm"),
)


@dataclass(frozen=True)
class Options:
    """The body, as its file describes it: ``codes`` pieces of words (0 is as many as the column has), ``layers`` blocks of ``heads`` attention heads over steps of ``body`` numbers, perceptrons of ``inner`` units, at most ``places`` steps, ``kinds`` of
    texts; and what is learned behind it: ``tokens`` tokens, with ``dropout`` before them."""

    codes: int = 0
    body: int = 64
    inner: int = 128
    layers: int = 2
    heads: int = 4
    places: int = 512
    kinds: int = 2
    tokens: int = 8
    dropout: float = 0.3


class Block(nn.Module):
    """Attention between the steps, then a perceptron on each, each added to what was there and then normalised."""

    NOTICES = "attention"

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.mixed, self.attention_norm = nn.Linear(width, width), nn.LayerNorm(width, EPSILON)
        self.inner, self.outer, self.norm = (
            nn.Linear(width, inner),
            nn.Linear(inner, width),
            nn.LayerNorm(width, EPSILON),
        )
        self.dropout = nn.Dropout(0.1)

    def forward(self, steps: Tensor, visible: Tensor) -> Tensor:
        """Map ``(row, step, width)`` to the same shape; ``visible (row, step)``."""
        query, key, value = (self._a_head(layer(steps)) for layer in (self.query, self.key, self.value))
        gathered = functional.scaled_dot_product_attention(query, key, value, attn_mask=visible[:, None, None, :])
        steps = self.attention_norm(steps + self.dropout(self.mixed(gathered.transpose(1, 2).flatten(2))))
        changed: Tensor = self.norm(steps + self.dropout(self.outer(functional.gelu(self.inner(steps)))))
        return changed

    def noticed(self, steps: Tensor, visible: Tensor) -> Tensor:
        """Return how much of the block's looks falls on each step (`fathom.networks.attention.shares`)."""
        return shares(self._a_head(self.query(steps)), self._a_head(self.key(steps)), visible)

    def _a_head(self, steps: Tensor) -> Tensor:
        return steps.reshape(*steps.shape[:2], self.heads, -1).transpose(1, 2)


class Bert(nn.Module):
    """Maps ``codes (row, step)``, 0 where no step is, to the mean of its steps ``(row, width)``."""

    def __init__(self, options: Options, codes: int) -> None:
        super().__init__()
        self.width = options.body
        self.words = nn.Embedding(codes, options.body)
        self.places = nn.Embedding(options.places, options.body)
        self.kinds = nn.Embedding(options.kinds, options.body)
        self.norm = nn.LayerNorm(options.body, EPSILON)
        self.blocks = nn.ModuleList(Block(options.body, options.inner, options.heads) for _ in range(options.layers))

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The words at their places, and every block."""
        return {"words": self.norm, **{f"block {number}": block for number, block in enumerate(self.blocks, 1)}}

    def forward(self, codes: Tensor) -> Tensor:
        """Map ``(row, step)`` to ``(row, width)``."""
        known = known_steps(codes)
        at = torch.arange(codes.shape[1], device=codes.device)
        steps = self.norm(self.words(codes) + self.places(at) + self.kinds.weight[0])
        visible = known | (at == 0)  # of no step at all, attention is not a number
        for block in self.blocks:
            steps = block(steps, visible)
        there = known.unsqueeze(-1)
        mean: Tensor = torch.where(there, steps, 0.0).sum(1) / there.sum(1).clamp(min=1)
        return mean

    def numbers_of(self, row: Sequence[int]) -> int:
        """Return how many codes a row of this size ``(step,)`` has."""
        return row[0]

    def renamed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a file's weights under our names; what the file has for filling gaps is left out."""
        own = self.state_dict()
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            short = name.removeprefix("bert.")
            for theirs, ours in OWN_NAMES:
                short = short.replace(theirs, ours)
            if short in own:
                found[short] = tensor.float()
        return found


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, step)`` codes to tokens of ``width``."""
    return PretrainedReader(Bert(options, max(options.codes, parts[0].codes)), options.tokens, width, options.dropout)


__all__ = ["NAME", "READS", "SOURCE", "SUMMARY", "Options", "build"]
