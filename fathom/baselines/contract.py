"""What a baseline is: a simpler model that the network must beat, fitted on hand-made features.

A baseline is a module with the names of :class:`Baseline`. It predicts **one** target, in the same encoded shape as a
network's head: standardised scalars ``(row,)``, or class probabilities ``(row, class)``.

What it has learned is arrays and a few JSON-able settings, never a pickled object: the arrays go into the bundle's
``weights.safetensors``, ``predict`` answers from them with NumPy alone, and ``nodes`` writes them as ONNX.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fathom.data.modalities.contract import Features

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """One target's encoded values.

    ``values (row,)``: standardised float64 when ``classes`` is 0, otherwise integer codes ``0 <= code < classes``.
    ``weights (row,)``: what each row counts (mean 1), or ``None``.
    """

    values: npt.NDArray[Any]
    classes: int = 0
    weights: Matrix | None = None


@dataclass(frozen=True)
class Fitted:
    """What a baseline has learned.

    ``estimator`` answers as the library that fitted it does; it lives in memory only and proves, when a bundle is saved,
    that arrays and ONNX give the same answers. ``notes`` are the settings that were tried and taken, for the report.
    """

    baseline: str
    classes: int
    arrays: Mapping[str, npt.NDArray[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    estimator: Callable[[Matrix], Matrix] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Fragment:
    """A piece of an ONNX graph: nodes and constants (``onnx`` protobufs), and the operator sets they need."""

    nodes: tuple[Any, ...]
    initializers: tuple[Any, ...]


class Baseline(Protocol):
    """The contract."""

    NAME: str
    SUMMARY: str
    SOURCE: str

    def available(self) -> bool:
        """Say whether the library it needs is installed."""
        ...

    def fit(
        self, train: Features, truth: Truth, validation: Features, check: Truth, *, seed: int, seconds: float | None
    ) -> Fitted:
        """Fit on the training rows, tune lightly on the validation rows; stop trying new settings after ``seconds``.

        The feature ``sizes`` of ``train`` and ``validation`` are equal. Same inputs and seed, same result.
        """
        ...

    def predict(self, fitted: Fitted, matrix: Matrix) -> Matrix:
        """Answer rows from the arrays alone (NumPy): ``(row,)`` scalars, or ``(row, class)`` probabilities."""
        ...

    def nodes(self, fitted: Fitted, source: str, answer: str) -> Fragment:
        """Write it as ONNX nodes from the input named ``source``, ``(row, feature)`` double with NaN where not known, to
        the output named ``answer``, double: ``(row,)`` or ``(row, class)``. Every other name starts with ``answer``."""
        ...
