"""Answers as plain Python values, a dictionary a row with the columns that `Model.predict` writes: for one row, a table costs more than its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.description import Description
from fathom.data.encoding import Column


@dataclass(frozen=True)
class Listed:
    """One target: the names of what stands beside its value, and the values of its classes; a number has none, and an interval of which the description says how far it reaches."""

    description: Description
    target: Column
    names: tuple[str, ...]
    classes: tuple[Any, ...]

    def into(self, rows: Sequence[dict[str, Any]], answers: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Write the answers ``(row,)`` or ``(row, class)`` of this target into the rows."""
        name = self.target.name
        if not self.classes:
            low, high = self.names
            told = (each.tolist() for each in self.description.interval(self.target, answers))
            for row, value, least, most in zip(rows, *told, strict=True):
                row[name], row[low], row[high] = value, least, most
            return
        for row, chances in zip(rows, answers[name].tolist(), strict=True):
            self._write(row, chances)

    def into_one(self, row: dict[str, Any], answers: Mapping[str, Any]) -> None:
        """Write the answer of one row, in plain Python numbers, into it."""
        if self.classes:
            self._write(row, answers[self.target.name])
        else:
            self.into((row,), {name: np.array((answer,)) for name, answer in answers.items()})

    def _write(self, row: dict[str, Any], chances: Any) -> None:
        largest = max(chances)
        row[self.target.name] = self.classes[chances.index(largest)]
        row.update(zip(self.names, (largest, *chances), strict=True))


def listed(description: Description) -> tuple[Listed, ...]:
    """Return what lists the answers of each target. The classes are what the column's own `decode` makes of each of them."""
    found = []
    for target in description.targets:
        assert target.kind is not None
        if target.name in description.half_widths:
            found.append(Listed(description, target, (f"{target.name}_low", f"{target.name}_high"), ()))
            continue
        classes = target.kind.decode(target.state, np.eye(target.parts[0].codes)).to_pylist()
        labels = [target.kind.show(target.state, value) for value in classes]
        names = (f"{target.name}_probability", *(f"{target.name}={label}" for label in labels))
        found.append(Listed(description, target, names, tuple(classes)))
    return tuple(found)
