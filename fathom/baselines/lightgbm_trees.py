"""Boosted decision trees as LightGBM grows them, where it is installed: usually the one to beat on tables.

What is learned is read out of LightGBM's own text format into arrays (:mod:`fathom.baselines.tree_arrays`).
"""

from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines import boosting, tree_arrays
from fathom.baselines.choosing import NEVER, choose, spread_out
from fathom.baselines.contract import Fitted, Fragment, Matrix, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features
from fathom.errors import require

NAME = "LightGBM"
SUMMARY = "Several hundred small decision trees, each grown leaf by leaf to correct those before it, by LightGBM."
SOURCE = (
    "Ke et al. 2017, LightGBM: A Highly Efficient Gradient Boosting Decision Tree, NeurIPS 30, "
    "https://papers.nips.cc/paper/6907; grown by LightGBM (MIT), https://github.com/lightgbm-org/LightGBM."
)

SETTINGS = (  # the first is all that a large table gets
    boosting.Setting(learning_rate=0.05, most_leaves=31, columns=1.0, rows=1.0, penalty=1.0),
    boosting.Setting(learning_rate=0.05, most_leaves=31, columns=0.7, rows=0.8, penalty=1.0),
    boosting.Setting(learning_rate=0.1, most_leaves=8, columns=0.7, rows=0.8, penalty=5.0),
)
CELLS_OF_ONE_THREAD = 1_000_000  # below, threads wait for each other longer than they work; the result is the same

Grown = tuple[Any, int]  # the booster, and the rounds after which it answered best

# Bits of the text format's decision_type: include/LightGBM/tree.h.
IS_CATEGORY, DEFAULT_LEFT, MISSING_SHIFT, MISSING_IS_ZERO, MISSING_IS_NAN = 1, 2, 2, 1, 2
SMALLEST = float(np.float32(1e-35))  # kZeroThreshold in its meta.h: a number no further from 0 is taken for 0


def available() -> bool:
    """Say whether the library it needs is installed: LightGBM, with the extra ``baselines``."""
    return find_spec("lightgbm") is not None


def fit(
    train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
) -> Fitted:
    """Grow trees on the training rows; choose the setting and the number of rounds on the validation rows.

    Raises ExtraError when LightGBM is not installed.
    """
    problem = boosting.lay_out(train, truth, validation, check)
    if not problem.solvable:
        return Fitted(NAME, truth.classes, boosting.without_trees(truth), notes={"rounds": 0})
    options = _options(problem, bool(truth.classes), seed)
    rows = _datasets(problem, options)
    choice = choose(
        boosting.settings_for(problem, SETTINGS),
        lambda setting: _grow(problem, rows, options, setting),
        seconds=seconds,
    )
    booster, rounds = choice.result

    def answer(matrix: Matrix) -> Matrix:
        if len(matrix) == 0:  # LightGBM refuses
            return np.empty((0, truth.classes) if truth.classes else (0,))
        found = np.asarray(
            booster.predict(matrix[:, problem.features], num_iteration=rounds, num_threads=options["num_threads"])
        )
        if len(problem.present) == 2:
            found = np.stack([1.0 - found, found], axis=1)
        return spread_out(found, problem.present, truth.classes, 0.0) if truth.classes else found

    return Fitted(
        NAME,
        truth.classes,
        _read(booster.model_to_string(num_iteration=rounds), problem, truth.classes),
        notes=boosting.notes(choice.setting, rounds=rounds, tried=choice.tried),
        estimator=answer,
    )


def _options(problem: boosting.Problem, classify: bool, seed: int) -> dict[str, Any]:
    """Return what all settings share. ``deterministic`` and ``force_row_wise`` make sums independent of threads."""
    options: dict[str, Any] = {
        "objective": "regression" if not classify else "binary" if len(problem.present) == 2 else "multiclass",
        "metric": "l2" if not classify else "binary_logloss" if len(problem.present) == 2 else "multi_logloss",
        "min_data_in_leaf": boosting.least_rows_in_leaf(problem),
        "min_data_per_group": min(100, 5 * boosting.least_rows_in_leaf(problem)),  # 100 is LightGBM's default
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed % 2**31,
        "num_threads": 1 if problem.matrix.size < CELLS_OF_ONE_THREAD else 0,  # 0: as many as there are
        "verbosity": -1,
    }
    return options | ({"num_class": len(problem.present)} if options["objective"] == "multiclass" else {})


