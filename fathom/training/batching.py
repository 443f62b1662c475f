"""Arrays become shuffled batches by slicing tensors with a shuffled index; no worker processes.

A table that fits in memory is encoded once, so an epoch is a permutation of the rows drawn from a generator of its own: the order
of rows depends on the seed alone, and can be taken up again from the generator's state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fathom.shapes import Arrays


@dataclass(frozen=True)
class Batch:
    """Some rows as tensors.

    ``inputs[shape] (row, part)``; ``truth[target] (row,)``: float32 scalars or int64 codes; ``weights[target] (row,)`` where
    the rows of that target do not all count alike.
    """

    inputs: Mapping[str, Tensor]
    truth: Mapping[str, Tensor]
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.truth.values())))

    def take(self, rows: Tensor) -> "Batch":
        """Return the batch of these rows, ``rows`` int64."""
        return Batch(
            {name: values.index_select(0, rows) for name, values in self.inputs.items()},
            {name: values.index_select(0, rows) for name, values in self.truth.items()},
            {name: values.index_select(0, rows) for name, values in self.weights.items()},
        )


def as_batch(inputs: Arrays, truth: Arrays, weights: Mapping[str, Any] | None = None) -> Batch:
    """Turn arrays into one batch of all rows, sharing their memory where the type allows."""
    return Batch(
        {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in inputs.items()},
        {
            name: torch.from_numpy(values.astype(np.int64 if values.dtype.kind == "i" else np.float32))
            for name, values in truth.items()
        },
        {name: torch.from_numpy(values.astype(np.float32)) for name, values in (weights or {}).items()},
    )


def shuffled(batch: Batch, rows: int, generator: torch.Generator) -> Iterator[Batch]:
    """Yield the batch's rows once, in an order drawn from ``generator``, at most ``rows`` at a time.

    The last batch of an epoch is as large as the others or larger by less than half, so that no step follows a handful of rows.
    """
    order = torch.randperm(batch.rows, generator=generator)
    for chosen in torch.tensor_split(order, max(1, round(batch.rows / rows))):
        yield batch.take(chosen)
