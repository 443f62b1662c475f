"""Boosted decision trees on binned columns, as scikit-learn grows them.

Missing values and categories are split on as they are. Growing stops when the validation rows are no longer answered better.
What is learned is read out of the fitted trees into arrays (:mod:`fathom.baselines.tree_arrays`).
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines import boosting, tree_arrays
from fathom.baselines.choosing import NEVER, choose, one_thread, spread_out
from fathom.baselines.contract import Fitted, Fragment, Matrix, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features
from fathom.errors import require

NAME = "boosted trees"
SUMMARY = "Several hundred small decision trees, each grown to correct those before it, by scikit-learn."
SOURCE = (
    "Friedman 2001, Greedy Function Approximation, Annals of Statistics 29(5), https://doi.org/10.1214/aos/1013203451; "
    "grown by scikit-learn (BSD-3-Clause): HistGradientBoosting."
)

SETTINGS = (
    boosting.Setting(learning_rate=0.1, most_leaves=31, columns=1.0, rows=1.0, penalty=1.0),
    boosting.Setting(learning_rate=0.1, most_leaves=8, columns=0.5, rows=1.0, penalty=5.0),
    boosting.Setting(learning_rate=0.05, most_leaves=31, columns=0.5, rows=1.0, penalty=1.0),
)
MOST_CATEGORIES = 254  # per feature, of 255 bins; rarer ones count as missing

Grown = tuple[Any, int]  # the estimator, and the rounds after which it answered best


def available() -> bool:
    """Say whether the library it needs is installed: scikit-learn."""
    return find_spec("sklearn") is not None


def fit(
    train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
) -> Fitted:
    """Grow trees on the training rows; choose the setting and the number of rounds on the validation rows.

    Raises ExtraError when scikit-learn is not installed.
    """
    problem = boosting.lay_out(train, truth, validation, check)
    if not problem.solvable:
        return Fitted(NAME, truth.classes, boosting.without_trees(truth), notes={"rounds": 0})
    matrix, check_matrix = _fewer_categories(problem)
    with one_thread():
        choice = choose(
            boosting.settings_for(problem, SETTINGS),
            lambda setting: _grow(problem, matrix, check_matrix, setting, bool(truth.classes), seed),
            seconds=seconds,
        )
    estimator, rounds = choice.result
    estimator._predictors = estimator._predictors[:rounds]  # what was grown after the best round was not worth it

    def answer(rows: Matrix) -> Matrix:
        rows = rows[:, problem.features]
        if not truth.classes:
            return np.asarray(estimator.predict(rows))
        return spread_out(estimator.predict_proba(rows), problem.present, truth.classes, 0.0)

    return Fitted(
        NAME,
        truth.classes,
        _read(estimator, problem, truth.classes),
        notes=boosting.notes(choice.setting, rounds=rounds, tried=choice.tried),
        estimator=answer,
    )


def _fewer_categories(problem: boosting.Problem) -> tuple[Matrix, Matrix]:
    """Return training and validation matrix with the rarest categories of very many set to NaN."""
    matrix, check_matrix = problem.matrix, problem.check_matrix
    for feature in np.flatnonzero(problem.sizes > MOST_CATEGORIES):
        codes, counts = np.unique(matrix[:, feature], return_counts=True)
        kept = codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]]
        for rows in (matrix, check_matrix):
            rows[~np.isin(rows[:, feature], kept), feature] = np.nan
    return matrix, check_matrix


def _grow(
    problem: boosting.Problem,
    matrix: Matrix,
    check_matrix: Matrix,
    setting: boosting.Setting,
    classify: bool,
    seed: int,
) -> tuple[float, Grown]:
    """Grow with one setting; return the loss on the validation rows after the best round, and what was grown."""
    ensemble = require("sklearn.ensemble", "train")
    kind = ensemble.HistGradientBoostingClassifier if classify else ensemble.HistGradientBoostingRegressor
    checked = len(problem.check_values) > 0
    estimator = kind(
        learning_rate=setting.learning_rate,
        max_leaf_nodes=setting.most_leaves,
        max_features=setting.columns,
        l2_regularization=setting.penalty,
        max_iter=boosting.most_rounds(problem),
        min_samples_leaf=boosting.least_rows_in_leaf(problem),
        categorical_features=problem.sizes > 0,
        early_stopping=checked,
        n_iter_no_change=boosting.PATIENCE,
        tol=0.0,
        random_state=seed % 2**32,
    )
    if not checked:
        estimator.fit(matrix, problem.values, problem.weights)
        return 0.0, (estimator, boosting.ROUNDS_UNCHECKED)
    estimator.fit(
        matrix,
        problem.values,
        problem.weights,
        X_val=check_matrix,
        y_val=problem.check_values,
        sample_weight_val=problem.check_weights,
    )
    rounds = int(np.argmax(estimator.validation_score_))  # entry 0 is the score before any tree
    return -float(estimator.validation_score_[rounds]), (estimator, rounds)


def _read(estimator: Any, problem: boosting.Problem, classes: int) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays out of a fitted estimator.

    With categories, scikit-learn puts their columns first and numbers the categories of each anew.
    """
    categorical = problem.sizes > 0
    columns = np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
    encoder = estimator._preprocessor.named_transformers_["encoder"] if categorical.any() else None
    codes = [found[~np.isnan(found)] for found in encoder.categories_] if encoder else []
    base = estimator._baseline_prediction[0]
    targets = np.arange(len(base))
    if classes:
        if len(base) == 1:  # one score for two classes: that of the first is 0
            base, targets = np.array([0.0, base[0]]), np.array([1])
        base = spread_out(base[None], problem.present, classes, NEVER)[0]
        targets = problem.present[targets]
    trees = [
        _tree(predictor, int(target), problem.features[columns], dict(enumerate(codes)))
        for predictors in estimator._predictors
        for predictor, target in zip(predictors, targets, strict=True)
    ]
    return tree_arrays.assemble(trees, base)


