"""From scikit-learn's X, y and sample_weight to a trained network, and back: what both estimators of `sklearn.py` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from fathom.bundle.answers.inference import Answers, Inference
from fathom.bundle.description import Description
from fathom.bundle.saving import assemble, write_folder
from fathom.chapters.candidates import Candidate, half_widths
from fathom.chapters.exporting import network_answers
from fathom.chapters.learning import Trained, train_network
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, input_parts, inputs_of, unreadable_cells
from fathom.data.files.reading import Frame, read
from fathom.data.modalities import MODALITIES, category, number
from fathom.data.recognising import recognise_inputs
from fathom.data.rows.splitting import FEWEST_ROWS, TEST, Split, by_rank, row_hashes
from fathom.data.table import Rows, Table
from fathom.effort import sizes
from fathom.errors import FathomError, check_installed
from fathom.model import warn_unreadable
from fathom.progress import Silent
from fathom.settings import Settings

NAMELESS = "X without names"
MOST_REPEATS = 10  # whole-number weights repeat rows up to so many times the rows; above, they weigh the loss


@dataclass(frozen=True)
class FittedNetwork:
    """What an estimator has learned, as the bytes of a bundle: it can be copied and sent to other processes, and holds no code."""

    model_json: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    _opened: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return FittedNetwork, (self.model_json, self.weights)

    @property
    def description(self) -> Description:
        """The columns and the plan of the network."""
        if "description" not in self._opened:
            self._opened["description"] = Description.from_bytes(self.model_json, MODALITIES)
        description: Description = self._opened["description"]
        return description

    def answer(self, table: Table) -> Answers:
        """Answer rows in encoded units, in double precision: a row's answer does not depend on which rows are asked with it."""
        if "network" not in self._opened:
            self._opened["network"] = self.network().double()
        return network_answers(self._opened["network"], self.description.columns, table)

    def network(self) -> Any:
        """Return the network in the precision that it was trained in."""
        from fathom.bundle.loading import reload_network

        return reload_network(self.description, self.weights)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn Fathom's lessons into the error that scikit-learn's users expect of `fit`; the lesson stays as its cause."""
    try:
        yield
    except FathomError as error:
        raise ValueError(str(error)) from error


def rows_of(estimator: Any, X: Any, reset: bool) -> Table:
    """Check ``X`` as scikit-learn does, and return it as a table; columns without a name are named x0, x1, …."""
    if not isinstance(X, Frame):
        array = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        return _renamed(
            estimator, Table.of({f"x{index}": _cells(array[:, index], index) for index in range(array.shape[1])}), reset
        )
    X = X.arrow if isinstance(X, Table) else X
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    table = read(X)
    if not table.rows or not table.names:
        what = "sample(s)" if table.names else "feature(s)"
        raise ValueError(
            f"Found array with 0 {what} (shape=({table.rows}, {len(table.names)})) while a minimum of 1 is required."
        )
    return _renamed(estimator, table, reset)


def _renamed(estimator: Any, table: Table, reset: bool) -> Table:
    """Return the table with the names of the columns in training, which scikit-learn has compared, or with names of their own."""
    if not reset:
        names = [column.name for column in opened(estimator).description.columns[:-1]]
        return Table(table.arrow.rename_columns(names), name="X")
    if hasattr(estimator, "feature_names_in_"):
        return Table(table.arrow, name="X")
    return Table(table.arrow.rename_columns([f"x{index}" for index in range(len(table.names))]), name=NAMELESS)


def _hashes(table: Table) -> npt.NDArray[np.uint64]:
    """Return one hash a row, the same whatever the columns are called."""
    return row_hashes(Table(table.arrow.rename_columns([str(index) for index in range(len(table.names))])))


def _cells(values: npt.NDArray[Any], index: int) -> pa.Array:
    """Return one column of an array; one of objects must hold numbers or strings, with ``None`` or NaN where nothing is known."""
    if values.dtype.kind != "O":
        return pa.array(np.ascontiguousarray(values))
    try:
        return pa.array(values.tolist(), from_pandas=True)
    except (pa.ArrowException, ValueError):
        raise TypeError(
            f"Column x{index} of X holds objects of several kinds, where each argument must be a string or a number, of one kind in a column. "
            "Turn the column into strings with astype(str), or give a frame."
        ) from None


def target(estimator: Any, y: Any) -> npt.NDArray[Any]:
    """Check ``y`` as scikit-learn does."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y", estimator_name=type(estimator).__name__)
    return np.asarray(y)


def counted(table: Table, y: npt.NDArray[Any], sample_weight: Any) -> tuple[Rows, npt.NDArray[np.float64] | None]:
    """Return the rows to learn from, ordered by what they hold so that no order that they came in matters, and their weights.

    Whole-number weights repeat rows, so that they mean the same as the rows repeated; a weight of 0 leaves the row out.
    """
    check_consistent_length(np.empty(table.rows), y)
    rows, weights = np.arange(table.rows), None
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, np.empty((table.rows, 1)), ensure_non_negative=True)
        rows = np.flatnonzero(weights > 0)
        weights = weights[rows]
        if (weights == np.rint(weights)).all() and weights.sum() <= MOST_REPEATS * len(rows):
            rows, weights = np.repeat(rows, weights.astype(np.int64)), None
    hashes = _hashes(table)[rows]
    # Equal rows may differ in y: their order must not depend on the order that they came in.
    keys = [np.unique(y, return_inverse=True)[1][rows], hashes]
    order = np.lexsort(keys if weights is None else [weights, *keys])
    return rows[order], None if weights is None else weights[order]


