"""What a smaller model costs and what it loses: bytes, time, score with its interval, calibration, worst slice; and which one a budget asks for."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle import manifest
from fathom.bundle.answers.banding import holds
from fathom.bundle.answers.inference import Answers
from fathom.bundle.answers.quick import Quick
from fathom.bundle.answers.tempering import temper
from fathom.bundle.description import INTERVAL_LEVEL, Description
from fathom.chapters.candidates import in_units, truth_in_units
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import encode_inputs, hand_made_features, hanging_together, target_classes
from fathom.data.table import Table
from fathom.errors import OptionError
from fathom.evidence.slicing import conditions
from fathom.model import Model
from fathom.scoring import Metric, Resamples, Task, find_metric, row_losses, score

ROUNDS, CALLS = 12, 10  # models take turns, so that a busy machine is slow for all of them alike
BULK_ROWS = 2_000
FEWEST_ROWS = 30  # of a slice
MOST_SLICES = 300
BINS = 15  # of equal numbers of rows, over which calibration is measured
RESAMPLES = 500
TOGETHER, ALONE = 128, 32  # rows that are answered together, and of them alone
MOST_APART = 1e-3  # in encoded units; what is rounded to eight bits may round otherwise by one step


@dataclass(frozen=True)
class Budget:
    """What a compressed bundle may cost: milliseconds for one row, megabytes (10^6 bytes), and how much worse its score may be than the original's, in the unit of the metric."""

    max_ms: float | None = None
    max_mb: float | None = None
    max_loss: float | None = None
    metric: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the limits that were stated."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Price:
    """A line of the price list.

    ``bytes`` of the whole bundle and of its graph, milliseconds for one row with its columns and of its graph alone, rows a second in bulk; the score with its 95 % interval and ``loss``, how
    much worse that is than the original's, with its interval; the calibration error (of a number, how far the share of truths inside the interval is from 90 %); the worst slice with its mean row loss; and how
    often the likeliest class is right; ``apart``, by how much rows are answered otherwise alone than among others; ``judged_on``, what all but bytes and times stands on.
    """

    bytes: int
    graph_bytes: int
    score: float
    low: float
    high: float
    calibration: float
    worst_slice: str
    worst_loss: float
    apart: float = 0.0
    accuracy: float | None = None
    loss: float = 0.0
    loss_low: float = 0.0
    loss_high: float = 0.0
    name: str = ""
    how: str = ""
    row_ms: float = math.nan
    graph_ms: float = math.nan
    bulk_rows: float = math.nan
    judged_on: str = ""
    draws: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1), repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON-able values."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
            if name != "draws"
        }


def metric_for(description: Description, name: str | None) -> Metric:
    """Return the metric by which a model is priced: the one of this name, or its task's own. Raises OptionError."""
    task: Task = "classification" if target_classes(description.targets[0]) else "regression"
    return find_metric(name, task)


def scores_on(model: Model, prepared: Prepared, metric: Metric, answers: Answers | None = None) -> Price:
    """Return what the validation rows say of a model's first target; times are measured apart.

    ``answers`` are those to the validation rows where the model has learned from them, by its fits that have not, before they are tempered.
    """
    rows, target = prepared.validation, model.description.targets[0]
    truth = truth_in_units(target, rows)
    said = model.tell(rows) if answers is None else temper(answers, model.description.temperatures)
    answer = in_units(target, said[target.name])
    classes = target_classes(target)
    names = [metric.name] if not classes or metric.name == "accuracy" else [metric.name, "accuracy"]
    groups = hanging_together(prepared.columns, rows)
    found = score(
        truth, answer, names=names, resamples=Resamples.draw(rows.rows, count=RESAMPLES, seed=0, groups=groups)
    )
    slice_name, slice_loss = _worst_slice(prepared, rows, row_losses(truth, answer))
    return Price(
        bytes=sum(map(len, model.files.values())),
        graph_bytes=len(model.files[manifest.graph_name(model.files)]),
        score=found[metric.name].value,
        low=found[metric.name].low,
        high=found[metric.name].high,
        calibration=calibration_error(truth, answer)
        if classes
        else abs(INTERVAL_LEVEL - float(holds(truth - answer, model.description.reach(target, said, answer)).mean())),
        worst_slice=slice_name,
        worst_loss=slice_loss,
        apart=apart_alone(model, rows),
        accuracy=found["accuracy"].value if classes else None,
        draws=found[metric.name].draws,
    )


