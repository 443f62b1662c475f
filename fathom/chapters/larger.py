"""What a fit knows of a table larger than memory besides its sample: where its rows are, how they are parted, and how they are read again."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.files.streaming import FILE_BYTES, FileStream, Stream
from fathom.data.files.typed_files import memory_bytes
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import without_unusable
from fathom.data.rows.hashing import hash_values
from fathom.data.rows.parting import Parting, Parts
from fathom.data.rows.splitting import Hashes, row_hashes
from fathom.data.stored import StoredArrays
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.settings import Settings

SHARE_OF_MEMORY = 0.25  # of the memory a table may take before it is read block by block
SAMPLE_ROWS = 400_000  # at most; 60,000 of them judge, which makes a 95 % interval of an accuracy 0.8 % wide at most
SHARE_OF_SAMPLE = 0.15  # of the memory the sample may take with all that is made of it
CELL_BYTES = 100  # what a cell of the sample takes with its features, their copies in other libraries, and its encoding
SHARE_OF_WINDOW = 0.06  # of the memory the rows may take among which training shuffles
LARGEST_WINDOW = 1 << 30  # bytes
UNKNOWN = 8e9  # bytes of memory where the system does not say how many there are


@dataclass(frozen=True)
class Reading:
    """How every block of the table is turned into usable rows.

    ``kinds`` says by target of which kind a cell must be missing for its row to be unusable; ``moments`` reads the time column.
    """

    stream: Stream | FileStream
    targets: tuple[str, ...]
    kinds: Mapping[str, str]
    settings: Settings
    modalities: Sequence[Modality]
    moments: tuple[Modality, Any] | None = None

    def blocks(self) -> Iterator[Table]:
        """Yield the usable rows, block by block, the next being read meanwhile; ``skipped`` holds the others of a block.

        Raises TableError, as `bad_rows` says, for a row without target.
        """
        for block in _ahead(self.stream.blocks()):
            overrides = {**self.settings.columns, **self.kinds}
            yield without_unusable(block, self.targets, self.settings.bad_rows, overrides, self.modalities)

    def hashes(self, block: Table) -> Hashes:
        """Return the hash of each row, which no weight changes."""
        weight = self.settings.weight
        return row_hashes(block if weight is None else block.select([name for name in block.names if name != weight]))

    def keys(self, block: Table, hashes: Hashes) -> Hashes:
        """Return the hashes by which rows are parted."""
        group = self.settings.group
        return hashes if group is None else hash_values(block.column(group), 0)

    def times(self, block: Table) -> npt.NDArray[np.float64] | None:
        """Return a number a row that grows with time, where rows are parted by time.

        Raises TableError for a row that cannot be placed in time.
        """
        if self.moments is None:
            return None
        assert self.settings.time is not None
        return moments_of(block, self.settings.time, *self.moments)


@dataclass(frozen=True)
class Larger:
    """A table larger than memory that has been surveyed.

    ``parting`` and ``classes`` (the target whose rare classes are shared out) give every row's part; ``skipped`` counts rows that could not be used, ``total``
    the others, ``own_test`` the rows of the user's own test file. ``counts`` by part, ``classes_seen`` (how many training rows each class of a target has),
    ``weights_seen`` (the sum of their weights) and ``stored``, the encoded training rows, are there after the second pass.
    """

    reading: Reading
    parting: Parting
    classes: str | None
    total: int
    skipped: int
    own_test: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    classes_seen: Mapping[str, list[int]] = field(default_factory=dict)
    weights_seen: Mapping[str, list[float]] = field(default_factory=dict)
    stored: StoredArrays | None = None

    def parts(self, block: Table) -> Parts:
        """Return the part of each row."""
        keys = self.reading.keys(block, self.reading.hashes(block))
        classes = None if self.classes is None else block.column(self.classes)
        return self.parting.parts(keys, classes, self.reading.times(block))


def moments_of(table: Table, name: str, kind: Modality, state: Any) -> npt.NDArray[np.float64]:
    """Return a number a row that grows with time. Raises TableError for the first row that has none."""
    moments: npt.NDArray[np.float64] = kind.features(state, table.column(name)).matrix[:, 0]
    if np.isnan(moments).any():
        row = int(np.flatnonzero(np.isnan(moments))[0])
        path, line = table.place(row)
        raise TableError(
            f"{table.where(row)}: the time column {name!r} is missing, so the row cannot be placed in time. Fill it in, or remove the row.",
            file=path, line=line, column=name,
        )  # fmt: skip
    return moments


def memory(settings: Settings) -> float:
    """Return the bytes of memory that a fit may take: the user's, or this machine's."""
    return memory_for(settings.memory)


def memory_for(gigabytes: float | None) -> float:
    """Return bytes of memory: those that are named, or this machine's."""
    if gigabytes is not None:
        return gigabytes * 1e9
    return float(min([size for size in (memory_bytes(), _container_bytes()) if size], default=UNKNOWN))


def _container_bytes() -> int | None:
    """Return the memory that a container (Linux, cgroup version 2) leaves to its processes, or ``None`` where there is no limit."""
    try:
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return None


def in_words(size: float) -> str:
    """Write a number of bytes.

    >>> in_words(12.34e9), in_words(5.6e6)
    ('12.3 GB', '6 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def sample_rows(settings: Settings, columns: int, files: int = 0) -> int:
    """Return how many rows of a table are kept in memory, of whose columns ``files`` name pictures, recordings or videos.

    >>> sample_rows(Settings(memory=3.0), 18), sample_rows(Settings(memory=3.0), 18, files=1)
    (250000, 13017)
    """
    row_bytes = CELL_BYTES * max(columns, 1) + FILE_BYTES * files
    return int(max(2_000, min(SAMPLE_ROWS, SHARE_OF_SAMPLE * memory(settings) / row_bytes)))


def window_rows(settings: Settings, row_bytes: int) -> int:
    """Return among how many rows training shuffles."""
    return int(min(SHARE_OF_WINDOW * memory(settings), LARGEST_WINDOW) // row_bytes) + 1


def _ahead(blocks: Iterator[Table]) -> Iterator[Table]:
    """Yield blocks, of which the next is made in another thread meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block