def _tree(
    predictor: Any, target: int, features: npt.NDArray[Any], codes: Mapping[int, npt.NDArray[np.float64]]
) -> tree_arrays.Tree:
    """Read one tree. A value that no set knows goes where missing values go, which must be "no": so some sets swap sides."""
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    number = np.where(is_leaf, -np.cumsum(is_leaf), np.cumsum(~is_leaf) - 1)
    splits = nodes[~is_leaf]
    left, right = number[splits["left"]], number[splits["right"]]
    missing = splits["missing_go_to_left"].astype(np.bool_)
    asks_set = splits["is_categorical"].astype(np.bool_)
    threshold = np.where(asks_set, -np.inf, splits["num_threshold"])
    bits = np.unpackbits(predictor.raw_left_cat_bitsets.view(np.uint8), axis=1, bitorder="little").astype(np.bool_)
    sets: list[npt.NDArray[np.float64]] = []
    of = np.full(len(splits), -1)
    for position in np.flatnonzero(asks_set):
        known = codes[int(splits["feature_idx"][position])]
        goes_left = bits[splits["bitset_idx"][position], : len(known)]
        members = known[goes_left != missing[position]]
        if len(members):  # otherwise no value is at most -infinity: all go to "no" as well
            of[position] = len(sets)
            sets.append(members)
    swapped = asks_set & missing
    return tree_arrays.Tree(
        target=target,
        feature=features[splits["feature_idx"]],
        threshold=threshold,
        missing=missing & ~asks_set,
        set=of,
        yes=np.where(swapped, right, left),
        no=np.where(swapped, left, right),
        sets=sets,
        leaf=nodes["value"][is_leaf].astype(np.float64),
    )


def predict(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer ``(row, feature)`` with ``(row,)`` scalars or ``(row, class)`` probabilities."""
    return tree_arrays.answers(fitted.arrays, fitted.classes, matrix)


def nodes(fitted: Fitted, source: str, answer: str) -> Fragment:
    """Write it as ONNX nodes; raises ExtraError when ``onnx`` is not installed."""
    drawing = Drawing(answer)
    drawing.link(tree_arrays.score_nodes(drawing, fitted.arrays, source), fitted.classes, output=answer)
    return drawing.fragment()
