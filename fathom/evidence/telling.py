"""How well one view of a row tells its target: the skill of bins, of equal cells, of neighbours, measured on rows that its predictor did not see."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathom.data.encoding import Column, target_classes
from fathom.data.rows.hashing import hash_values
from fathom.data.table import Table

MOST_ROWS = 10_000  # of either side that a column's skill is measured on
BINS = 64
FEWEST_IN_BIN = 3
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """The target, and its truth on either side of the parting."""

    target: Column
    known: Floats
    asked: Floats

    @property
    def classes(self) -> int:
        """How many classes the target has; 0 for a number."""
        return target_classes(self.target)


def there(column: Column, train: Table, check: Table, known: Floats, asked: Floats, classes: int) -> float:
    """Return the skill of whether a cell is there."""
    assert column.kind is not None
    one, other = (column.kind.missing(part.column(column.name)).astype(np.float64) for part in (train, check))
    return skill_of(one, other, known, asked, classes) if one.any() and not one.all() else 0.0


def numbers_of(column: Column, train: Table, check: Table) -> list[tuple[Floats, Floats]]:
    """Return a column's features that are numbers, of the rows of both sides."""
    assert column.kind is not None
    made = [column.kind.features(column.state, part.column(column.name)) for part in (train, check)]
    return [
        (made[0].matrix[:, feature], made[1].matrix[:, feature])
        for feature, size in enumerate(made[0].sizes)
        if not size and not np.isnan(made[0].matrix[:, feature]).all()
    ]


def keys(column: Column, train: Table, check: Table) -> list[tuple[Floats, Floats]]:
    """Return what a column says of the rows of both sides as keys: its numbers cut into bins, and its cells as they are."""
    views = []
    for one, other in numbers_of(column, train, check):
        edges = np.unique(np.quantile(one[~np.isnan(one)], np.linspace(0, 1, BINS + 1)[1:-1]))
        views.append((binned(one, edges), binned(other, edges)))
    cells = [hash_values(part.column(column.name)).view(np.int64).astype(np.float64) for part in (train, check)]
    return [*views, (cells[0], cells[1])]


def nearest(one: Floats, other: Floats, known: Floats, asked: Floats, classes: int) -> float:
    """Return how well the truth of the two training rows on either side of a number predicts: 1 minus the error over that of a constant."""
    order = np.argsort(one, kind="stable")
    order = order[~np.isnan(one[order])]
    above = np.clip(np.searchsorted(one[order], other), 0, len(order) - 1)
    beside = known[order[np.stack([np.maximum(above - 1, 0), above])]]
    if classes:
        constant = np.bincount(known.astype(np.int64), minlength=classes).argmax()
        error, usual = float((beside != asked).mean()), float((asked != constant).mean())
    else:
        error, usual = float(((beside.mean(0) - asked) ** 2).mean()), float(((known.mean() - asked) ** 2).mean())
    return 1.0 - error / usual if usual > 0 else 0.0


def binned(numbers: Floats, edges: Floats) -> Floats:
    """Return which bin each number lies in, -1 for one that is not there."""
    return np.where(np.isnan(numbers), -1.0, np.searchsorted(edges, numbers, side="right"))


def skill_of(one: Floats, other: Floats, known: Floats, asked: Floats, classes: int) -> float:
    """Return how well the mean, or the most frequent class, of the training rows of the same key predicts: 1 minus the error over that of a constant."""
    keys, inverse, counts = np.unique(one, return_inverse=True, return_counts=True)
    place = np.minimum(np.searchsorted(keys, other), len(keys) - 1)
    trusted = (keys[place] == other) & (counts[place] >= FEWEST_IN_BIN)
    if classes:
        table = np.zeros((len(keys), classes))
        np.add.at(table, (inverse, known.astype(np.int64)), 1.0)
        constant = np.bincount(known.astype(np.int64), minlength=classes).argmax()
        said = np.where(trusted, table.argmax(axis=1)[place], constant)
        error, usual = float((said != asked).mean()), float((asked != constant).mean())
    else:
        means = np.bincount(inverse, weights=known, minlength=len(keys)) / counts
        said = np.where(trusted, means[place], known.mean())
        error, usual = float(((said - asked) ** 2).mean()), float(((known.mean() - asked) ** 2).mean())
    return 1.0 - error / usual if usual > 0 else 0.0


def smooth(one: Floats, other: Floats, sides: Sides) -> float:
    """Return the skill of a number's bins: what it tells as a number."""
    edges = np.unique(np.quantile(one[~np.isnan(one)], np.linspace(0, 1, BINS + 1)[1:-1]))
    return skill_of(binned(one, edges), binned(other, edges), sides.known, sides.asked, sides.classes)


def shared(said: Floats, truth: Floats, classes: int) -> tuple[float, bool]:
    """Return the skill of answers, and whether it is beyond chance by four standard errors."""
    constant = np.bincount(truth.astype(np.int64), minlength=classes).argmax() if classes else truth.mean()
    usual = errors(np.full(len(truth), constant), truth, classes)
    gain = usual - errors(said, truth, classes)
    clear = gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    return (float(gain.mean() / usual.mean()) if usual.mean() > 0 else 0.0), bool(clear)


def errors(said: Floats, truth: Floats, classes: int) -> Floats:
    """Return each row's error: squared, or whether the class is another."""
    return np.asarray((said != truth) if classes else (said - truth) ** 2, np.float64)


def class_words(target: Column) -> tuple[str, ...]:
    """Return the names of a category's classes."""
    if not target_classes(target) or target.kind is None:
        return ()
    every = target.kind.decode(target.state, np.eye(target_classes(target)))
    return tuple(str(target.kind.show(target.state, value)) for value in every.to_pylist())


def some(rows: int) -> npt.NDArray[np.int64]:
    """Return at most ten thousand positions, spread over the rows."""
    return np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.int64)
