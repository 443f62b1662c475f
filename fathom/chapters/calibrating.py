"""A temperature is learned for each target that is a category, on the validation rows, and kept where it is sure to help.

One number is learned, so a hundred rows are enough; whether it helps is seen on rows that it was not learned from: each half of the validation rows is answered with the
temperature of the other, and the log loss must fall by more than its standard error. Source: Guo et al., ICML 2017, section 4.2 (https://arxiv.org/abs/1706.04599).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers.tempering import tempered
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import target_classes
from fathom.resampling import dealt, error_of_mean
from fathom.scoring import row_losses

FEWEST_ROWS = 100
LOWEST, HIGHEST = 0.2, 5.0

Answers = dict[str, npt.NDArray[np.float64]]


def best_temperature(probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    """Return the temperature of the least log loss on rows of these probabilities ``(row, class)`` and true codes ``(row,)``.

    >>> sure = np.array([[0.99, 0.01]] * 100)
    >>> round(best_temperature(sure, np.array([0] * 80 + [1] * 20)), 1)
    3.3
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return float(row_losses(truth, tempered(probabilities, float(np.exp(logarithm)))).mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def temperatures(prepared: Prepared, answers: Answers) -> dict[str, float]:
    """Return the temperature of each target whose ``answers`` to the validation rows it is sure to make better."""
    kept = {}
    for column in prepared.targets:
        if not target_classes(column) or prepared.validation.rows < FEWEST_ROWS:
            continue
        assert column.kind is not None
        truth = column.kind.encode(column.state, prepared.validation.column(column.name))[:, 0].astype(np.int64)
        chances = answers[column.name]
        if sure_to_help(chances, truth, groups=prepared.validation_groups):
            kept[column.name] = round(best_temperature(chances, truth), 6)
    return kept


def sure_to_help(
    probabilities: npt.NDArray[np.float64],
    truth: npt.NDArray[np.int64],
    seed: int = 0,
    groups: npt.NDArray[Any] | None = None,
) -> bool:
    """Say whether a temperature learned on one half of the rows makes the log loss of the other fall by more than its standard error.

    Rows that share a label of ``groups (row,)`` are in one half.
    """
    first = dealt(len(truth), groups, 2, seed) == 0
    gain = np.zeros(len(truth))
    for asked in (first, ~first):
        other = tempered(probabilities[asked], best_temperature(probabilities[~asked], truth[~asked]))
        gain[asked] = row_losses(truth[asked], probabilities[asked]) - row_losses(truth[asked], other)
    return bool(gain.mean() > error_of_mean(gain, groups))
