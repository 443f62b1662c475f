"""The same answer for every row: the mean, or each class's share.

What every other model must beat; a model that does not has learned nothing.
"""

from importlib.util import find_spec

import numpy as np

from fathom.baselines.choosing import shares
from fathom.baselines.contract import Fitted, Fragment, Matrix, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features

NAME = "constant"
SUMMARY = "The same answer for every row: the mean, or each class's share of the training rows."
SOURCE = "Ours; the mean is the constant with the least squared error, the shares those with the least log loss."


def available() -> bool:
    """Say whether the library it needs is installed: NumPy always is."""
    return find_spec("numpy") is not None


def fit(
    train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
) -> Fitted:
    """Average the training rows; there is nothing to tune, so the validation rows, seed and time are not used."""
    answer = shares(truth) if truth.classes else np.array([np.average(truth.values, weights=truth.weights)])
    return Fitted(
        NAME,
        truth.classes,
        {"answer": answer},
        estimator=lambda matrix: np.repeat(answer[None], len(matrix), axis=0).reshape(
            (len(matrix), truth.classes) if truth.classes else (len(matrix),)
        ),
    )


def predict(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer ``(row, feature)`` with ``(row,)`` scalars or ``(row, class)`` probabilities."""
    answer = fitted.arrays["answer"]
    return np.tile(answer, (len(matrix), 1)) if fitted.classes else np.repeat(answer, len(matrix))


def nodes(fitted: Fitted, source: str, answer: str) -> Fragment:
    """Write it as ONNX nodes; raises ExtraError when ``onnx`` is not installed."""
    drawing = Drawing(answer)
    values = fitted.arrays["answer"]
    drawing.repeat(source, values[None] if fitted.classes else values, output=answer)
    return drawing.fragment()
