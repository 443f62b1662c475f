"""Which rows a condition holds for: cells of categories and ranges of numbers, as masks with words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells.values import words_of
from fathom.data.encoding import Column, inputs_of
from fathom.data.table import Table
from fathom.quantities import significant

MOST_VALUES = 30  # of a category, the most frequent ones
QUANTILES = (0.2, 0.4, 0.6, 0.8)  # that cut a number

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """That a column holds a word, or a number from ``low`` (included) to ``high`` (not included), or nothing.

    >>> Condition("age", low=20.0, high=40.0).words, Condition("job", word="nurse").words, Condition("job").words
    ('age is from 20 to 40', "job is 'nurse'", 'job is missing')
    """

    column: str
    word: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """The condition as a person says it."""
        if self.word is not None:
            return f"{self.column} is {self.word!r}"
        low, high = (None if end is None else significant(end, 4) for end in (self.low, self.high))
        if low is None:
            return f"{self.column} is missing" if high is None else f"{self.column} is below {high}"
        return f"{self.column} is " + (f"from {low} to {high}" if high is not None else f"{low} or more")

    def holds(self, column: Column, table: Table) -> Mask:
        """Return for which rows ``(row,)`` the condition holds."""
        assert column.kind is not None
        values = table.column(self.column)
        missing = np.asarray(column.kind.missing(values), np.bool_)
        if self.word is not None:
            return np.asarray((_words(values) == self.word) & ~missing, np.bool_)
        if self.low is None and self.high is None:
            return missing
        numbers = numbers_of(column, values)
        above = numbers >= self.low if self.low is not None else np.ones(len(numbers), np.bool_)
        below = numbers < self.high if self.high is not None else np.ones(len(numbers), np.bool_)
        return np.asarray(above & below & ~missing, np.bool_)


def conditions(columns: Sequence[Column], table: Table) -> Iterator[Condition]:
    """Yield the conditions on every number and category: each frequent word, each fifth of the numbers, and missing cells."""
    for column in inputs_of(columns):
        assert column.kind is not None
        values = table.column(column.name)
        missing = np.asarray(column.kind.missing(values), np.bool_)
        if missing.any():
            yield Condition(column.name)
        if column.kind.SHAPE == "code" and column.kind.NAME != "id":
            words, counts = np.unique(_words(values)[~missing].astype(str), return_counts=True)
            for word in words[np.argsort(-counts, kind="stable")[:MOST_VALUES]]:
                yield Condition(column.name, word=str(word))
        elif column.kind.NAME == "number" and not missing.all():
            edges = np.unique(np.quantile(numbers_of(column, values)[~missing], QUANTILES))
            for low, high in zip([None, *edges.tolist()], [*edges.tolist(), None], strict=True):
                yield Condition(column.name, low=low, high=high)


def numbers_of(column: Column, values: pa.Array) -> npt.NDArray[np.float64]:
    """Return a number column's cells as numbers, NaN where they are missing."""
    assert column.kind is not None
    matrix = column.kind.features(column.state, values).matrix
    return np.asarray(matrix[:, 0], np.float64)


def _words(values: pa.Array) -> npt.NDArray[np.object_]:
    return np.asarray(words_of(values).to_numpy(zero_copy_only=False), np.object_)
