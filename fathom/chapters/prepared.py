"""What models learn from: a table whose columns are understood and whose rows are parted, and how large a run over it is."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.chapters.larger import Larger
from fathom.chapters.remembering import Readings
from fathom.data.encoding import Column, hanging_together, input_parts
from fathom.data.rows.folding import Folds
from fathom.data.rows.splitting import Split
from fathom.data.table import Table
from fathom.effort import LARGEST_EPOCH, Effort, Sizes, sizes
from fathom.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """A table whose columns are understood and whose rows are parted.

    The test rows are in ``sealed``, apart from the others, so that nothing meets them by accident. ``weights (row,)`` and
    ``validation_weights (row,)`` say what each row counts in training and in its choices, with mean 1; ``None`` is all alike.
    Of a table ``larger`` than memory, all of this is a sample. Where ``folds (row,)`` are given, ``train`` and ``validation`` are the same rows, and
    a model is several fits, each of which has left out one fold: `fits`. ``readings`` are what readers that were taught elsewhere have made of rows, whoever asked.
    """

    table: Table
    columns: tuple[Column, ...]
    split: Split
    train: Table
    validation: Table
    sealed: Table
    warnings: tuple[str, ...]
    weights: npt.NDArray[np.float64] | None = None
    validation_weights: npt.NDArray[np.float64] | None = None
    larger: Larger | None = None
    folds: Folds | None = None
    readings: Readings = field(default_factory=Readings, compare=False, repr=False)

    @property
    def targets(self) -> tuple[Column, ...]:
        """The columns to predict."""
        return tuple(column for column in self.columns if column.role == "target")

    @property
    def counts(self) -> dict[str, int]:
        """The rows of the whole table: ``total``, those of each part, and those ``skipped``."""
        if self.larger is None:
            return {"total": self.table.rows, **self.split.counts, "skipped": len(self.table.skipped)}
        return {"total": sum(self.larger.counts.values()), **self.larger.counts, "skipped": self.larger.skipped}

    @property
    def fold_count(self) -> int:
        """How many folds there are; 1 where rows are not folded."""
        return 1 if self.folds is None else int(self.folds.max()) + 1

    @property
    def sealed_groups(self) -> npt.NDArray[Any] | None:
        """The group ``(row,)`` of each test row; ``None`` where rows were not parted by groups."""
        return hanging_together(self.columns, self.sealed)

    @property
    def validation_groups(self) -> npt.NDArray[Any] | None:
        """The group ``(row,)`` of each validation row; ``None`` where rows were not parted by groups."""
        return hanging_together(self.columns, self.validation)

    def fits(self) -> "tuple[Prepared, ...]":
        """Return what each fit of a model learns from and is checked on: all of this, or, fold after fold, the other rows and the fold."""
        if self.folds is None:
            return (self,)
        return tuple(self._without(number) for number in range(self.fold_count))

    def _without(self, number: int) -> "Prepared":
        others, own = np.flatnonzero(self.folds != number), np.flatnonzero(self.folds == number)
        return replace(
            self,
            train=self.train.take(others),
            validation=self.train.take(own),
            weights=_weights_of(self.weights, others),
            validation_weights=_weights_of(self.weights, own),
            folds=None,
        )

    def epoch_rows(self, effort: Effort) -> int:
        """Return how many rows a pass over the training rows has."""
        if self.larger is not None:
            return min(self.counts["train"], LARGEST_EPOCH[effort])
        return self.train.rows if self.folds is None else self.train.rows - self.train.rows // self.fold_count


def prepared_sizes(prepared: Prepared, settings: Settings) -> Sizes:
    """Return the sizes of a run over these rows with these settings."""
    rows = prepared.epoch_rows(settings.effort)
    shapes = {part.shape for part in input_parts(prepared.columns)}
    return sizes(settings.effort, settings.trunk, rows, settings.layers, settings.skip, shapes, prepared.fold_count)


def _weights_of(weights: npt.NDArray[np.float64] | None, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64] | None:
    """Return what some rows count, with mean 1; rows that all weigh 0 count alike."""
    if weights is None or not weights[rows].any():
        return None
    return np.asarray(weights[rows] / weights[rows].mean())
