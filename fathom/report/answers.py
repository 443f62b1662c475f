"""What the shipped model answers on the test rows: its mistakes, its honesty, what it uses, its worst rows."""

from typing import Any

from fathom.quantities import count, finite, interval, number, share, together
from fathom.report.picking import NARROW, WIDE, Figure, items, mapping, records, words
from fathom.report.plots.answers import (
    FEW_CLASSES,
    MOST_CLASSES,
    Bin,
    calibration,
    confusion,
    confusion_map,
    evenly_filled,
    predicted_against_true,
    residuals,
)
from fathom.report.plots.intervals import Estimate, rows_of_estimates
from fathom.report.wording import cell, clip, picture, plural, sound

View = dict[str, Any]

MOST_PAIRS = 15
MOST_BARS = 20
MOST_WORST_ROWS = 50
VALUES_IN_SIGHT = 6
VALUES_AT_MOST = 30
LONG_VALUE = 60  # characters from which a value gets a line of its own
BARS = frozenset("▁▂▃▄▅▆▇█")  # that draw the course of a series, which would mean nothing in two lines


def predictions(result: View, target: str) -> View | None:
    """Return the confusion of a classification, or dots and residuals of a regression."""
    plots = mapping(result, "plots", target)
    return _confusion(mapping(plots, "confusion")) or _residuals(mapping(plots, "residuals"), target)


def _confusion(found: View) -> View | None:
    classes = [cell(name, 80) for name in items(found, "classes")]
    counts = [[finite(rows) or 0.0 for rows in line] for line in items(found, "counts") if isinstance(line, list)]
    if not classes or len(counts) != len(classes) or any(len(line) != len(classes) for line in counts):
        return None
    few = len(classes) <= FEW_CLASSES
    drawn = confusion(classes, counts) if few else confusion_map(classes, counts)
    figure = Figure(drawn, caption=_caption(len(classes)), fixed=True)
    pairs = [] if few and len(classes) <= 2 else _pairs(classes, counts)
    return {"kind": "confusion", "figures": [figure], "pairs": pairs}


def _caption(classes: int) -> str:
    most = f" The {MOST_CLASSES} classes with the most rows, of {count(classes)}." if classes > MOST_CLASSES else ""
    return (
        "A line for each true class, a column for each predicted one; a cell is as strong as its share of the true "
        f"class.{most} The diagonal is right, everything else a mistake."
    )


def _pairs(classes: list[str], counts: list[list[float]]) -> list[View]:
    """The most frequent mistakes."""
    mistakes = [
        (rows, row, column)
        for row, line in enumerate(counts)
        for column, rows in enumerate(line)
        if row != column and rows > 0
    ]
    mistakes.sort(key=lambda mistake: (-mistake[0], mistake[1], mistake[2]))
    return [
        {
            "truth": classes[row],
            "predicted": classes[column],
            "rows": count(rows),
            "share": share(rows / sum(counts[row])),
        }
        for rows, row, column in mistakes[:MOST_PAIRS]
    ]


def _residuals(found: View, target: str) -> View | None:
    both = zip(items(found, "truth"), items(found, "predicted"), strict=False)
    pairs = [(finite(truth), finite(predicted)) for truth, predicted in both]
    known = [(truth, predicted) for truth, predicted in pairs if truth is not None and predicted is not None]
    if not known:
        return None
    truth, predicted = [pair[0] for pair in known], [pair[1] for pair in known]
    rows = plural(len(known), "row")
    figures = [
        Figure(
            predicted_against_true(truth, predicted, target=target),
            caption=f"Predicted against true, {rows}. On the diagonal the prediction is exact.",
        ),
        Figure(
            residuals(truth, predicted, target=target),
            caption="Residuals. A slope or a bend is something that the model has missed; a funnel means that its "
            "errors grow.",
        ),
    ]
    return {"kind": "residuals", "figures": figures, "pairs": []}


