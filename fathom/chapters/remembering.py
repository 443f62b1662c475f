"""What a reader that was taught elsewhere, and stays as it is, made of a row is remembered: a row that comes again, in whatever fit or question, is not read again.

A frozen reader takes a thousand times as long for a text as all that stands behind it. Its answer hangs on the text and on its own weights alone: not on the other columns, which importance shuffles and reasons exchange, nor on the layers
behind it, which are trained anew where rows or columns are left out.
"""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.files.writing import cannot_write
from fathom.data.rows.hashing import Hashes, hash_rows
from fathom.shapes import Arrays, outputs_of

MOST_BYTES = 1 << 29  # of what is remembered; what comes later is read and forgotten
PUT_DOWN_ROWS = 2_048  # that are read between two moments at which what was made of them is put down in a folder

Made = npt.NDArray[np.float32]


@dataclass
class Readings:
    """What bodies made of rows: for each body a table of the rows' hashes, in order, and of what was made of each ``(row, width)``; and the ``graphs`` by which those read that were exported.

    >>> readings, asked = Readings(), []
    >>> def read(rows): asked.append(len(rows)); return np.float32(rows[:, :1] * 2)
    >>> rows = np.array([[1, 7], [2, 7], [1, 7]])
    >>> readings.of("body", rows, read)[:, 0].tolist(), readings.of("body", rows[1:], read)[:, 0].tolist(), asked
    ([2.0, 4.0, 2.0], [4.0, 2.0], [2])
    """

    most_bytes: int = MOST_BYTES
    folder: Path | None = None
    graphs: dict[str, Any] = field(default_factory=dict, repr=False)
    _held: dict[str, tuple[Hashes, Made]] = field(default_factory=dict, repr=False)

    def keep_in(self, folder: Path) -> None:
        """Put what is read from now on down in a folder, too, and take up what an interrupted fit has left there; a file that is damaged is read again."""
        self.folder = folder
        left: dict[str, list[tuple[Hashes, Made]]] = {}
        for file in sorted(folder.glob("*.npz")):
            try:
                with file.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
                    left.setdefault(file.name.partition("-")[0], []).append((held["hashes"], held["made"]))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                file.unlink(missing_ok=True)
        for body, pieces in left.items():
            self._hold(body, _merged(pieces))

    def met(self, body: str, rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return which of ``rows (row, …)`` the body of this name has met ``(row,)``."""
        held = self._held.get(body)
        return np.zeros(len(rows), np.bool_) if held is None else np.isin(hash_rows(rows), held[0])

    def of(self, body: str, rows: npt.NDArray[Any], read: Callable[[npt.NDArray[Any]], Made]) -> Made:
        """Return what the body of this name makes of each of ``rows (row, …)``; ``read`` maps those that it has not met, each of them once, to ``(row, width)``."""
        hashes = hash_rows(rows)
        held = self._held.get(body)
        new = np.ones(len(rows), np.bool_) if held is None else ~np.isin(hashes, held[0])
        places = np.flatnonzero(new)[np.sort(np.unique(hashes[new], return_index=True)[1])]
        pieces = []
        for start in range(0, len(places), PUT_DOWN_ROWS):
            some = places[start : start + PUT_DOWN_ROWS]
            pieces.append((hashes[some], read(rows[some])))
            self._put_down(body, *pieces[-1])
        if pieces:
            held = _merged([*([] if held is None else [held]), *pieces])
            self._hold(body, held)
        if held is None:  # no rows
            return read(rows)
        return held[1][np.searchsorted(held[0], hashes)]

    def _hold(self, body: str, whole: tuple[Hashes, Made]) -> None:
        """Remember all that a body has made of rows, unless it is too much."""
        others = sum(made.nbytes for name, (_, made) in self._held.items() if name != body)
        if others + whole[1].nbytes <= self.most_bytes:
            self._held[body] = whole

    def _put_down(self, body: str, hashes: Hashes, made: Made) -> None:
        """Write what was made of rows into the folder, whole or not at all. Raises OutputError where the disk does not take it."""
        if self.folder is None or len(hashes) < PUT_DOWN_ROWS:  # fewer are soon read again
            return
        place = self.folder / f"{body}-{int(hashes[0]):016x}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with place.with_suffix(".part").open("wb") as file:
                np.savez(file, hashes=hashes, made=made)
            place.with_suffix(".part").replace(place)
        except OSError as error:
            raise cannot_write(place, error, made.nbytes) from None


def _merged(pieces: Sequence[tuple[Hashes, Made]]) -> tuple[Hashes, Made]:
    hashes = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(hashes, kind="stable")
    return hashes[order], np.concatenate([piece[1] for piece in pieces])[order]


@dataclass(frozen=True)
class Recalling:
    """Stands in for a graph's session: answers encoded rows by the network that the graph was made from, and reads no row again that its readers have read."""

    network: Any = field(repr=False)
    readings: Readings
    targets: Sequence[str]

    def run(self, names: None, inputs: Arrays) -> list[Any]:
        """Return the outputs for encoded rows, in the order of the graph's; ``names`` is that of ONNX Runtime's sessions."""
        import torch

        from fathom.chapters.adopting import read_through
        from fathom.training.batching import as_batch

        self.network.eval()
        with torch.inference_mode():
            rows = read_through(self.network, as_batch(inputs, {}), self.readings)
            told = self.network.tell(rows.inputs)
        return [told[name].numpy() for name in outputs_of(self.targets).values() if name in told]


__all__ = ["Readings", "Recalling"]
