"""What both kinds of boosted trees share: how a problem is laid out for them, how much they try, and a result without trees."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.choosing import shares
from fathom.baselines.contract import Matrix, Truth
from fathom.baselines.tree_arrays import assemble
from fathom.data.modalities.contract import Features

PATIENCE = 20  # rounds without a better answer to the validation rows before growing stops
ROUNDS_UNCHECKED = 100  # the rounds of a table without validation rows: scikit-learn's and LightGBM's own default
MOST_ROUNDS = 1000
LEAST_ROUNDS = 150
MOST_TREES = 2000  # each round grows one tree for each of more than two classes
ROUNDS_IN_PEACE = 300  # with fewer, each tree must correct more
MOST_ROWS_IN_LEAF = 20  # the least rows of a leaf: scikit-learn's and LightGBM's own default; fewer for small tables
FEW_COLUMNS = 6
# Training rows x features x trees of a round up to which all settings, or two, are tried. Above, the first is as good as the best within 1 % on the
# tables of `bench/tables.py`, and trying them would take the time of a good part of the network's training (docs/log.md).
CELLS_FOR_ALL_SETTINGS = 150_000
CELLS_FOR_TWO_SETTINGS = 300_000
CELLS_GROWN = 8_000_000_000  # that all rounds look at, at most: a minute of a core; fewer rounds are grown of a table of pictures, each correcting more
FEWEST_ROUNDS = 50
CELLS_OF_A_TREE = 20_000  # what a tree costs however small, in cells


@dataclass(frozen=True)
class Problem:
    """The training and validation rows as a boosting library wants them.

    ``features`` are the columns with at least two values, ``present`` the classes that training rows have. ``values`` and
    ``check_values`` are scalars, or positions in ``present``; validation rows of other classes are left out.
    """

    features: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    present: npt.NDArray[np.int64]
    matrix: Matrix
    values: npt.NDArray[Any]
    weights: Matrix | None
    check_matrix: Matrix
    check_values: npt.NDArray[Any]
    check_weights: Matrix | None

    @property
    def solvable(self) -> bool:
        """Whether there is anything to split on, and anything to tell apart."""
        return len(self.features) > 0 and len(self.present) != 1

    @property
    def trees_of_a_round(self) -> int:
        """One, or one for each of more than two classes."""
        return len(self.present) if len(self.present) > 2 else 1


def lay_out(train: Features, truth: Truth, validation: Features, check: Truth) -> Problem:
    """Lay out a problem: columns that say something, classes that occur."""
    first = train.matrix[:1]
    same = (train.matrix == first) | (np.isnan(train.matrix) & np.isnan(first))
    features = np.flatnonzero(~same.all(axis=0))
    kept = np.ones(len(check.values), dtype=np.bool_)
    present = np.empty(0, dtype=np.int64)
    values, check_values = truth.values, check.values
    if truth.classes:
        present, values = np.unique(truth.values.astype(np.int64), return_inverse=True)
        kept = np.isin(check.values, present)
        check_values = np.searchsorted(present, check.values[kept])
    return Problem(
        features=features,
        sizes=np.asarray(train.sizes, dtype=np.int64)[features],
        present=present,
        matrix=train.matrix[:, features],
        values=values,
        weights=truth.weights,
        check_matrix=validation.matrix[np.ix_(kept, features)],
        check_values=check_values,
        check_weights=None if check.weights is None else check.weights[kept],
    )


@dataclass(frozen=True)
class Setting:
    """How trees are grown: by how much each corrects those before, its size, the columns and rows that it sees.

    ``penalty`` says how strongly leaves are drawn to 0, in rows that say nothing.
    """

    learning_rate: float
    most_leaves: int
    columns: float
    rows: float
    penalty: float


def settings_for(problem: Problem, settings: tuple[Setting, ...]) -> list[Setting]:
    """Return the settings to try, fewer when each takes long, suited to the number of columns and classes.

    With few rounds for many classes the learning rate is up to doubled. With few columns each tree sees all. A row weighs
    ``p * (1 - p)`` in the trees of a class with share ``p``, little with many classes, and so must the penalty.
    """
    cells = (problem.matrix.size + CELLS_OF_A_TREE) * problem.trees_of_a_round
    worth = 3 if cells <= CELLS_FOR_ALL_SETTINGS else 2 if cells <= CELLS_FOR_TWO_SETTINGS else 1
    hurry = min(2.0, max(1.0, ROUNDS_IN_PEACE / most_rounds(problem)))
    classes = max(2, len(problem.present))
    return [
        replace(
            setting,
            learning_rate=setting.learning_rate * hurry,
            columns=setting.columns if len(problem.features) >= FEW_COLUMNS else 1.0,
            penalty=setting.penalty * 4 * (1 - 1 / classes) / classes,
        )
        for setting in settings[:worth]
    ]


def notes(setting: Setting, *, rounds: int, tried: int) -> dict[str, float]:
    """Return what a report says of the setting that was taken."""
    return {
        "learning rate": setting.learning_rate,
        "most leaves": setting.most_leaves,
        "share of columns": setting.columns,
        "share of rows": setting.rows,
        "penalty": setting.penalty,
        "rounds": rounds,
        "settings tried": tried,
    }


def most_rounds(problem: Problem) -> int:
    """Return after how many rounds growing stops at the latest."""
    if len(problem.check_values) == 0:
        return ROUNDS_UNCHECKED
    affordable = max(FEWEST_ROUNDS, CELLS_GROWN // max(1, problem.matrix.size * problem.trees_of_a_round))
    return min(MOST_ROUNDS, max(LEAST_ROUNDS, MOST_TREES // problem.trees_of_a_round), affordable)


def least_rows_in_leaf(problem: Problem) -> int:
    """Return how many training rows a leaf needs: a tenth of a class, or a twentieth of the table, between 2 and 20."""
    return min(MOST_ROWS_IN_LEAF, max(2, len(problem.values) // (10 * max(2, len(problem.present)))))


def without_trees(truth: Truth) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that answer every row with the mean or the shares of the training rows."""
    if truth.classes:
        return assemble([], np.log(shares(truth)))
    return assemble([], np.array([np.average(truth.values, weights=truth.weights)]))
