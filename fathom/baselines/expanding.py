"""Turns features into numbers of one size for models that add and measure: scaled, filled, one-hot.

Four blocks of columns stand side by side:

========== =======================================================================================================
numeric    ``(value - middle) * scale``, cut at ±``LIMIT``; the middle, so 0, where the value is not known
missing    1 where the value is not known, for features that lack some training values
category   one-hot, the ``MOST_CATEGORIES`` most frequent of the training rows
other      1 where the category is none of those: rare, unseen, or no category at all
========== =======================================================================================================

What was learned is a dictionary of arrays, each named ``expansion.…``, that a baseline keeps among its own.
Middle and scale are the median and the spread of the inner nine tenths, so that mistyped numbers do not move them, and
the cut keeps a mistyped number in a new row from deciding its answer alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.contract import Matrix
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features

LIMIT = 5.0  # of our own choice, in standard deviations; 1 in 1.7 million of a bell curve lies beyond
MOST_CATEGORIES = 50  # per feature

_INNER = 1.6449  # a bell curve holds 90 % within this many standard deviations

Arrays = Mapping[str, npt.NDArray[Any]]


def learn(features: Features) -> dict[str, npt.NDArray[Any]]:
    """Learn middles, scales and categories from the training rows ``(row, feature)``."""
    sizes = np.asarray(features.sizes, dtype=np.int64)
    numeric, category = np.flatnonzero(sizes == 0), np.flatnonzero(sizes > 0)
    numbers = features.matrix[:, numeric]
    gaps = np.isnan(numbers)
    middle_and_scale = [_middle_and_scale(column[np.isfinite(column)]) for column in numbers.T]
    kept = [_frequent(features.matrix[:, feature]) for feature in category]
    return {
        "expansion.numeric": numeric,
        "expansion.middle": np.array([middle for middle, _ in middle_and_scale], dtype=np.float64),
        "expansion.scale": np.array([scale for _, scale in middle_and_scale], dtype=np.float64),
        "expansion.missing": numeric[gaps.any(axis=0) & ~gaps.all(axis=0)],
        "expansion.category": category,
        "expansion.code": np.concatenate([np.empty(0), *kept]),
        # which of the category features, counted from 0, each one-hot column belongs to
        "expansion.owner": np.repeat(np.arange(len(category)), [len(codes) for codes in kept]),
    }


def _middle_and_scale(values: Matrix) -> tuple[float, float]:
    """Return the median and 1 / spread; the scale of a constant is 0, so that it says nothing in new rows either."""
    if len(values) == 0:
        return 0.0, 0.0
    middle = float(np.median(values))
    spread = float(np.subtract(*np.percentile(values, [95.0, 5.0]))) / (2 * _INNER)
    others = values[values != middle]
    if spread == 0 and len(others):  # mostly one value: what remains sets the scale
        with np.errstate(over="ignore"):
            spread = float(np.percentile(np.abs(others - middle), 90.0)) / _INNER
    return middle, 1.0 / spread if 0 < spread < np.inf and 1.0 / spread < np.inf else 0.0


def _frequent(codes: Matrix) -> Matrix:
    """Return the most frequent codes, rising; of equally frequent ones the lower."""
    found, counts = np.unique(codes, return_counts=True)
    return np.sort(found[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])


def width(arrays: Arrays) -> int:
    """Return the number of columns that :func:`expand` writes."""
    return sum(len(arrays[f"expansion.{block}"]) for block in ("numeric", "missing", "code", "category"))


def expand(arrays: Arrays, matrix: Matrix, *, category: float = 1.0) -> Matrix:
    """Expand ``(row, feature)`` to ``(row, column)``, finite whatever stands in the rows.

    ``category`` is written in place of 1 in the one-hot columns and those of other categories.

    >>> features = Features(np.array([[1.0, 0], [2, 1], [3, 1]]), ("age", "job"), (0, 2))
    >>> expand(learn(features), np.array([[2.0, 0.0], [np.nan, 7.0]])).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    numeric, missing, codes = arrays["expansion.numeric"], arrays["expansion.missing"], arrays["expansion.code"]
    columns = np.zeros((len(matrix), width(arrays)))
    with np.errstate(over="ignore", invalid="ignore"):  # infinite, then cut
        scaled = (matrix[:, numeric] - arrays["expansion.middle"]) * arrays["expansion.scale"]
    columns[:, : len(numeric)] = np.clip(np.where(np.isnan(scaled), 0.0, scaled), -LIMIT, LIMIT)
    columns[:, len(numeric) : len(numeric) + len(missing)] = np.isnan(matrix[:, missing])
    first = len(numeric) + len(missing)
    for number, feature in enumerate(arrays["expansion.category"]):
        start, end = np.searchsorted(arrays["expansion.owner"], [number, number + 1])
        values = matrix[:, feature]
        nearest = np.minimum(start + np.searchsorted(codes[start:end], values), end - 1)
        one = np.where(codes[nearest] == values, nearest, len(codes) + number)
        columns[np.arange(len(matrix)), first + one] = category
    return columns


def _belongs(arrays: Arrays) -> Matrix:
    """Return ``(one-hot column, category feature)``: 1 where the column is of the feature."""
    owner = arrays["expansion.owner"]
    return np.asarray((owner[:, None] == np.arange(len(arrays["expansion.category"]))).astype(np.float64))


def expand_nodes(drawing: Drawing, arrays: Arrays, source: str, *, category: float = 1.0) -> str:
    """Draw :func:`expand` for the input ``source``; return the name of its output."""
    blocks = []
    if len(arrays["expansion.numeric"]):
        values = _columns(drawing, source, arrays["expansion.numeric"])
        centred = drawing.node("Sub", values, drawing.constant(arrays["expansion.middle"]))
        scaled = drawing.node("Mul", centred, drawing.constant(arrays["expansion.scale"]))
        unknown = drawing.node("IsNaN", scaled)
        filled = drawing.node("Where", unknown, drawing.constant(np.array(0.0)), scaled)
        limits = [drawing.constant(np.array(limit)) for limit in (-LIMIT, LIMIT)]
        blocks.append(drawing.node("Clip", filled, *limits))
    if len(arrays["expansion.missing"]):
        values = _columns(drawing, source, arrays["expansion.missing"])
        blocks.append(_doubles(drawing, drawing.node("IsNaN", values)))
    if len(arrays["expansion.category"]):
        features = arrays["expansion.category"][arrays["expansion.owner"]]
        equal = drawing.node(
            "Equal", _columns(drawing, source, features), drawing.constant(arrays["expansion.code"][None])
        )
        one_hot = _doubles(drawing, equal)
        kept = drawing.node("MatMul", one_hot, drawing.constant(_belongs(arrays)))
        other = drawing.node("Sub", drawing.constant(np.array(1.0)), kept)
        both = drawing.node("Concat", one_hot, other, attributes={"axis": 1})
        blocks.append(drawing.node("Mul", both, drawing.constant(np.array(category))))
    return blocks[0] if len(blocks) == 1 else drawing.node("Concat", *blocks, attributes={"axis": 1})


def _columns(drawing: Drawing, source: str, features: npt.NDArray[Any]) -> str:
    return drawing.node("Gather", source, drawing.constant(features.astype(np.int64)), attributes={"axis": 1})


def _doubles(drawing: Drawing, source: str) -> str:
    return drawing.node("Cast", source, attributes={"to": 11})  # onnx.TensorProto.DOUBLE