def _held_out(table: Table, codes: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
    """Mark the validation rows: 15 of 100 by the rank of their hash, of each class its share; none where rows are too few."""
    held = np.zeros(table.rows, np.bool_)
    if table.rows < FEWEST_ROWS:
        return held
    hashes = _hashes(table)
    if codes is None:
        return np.asarray(by_rank(hashes) == TEST)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        held[rows] = by_rank(hashes[rows]) == TEST
    return held


def learn(
    estimator: Any,
    table: Table,
    kind: Any,
    state: Any,
    values: pa.Array,
    codes: npt.NDArray[np.int64] | None,
    weights: npt.NDArray[np.float64] | None,
) -> None:
    """Train the network and give the estimator what was learned."""
    settings = _settings(estimator)
    check_installed(("torch", "safetensors"), "train")
    from fathom.bundle.loading import network_weights

    name = "y" if "y" not in table.names else "target of the fit"
    held = _held_out(table, codes)
    train = np.flatnonzero(~held)
    columns = _recognised(table, train, settings)
    table = Table(table.arrow.append_column(name, values), name=table.name)
    if kind is number:  # its scale is learned from training rows; which classes there are is part of the question
        state = number.learn(values.take(pa.array(train)), "target")
    target = Column(name, "target", kind, 1.0, "you said so", state, distinct=len(values.unique()))
    checked = np.flatnonzero(held) if held.any() else train
    prepared = _prepared((*columns, target), table.take(train), table.take(checked))
    if weights is not None:
        own, other = weights[train], weights[checked]
        prepared = replace(prepared, weights=own / own.mean(), validation_weights=other / other.mean())
    shapes = {part.shape for part in input_parts(prepared.columns)}
    size = sizes(settings.effort, settings.trunk, len(train), settings.layers, settings.skip, shapes)
    seconds = None if settings.minutes is None else 60.0 * settings.minutes
    trained: Trained = train_network(prepared, settings, size, MODALITIES, seconds, Silent())
    description = Description("network", "network", prepared.columns, plan=trained.plan.to_json())
    answers = network_answers(trained.network, prepared.columns, prepared.validation)
    description = replace(description, half_widths=half_widths(prepared, answers))
    estimator.model_ = FittedNetwork(description.to_bytes(), network_weights(trained.network))
    estimator.n_iter_ = len(trained.histories[0].epochs)
    estimator.stopped_ = trained.histories[0].stopped
    estimator.history_ = [
        {"epoch": epoch.epoch, "train_loss": epoch.train_loss, "validation_loss": epoch.validation_loss}
        for epoch in trained.histories[0].epochs
    ]
    estimator.columns_ = {column.name: f"{column.modality or 'left out'}: {column.reason}" for column in columns}


def _settings(estimator: Any) -> Settings:
    """Return the estimator's parameters as settings. Raises OptionError for one that cannot be."""
    given = {name: value for name, value in estimator.get_params(deep=False).items() if value is not None}
    state = given.pop("random_state", None)
    seed = state if isinstance(state, int) else int(check_random_state(state).randint(2**31 - 1))
    return Settings.of({**given, "seed": seed})


def _recognised(table: Table, train: Rows, settings: Settings) -> tuple[Column, ...]:
    """Take each column for what it is: as in `fathom.fit` for a frame, and for a number in an array of numbers."""
    for name in settings.columns:
        table.column(name)  # raises with the nearest name
    words = {name for name in table.names if pa.types.is_string(table.column(name).type)}
    numbers = {name: "number" for name in table.names if table.name == NAMELESS and name not in words}
    columns = recognise_inputs(table, train, table.names, {}, {**numbers, **settings.columns}, MODALITIES)
    if inputs_of(columns):
        return columns
    # Nothing tells rows apart: the network learns what is true of all of them, so that a search over folds goes on.
    values = table.column(columns[0].name).take(pa.array(train))
    kind: Any = category if pa.types.is_string(values.type) else number
    only = replace(columns[0], role="input", kind=kind, state=kind.learn(values, "input"))
    return (only, *columns[1:])


def _prepared(columns: tuple[Column, ...], train: Table, validation: Table) -> Prepared:
    parts = Split(np.zeros(train.rows, np.int8), "by a hash of each row", "")
    return Prepared(train, columns, parts, train, validation, train.take([]), ())


def opened(estimator: Any) -> FittedNetwork:
    """Return what an estimator has learned. Raises scikit-learn's NotFittedError where that is nothing."""
    check_is_fitted(estimator, "model_")
    fitted: FittedNetwork = estimator.model_
    return fitted


def answer(estimator: Any, X: Any) -> npt.NDArray[np.float64]:
    """Answer rows in encoded units: ``(row,)`` scalars or ``(row, class)`` probabilities."""
    fitted = opened(estimator)
    with refusing():
        table = rows_of(estimator, X, reset=False)
        inputs = inputs_of(fitted.description.columns)
        for column in inputs:
            warn_unreadable(column, table, unreadable_cells(column, table))
        return next(iter(fitted.answer(table).values()))


def write_bundle(estimator: Any, folder: str | Path, X: Any) -> Path:
    """Export an estimator as a bundle; see `FathomRegressor.bundle`."""
    from fathom.bundle.graph.exporting import network_onnx
    from fathom.chapters.shipping import bundle_files

    fitted = opened(estimator)
    rows = rows_of(estimator, X, reset=False)
    network, columns = fitted.network(), fitted.description.columns
    graph = network_onnx(network)
    candidate = Candidate(
        "network",
        "deep network",
        fitted.description,
        fitted.weights,
        graph,
        Inference.open(assemble(fitted.description, fitted.weights, graph, []), MODALITIES),
        fit_seconds=0.0,
        answers={},
        trainers={"estimator": fitted.answer, "trainer": lambda table: network_answers(network, columns, table)},
    )
    return write_folder(bundle_files(_prepared(columns, rows, rows), candidate, MODALITIES), folder)
