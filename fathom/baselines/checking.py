"""Tries whether a baseline keeps the contract; run it over your own.

``problems(my_module)`` fits small planted tables and returns what is broken, in sentences.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from fathom.baselines.choosing import loss, shares
from fathom.baselines.contract import Baseline, Fitted, Matrix, Truth
from fathom.baselines.graph import onnx_model
from fathom.data.modalities.contract import Features
from fathom.errors import require

PARITY = 1e-6  # how far arrays, estimator and ONNX may differ, relative, and absolute below 1
ROWS = 300
HOSTILE = (np.nan, 1e30, -1e30, np.inf, -np.inf, 0.0)


def planted(classes: int, rows: int, seed: int) -> tuple[Features, Truth]:
    """Make a table whose truth depends on a number, a number with gaps, and a category; a fourth column is constant."""
    draw = np.random.default_rng(seed)
    number, gaps = draw.normal(size=(2, rows))
    job = draw.integers(0, 6, rows)
    known = np.where(draw.random(rows) < 0.2, np.nan, gaps)
    score = number + np.where(np.isnan(known), 1.0, 0.5 * known) + np.array([-2.0, 0, 2, -1, 1, 0])[job]
    score = (score - 0.2) / 2.0 + draw.normal(size=rows) * 0.1
    values = np.digitize(score, [(cut - classes / 2) / classes * 2 for cut in range(1, classes)]) if classes else score
    matrix = np.stack([number, known, job, np.full(rows, 7.0)], axis=1)
    return Features(matrix, ("number", "gaps", "job", "same"), (0, 0, 8, 0)), Truth(values, classes)


def hostile(features: Features, rows: int, seed: int) -> Matrix:
    """Draw rows of a table and put into a third of their cells what tables should not hold: see ``HOSTILE``.

    Categories become NaN, a code below 0, or one beyond all.
    """
    draw = np.random.default_rng(seed)
    matrix = features.matrix[draw.integers(0, len(features.matrix), rows)]
    struck = draw.random(matrix.shape) < 1 / 3
    sizes = np.asarray(features.sizes)
    numbers = draw.choice(HOSTILE, matrix.shape)
    categories = np.choose(draw.integers(0, 3, matrix.shape), [np.nan, -1.0, sizes + 3.0])
    return np.where(struck, np.where(sizes > 0, categories, numbers), matrix)


def problems(baseline: Baseline) -> list[str]:
    """Return what the baseline breaks of the contract, in sentences: none if it keeps it, or its library is not installed.

    >>> from fathom.baselines import constant
    >>> problems(constant)
    []
    """
    found = [
        f"{name} must be a text that is not empty."
        for name in ("NAME", "SUMMARY", "SOURCE")
        if not isinstance(getattr(baseline, name, None), str) or not getattr(baseline, name)
    ]
    if not baseline.available():
        return found
    for classes in (0, 2, 3):
        found += [f"With {classes} classes: {problem}" for problem in _problems_with(baseline, classes)]
    return found


def _problems_with(baseline: Baseline, classes: int) -> Iterator[str]:
    train, truth = planted(classes, ROWS, seed=1)
    validation, check = planted(classes, ROWS // 3, seed=2)
    before = train.matrix.copy(), validation.matrix.copy(), truth.values.copy()
    first, second = (baseline.fit(train, truth, validation, check, seed=5, seconds=None) for _ in range(2))
    after = train.matrix, validation.matrix, truth.values
    if not all(np.array_equal(was, now, equal_nan=True) for was, now in zip(before, after, strict=True)):
        yield "'fit' changed the rows it was given."
    yield from _problems_of_fitted(baseline, first, second, classes)
    rows = np.concatenate([validation.matrix, hostile(train, ROWS, seed=3)])
    kept = rows.copy()
    answer = baseline.predict(first, rows)
    if not np.array_equal(rows, kept, equal_nan=True):
        yield "'predict' changed the rows it was given."
    misshapen = list(_problems_of_answer(answer, len(rows), classes))
    if misshapen:  # what is compared with it below would fail for the same reason
        yield from misshapen
        return
    constant = (
        np.tile(shares(truth), (len(check.values), 1)) if classes else np.full(len(check.values), truth.values.mean())
    )
    if loss(answer[: len(check.values)], check) > loss(constant, check) * (1 + PARITY):
        yield "The answers are worse than the same answer for every row, though the truth hangs on the columns."
    if not _near(baseline.predict(first, rows[7:8]), answer[7:8]):
        yield "A row's answer hangs on the rows beside it."
    if np.shape(baseline.predict(first, rows[:0])) != ((0, classes) if classes else (0,)):
        yield "'predict' must answer no rows with no answers."
    if first.estimator is not None and not _near(first.estimator(rows), answer):
        yield "'predict' and the estimator differ."
    yield from _problems_of_onnx(baseline, first, rows, answer)


def _problems_of_fitted(baseline: Baseline, first: Fitted, second: Fitted, classes: int) -> Iterator[str]:
    if (first.baseline, first.classes) != (baseline.NAME, classes):
        yield f"'fit' must pass on the name and the number of classes, not {(first.baseline, first.classes)}."
    for name, array in first.arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            yield f"The array {name!r} must be a NumPy array of numbers or yes/no."
        elif name not in second.arrays or not np.array_equal(array, second.arrays[name], equal_nan=True):
            yield f"The same rows and seed gave two different arrays {name!r}."
    for name, values in (("settings", first.settings), ("notes", first.notes)):
        try:
            json.dumps(dict(values), allow_nan=False)
        except (TypeError, ValueError):
            yield f"'{name}' must hold only what JSON can: texts, finite numbers, yes/no, null, and lists of them."


def _problems_of_answer(answer: Any, rows: int, classes: int) -> Iterator[str]:
    shape = (rows, classes) if classes else (rows,)
    if np.shape(answer) != shape:
        yield f"'predict' answers with the shape {np.shape(answer)} instead of {shape}."
    elif not np.isfinite(answer).all():
        yield "'predict' answers with numbers that are not finite."
    elif classes and not (np.all(answer >= 0) and np.allclose(answer.sum(axis=1), 1.0, rtol=0, atol=1e-9)):
        yield "Class probabilities must be at least 0 and sum to 1 in each row."


def _problems_of_onnx(baseline: Baseline, fitted: Fitted, rows: Matrix, answer: Matrix) -> Iterator[str]:
    runtime = require("onnxruntime", "train")
    fragment = baseline.nodes(fitted, "features", "price")
    names = [name for node in fragment.nodes for name in node.output] + [each.name for each in fragment.initializers]
    strays = [name for name in names if not name.startswith("price")]
    if strays:
        yield f"ONNX names must start with the name of the answer, unlike {strays[0]!r}."
    model = onnx_model([(fragment, "price", fitted.classes)], rows.shape[1])
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["price"], {"features": rows})
    if not _near(found, answer):
        yield "'predict' and ONNX differ."


def _near(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and bool(np.allclose(one, other, rtol=PARITY, atol=PARITY))
