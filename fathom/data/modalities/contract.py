"""What a modality is: the functions that turn one kind of column into arrays and back.

A modality is a Python module (NumPy and Arrow only, never torch) with the names of :class:`Modality`. Its functions take a
column's *values*, an Arrow array: strings exactly as they stood in a text file, or typed values from Parquet and
frames. They are vectorised: no Python loop over rows. (Decoding pictures and recordings is a loop over files, on threads.)

A modality of a deep shape (``codes``, ``vectors``, ``grid``) writes one part, whose ``size`` is that of a row, and its array keeps to the rule of
`fathom.shapes` that zero is nothing. One whose values take long to decode has a function more, that of :class:`Settling`; one that a server should answer
cell by cell in microseconds has that of :class:`Singling`.

The contract suite (``tests/contracts/test_modalities.py``) runs over every member; run it over your own with
``fathom.data.modalities.checking.problems(module)``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells.pieces import Gone, Piece
from fathom.data.pretrained import Pretrained
from fathom.shapes import Arrays, Part, Shape

Role = Literal["input", "target"]


@dataclass(frozen=True)
class Claim:
    """How likely a column is of this modality, 0 to 1, and the reason that the user is shown."""

    confidence: float
    reason: str


@dataclass(frozen=True)
class Features:
    """Hand-made features for the baselines: ``matrix (row, feature)`` float64.

    ``sizes[j]`` is 0 for a numeric feature, which may be NaN where the value is not known; otherwise feature ``j`` is a
    category, a whole number in ``0 <= code < sizes[j]``, never NaN.
    """

    matrix: npt.NDArray[np.float64]
    names: tuple[str, ...]
    sizes: tuple[int, ...]


class Modality(Protocol):
    """The contract. ``State`` is a frozen dataclass whose fields are JSON-able (numbers, strings, tuples of them)."""

    NAME: str
    SHAPE: Shape
    SUMMARY: str
    SOURCE: str
    PREDICTABLE: bool
    State: type[Any]

    def claim(self, values: pa.Array) -> Claim:
        """Say how likely these values are of this modality. Looks at what it needs, never raises."""
        ...

    def learn(self, values: pa.Array, role: Role = "input") -> Any:
        """Learn the ``State`` from **training rows only**.

        Raises TableError when the values cannot be read this way; ``row`` numbers are the caller's to add.
        """
        ...

    def parts(self, state: Any, column: str) -> tuple[Part, ...]:
        """Describe the arrays that ``encode`` writes, in order."""
        ...

    def encode(self, state: Any, values: pa.Array) -> npt.NDArray[Any]:
        """Turn values into ``(row, part)``, or ``(row, *size)`` of a deep shape. Total: missing, unseen and hostile values have a defined code, never NaN."""
        ...

    def decode(self, state: Any, answer: npt.NDArray[Any]) -> pa.Array:
        """Turn a head's answer back into values: ``(row,)`` scalars, or ``(row, class)`` probabilities."""
        ...

    def unreadable(self, state: Any, values: pa.Array) -> npt.NDArray[np.bool_]:
        """Mark the cells ``(row,)`` that are neither missing nor readable as this modality (unseen is readable)."""
        ...

    def missing(self, values: pa.Array) -> npt.NDArray[np.bool_]:
        """Mark the cells ``(row,)`` that hold nothing: null, empty, or a usual word for missing."""
        ...

    def features(self, state: Any, values: pa.Array) -> Features:
        """Make the features that baselines read."""
        ...

    def corrupt(self, values: pa.Array, severity: int, seed: int) -> pa.Array:
        """Do to values what the world does to them; ``severity`` 1 (a little) to 5 (badly), same length."""
        ...

    def blank(self, state: Any, rows: int) -> pa.Array:
        """Return ``rows`` values that mean "not known"."""
        ...

    def show(self, state: Any, value: Any) -> str:
        """Write one value as a report or a form shows it."""
        ...

    def sample(self, count: int, seed: int) -> pa.Array:
        """Make believable values, so that one contract suite runs over every kind."""
        ...


class Telling(Protocol):
    """What a modality may have besides: a sentence for the report."""

    def tell(self, state: Any) -> str:
        """Say in a few words what was learned of the column."""
        ...


class Adopting(Protocol):
    """What a modality has besides when networks that were taught elsewhere can read its columns."""

    def adopt(self, state: Any, reader: Pretrained, values: pa.Array) -> Any:
        """Return the state with which the column is encoded as ``reader`` was taught; ``values`` are those of the training rows."""
        ...


class Naming(Protocol):
    """What a modality of ``codes`` has besides when a person can read its steps."""

    def named(self, state: Any, codes: npt.NDArray[np.int32]) -> list[str]:
        """Return what each code of ``codes (step,)`` stands for, as it is written in the cell."""
        ...


class Settling(Protocol):
    """What a modality has besides when its values take long to decode.

    Every function that takes values takes the compact ones, too, and tells the same of them as of those that they were made from.
    """

    def settle(
        self, state: Any, values: pa.Array, advance: Callable[[int], None]
    ) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
        """Return the values in a compact form, decoded once, null where nothing is; and mark those ``(row,)`` that could not be decoded.

        ``advance`` is told how many cells are done.
        """
        ...


class Singling(Protocol):
    """What a modality may have besides when a server should answer one row in microseconds: the same rule for one cell, without Arrow.

    Whatever it leaves out, `encode` and `features` do, so it can never say anything else than they.
    """

    def single(self, state: Any, features: bool) -> Callable[[Any], tuple[float, ...] | None]:
        """Return what says of one cell, a Python value, what `encode` says of it, or with ``features`` what `features` does; None for a cell that it leaves to them."""
        ...


class Parting(Protocol):
    """What a modality has besides when a cell falls into pieces of which some may be left out: words, patches, stretches."""

    def pieces_of(self, state: Any, value: pa.Array) -> tuple[Piece, ...]:
        """Return the pieces of the one cell in ``value``; none where nothing is in it."""
        ...

    def without(self, state: Any, value: pa.Array, gone: Gone) -> pa.Array:
        """Return the one cell once for each row of ``gone (cell, piece)``, without the pieces that are gone; null where nothing is left."""
        ...


__all__ = [
    "Adopting",
    "Arrays",
    "Claim",
    "Features",
    "Modality",
    "Naming",
    "Part",
    "Parting",
    "Role",
    "Settling",
    "Singling",
    "Telling",
]
