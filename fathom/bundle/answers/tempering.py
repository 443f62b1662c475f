"""Probabilities are made more or less sure by one number, the temperature: NumPy alone, since every server does it.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2 (https://arxiv.org/abs/1706.04599).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

LEAST = 1e-12  # probability: none is impossible
FEW = 32  # probabilities of all rows, so few that NumPy's calls cost more than what they compute

Answers = dict[str, npt.NDArray[np.float64]]


def tempered(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return probabilities ``(row, class)`` whose logarithms are divided by the temperature: above 1 less sure, below 1 surer; their order stays.

    >>> tempered(np.array([[0.9, 0.1]]), 2.0).round(3).tolist(), tempered(np.array([[0.9, 0.1]]), 1.0).tolist()
    ([[0.75, 0.25]], [[0.9, 0.1]])
    >>> few, many = np.array([[0.7, 0.3, 0.0]]), np.array([[0.7, 0.3, 0.0]] * FEW)
    >>> bool(np.allclose(tempered(few, 0.5), tempered(many, 0.5), rtol=1e-12, atol=0))
    True
    """
    if temperature == 1.0:
        return probabilities
    if 0 < probabilities.size <= FEW:
        return np.array([tempered_row(row, temperature) for row in probabilities.tolist()])
    chances = np.maximum(probabilities, LEAST)
    largest = np.maximum.reduce(chances, axis=1, keepdims=True, initial=LEAST)  # so that no power of it vanishes
    chances = (chances / largest) ** (1.0 / temperature)
    return np.asarray(chances / np.add.reduce(chances, axis=1, keepdims=True))


def tempered_row(probabilities: list[float], temperature: float) -> list[float]:
    """Do the same with Python numbers, for one row: ``(class,)``."""
    if temperature == 1.0:
        return probabilities
    largest, power = max(LEAST, *probabilities), 1.0 / temperature
    chances = [(max(each, LEAST) / largest) ** power for each in probabilities]
    total = sum(chances)
    return [each / total for each in chances]


def temper(answers: Answers, temperatures: Mapping[str, float]) -> Answers:
    """Return a model's answers with the probabilities of those targets tempered that have a temperature."""
    return {
        name: tempered(answer, temperatures[name]) if name in temperatures else answer
        for name, answer in answers.items()
    }