def apart_alone(model: Model, rows: Table) -> float:
    """Return by how much rows are answered otherwise alone than among others: with ranges that are taken from the batch, what stands beside a row changes its answer."""
    some = rows.take(np.linspace(0, rows.rows - 1, min(rows.rows, TOGETHER)).astype(np.int64))
    together = model.answer(some)
    alone = [model.answer(some.take([place])) for place in range(0, some.rows, TOGETHER // ALONE)]
    return max(
        float(np.abs(np.concatenate([each[name] for each in alone]) - answer[:: TOGETHER // ALONE]).max(initial=0.0))
        for name, answer in together.items()
    )


def calibration_error(truth: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> float:
    """Return by how much the probability of the likeliest class is off, in the mean over bins of equally many rows.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, with bins as in Nguyen and O'Connor, EMNLP 2015.

    >>> round(calibration_error(np.array([0, 0, 1, 0]), np.array([[0.75, 0.25]] * 4)), 3)
    0.0
    """
    stated, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    order = np.argsort(stated, kind="stable")
    bins = max(1, min(BINS, len(order) // 20))
    pieces = [piece for piece in np.array_split(order, bins) if len(piece)]
    return float(
        sum(len(piece) * abs(stated[piece].mean() - hit[piece].mean()) for piece in pieces) / max(len(order), 1)
    )


def _worst_slice(prepared: Prepared, rows: Table, losses: npt.NDArray[np.float64]) -> tuple[str, float]:
    """Return in words where rows of one column's values are answered worst, and their mean loss; nothing where no slice is large enough."""
    readers = {column.name: column for column in prepared.columns}
    worst, highest = "", -math.inf
    for number, condition in enumerate(conditions(prepared.columns, rows)):
        if number == MOST_SLICES:
            break
        holds = condition.holds(readers[condition.column], rows)
        if holds.sum() >= FEWEST_ROWS and losses[holds].mean() > highest:
            worst, highest = condition.words, float(losses[holds].mean())
    return (worst, highest) if worst else ("all rows", float(losses.mean()))


def time_all(models: Sequence[Model], rows: Table) -> list[tuple[float, float, float]]:
    """Return for each model the milliseconds that one row takes, those of its graph alone, and the rows a second of many: medians over rounds in which they take turns."""
    one, many = rows.take([0]), rows.take(np.arange(min(rows.rows, BULK_ROWS)))
    encoded = [_encoded(model, one) for model in models]
    singles = [_single(model, rows) for model in models]
    single: list[list[float]] = [[] for _ in models]
    graph: list[list[float]] = [[] for _ in models]
    bulk: list[list[float]] = [[] for _ in models]
    for turn in range(ROUNDS):
        for index, model in enumerate(models):
            singles[index](0)  # warm
            for call in range(CALLS):
                started = time.perf_counter()
                singles[index](turn * CALLS + call)
                between = time.perf_counter()
                model.inference.session.run(None, encoded[index])
                single[index].append(between - started)
                graph[index].append(time.perf_counter() - between)
            if turn % 4 == 0:
                started = time.perf_counter()
                model.answer(many)
                bulk[index].append(time.perf_counter() - started)
    return [
        (1e3 * float(np.median(single[i])), 1e3 * float(np.median(graph[i])), many.rows / float(np.min(bulk[i])))
        for i in range(len(models))
    ]


def _single(model: Model, rows: Table) -> Callable[[int], Any]:
    """Return what answers one of these rows as a server does, each time another; pictures, texts and series are decoded already."""
    quick, run = Quick.of(model.description), model.inference.session.run
    some = rows.take(np.arange(min(rows.rows, ROUNDS * CALLS)))
    if quick.deep:
        ones = [some.take([place]) for place in range(some.rows)]
        return lambda place: model.answer(ones[place % len(ones)])
    cells = some.to_pylist()
    return lambda place: run(None, dict(quick.encode([cells[place % len(cells)]])))


def _encoded(model: Model, rows: Table) -> dict[str, Any]:
    columns = model.description.columns
    if model.description.kind == "baseline":
        return {"features": hand_made_features(columns, rows).matrix}
    return dict(encode_inputs(columns, rows))


def with_losses(prices: Sequence[Price], metric: Metric) -> tuple[Price, ...]:
    """Return the list with how much worse each score is than that of the first line, and the 95 % interval of that on the same resampled rows."""
    sign = 1.0 if metric.better == "lower" else -1.0
    found = []
    for price in prices:
        apart = sign * (price.draws - prices[0].draws)
        low, high = np.quantile(apart[np.isfinite(apart)], (0.025, 0.975)) if np.isfinite(apart).any() else (0.0, 0.0)
        loss = sign * (price.score - prices[0].score)
        found.append(replace(price, loss=loss, loss_low=float(low), loss_high=float(high)))
    return tuple(found)


def chosen(prices: Sequence[Price], budget: Budget, metric: Metric) -> Price | None:
    """Return the line that a budget asks for, ``None`` where none meets it.

    Where the loss is limited, the one with the quickest graph of those within all limits (what the columns take is the same for all); else the best score of those within them. Without any
    limit, the quickest that is not proven to be worse than the original. What answers a row otherwise alone than among others is on the list and never kept.
    """
    limited = budget.max_ms is not None or budget.max_mb is not None or budget.max_loss is not None
    meets = [
        price
        for price in (prices if limited else prices[1:])
        if price.apart <= MOST_APART
        and (budget.max_ms is None or price.row_ms <= budget.max_ms)
        and (budget.max_mb is None or price.bytes <= 1e6 * budget.max_mb)
        and (budget.max_loss is None or price.loss <= budget.max_loss)
        and (limited or price.loss_low <= 0)
    ]
    if not meets:
        return None
    if budget.max_loss is not None or not limited:
        return min(meets, key=lambda price: (price.graph_ms, price.bytes))
    return min(meets, key=lambda price: (price.loss, price.graph_ms))


def nearest(prices: Sequence[Price], budget: Budget) -> str:
    """Say in a sentence what comes nearest to a budget that nothing meets."""
    quickest, smallest, best = (
        min(prices, key=lambda price: price.row_ms),
        min(prices, key=lambda price: price.bytes),
        min(prices, key=lambda price: price.loss),
    )
    limits: Mapping[str, Any] = budget.as_json()
    return (
        f"Nothing meets {', '.join(f'{name} {value}' for name, value in limits.items()) or 'the score of the original'}: the quickest is {quickest.name!r} ({quickest.row_ms:.3g} ms), "
        f"the smallest {smallest.name!r} ({smallest.bytes / 1e6:.3g} MB), the best {best.name!r} ({best.loss:+.3g} in the score). Allow more, or keep the bundle as it is."
    )


def check_budget(budget: Budget) -> None:
    """Raise OptionError for a limit that nothing can meet."""
    for name in ("max_ms", "max_mb"):
        value = getattr(budget, name)
        if value is not None and not value > 0:
            raise OptionError(f"--{name.replace('_', '-')} is {value}, and must be more than 0.")
