"""How far methods agree: whether they put the pieces of a row into the same order.

Methods that disagree are no scandal, they answer different questions; but reasons on which they agree are worth more. Source: Krishna et al., "The Disagreement Problem in
Explainable Machine Learning", TMLR 2024 (https://arxiv.org/abs/2202.01602); rank correlation: Spearman, American Journal of Psychology 15, 1904.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from fathom.reasons.contract import Floats


def agreement(values: Mapping[str, Floats]) -> list[dict[str, object]]:
    """Return the rank correlation of the shares of each pair of methods; ``None`` where a method gives all pieces the same.

    >>> agreement({"shap": np.array([3.0, 1.0, 0.0]), "lime": np.array([2.0, 1.0, -1.0])})
    [{'methods': ['shap', 'lime'], 'correlation': 1.0}]
    """
    return [
        {"methods": [one, other], "correlation": rank_correlation(values[one], values[other])}
        for one, other in combinations(values, 2)
    ]


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Return Spearman's correlation of two lists, equal values sharing their rank; ``None`` where one of them does not vary.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 4.0])), rank_correlation(np.ones(2), np.arange(2.0))
    (-0.8660254037844387, None)
    """
    first, second = _ranks(one), _ranks(other)
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return float((first * second).sum() / size) if size > 0 else None


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(np.round(values, 12), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place.reshape(-1)], np.float64)
