"""The answers of the training rows that are most like a row, averaged; the nearer, the more they count.

Features are scaled, filled and one-hot (:mod:`fathom.baselines.expanding`); two different categories are one apart. From the
squared distance ``s`` to the k-th nearest reference row follows the weight of every reference row at squared distance
``d``: ``max(0, REACH * s - d)``, Epanechnikov's kernel with a width that suits each row. So the answer hangs
smoothly on the distances: rows equally far count equally, and no rounding decides which of them is "the k-th".
Class probabilities are then drawn towards the shares of the training rows, by so much as suits the validation rows.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines import expanding
from fathom.baselines.choosing import choose, draw, loss, one_thread, part, shares
from fathom.baselines.contract import Fitted, Fragment, Matrix, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features
from fathom.errors import require

NAME = "nearest neighbours"
SUMMARY = "The answers of the training rows that are most like a row, averaged."
SOURCE = (
    "Cover and Hart 1967, Nearest Neighbor Pattern Classification, IEEE Trans. Inf. Theory 13(1), "
    "https://doi.org/10.1109/TIT.1967.1053964; the kernel: Epanechnikov 1969, https://doi.org/10.1137/1114019."
)

NEIGHBOURS = (15, 5, 45, 2)
DRAWN_TO_ALL = (0.0, 0.01, 0.03, 0.1, 0.3)  # how much of the answer is the mean or the shares of all training rows
LEAST_DRAWN = 0.01  # for classes, so that no probability is 0
REACH = 1.25  # tuned on twelve public tables: 1.1 to 1.5 differ little, 2 is worse
NEAREST = 1e-4  # added to the squared reach, so that rows equal to the k-th nearest count as well
CATEGORY = 0.5**0.5  # two one-hot columns differ by it, so that their squared distance is 1

LEAST_WEIGHT = 1e-6  # of a row whose weight is 0: where all near rows are such, they still are the nearest
MOST_REFERENCES = 4_000
MOST_CHECKED = 2_000
MOST_AT_ONCE = 1_000_000  # (row, reference) pairs: 8 MB


def available() -> bool:
    """Say whether the library it needs is installed: scikit-learn, whose distances prove ours."""
    return find_spec("sklearn") is not None


def fit(
    train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
) -> Fitted:
    """Draw the reference rows by the seed; choose how many neighbours count on the validation rows.

    Raises ExtraError when scikit-learn is not installed.
    """
    with one_thread():
        rows, checked = draw(truth, MOST_REFERENCES, seed), draw(check, MOST_CHECKED, seed)
        known = part(truth, rows)
        weights = np.ones(len(rows)) if known.weights is None else known.weights
        arrays: dict[str, npt.NDArray[Any]] = {
            **expanding.learn(train),
            "reference": train.matrix[rows],
            "outcome": known.values.astype(np.int64 if truth.classes else np.float64),
            "weight": np.maximum(weights, LEAST_WEIGHT),
            "all": shares(truth) if truth.classes else np.array([np.average(truth.values, weights=truth.weights)]),
        }
        unseen, check = validation.matrix[checked], part(check, checked)

        counts = [count for count in NEIGHBOURS if count <= len(rows)] or [len(rows)]
        near = dict(zip(counts, _near(arrays, unseen, counts), strict=True))

        def attempt(setting: tuple[int, float]) -> tuple[float, None]:
            count, share = setting
            return loss(_shape(_draw_in(near[count], arrays["all"], share), truth.classes), check), None

        shares_drawn = [share for share in DRAWN_TO_ALL if share >= LEAST_DRAWN or not truth.classes]
        choice = choose([(count, share) for count in counts for share in shares_drawn], attempt, seconds=seconds)
    settings = dict(zip(("neighbours", "drawn to all"), choice.setting, strict=True))
    return Fitted(
        NAME,
        truth.classes,
        arrays,
        settings=settings,
        notes={**settings, "reference rows": len(rows), "settings tried": choice.tried},
        estimator=lambda matrix: _measured(Fitted(NAME, truth.classes, arrays, settings), matrix),
    )


def _outcomes(arrays: expanding.Arrays) -> Matrix:
    """Return what each reference row adds, ``(reference, output + 1)``: weighted outcomes, and last its weight."""
    outcome, weight = arrays["outcome"], arrays["weight"]
    columns = len(arrays["all"])
    values = (outcome[:, None] == np.arange(columns)).astype(np.float64) if columns > 1 else outcome[:, None]
    return np.concatenate([values, np.ones((len(outcome), 1))], axis=1) * weight[:, None]


def _near(arrays: expanding.Arrays, matrix: Matrix, counts: Sequence[int]) -> list[Matrix]:
    """Return the weighted means of the near reference rows, ``(row, output)``, for each number of neighbours."""
    reference = expanding.expand(arrays, arrays["reference"], category=CATEGORY)
    length = np.square(reference).sum(axis=1)
    outcomes = _outcomes(arrays)
    answers = [np.empty((len(matrix), outcomes.shape[1] - 1)) for _ in counts]
    step = max(1, MOST_AT_ONCE // len(reference))
    for start in range(0, len(matrix), step):
        rows = expanding.expand(arrays, matrix[start : start + step], category=CATEGORY)
        squared = rows @ reference.T  # (row, reference)
        squared *= -2.0
        squared += length
        squared += np.square(rows).sum(axis=1)[:, None]
        np.maximum(squared, 0.0, out=squared)
        ordered = np.partition(squared, [count - 1 for count in counts], axis=1)
        for answer, count in zip(answers, counts, strict=True):
            answer[start : start + step] = _average(squared, ordered[:, count - 1 : count], outcomes)
    return answers


def _average(squared: Matrix, kth: Matrix, outcomes: Matrix) -> Matrix:
    """Average outcomes by squared distances ``(row, reference)``; ``kth (row, 1)`` is that to the k-th nearest."""
    weights = kth * REACH + NEAREST - squared
    np.maximum(weights, 0.0, out=weights)
    sums = weights @ outcomes
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def _draw_in(near: Matrix, everywhere: npt.NDArray[np.float64], share: float) -> Matrix:
    return (1.0 - share) * near + share * everywhere


def _shape(answer: Matrix, classes: int) -> Matrix:
    return answer if classes else answer[:, 0]


def _measured(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer as :func:`predict` does, from distances that scikit-learn measures one pair at a time."""
    measure = require("sklearn.metrics", "train").DistanceMetric.get_metric("euclidean")
    arrays = fitted.arrays
    reference, rows = (expanding.expand(arrays, part, category=CATEGORY) for part in (arrays["reference"], matrix))
    outcomes = _outcomes(arrays)
    near = np.empty((len(rows), outcomes.shape[1] - 1))
    nearest = fitted.settings["neighbours"] - 1
    step = max(1, MOST_AT_ONCE // len(reference))
    for start in range(0, len(rows), step):
        squared = np.square(measure.pairwise(rows[start : start + step], reference))
        near[start : start + step] = _average(squared, np.sort(squared, axis=1)[:, nearest : nearest + 1], outcomes)
    return _shape(_draw_in(near, arrays["all"], fitted.settings["drawn to all"]), fitted.classes)


def predict(fitted: Fitted, matrix: Matrix) -> Matrix:
    """Answer ``(row, feature)`` with ``(row,)`` scalars or ``(row, class)`` probabilities."""
    (near,) = _near(fitted.arrays, matrix, [fitted.settings["neighbours"]])
    return _shape(_draw_in(near, fitted.arrays["all"], fitted.settings["drawn to all"]), fitted.classes)


def nodes(fitted: Fitted, source: str, answer: str) -> Fragment:
    """Write it as ONNX nodes; raises ExtraError when ``onnx`` is not installed.

    The nodes hold ``row x reference`` doubles at a time: ask for about a thousand rows at once.
    """
    arrays, share = fitted.arrays, fitted.settings["drawn to all"]
    drawing = Drawing(answer)

    def constant(value: float) -> str:
        return drawing.constant(np.array(value))

    rows = expanding.expand_nodes(drawing, arrays, source, category=CATEGORY)
    reference = drawing.constant(expanding.expand(arrays, arrays["reference"], category=CATEGORY))
    turned = drawing.node("Transpose", reference, attributes={"perm": [1, 0]})
    products = drawing.node("MatMul", rows, drawing.node("Mul", turned, constant(-2.0)))
    lengths = [
        drawing.node("ReduceSumSquare", side, drawing.constant(np.array([axis])), attributes={"keepdims": 1})
        for side, axis in ((rows, 1), (turned, 0))
    ]
    squared = drawing.node("Max", drawing.node("Sum", products, *lengths), constant(0.0))
    count = drawing.constant(np.array([fitted.settings["neighbours"]]))
    found = drawing.node("TopK", squared, count, attributes={"axis": 1, "largest": 0}, of=2)  # distances, numbers
    nearest = f"{found}/0"
    last = drawing.node("Gather", nearest, drawing.constant(np.array([-1])), attributes={"axis": 1})
    reach = drawing.node("Add", drawing.node("Mul", last, constant(REACH)), constant(NEAREST))
    weights = drawing.node("Max", drawing.node("Sub", reach, squared), constant(0.0))
    sums = drawing.node("MatMul", weights, drawing.constant(_outcomes(arrays)))
    columns = len(arrays["all"])
    values, total = (
        drawing.node("Gather", sums, drawing.constant(part), attributes={"axis": 1})
        for part in (np.arange(columns), np.array([columns]))
    )
    near = drawing.node("Mul", drawing.node("Div", values, total), constant(1.0 - share))
    mixed = drawing.node(
        "Add", near, drawing.constant(share * arrays["all"][None]), output=answer if fitted.classes else None
    )
    if not fitted.classes:
        drawing.link(mixed, 0, output=answer)
    return drawing.fragment()
