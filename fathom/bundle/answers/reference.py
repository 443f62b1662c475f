"""What training rows and the judged answers looked like, as sketches of fixed size against which drift is measured: NumPy alone.

A column is measured in ways that its shape calls for (`fathom.bundle.answers.gauging`), and each way is sketched: numbers by their distribution function at their own
quantiles, words by how often the most frequent come and how often all others, a share by two counts. The answers are those to the rows that judged the model, which it has not learned from.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle import manifest
from fathom.errors import BundleError

NAME = "reference.json"
FORMAT = 1
EDGES = (
    128  # places at most at which a distribution function is known: between two lies less than a hundredth of the rows
)
WORDS = 100  # kept by name; all others are one
OFTEN = 10  # rows that a word must have to be kept: how often rarer ones come in training says little of how often they come later, and new ones come in their place

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ordered:
    """The distribution function of ``rows`` numbers at rising ``edges``: ``below[i]`` of them are at most ``edges[i]``, and ``at[i]`` are that very number.

    >>> sketch_numbers(np.array([1.0, 2.0, 2.0, np.nan]))
    Ordered(rows=3, edges=(1.0, 2.0), below=(1, 3), at=(1, 2))
    """

    rows: int
    edges: tuple[float, ...]
    below: tuple[int, ...]
    at: tuple[int, ...]

    @property
    def cells(self) -> Codes:
        """How many numbers lie before the first edge, on it, between it and the next, on that, …, beyond the last ``(2 edges + 1,)``."""
        return _cells(np.asarray(self.below, np.int64), np.asarray(self.at, np.int64), self.rows)

    def count(self, numbers: Floats) -> Codes:
        """Return the same for other numbers ``(row,)``; those that are not finite are left out."""
        ordered = np.sort(numbers[np.isfinite(numbers)])
        edges = np.asarray(self.edges, np.float64)
        below, under = np.searchsorted(ordered, edges, "right"), np.searchsorted(ordered, edges, "left")
        return _cells(below, below - under, len(ordered))

    def quantile(self, share: float) -> float:
        """Return the least edge with at least this share of the rows at or below it; NaN of no rows."""
        if not self.rows:
            return float("nan")
        place = int(np.searchsorted(np.asarray(self.below), share * self.rows - 1e-9))
        return self.edges[min(place, len(self.edges) - 1)]


@dataclass(frozen=True)
class Words:
    """How often which codes came among ``rows`` cells: ``counts`` of ``codes``, called ``names``, and of all others ``rest``."""

    rows: int
    codes: tuple[int, ...]
    names: tuple[str, ...]
    counts: tuple[int, ...]
    rest: int


@dataclass(frozen=True)
class Share:
    """How many of ``rows`` rows are so."""

    rows: int
    count: int


@dataclass(frozen=True)
class Losses:
    """Mean and standard deviation of the losses of ``rows`` rows (`fathom.scoring.row_losses`)."""

    rows: int
    mean: float
    deviation: float


Sketch = Ordered | Words | Share | Losses
_KINDS: dict[str, type[Any]] = {"ordered": Ordered, "words": Words, "share": Share, "losses": Losses}


@dataclass(frozen=True)
class Reference:
    """Sketches by column and question, of the training rows, and by target and question, of the answers to the rows that judged the model.

    ``usual`` holds, for a column of steps, how surprising each of its codes is (`fathom.bundle.answers.gauging.Usual`).
    """

    columns: Mapping[str, Mapping[str, Sketch]]
    answers: Mapping[str, Mapping[str, Sketch]] = field(default_factory=dict)
    usual: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Write `reference.json`."""
        return manifest.dump(
            {
                "format": FORMAT,
                "columns": _plain(self.columns),
                "answers": _plain(self.answers),
                "usual": {name: dict(usual) for name, usual in self.usual.items()},
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Reference":
        """Read `reference.json`. Raises BundleError when it is not what `to_bytes` writes."""
        try:
            values = json.loads(content)
            if values["format"] != FORMAT:
                raise BundleError(
                    f"{NAME} has format {values['format']!r}, and this Fathom reads format {FORMAT}. Use the Fathom that wrote it, or fit again."
                )
            return cls(_read(values["columns"]), _read(values["answers"]), values["usual"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise BundleError(
                f"{NAME} is not what this Fathom writes ({type(error).__name__}: {error}). Copy the bundle again, or fit again."
            ) from None


def with_reference(files: Mapping[str, bytes], reference: Reference) -> dict[str, bytes]:
    """Return the files of a bundle with this reference, and the manifest that says so."""
    kept = {name: content for name, content in files.items() if name not in (NAME, manifest.NAME)}
    kept[NAME] = reference.to_bytes()
    return {**kept, manifest.NAME: manifest.make(kept)}


def _plain(sketches: Mapping[str, Mapping[str, Sketch]]) -> dict[str, Any]:
    named = {kind: name for name, kind in _KINDS.items()}
    return {
        column: {question: {"kind": named[type(sketch)], **asdict(sketch)} for question, sketch in own.items()}
        for column, own in sketches.items()
    }


def _read(values: Mapping[str, Any]) -> dict[str, dict[str, Sketch]]:
    return {
        column: {question: _sketch(dict(entry)) for question, entry in own.items()} for column, own in values.items()
    }


def _sketch(entry: dict[str, Any]) -> Sketch:
    kind = _KINDS[entry.pop("kind")]
    sketch: Sketch = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
    if isinstance(sketch, Ordered):
        edges = np.asarray(sketch.edges, np.float64)
        if (
            not len(edges) == len(sketch.below) == len(sketch.at)
            or (np.diff(edges) <= 0).any()
            or (sketch.cells < 0).any()
        ):
            raise ValueError("edges that do not rise")
    elif isinstance(sketch, Words) and not len(sketch.codes) == len(sketch.names) == len(sketch.counts):
        raise ValueError("words without counts")
    return sketch


def sketch_numbers(numbers: Floats) -> Ordered:
    """Sketch numbers ``(row,)``; those that are not finite are left out. Few different numbers are all kept, of many the quantiles."""
    ordered = np.sort(numbers[np.isfinite(numbers)])
    if not len(ordered):
        return Ordered(0, (), (), ())
    edges = np.unique(ordered)
    if len(edges) > EDGES:
        places = np.ceil(np.linspace(0, 1, EDGES) * len(ordered)).astype(np.int64) - 1
        edges = np.unique(ordered[np.maximum(places, 0)])
    below = np.searchsorted(ordered, edges, "right")
    at = below - np.searchsorted(ordered, edges, "left")
    return Ordered(len(ordered), tuple(edges.tolist()), tuple(below.tolist()), tuple(at.tolist()))


def _cells(below: Codes, at: Codes, rows: int) -> Codes:
    found = np.empty(2 * len(below) + 1, np.int64)
    found[1::2] = at
    found[0::2] = np.append(below - at, rows) - np.append(0, below)
    return found


def sketch_words(codes: Codes, names: Mapping[int, str]) -> Words:
    """Sketch codes ``(row,)``: the most frequent of those that have a name, at most 100, each of ten rows or more; a code below 0 is no cell.

    >>> sketch_words(np.repeat([2, 3, 4, 1, -1], [10, 20, 3, 1, 5]), {2: "cook", 3: "nurse", 4: "smith"})
    Words(rows=34, codes=(3, 2), names=('nurse', 'cook'), counts=(20, 10), rest=4)
    """
    there = codes[codes >= 0]
    counts = np.bincount(there, minlength=1)
    known = np.array([code for code in names if code < len(counts) and counts[code] >= OFTEN], np.int64)
    kept = known[np.lexsort((known, -counts[known]))][:WORDS] if len(known) else known
    return Words(
        len(there),
        tuple(kept.tolist()),
        tuple(names[int(code)] for code in kept),
        tuple(counts[kept].tolist()),
        int(len(there) - counts[kept].sum()),
    )


def sketch_share(marks: npt.NDArray[np.bool_]) -> Share:
    """Sketch marks ``(row,)``."""
    return Share(len(marks), int(marks.sum()))


def sketch_losses(losses: Floats) -> Losses:
    """Sketch losses ``(row,)``."""
    known = losses[np.isfinite(losses)]
    deviation = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return Losses(len(known), float(known.mean()) if len(known) else 0.0, deviation)


def sketched(measured: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Sketch]:
    """Sketch every measure of a column: marks as a share, whole numbers as words, numbers by their distribution.

    >>> sorted(sketched({"missing": np.array([True, False]), "values": np.array([1.0, 2.0])}, {}))
    ['missing', 'values']
    """
    found: dict[str, Sketch] = {}
    for question, values in measured.items():
        if values.dtype == np.bool_:
            found[question] = sketch_share(values)
        elif values.dtype.kind == "i":
            found[question] = sketch_words(values, names)
        else:
            found[question] = sketch_losses(values) if question == "loss" else sketch_numbers(values)
    return found


__all__ = [
    "Losses",
    "Ordered",
    "Reference",
    "Share",
    "Sketch",
    "Words",
    "sketch_losses",
    "sketch_numbers",
    "sketch_share",
    "sketch_words",
    "sketched",
    "with_reference",
]