def calibrated(result: View, target: str) -> View | None:
    """Return the calibration plot of one target and the same as a table."""
    found = mapping(result, "plots", target, "calibration")
    bins = []
    for item in records(found, "bins"):
        predicted, observed = finite(item.get("predicted")), finite(item.get("observed"))
        if predicted is not None and observed is not None:
            low, high, rows = (finite(item.get(name)) for name in ("low", "high", "rows"))
            bins.append(Bin(predicted, observed, low, high, rows))
    if not bins:
        return None
    if found.get("kind") == "interval":
        labels = ("stated coverage of the interval", "share of rows inside")
        caption = (
            "On the diagonal the predicted intervals hold as many rows as they claim; below it they are too narrow."
        )
    else:
        labels = ("predicted probability", "share that came true")
        caption = "On the diagonal a stated chance means what it says; below it the model is too sure of itself."
    if evenly_filled(bins):
        caption += f" Each dot stands for about {plural(bins[0].rows, 'row')}."
    figure = Figure(calibration(bins, x_label=labels[0], y_label=labels[1]), caption=caption)
    return {"figure": figure, "labels": [label.capitalize() for label in labels], "bins": [_bin(item) for item in bins]}


def _bin(item: Bin) -> View:
    known = item.low is not None and item.high is not None
    return {
        "predicted": share(item.predicted),
        "observed": share(item.observed),
        "interval": f"{share(item.low)} to {share(item.high)}" if known else "",
        "rows": count(item.rows),
    }


def importance(result: View) -> View | None:
    """Return the bars of the columns that matter most, and the rest as a table."""
    found = [item for item in _columns(result) if finite(item.get("value")) is not None]
    if not found:
        return None
    found.sort(key=lambda item: -item["value"])
    estimates = [
        Estimate(item["column"], float(item["value"]), finite(item.get("low")), finite(item.get("high")))
        for item in found[:MOST_BARS]
    ]
    named = next(filter(None, (words(item, "unit") for item in found)), "")
    unit = f"added error when shuffled ({named})" if named else "added error when shuffled"
    wide, narrow = (rows_of_estimates(estimates, label=unit, width=width, boxes=True) for width in (WIDE, NARROW))
    caption = (
        "How much worse the predictions on the validation rows become when a column’s values are shuffled, with 95 % "
        "intervals."
    )
    rest = [_importance(item) for item in found[MOST_BARS:]]
    return {"figure": Figure(wide, narrow, caption), "rest": rest, "unit": unit}


def _importance(item: View) -> View:
    value, low, high = together([item.get("value"), item.get("low"), item.get("high")])
    return {"column": item["column"], "value": value, "interval": interval(low, high)}


def worst_rows(result: View, target: str, *, only: bool) -> list[View]:
    """Return the rows of one target with the greatest loss; ``only``: there is no other target."""
    ranked = sorted(_columns(result), key=lambda item: -(finite(item.get("value")) or 0.0))
    order = {item["column"]: place for place, item in enumerate(ranked)}
    found = [row for row in records(result, "worst_rows") if only or row.get("target") == target]
    return [_worst(row, order) for row in found[:MOST_WORST_ROWS]]


def _columns(result: View) -> list[View]:
    return [item for item in records(result, "importance") if words(item, "column")]


def _worst(row: View, order: dict[str, int]) -> View:
    values = sorted(mapping(row, "row").items(), key=lambda pair: order.get(pair[0], len(order)))
    shown = [_value(name, value) for name, value in values[:VALUES_AT_MOST]]
    sight = VALUES_IN_SIGHT if len(shown) > VALUES_IN_SIGHT + 2 else len(shown)  # one or two are not worth a click
    return {
        "where": cell(row.get("where"), 120),
        "truth": _answer(row.get("truth")),
        "predicted": _answer(row.get("predicted")),
        "loss": number(row.get("loss"), 3),
        "values": shown[:sight],
        "more": shown[sight:],
        "left": len(values) - len(shown),
    }


def _value(name: str, value: Any) -> View:
    if picture(value):
        return {"name": clip(name, 80), "value": "", "picture": value, "sound": "", "long": False}
    if sound(value):
        return {"name": clip(name, 80), "value": "", "picture": "", "sound": value, "long": True}
    value = cell(value)
    return {
        "name": clip(name, 80),
        "value": value,
        "picture": "",
        "sound": "",
        "long": max(len(name), len(value)) > LONG_VALUE or not BARS.isdisjoint(value),
    }


def _answer(value: Any) -> str:
    return number(value) if finite(value) is not None else cell(value, 80)
