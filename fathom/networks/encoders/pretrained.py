"""What every reader that was taught elsewhere has around it: it is read through, not taught, until it is asked to go on learning.

A frozen body answers the same for a row in every epoch, so it reads each row once and what it said is kept (`read_once`); the layers behind it then learn at the speed of a small table.
Source: Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?", NeurIPS 2014 (https://arxiv.org/abs/1411.1792).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.deep import DeepColumn, holds


class Body(Protocol):
    """The contract of what was taught, a module: it maps a deep array to ``(row, width)``, names its ``stages``, and says how weights of a file are called in it."""

    width: int

    def __call__(self, values: Tensor) -> Tensor:
        """Map a deep array to ``(row, width)``."""
        ...

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        ...

    def numbers_of(self, row: Sequence[int]) -> int:
        """Return how many numbers the body's first layer sees of a row of this size."""
        ...

    def renamed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a file under this module's own names, without those that it has no use for."""
        ...


class PretrainedReader(nn.Module):
    """Maps a deep array, or what the body made of it before, ``(row, 1, width)`` of floats, to ``tokens (row, token, width)``."""

    def __init__(self, body: Body, tokens: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tokens = tokens
        self.body: Any = body
        self.norm = nn.LayerNorm(body.width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(body.width, tokens * width)
        self.freeze(True)

    def freeze(self, frozen: bool) -> None:
        """Keep the body as it is, or let it learn."""
        self.frozen = frozen
        self._fingerprint = ""
        self.body.requires_grad_(not frozen)
        self.body.train(self.training and not frozen)

    @property
    def fingerprint(self) -> str:
        """What tells the body's weights from others; it is taken once, while the body is frozen."""
        if self._fingerprint and self.frozen:
            return self._fingerprint
        digest = hashlib.blake2b(type(self.body).__name__.encode(), digest_size=16)
        for name, tensor in sorted(self.body.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy())
        self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def train(self, mode: bool = True) -> "PretrainedReader":
        """Turn to training; a frozen body stays as it answers."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The stages of the body, and the layer behind them."""
        return {**self.body.stages, "out": self.out}

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights of a file. Raises KeyError or RuntimeError where they are not the body's."""
        self._fingerprint = ""
        self.body.load_state_dict(self.body.renamed(tensors))

    def forward(self, values: Tensor) -> Features:
        """Map an array to :class:`Features`."""
        made = values[:, 0] if values.is_floating_point() and values.ndim == 3 else self.body(values)
        tokens: Tensor = self.out(self.dropout(self.norm(made)))
        return Features(tokens.reshape(-1, self.tokens, tokens.shape[1] // self.tokens))


def frozen_readers(encoders: nn.ModuleDict) -> dict[str, PretrainedReader]:
    """Return the frozen readers among a network's encoders, by the name of the array that each reads."""
    return {
        name: column.encoder
        for name, column in encoders.items()
        if isinstance(column, DeepColumn) and isinstance(column.encoder, PretrainedReader) and column.encoder.frozen
    }


@torch.no_grad()
def read_once(
    reader: PretrainedReader, values: Tensor, rows_at_once: int, advance: Callable[[int], None] = lambda rows: None
) -> Tensor:
    """Return what a frozen body makes of every row, ``(row, 1, width)``, zero for a row of nothing; rows of like lengths are read together, and ``advance`` hears how many more were."""
    reader.body.eval()
    made = torch.zeros(len(values), 1, reader.body.width)
    steps = (values != 0).sum(1) if values.ndim == 2 else None
    order = torch.arange(len(values)) if steps is None else torch.argsort(steps, stable=True)
    for start in range(0, len(values), rows_at_once):
        chosen = order[start : start + rows_at_once]
        piece = values[chosen]
        if steps is not None:
            piece = piece[:, : max(1, int(steps[chosen].max()))]
        made[chosen, 0] = torch.where(holds(piece)[:, None], reader.body(piece), 0.0)
        advance(len(chosen))
    return made


__all__ = ["Body", "PretrainedReader", "frozen_readers", "read_once"]
