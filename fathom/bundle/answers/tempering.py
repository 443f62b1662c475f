"""Probabilities are made more or less sure by one number, the temperature: NumPy alone, since every server does it.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2 (https://arxiv.org/abs/1706.04599).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

LEAST = 1e-12  # probability: its logarithm is finite

Answers = dict[str, npt.NDArray[np.float64]]


def tempered(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return probabilities ``(row, class)`` whose logarithms are divided by the temperature: above 1 less sure, below 1 surer; their order stays.

    >>> tempered(np.array([[0.9, 0.1]]), 2.0).round(3).tolist(), tempered(np.array([[0.9, 0.1]]), 1.0).tolist()
    ([[0.75, 0.25]], [[0.9, 0.1]])
    """
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, LEAST)) / temperature
    chances = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def temper(answers: Answers, temperatures: Mapping[str, float]) -> Answers:
    """Return a model's answers with the probabilities of those targets tempered that have a temperature."""
    return {
        name: tempered(answer, temperatures[name]) if name in temperatures else answer
        for name, answer in answers.items()
    }
