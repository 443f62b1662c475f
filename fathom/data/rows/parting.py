"""Rows of a table larger than memory are parted by the same rules as any other's, from what one pass over them has counted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.rows.splitting import (
    RARE_CLASS,
    SMALL_TABLE,
    TEST,
    Hashes,
    by_rank,
    by_value,
    parts_from,
    spare,
)

MOST_WORDS = 10_000  # different values of a target that are counted; above, it is no category

Parts = npt.NDArray[np.int8]


@dataclass
class Tally:
    """The different values of a target over all rows: how often each stands, where the rare ones are, and the keys of their rows.

    ``counts`` is ``None`` once there are more than `MOST_WORDS`.
    """

    counts: dict[Any, int] | None = field(default_factory=dict)
    keys: dict[Any, list[Hashes]] = field(default_factory=dict)
    first: dict[Any, int] = field(default_factory=dict)
    rows: int = 0

    def add(self, values: pa.Array, keys: Hashes) -> None:
        """Count the next rows: their values and the hashes by which they are parted."""
        start, self.rows = self.rows, self.rows + len(values)
        if self.counts is None:
            return
        encoded = values.dictionary_encode()
        if len(encoded.dictionary) > MOST_WORDS:
            self.counts, self.keys = None, {}
            return
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        found = np.bincount(codes, minlength=len(encoded.dictionary))
        for code, word in enumerate(encoded.dictionary.to_pylist()):  # over different values, not rows
            before = self.counts.get(word, 0)
            self.counts[word] = before + int(found[code])
            if not before:
                self.first[word] = start + int((codes == code).argmax())
            if before < RARE_CLASS or self.rows < SMALL_TABLE:
                self.keys.setdefault(word, []).append(keys[codes == code])
        if self.rows >= SMALL_TABLE:
            self.keys = {word: runs for word, runs in self.keys.items() if self.counts[word] < RARE_CLASS}
        if len(self.counts) > MOST_WORDS:
            self.counts, self.keys = None, {}


@dataclass
class FewKeys:
    """The different keys by which rows are parted and how often each stands, while there are fewer than a small table has."""

    counts: dict[int, int] | None = field(default_factory=dict)

    def add(self, keys: Hashes) -> None:
        """Count the next rows' keys."""
        if self.counts is None:
            return
        values, counts = np.unique(keys, return_counts=True)
        if len(values) >= SMALL_TABLE:
            self.counts = None
            return
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self.counts[value] = self.counts.get(value, 0) + count
        if len(self.counts) >= SMALL_TABLE:
            self.counts = None


@dataclass(frozen=True)
class Parting:
    """The rule by which every row is parted.

    ``few`` gives the parts of few different keys; ``rare`` those of the rows of rare classes, by class. ``own_test``: the user
    brought test rows, so that none are needed. ``cuts`` are the moments from which on rows are validation and test rows, where time parts them; with
    ``own_test``, validation rows alone.
    """

    few: tuple[Hashes, Parts] | None
    rare: dict[Any, tuple[Hashes, Parts]]
    own_test: bool
    cuts: tuple[float, ...] | None = None

    @classmethod
    def of(
        cls, keys: FewKeys, classes: Tally | None, cuts: tuple[float, ...] | None = None, *, own_test: bool
    ) -> "Parting":
        """Make the rule from what was counted; ``classes`` are those of a target that is a category."""
        few = None
        if keys.counts is not None:
            values = np.array([*keys.counts], np.uint64)
            every = np.repeat(values, np.array([*keys.counts.values()]))
            few = _ranked(every)
        rare = {}
        for word, runs in (classes.keys if classes else {}).items():
            rare[word] = _ranked(np.concatenate(runs))
        return cls(few, rare, own_test, cuts)

    def parts(self, keys: Hashes, classes: pa.Array | None, times: npt.NDArray[np.float64] | None = None) -> Parts:
        """Return the part of each row."""
        if self.cuts is not None and times is not None:
            return parts_from(times, self.cuts)
        part = by_value(keys) if self.few is None else _looked_up(self.few, keys)
        if self.rare and classes is not None:
            words = list(self.rare)
            places = pc.index_in(classes, pa.array(words, classes.type)).fill_null(-1).to_numpy(zero_copy_only=False)
            for place in np.unique(places[places >= 0]):
                rows = np.flatnonzero(places == place)
                part[rows] = _looked_up(self.rare[words[place]], keys[rows])
        return np.where(part == TEST, spare(keys), part).astype(np.int8) if self.own_test else part


def _ranked(keys: Hashes) -> tuple[Hashes, Parts]:
    values, first = np.unique(keys, return_index=True)
    return values, by_rank(keys)[first]


def _looked_up(ranked: tuple[Hashes, Parts], keys: Hashes) -> Parts:
    values, parts = ranked
    found: Parts = parts[np.minimum(np.searchsorted(values, keys), len(values) - 1)]
    return found.copy()
