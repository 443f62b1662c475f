"""A weighted sum of the columns: ridge regression, or multinomial logistic regression.

Features are scaled by median and spread, cut, filled and one-hot (:mod:`fathom.baselines.expanding`), so that one penalty
suits all of them and no mistyped number decides alone. The penalty is chosen on the validation rows, from strong to weak,
until it gets worse. The answer is ``expanded @ coefficients + intercept``, through a softmax for classes.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from fathom.baselines import expanding
from fathom.baselines.choosing import NEVER, choose, draw, loss, one_thread, part, shares, softmax, spread_out
from fathom.baselines.contract import Fitted, Fragment, Matrix, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features
from fathom.errors import require

NAME = "linear"
SUMMARY = "A weighted sum of the columns: ridge regression, or logistic regression for classes."
SOURCE = (
    "Hoerl and Kennard 1970, Ridge Regression, Technometrics 12(1), https://doi.org/10.1080/00401706.1970.10488634; "
    "fitted by scikit-learn (BSD-3-Clause): Ridge, and LogisticRegression with lbfgs."
)

# How strongly coefficients are pulled to 0, in rows: a penalty of 10 weighs like ten rows whose features say nothing.
PENALTIES = tuple(float(f"{10**power:.3g}") for power in (4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0, -0.5, -1, -1.5, -2))
CLASS_PENALTIES = (1000.0, 100.0, 10.0, 1.0, 0.1)
PENALTY_UNCHECKED = 1.0  # that of a table without validation rows: scikit-learn's own default
MOST_CELLS = 10_000_000  # 80 MB of expanded training rows; more rows than this allows are drawn by the seed
LEAST_ROWS = 5_000  # however many columns there are
MOST_STEPS = 300
SPARSE_BELOW = 0.3  # share of numbers other than 0; measured on adult (0.12): half the time of the full matrix

Model = tuple[Matrix, Matrix, Callable[[Matrix], Matrix]]  # coefficients, intercept, answer of the library


def available() -> bool:
    """Say whether the library it needs is installed: scikit-learn."""
    return find_spec("sklearn") is not None


def fit(
    train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
) -> Fitted:
    """Fit on the training rows (drawn by the seed when there are very many); choose the penalty on the validation rows.

    Raises ExtraError when scikit-learn is not installed.
    """
    with one_thread():
        expansion = expanding.learn(train)
        most = max(MOST_CELLS // max(expanding.width(expansion), 1), LEAST_ROWS)
        rows, checked = draw(truth, most, seed), draw(check, most, seed)
        expanded = expanding.expand(expansion, train.matrix[rows])
        unseen = expanding.expand(expansion, validation.matrix[checked])
        drawn, check = part(truth, rows), part(check, checked)
        fit_one = _logistic(expanded, drawn) if truth.classes else _ridge(expanded, drawn)

        def attempt(penalty: float) -> tuple[float, Model]:
            model = fit_one(penalty)
            return loss(_answer(unseen, model[0], model[1], truth.classes), check), model

        settings = CLASS_PENALTIES if truth.classes else PENALTIES
        if len(checked) == 0:
            settings = (PENALTY_UNCHECKED,)
        choice = choose(settings, attempt, seconds=seconds, patience=1 if truth.classes else 2)
    coefficients, intercept, answer = choice.result
    return Fitted(
        NAME,
        truth.classes,
        {**expansion, "coefficients": coefficients, "intercept": intercept},
        notes={"penalty": choice.setting, "settings tried": choice.tried, "training rows": len(rows)},
        estimator=lambda matrix: answer(expanding.expand(expansion, matrix)),
    )


def _ridge(expanded: Matrix, truth: Truth) -> Callable[[float], Model]:
    """Return a function from a penalty to a fitted model."""
    regression = require("sklearn.linear_model", "train").Ridge

    def fit_one(penalty: float) -> Model:
        model = regression(alpha=penalty, solver="cholesky")
        model.fit(expanded, truth.values, sample_weight=truth.weights)
        return model.coef_[:, None].astype(np.float64), np.array([model.intercept_], dtype=np.float64), model.predict

    return fit_one


def _logistic(expanded: Matrix, truth: Truth) -> Callable[[float], Model]:
    """Return a function from a penalty to a fitted model, which goes on from where the last one ended."""
    codes, classes = truth.values.astype(np.int64), truth.classes
    present = np.unique(codes)
    if len(present) == 1:  # one class in all rows, however many there could be: nothing to separate
        nothing = np.zeros((expanded.shape[1], classes)), np.log(shares(truth))
        return lambda penalty: (*nothing, lambda matrix: softmax(np.tile(nothing[1], (len(matrix), 1))))
    model: Any = require("sklearn.linear_model", "train").LogisticRegression(warm_start=True, max_iter=MOST_STEPS)
    filled = np.count_nonzero(expanded) / max(expanded.size, 1)
    columns = require("scipy.sparse", "train").csr_array(expanded) if filled < SPARSE_BELOW else expanded

    def fit_one(penalty: float) -> Model:
        model.set_params(C=1.0 / penalty)
        with warnings.catch_warnings():  # a fit stopped at MOST_STEPS is judged on the validation rows like any other
            warnings.simplefilter("ignore")
            model.fit(columns, codes, sample_weight=truth.weights)
        coefficients, intercept = model.coef_, model.intercept_
        if len(present) == 2:  # one line of coefficients for two classes: the scores of the first are 0
            coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
            intercept = np.concatenate([np.zeros_like(intercept), intercept])
        frozen = _frozen(model)
        return (
            spread_out(coefficients.T, present, classes, 0.0),
            spread_out(intercept[None], present, classes, NEVER)[0],
            lambda matrix: spread_out(frozen.predict_proba(matrix), present, classes, 0.0),
        )

    return fit_one


def _frozen(model: Any) -> Any:
    """Copy a fitted model, which the next penalty would change; its arrays are replaced, never written to."""
    import copy

    return copy.copy(model)


def predict(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer ``(row, feature)`` with ``(row,)`` scalars or ``(row, class)`` probabilities."""
    arrays = fitted.arrays
    return _answer(expanding.expand(arrays, matrix), arrays["coefficients"], arrays["intercept"], fitted.classes)


def _answer(expanded: Matrix, coefficients: Matrix, intercept: Matrix, classes: int) -> Matrix:
    scores = expanded @ coefficients + intercept
    return softmax(scores) if classes else np.asarray(scores[:, 0])


def nodes(fitted: Fitted, source: str, answer: str) -> Fragment:
    """Write it as ONNX nodes; raises ExtraError when ``onnx`` is not installed."""
    drawing = Drawing(answer)
    expanded = expanding.expand_nodes(drawing, fitted.arrays, source)
    products = drawing.node("MatMul", expanded, drawing.constant(fitted.arrays["coefficients"]))
    scores = drawing.node("Add", products, drawing.constant(fitted.arrays["intercept"]))
    drawing.link(scores, fitted.classes, output=answer)
    return drawing.fragment()
