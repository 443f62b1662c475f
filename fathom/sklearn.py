"""Fathom's networks as scikit-learn estimators: they fit, predict, and stand in pipelines and searches as its own do.

The network, the columns and the training are those of `fathom.fit`. What is left out is the judging: no simpler models, no test rows, no report,
because whoever calls an estimator judges it with tools of their own. Missing cells, words, dates and numbers written as text are read as `fathom.fit` reads
them when ``X`` is a frame of pandas or polars; an array of numbers holds numbers.

Source of the contract: Buitinck et al., "API design for machine learning software: experiences from the scikit-learn project", 2013,
https://arxiv.org/abs/1309.0238; `tests/test_sklearn.py` holds both classes to every check that scikit-learn has for estimators.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from fathom.chapters.candidates import in_units
from fathom.chapters.estimating import answer, counted, learn, opened, refusing, rows_of, target, write_bundle
from fathom.data.modalities import category, number


class FathomClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Says which class a row is of, with a deep network.

    ``columns`` says what a column is where it is recognised wrongly, ``{"zip": "category"}``; an array's columns are named ``x0``, ``x1``, …. ``class_weights``
    makes rare classes count as much as frequent ones. ``random_state`` is the seed: same seed, same rows in any order, same network. The others are
    the settings of `fathom.fit` (`fathom.settings.Settings`).

    After ``fit``: ``classes_``, ``n_features_in_``, ``feature_names_in_`` (where ``X`` had names), ``n_iter_`` (epochs), ``history_`` (losses by epoch), ``stopped_``
    (why training ended) and ``columns_``, which says of each column what it was taken for and why.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 80).reshape(-1, 1)
    >>> model = FathomClassifier(effort="quick", epochs=20).fit(X, X[:, 0] > 0)
    >>> model.predict([[-0.8], [0.9]]).tolist(), model.predict_proba([[0.9]]).shape
    ([False, True], (1, 2))
    """

    def __init__(
        self,
        *,
        effort: str = "standard",
        trunk: str = "tabm",
        layers: int | None = None,
        skip: bool | None = None,
        encoder: Mapping[str, str] | None = None,
        columns: Mapping[str, str] | None = None,
        optimizer: str = "adamw",
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_rows: int | None = None,
        class_weights: bool = False,
        minutes: float | None = None,
        random_state: Any = 0,
    ) -> None:
        self.effort = effort
        self.trunk = trunk
        self.layers = layers
        self.skip = skip
        self.encoder = encoder
        self.columns = columns
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_rows = batch_rows
        self.class_weights = class_weights
        self.minutes = minutes
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "FathomClassifier":
        """Train on rows ``X (row, column)`` with classes ``y (row,)``.

        ``sample_weight (row,)`` says what each row counts: a whole number of times, or its share of the loss. Raises ValueError for what cannot be learned from.
        """
        with refusing():
            table, y = rows_of(self, X, reset=True), target(self, y)
            check_classification_targets(y)
            rows, weights = counted(table, y, sample_weight)
            self.classes_, codes = np.unique(y[rows], return_inverse=True)
            labels = pa.array(self.classes_.tolist())
            state = category.learn(labels, "target")
            places = category.encode(state, labels)[:, 0]
            if sorted(places.tolist()) != list(range(len(labels))):
                raise ValueError(
                    f"The classes {self.classes_.tolist()} cannot be told apart: names that differ in blanks at their ends, or that mean missing, "
                    "such as '' and 'nan', are no classes. Rename them."
                )
            self._places = places
            learn(self, table.take(rows), category, state, labels.take(pa.array(codes)), codes, weights)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return each class's probability, ``(row, class)`` in the order of ``classes_``."""
        return np.asarray(answer(self, X)[:, self._places], np.float64)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likeliest class of each row, ``(row,)``."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def bundle(self, folder: str | Path, X: Any) -> Path:
        """Write a bundle that `fathom.load` and `fathom predict` answer from; see `FathomRegressor.bundle`."""
        return write_bundle(self, folder, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class FathomRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a number with a deep network; parameters and attributes are those of `FathomClassifier`.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 80).reshape(-1, 1)
    >>> round(FathomRegressor(effort="quick", epochs=40).fit(X, 3 * X[:, 0]).score(X, 3 * X[:, 0]))
    1
    """

    def __init__(
        self,
        *,
        effort: str = "standard",
        trunk: str = "tabm",
        layers: int | None = None,
        skip: bool | None = None,
        encoder: Mapping[str, str] | None = None,
        columns: Mapping[str, str] | None = None,
        optimizer: str = "adamw",
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_rows: int | None = None,
        minutes: float | None = None,
        random_state: Any = 0,
    ) -> None:
        self.effort = effort
        self.trunk = trunk
        self.layers = layers
        self.skip = skip
        self.encoder = encoder
        self.columns = columns
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_rows = batch_rows
        self.minutes = minutes
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "FathomRegressor":
        """Train on rows ``X (row, column)`` with numbers ``y (row,)``; ``sample_weight`` as for `FathomClassifier.fit`. Raises ValueError."""
        with refusing():
            table, y = rows_of(self, X, reset=True), target(self, y)
            y = y.astype(np.float64)
            rows, weights = counted(table, y, sample_weight)
            values = pa.array(y[rows])
            learn(self, table.take(rows), number, number.learn(values, "target"), values, None, weights)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return each row's number, ``(row,)``."""
        answers = answer(self, X)  # says first that it is not fitted, as scikit-learn wants
        return np.asarray(in_units(opened(self).description.targets[0], answers), np.float64)

    def bundle(self, folder: str | Path, X: Any) -> Path:
        """Write a bundle that `fathom.load` and `fathom predict` answer from, after proving that it answers as this estimator does.

        ``X`` are rows to prove it on, for instance those of training; the first of them go into the bundle as examples. Returns the folder. Raises
        OutputError when it is there already, and ParityError (our mistake) when answers differ.
        """
        return write_bundle(self, folder, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
