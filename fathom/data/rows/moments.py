"""The moments of all rows of a table larger than memory, kept in a file, and where they have to be cut into parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from fathom.data.files.writing import cannot_write

AT_ONCE = 1 << 20  # numbers looked at together
BINS = 4_096

Numbers = npt.NDArray[np.float64]


@dataclass
class Moments:
    """Numbers that are appended to a file and never all in memory.

    >>> import tempfile
    >>> moments = Moments.create(Path(tempfile.mkdtemp()) / "moments")
    >>> moments.add(np.array([3.0, 1.0, 2.0, 2.0]))
    >>> moments.ordered(0), moments.ordered(2), moments.ordered(3)
    (1.0, 2.0, 3.0)
    >>> moments.close()
    """

    path: Path
    file: BinaryIO
    count: int = 0

    @classmethod
    def create(cls, path: Path) -> "Moments":
        """Begin an empty file. Raises OutputError when it cannot be written."""
        try:
            return cls(path, path.open("wb"))
        except OSError as error:
            raise cannot_write(path, error) from None

    def add(self, numbers: Numbers) -> None:
        """Append numbers, none of them NaN."""
        try:
            self.file.write(np.ascontiguousarray(numbers, np.float64).data)
            self.file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from None
        self.count += len(numbers)

    def ordered(self, place: int) -> float:
        """Return the number that would stand at ``place`` (from 0) if all were sorted.

        The range that holds it is counted into bins, then the bin that holds it, until what is left can be sorted in memory.
        """
        low = min(float(piece.min()) for piece in self._pieces())
        high = max(float(piece.max()) for piece in self._pieces())
        while True:
            inside = sum(int(((piece >= low) & (piece <= high)).sum()) for piece in self._pieces())
            if inside <= AT_ONCE or low == high:
                left = np.sort(
                    np.concatenate([piece[(piece >= low) & (piece <= high)][:AT_ONCE] for piece in self._pieces()])
                )
                return float(low if low == high else left[place])
            edges = np.linspace(low, high, BINS + 1)
            counts = np.zeros(BINS + 1, np.int64)
            for piece in self._pieces():
                within = piece[(piece >= low) & (piece <= high)]
                counts += np.bincount(np.searchsorted(edges, within, "right") - 1, minlength=BINS + 1)
            index = int(np.searchsorted(np.cumsum(counts), place, "right"))
            if index == BINS or edges[index] >= np.nextafter(edges[index + 1], -np.inf):
                return float(edges[index])  # one number is left
            place -= int(counts[:index].sum())
            low, high = float(edges[index]), float(np.nextafter(edges[index + 1], -np.inf))

    def close(self) -> None:
        """Remove the file."""
        self.file.close()
        self.path.unlink(missing_ok=True)

    def _pieces(self) -> Iterator[Numbers]:
        with self.path.open("rb") as file:
            while len(piece := np.fromfile(file, np.float64, AT_ONCE)):
                yield piece
