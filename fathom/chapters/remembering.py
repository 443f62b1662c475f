"""What a reader that was taught elsewhere, and stays as it is, made of a row is remembered: a row that comes again, in whatever fit or question, is not read again.

A frozen reader takes a thousand times as long for a text as all that stands behind it. Its answer hangs on the text and on its own weights alone: not on the other columns, which importance shuffles and reasons exchange, nor on the layers
behind it, which are trained anew where rows or columns are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.rows.hashing import Hashes, hash_rows
from fathom.shapes import Arrays

MOST_BYTES = 1 << 29  # of what is remembered; what comes later is read and forgotten

Made = npt.NDArray[np.float32]


@dataclass
class Readings:
    """What bodies made of rows: for each body a table of the rows' hashes, in order, and of what was made of each ``(row, width)``.

    >>> readings, asked = Readings(), []
    >>> def read(rows): asked.append(len(rows)); return np.float32(rows[:, :1] * 2)
    >>> rows = np.array([[1, 7], [2, 7], [1, 7]])
    >>> readings.of("body", rows, read)[:, 0].tolist(), readings.of("body", rows[1:], read)[:, 0].tolist(), asked
    ([2.0, 4.0, 2.0], [4.0, 2.0], [2])
    """

    most_bytes: int = MOST_BYTES
    _held: dict[str, tuple[Hashes, Made]] = field(default_factory=dict, repr=False)

    def met(self, body: str, rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return which of ``rows (row, …)`` the body of this name has met ``(row,)``."""
        held = self._held.get(body)
        return np.zeros(len(rows), np.bool_) if held is None else np.isin(hash_rows(rows), held[0])

    def of(self, body: str, rows: npt.NDArray[Any], read: Callable[[npt.NDArray[Any]], Made]) -> Made:
        """Return what the body of this name makes of each of ``rows (row, …)``; ``read`` maps those that it has not met, each of them once, to ``(row, width)``."""
        hashes = hash_rows(rows)
        held = self._held.get(body)
        new = np.ones(len(rows), np.bool_) if held is None else ~np.isin(hashes, held[0])
        fresh, first = np.unique(hashes[new], return_index=True)
        if len(fresh):
            made = read(rows[np.flatnonzero(new)[np.sort(first)]])[np.argsort(np.argsort(first, kind="stable"))]
            whole = (fresh, made) if held is None else _merged(held, (fresh, made))
            if (
                sum(one.nbytes for name, (_, one) in self._held.items() if name != body) + whole[1].nbytes
                <= self.most_bytes
            ):
                self._held[body] = whole
            held = whole
        if held is None:  # no rows
            return read(rows)
        return held[1][np.searchsorted(held[0], hashes)]


def _merged(one: tuple[Hashes, Made], other: tuple[Hashes, Made]) -> tuple[Hashes, Made]:
    hashes = np.concatenate([one[0], other[0]])
    order = np.argsort(hashes, kind="stable")
    return hashes[order], np.concatenate([one[1], other[1]])[order]


@dataclass(frozen=True)
class Recalling:
    """Answers encoded rows in the place of a graph's session, by the network that the graph was made from, with what its readers have made of rows before."""

    network: Any = field(repr=False)
    readings: Readings
    targets: Sequence[str]

    def run(self, names: None, inputs: Arrays) -> list[Any]:
        """Return the answers to encoded rows, one array a target; ``names`` is that of ONNX Runtime's sessions."""
        import torch

        from fathom.chapters.adopting import read_through
        from fathom.training.batching import as_batch

        self.network.eval()
        with torch.inference_mode():
            rows = read_through(self.network, as_batch(inputs, {}), self.readings)
            answers = self.network.answer(rows.inputs)
        return [answers[name].numpy() for name in self.targets]


__all__ = ["Readings", "Recalling"]