def _datasets(problem: boosting.Problem, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return LightGBM's binned training rows, and its validation rows or ``None``."""
    dataset = require("lightgbm", "baselines").Dataset
    rows = dataset(
        problem.matrix,
        problem.values,
        weight=problem.weights,
        categorical_feature=np.flatnonzero(problem.sizes > 0).tolist(),
        params=options,
        free_raw_data=False,
    )
    if len(problem.check_values) == 0:
        return rows, None
    return rows, rows.create_valid(problem.check_matrix, problem.check_values, weight=problem.check_weights)


def _grow(
    problem: boosting.Problem,
    rows: tuple[Any, Any],
    options: dict[str, Any],
    setting: boosting.Setting,
) -> tuple[float, Grown]:
    """Grow with one setting; return the loss on the validation rows after the best round, and what was grown."""
    lightgbm = require("lightgbm", "baselines")
    known, check = rows
    booster = lightgbm.train(
        options
        | {
            "learning_rate": setting.learning_rate,
            "num_leaves": setting.most_leaves,
            "feature_fraction": setting.columns,
            "bagging_fraction": setting.rows,
            "bagging_freq": 1 if setting.rows < 1 else 0,
            "lambda_l2": setting.penalty,
        },
        known,
        boosting.most_rounds(problem),
        valid_sets=[check] if check else None,
        callbacks=[lightgbm.early_stopping(boosting.PATIENCE, verbose=False)] if check else None,
    )
    if not check:
        return 0.0, (booster, booster.current_iteration())
    return booster.best_score["valid_0"][options["metric"]], (booster, booster.best_iteration)


def _read(text: str, problem: boosting.Problem, classes: int) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays out of LightGBM's text format, which writes numbers with all their digits."""
    targets = np.arange(problem.trees_of_a_round)
    base = np.zeros(1)  # LightGBM adds the mean to the leaves of the first tree
    if classes:
        base = spread_out(np.zeros((1, len(problem.present))), problem.present, classes, NEVER)[0]
        targets = problem.present[targets if len(targets) > 1 else [1]]  # one score for two classes: that of the second
    blocks = text.partition("\nend of trees")[0].split("\nTree=")[1:]
    trees = [_tree(block, int(targets[number % len(targets)]), problem.features) for number, block in enumerate(blocks)]
    return tree_arrays.assemble(trees, base)


def _tree(block: str, target: int, features: npt.NDArray[Any]) -> tree_arrays.Tree:
    """Read one tree: lines of ``name=numbers``."""
    lines = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)

    def numbers(name: str, kind: type[Any]) -> npt.NDArray[Any]:
        return np.array(lines.get(name, "").split(), dtype=kind)

    leaf = numbers("leaf_value", np.float64)
    if len(leaf) == 1:
        none = np.empty(0, dtype=np.int64)
        return tree_arrays.Tree(target, none, none.astype(float), none > 0, none, none, none, [], leaf)
    decision, threshold = numbers("decision_type", np.int64), numbers("threshold", np.float64)
    asks_set = (decision & IS_CATEGORY) > 0
    missing_kind = (decision >> MISSING_SHIFT) & 3
    if (missing_kind == MISSING_IS_ZERO).any():
        raise AssertionError("LightGBM was not asked to take zeros for missing values, yet its trees do.")
    # A number at the edge of what LightGBM takes for 0 lies above the threshold there, not on it.
    threshold = np.where(threshold == -SMALLEST, np.nextafter(-SMALLEST, -np.inf), threshold)
    # Where training rows lacked no value, LightGBM takes NaN for 0.
    missing = np.where(missing_kind == MISSING_IS_NAN, (decision & DEFAULT_LEFT) > 0, threshold >= 0.0)
    words = numbers("cat_threshold", np.int64).astype(np.uint32)
    bounds = numbers("cat_boundaries", np.int64)
    sets = [
        np.flatnonzero(np.unpackbits(words[start:end].view(np.uint8), bitorder="little")).astype(np.float64)
        for start, end in pairwise(bounds)
    ]
    return tree_arrays.Tree(
        target=target,
        feature=features[numbers("split_feature", np.int64)],
        threshold=np.where(asks_set, -np.inf, threshold),
        missing=missing & ~asks_set,
        set=np.where(asks_set, threshold, -1).astype(np.int64),
        yes=numbers("left_child", np.int64),
        no=numbers("right_child", np.int64),
        sets=sets,
        leaf=leaf,
    )


def predict(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer ``(row, feature)`` with ``(row,)`` scalars or ``(row, class)`` probabilities."""
    return tree_arrays.answers(fitted.arrays, fitted.classes, matrix)


def nodes(fitted: Fitted, source: str, answer: str) -> Fragment:
    """Write it as ONNX nodes; raises ExtraError when ``onnx`` is not installed."""
    drawing = Drawing(answer)
    drawing.link(tree_arrays.score_nodes(drawing, fitted.arrays, source), fitted.classes, output=answer)
    return drawing.fragment()
