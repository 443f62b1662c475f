"""Metrics, each with an interval: how good an answer is on rows never seen.

A model's answers have the shape of a head's: class probabilities ``(row, class)`` or numbers ``(row,)`` in the target's
own unit. The truth is integer codes ``(row,)``, or numbers ``(row,)``. NumPy only, so that a served bundle can be
scored too.

A truth of ``-1`` is a class that no training row had. No model can name it, so it counts as wrong, its probability as
0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fathom.errors import OptionError, suggestion
from fathom.resampling import Floats, Integers, Interval, Resamples

__all__ = [
    "METRICS",
    "Interval",
    "Metric",
    "Resamples",
    "find_metric",
    "metrics_for",
    "primary",
    "row_losses",
    "score",
    "undefined_reason",
]

Task = Literal["classification", "regression"]
Answer = npt.NDArray[Any]  # (row, class) probabilities, or (row,) numbers
Truth = npt.NDArray[Any]  # (row,) codes, or (row,) numbers
Draws = dict[str, Floats]  # metric -> (resample + 1,)

LEAST_PROBABILITY = 1e-7  # about the spacing of float32 below 1: no network can tell a smaller one from 0
RANKED_ROWS = (
    100_000  # rows beyond which metrics that sort (the median, the area under a curve) are drawn 200 times only
)
FEW_RESAMPLES = (
    200  # enough for a standard error (Efron and Tibshirani, 1993, page 52), a little coarse for percentiles
)


@dataclass(frozen=True)
class Metric:
    """A number that says how good answers are. ``label`` is its name in a sentence, ``unit`` what it is counted in."""

    name: str
    label: str
    task: Task
    better: Literal["higher", "lower"]
    summary: str
    unit: str = ""

    def error(self, scores: Floats) -> Floats:
        """Turn scores into errors, of which 0 is perfect: the score itself, or what it lacks of 1."""
        return scores if self.better == "lower" else 1.0 - scores


_SHARE, _OWN = "a share from 0 to 1", "the target's unit"
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("log_loss", "log loss", "classification", "lower",
               "How surprised the model is by the true class: minus the mean logarithm of its probability.", "nats"),
        Metric("accuracy", "accuracy", "classification", "higher",
               "Share of rows whose likeliest class is the true one.", _SHARE),
        Metric("balanced_accuracy", "balanced accuracy", "classification", "higher",
               "Share of a class's rows that are found, averaged over classes: a rare class counts as much.", _SHARE),
        Metric("precision", "precision", "classification", "higher",
               "Of the rows called class 1, the share that are (more than 2 classes: averaged over classes).", _SHARE),
        Metric("recall", "recall", "classification", "higher",
               "Of the rows of class 1, the share that are found (more than 2 classes: averaged over classes).", _SHARE),
        Metric("f1", "F1", "classification", "higher",
               "Harmonic mean of precision and recall (more than 2 classes: averaged over classes).", _SHARE),
        Metric("roc_auc", "area under the ROC curve", "classification", "higher",
               "Chance that a row of a class is ranked above a row of another (more than 2 classes: averaged).", _SHARE),
        Metric("rmse", "RMSE", "regression", "lower",
               "Root of the mean squared error: a typical error in which large ones weigh more.", _OWN),
        Metric("mae", "mean absolute error", "regression", "lower", "How far off an answer is on average.", _OWN),
        Metric("median_error", "median absolute error", "regression", "lower",
               "Half of the answers are closer than this.", _OWN),
        Metric("mse", "mean squared error", "regression", "lower",
               "Mean of the squared errors.", "the target's unit, squared"),
        Metric("r2", "R²", "regression", "higher",
               "Share of the target's variance that is explained; 0 is a constant, below 0 is worse than one.",
               "a share, at most 1"),
    )
}  # fmt: skip


def metrics_for(task: Task) -> tuple[str, ...]:
    """Return the names of a task's metrics, in the order in which they are shown.

    >>> metrics_for("regression")
    ('rmse', 'mae', 'median_error', 'mse', 'r2')
    """
    return tuple(metric.name for metric in METRICS.values() if metric.task == task)


def primary(task: Task) -> str:
    """Return the metric that decides when the user names none.

    Both are minimised by telling the truth and by nothing else: log loss by the true probabilities (a proper score:
    Gneiting and Raftery, JASA 102, 2007), squared error by the true mean (Gneiting, JASA 106, 2011). Accuracy, by
    contrast, is as good for a model that is 51 % sure as for one that is rightly 99 % sure.

    >>> primary("classification"), primary("regression")
    ('log_loss', 'rmse')
    """
    return "log_loss" if task == "classification" else "rmse"


def find_metric(name: str | None, task: Task) -> Metric:
    """Return the metric of this name (``None``: the primary one), for a target of this task.

    Raises OptionError when there is no such metric, or when it judges the other task.
    """
    if name is None:
        return METRICS[primary(task)]
    choices = f"Choose one of: {', '.join(metrics_for(task))}."
    if name not in METRICS:
        raise OptionError(f"There is no metric {name!r}.{suggestion(name, METRICS)} {choices}")
    if METRICS[name].task != task:
        kinds = {"classification": "classes", "regression": "numbers"}
        raise OptionError(
            f"The metric {name!r} judges {kinds[METRICS[name].task]}, but the target is {kinds[task]}. {choices}"
        )
    return METRICS[name]


def score(
    truth: Truth, answer: Answer, *, names: Sequence[str] | None = None, resamples: Resamples | None = None
) -> dict[str, Interval]:
    """Score answers ``(row, class)`` or ``(row,)`` against the truth ``(row,)``, each metric with its 95 % interval.

    Without ``names`` all metrics of the task; without ``resamples`` values only, their limits NaN. Pass the same
    resamples for every model, and the difference of two ``draws`` is a paired comparison. A metric that is not defined
    on these rows is NaN with a reason. The median and the area under the curve need sorted rows and take the first 200
    resamples where rows (for more than two classes: rows times classes) exceed 100,000; everything else takes all.

    >>> truth, answer = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> scores = score(truth, answer)
    >>> round(scores["accuracy"].value, 3), round(scores["log_loss"].value, 3), scores["roc_auc"].value
    (0.667, 0.415, 1.0)
    """
    assert len(truth) == len(answer), f"{len(truth)} truths, but {len(answer)} answers"
    task: Task = "classification" if answer.ndim == 2 else "regression"
    names = metrics_for(task) if names is None else names
    resamples = Resamples.draw(len(truth), count=0) if resamples is None else resamples
    assert resamples.rows == len(truth), f"resamples of {resamples.rows} rows, but {len(truth)} truths"
    nowhere = len(truth) == 0 or not np.isfinite(answer).all()
    if nowhere or (task == "regression" and not np.isfinite(truth).all()):
        return {name: Interval(np.nan, reason=undefined_reason(name, truth, answer)) for name in names}
    with np.errstate(all="ignore"):  # what overflows or divides by 0 is not defined, and says so below
        draws = (_class_draws if task == "classification" else _number_draws)(truth, answer, names, resamples)
        return {name: resamples.interval(draws[name], undefined_reason(name, truth, answer)) for name in names}


def row_losses(truth: Truth, answer: Answer) -> Floats:
    """Return each row's loss ``(row,)``: nats for classes, the absolute error in the target's unit for numbers.

    The probability of the true class counts as at least 1e-7, so that one certain mistake costs 16 nats and not
    infinity.

    >>> row_losses(np.array([0, -1]), np.array([[0.5, 0.5], [0.5, 0.5]])).round(3)
    array([ 0.693, 16.118])
    >>> row_losses(np.array([3.0]), np.array([5.0]))
    array([2.])
    """
    if answer.ndim == 1:
        return np.abs(np.asarray(answer, dtype=np.float64) - np.asarray(truth, dtype=np.float64))
    known = truth >= 0
    probability = answer[np.arange(len(truth)), np.where(known, truth, 0)].astype(np.float64)
    losses: Floats = -np.log(np.clip(np.where(known, probability, 0.0), LEAST_PROBABILITY, 1.0))
    return losses


def undefined_reason(name: str, truth: Truth, answer: Answer) -> str:
    """Say in a sentence why a metric is not defined on these rows."""
    if len(truth) == 0:
        return "There are no rows to score."
    broken = int(np.count_nonzero(~np.isfinite(answer).reshape(len(truth), -1).all(axis=1)))
    if broken:
        return f"{broken:,} of {len(truth):,} answers are not finite numbers."
    if answer.ndim == 1 and not np.isfinite(truth).all():
        return f"{int(np.count_nonzero(~np.isfinite(truth))):,} of {len(truth):,} true values are not finite numbers."
    if name == "r2" and truth.min() == truth.max():
        return "Every row has the same true value, so there is no variance to explain."
    if answer.ndim == 1:
        return "The errors are too large for a number of 64 bits."
    if name == "roc_auc":
        return "All rows are of one class, so there is no pair to rank."
    return "No row is of class 1."


def _class_draws(truth: Integers, answer: Answer, names: Sequence[str], resamples: Resamples) -> Draws:
    """Draw the asked-for metrics of probabilities."""
    draws: Draws = {}
    if "log_loss" in names:
        draws["log_loss"] = resamples.means(row_losses(truth, answer))
    if set(names) & {"accuracy", "balanced_accuracy", "precision", "recall", "f1"}:
        draws |= _confusion_draws(truth, answer, resamples)
    if "roc_auc" in names:
        curves = [1] if answer.shape[1] == 2 else range(answer.shape[1])
        count = FEW_RESAMPLES if len(truth) * len(curves) > RANKED_ROWS else None
        areas = np.stack([_area_draws(truth == code, answer[:, code], resamples, count) for code in curves])
        draws["roc_auc"] = _mean_where(areas, np.isfinite(areas), axis=0)
    return draws


def _confusion_draws(truth: Integers, answer: Answer, resamples: Resamples) -> Draws:
    """Draw what follows from three counts per class: rows of it, rows called it, and rows that are both.

    An unseen class is one more class, which is never called. As in scikit-learn, a class that is never called has
    precision 0, and averages run over the classes that occur in truth or answers.
    """
    classes = answer.shape[1] + 1
    guess = answer.argmax(axis=1)
    code = np.where(truth < 0, classes - 1, truth).astype(np.int64)
    right = guess == code
    cells = resamples.sums_by(2 * code + right, 2 * classes)  # of each class: missed, found
    true, hits = cells[:, 0::2] + cells[:, 1::2], cells[:, 1::2]
    called = hits + resamples.sums_by(np.where(right, -1, guess), classes)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + called, 1)
    draws = {
        "accuracy": hits.sum(axis=1) / true.sum(axis=1),
        "balanced_accuracy": _mean_where(recall, true > 0, axis=1),
    }
    if answer.shape[1] == 2:
        none = true[:, 1] == 0
        draws["precision"] = np.where(none & (called[:, 1] == 0), np.nan, precision[:, 1])
        draws["recall"] = np.where(none, np.nan, recall[:, 1])
        draws["f1"] = np.where(none, np.nan, f1[:, 1])
    else:
        named = {"precision": precision, "recall": recall, "f1": f1}
        draws |= {name: _mean_where(values, true + called > 0, axis=1) for name, values in named.items()}
    return draws


def _area_draws(positive: npt.NDArray[np.bool_], scores: Floats, resamples: Resamples, count: int | None) -> Floats:
    """Draw the area under one ROC curve: the chance that a positive outranks a negative, a tie counting half.

    (Hanley and McNeil, Radiology 143, 1982.) One sort, then cumulative counts: O(row) per resample.
    """
    inside, outside = np.flatnonzero(positive), np.flatnonzero(~positive)
    draws = []
    inside, outside = inside[np.argsort(scores[inside])], outside[np.argsort(scores[outside])]
    below = np.searchsorted(scores[outside], scores[inside], side="left")
    level = np.searchsorted(scores[outside], scores[inside], side="right")
    for part, cumulative in resamples.cumulative(outside, count):
        twice = np.take(cumulative, below, axis=1) + np.take(cumulative, level, axis=1)
        drawn = resamples.drawn(inside, part).astype(np.float64)
        wins = np.einsum("ij,ij->i", drawn, twice.astype(np.float64)) / 2
        draws.append(wins / (drawn.sum(axis=1) * cumulative[:, -1]))
    return np.concatenate(draws)


def _number_draws(truth: Floats, answer: Floats, names: Sequence[str], resamples: Resamples) -> Draws:
    """Draw the asked-for metrics of numbers."""
    centred = np.asarray(truth, dtype=np.float64) - np.mean(truth)
    error = row_losses(truth, answer)
    draws: Draws = {}
    if set(names) - {"median_error"}:
        kinds = np.stack([np.ones(len(error)), error, error**2, centred, centred**2])
        rows, absolute, squared, first, second = resamples.sums(kinds).T
        draws |= {"mae": absolute / rows, "mse": squared / rows, "rmse": np.sqrt(squared / rows)}
        spread = second - first**2 / rows
        constant = (spread <= 1e-12 * second) | (np.min(truth) == np.max(truth))
        draws["r2"] = np.where(constant, np.nan, 1 - squared / spread)
    if "median_error" in names:
        draws["median_error"] = _median_draws(error, resamples, FEW_RESAMPLES if len(truth) > RANKED_ROWS else None)
    return draws


def _median_draws(error: Floats, resamples: Resamples, count: int | None) -> Floats:
    """Draw the median: the mean of the two middle errors, which are one when their number is odd."""
    order = np.argsort(error)
    ordered = error[order]
    draws = []
    for _, cumulative in resamples.cumulative(order, count):
        for drawn in cumulative[:, 1:]:  # one resample at a time
            middle = drawn[-1] - 1
            draws.append(ordered[np.searchsorted(drawn, [middle // 2, (middle + 1) // 2], side="right")].mean())
    return np.asarray(draws)


def _mean_where(values: Floats, mask: npt.NDArray[np.bool_], axis: int) -> Floats:
    """Average the masked values along an axis; NaN where there is none."""
    total: Floats = np.where(mask, values, 0.0).sum(axis=axis) / mask.sum(axis=axis)
    return total
