"""Arrays become shuffled batches by slicing tensors with a shuffled index; no worker processes.

A table that fits in memory is encoded once, so an epoch is a permutation of the rows drawn from a generator of its own: the order
of rows depends on the seed alone, and can be taken up again from the generator's state. A table that does not is read from the disk, a window of
blocks at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fathom.networks.encoders.deep import known_steps
from fathom.shapes import RAGGED, Arrays

BATCHES_SORTED = 32  # whose rows are sorted by length together, where rows have one


@dataclass(frozen=True)
class Mixed:
    """Each row is mixed with another, number ``rows (row,)`` of the batch, and ``share`` of it is its own."""

    rows: Tensor
    share: float


@dataclass(frozen=True)
class Batch:
    """Some rows as tensors.

    ``inputs[array] (row, …)``; ``truth[target] (row,)``: float32 scalars or int64 codes; ``weights[target] (row,)`` where
    the rows of that target do not all count alike; ``mixed`` says with which other each row's inputs are mixed, if they are.
    """

    inputs: Mapping[str, Tensor]
    truth: Mapping[str, Tensor]
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    mixed: Mixed | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.truth.values())))

    @property
    def sample(self) -> "Batch":
        """Rows to look at without learning from them: here all."""
        return self

    def take(self, rows: Tensor) -> "Batch":
        """Return the batch of these rows, ``rows`` int64."""
        return Batch(
            {name: values.index_select(0, rows) for name, values in self.inputs.items()},
            {name: values.index_select(0, rows) for name, values in self.truth.items()},
            {name: values.index_select(0, rows) for name, values in self.weights.items()},
        )

    def slice(self, start: int, rows: int) -> "Batch":
        """Return the batch of neighbouring rows, sharing their memory."""
        return Batch(
            {name: values.narrow(0, start, rows) for name, values in self.inputs.items()},
            {name: values.narrow(0, start, rows) for name, values in self.truth.items()},
            {name: values.narrow(0, start, rows) for name, values in self.weights.items()},
        )

    @property
    def row_numbers(self) -> int:
        """How many numbers a row of the inputs has."""
        return sum(values[0].numel() for values in self.inputs.values())

    def lengths(self) -> Tensor | None:
        """Return how many steps each row ``(row,)`` has in all its ragged arrays; ``None`` without one."""
        steps = [known_steps(values).sum(1) for name, values in self.inputs.items() if is_ragged(name)]
        return torch.stack(steps).sum(0) if steps else None

    def trimmed(self) -> "Batch":
        """Return the same rows with ragged arrays cut after the last step of the longest; a step at least is left."""
        inputs = {
            name: values[:, : _steps_of(values)] if is_ragged(name) else values for name, values in self.inputs.items()
        }
        return replace(self, inputs=inputs)

    def copied(self) -> "Batch":
        """Return the same rows in memory of their own."""
        return self.take(torch.arange(self.rows))


def is_ragged(array: str) -> bool:
    """Say whether an array of this name has rows of different lengths."""
    return array.rpartition("_")[0] in RAGGED


def _steps_of(values: Tensor) -> int:
    used = torch.nonzero(known_steps(values).any(0))
    return int(used[-1]) + 1 if len(used) else 1


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


@dataclass(frozen=True)
class StoredRows:
    """Rows that stay on the disk: ``read(start, stop)`` returns a range of the ``total`` there are, ``sample`` holds some of them.

    An epoch is ``rows`` of them, drawn anew each time. ``window`` rows are in memory at a time: blocks of ``block`` neighbours, drawn from the whole
    table and shuffled row by row, which teaches nearly as well as an order of single rows (Xu et al., "In-database machine learning with CorgiPile", SIGMOD 2022).
    """

    read: Callable[[int, int], Batch]
    total: int
    rows: int
    sample: Batch
    window: int
    block: int = 2_048

    def shuffled(self, rows: int, generator: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        """Return the rows of an epoch; see `shuffled`. All of the order hangs on one number drawn from ``generator``."""
        seed = int(torch.randint(2**62, (1,), generator=generator))
        own = torch.Generator().manual_seed(seed)
        blocks = torch.randperm(-(-self.total // self.block), generator=own)
        starts = blocks * self.block
        stops = (starts + self.block).clamp(max=self.total)
        enough = int(torch.searchsorted(torch.cumsum(stops - starts, 0), self.rows)) + 1
        steps = max(1, round(self.rows / rows))
        sizes = [self.rows // steps + (step < self.rows % steps) for step in range(steps)]
        return self._batches(
            list(zip(starts[:enough].tolist(), stops[:enough].tolist(), strict=True)), sizes, skip, seed
        )

    def _batches(self, blocks: list[tuple[int, int]], sizes: list[int], skip: int, seed: int) -> Iterator[Batch]:
        passed, waiting = sum(sizes[:skip]), None
        sizes = sizes[skip:]
        at_once = max(1, self.window // self.block)
        for first in range(0, len(blocks), at_once):
            those = sorted(blocks[first : first + at_once])
            held = sum(stop - start for start, stop in those)
            if passed >= held:
                passed -= held
                continue
            order = torch.randperm(held, generator=torch.Generator().manual_seed(seed + 1 + first))[passed:]
            window = joined([self.read(start, stop) for start, stop in _merged(those)]).take(order)
            passed = 0
            waiting = window if waiting is None else joined([waiting, window])
            done = 0
            while sizes and waiting.rows - done >= sizes[0]:
                size = sizes.pop(0)
                yield waiting.slice(done, size)
                done += size
            waiting = waiting.slice(done, waiting.rows - done).copied()


def joined(batches: Sequence[Batch]) -> Batch:
    """Lay batches end to end."""
    first = batches[0]
    return Batch(
        {name: torch.cat([batch.inputs[name] for batch in batches]) for name in first.inputs},
        {name: torch.cat([batch.truth[name] for batch in batches]) for name in first.truth},
        {name: torch.cat([batch.weights[name] for batch in batches]) for name in first.weights},
    )


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return growing ranges with those that touch made one."""
    merged: list[tuple[int, int]] = []
    for start, stop in ranges:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged


def shuffled(batch: Batch | StoredRows, rows: int, generator: torch.Generator, skip: int = 0) -> Iterator[Batch]:
    """Return the batch's rows once, in an order drawn from ``generator`` now, at most ``rows`` at a time, but for the first ``skip`` times.

    The last batch of an epoch is as large as the others or larger by less than half, so that no step follows a handful of rows.
    """
    if isinstance(batch, StoredRows):
        return (each.trimmed() for each in batch.shuffled(rows, generator, skip))
    order = torch.randperm(batch.rows, generator=generator)
    batches = torch.tensor_split(order, max(1, round(batch.rows / rows)))
    if (lengths := batch.lengths()) is not None:
        batches = _alike(order, lengths, rows, generator)
    return (batch.take(chosen).trimmed() for chosen in batches[skip:])


def _alike(order: Tensor, lengths: Tensor, rows: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Part shuffled rows into batches of about the same length, so that little of a batch is padding: rows are sorted among the neighbours of a few dozen batches."""
    pieces = torch.split(order, BATCHES_SORTED * rows)
    ordered = torch.cat([piece[torch.argsort(lengths[piece], stable=True)] for piece in pieces])
    batches = torch.tensor_split(ordered, max(1, round(len(order) / rows)))
    return tuple(batches[place] for place in torch.randperm(len(batches), generator=generator).tolist())
