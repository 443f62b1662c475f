"""Plots of predictions against the truth: dots and residuals, confusion, calibration."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fathom.quantities import count, share
from fathom.report.plots.drawing import (
    CHARACTER,
    Frame,
    Scale,
    axes,
    bars,
    dots,
    gutter,
    line,
    nice_ticks,
    picture,
    pixel,
    text,
    whiskers,
    widen,
)
from fathom.report.wording import fit, plural

FEW_CLASSES = 12  # up to here every cell of the confusion matrix shows its number
MOST_CLASSES = 60  # a larger map shows the classes with the most rows

WIDTH = 400.0


@dataclass(frozen=True)
class Bin:
    """Predictions of about ``predicted`` and what came of them; places are shares, 0 to 1."""

    predicted: float
    observed: float
    low: float | None
    high: float | None
    rows: float | None


def predicted_against_true(truth: Sequence[float], predicted: Sequence[float], *, target: str) -> str:
    """Draw a dot per row; on the diagonal the prediction is exact."""
    low, high = widen([*truth, *predicted])
    ticks = nice_ticks(low, high)
    frame = _square(low, high, low, high, gutter(ticks))
    body = [
        axes(
            frame,
            x_label=f"true {fit(target, 40)}",
            y_label=f"predicted {fit(target, 40)}",
            x_ticks=ticks,
            y_ticks=ticks,
        ),
        line(frame.points([low, high], [low, high]), "exact"),
        dots(frame.points(truth, predicted), "network"),
    ]
    label = f"Predicted against true {target}, {plural(len(truth), 'row')}; on the diagonal the prediction is exact."
    return picture(WIDTH, WIDTH, label, body)


def residuals(truth: Sequence[float], predicted: Sequence[float], *, target: str) -> str:
    """Draw a dot per row: by how much the prediction is too high (above zero) or too low."""
    errors = [p - t for t, p in zip(truth, predicted, strict=True)]
    reach = max(map(abs, widen([*errors, 0.0])))
    low, high = widen(predicted)
    ticks = nice_ticks(-reach, reach, count=7)
    frame = _square(low, high, -reach, reach, gutter(ticks))
    body = [
        axes(
            frame,
            x_label=f"predicted {fit(target, 40)}",
            y_label="residual: predicted minus true",
            x_ticks=nice_ticks(low, high),
            y_ticks=ticks,
        ),
        line(frame.points([low, high], [0, 0]), "exact"),
        dots(frame.points(predicted, errors), "network"),
    ]
    label = f"Residuals of {target}, {plural(len(truth), 'row')}: above zero the prediction is too high."
    return picture(WIDTH, WIDTH, label, body)


def _square(x_low: float, x_high: float, y_low: float, y_high: float, left: float) -> Frame:
    return Frame(WIDTH, WIDTH, Scale(x_low, x_high, left, WIDTH - 12), Scale(y_low, y_high, WIDTH - 48, 34))


def calibration(bins: Sequence[Bin], *, x_label: str, y_label: str) -> str:
    """Draw observed shares against predicted ones with intervals, and below them how many rows each stands for."""
    ticks = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    height = 396.0 if evenly_filled(bins) else 470.0
    frame = Frame(WIDTH, height, Scale(0, 1, gutter(ticks), WIDTH - 14), Scale(0, 1, 352, 34))
    places = frame.points([item.predicted for item in bins], [item.observed for item in bins])
    spans = [
        (frame.y.place(item.low), frame.y.place(item.high), frame.x.place(item.predicted))
        for item in bins
        if item.low is not None and item.high is not None
    ]
    body = [
        axes(frame, x_label=x_label, y_label=y_label, x_ticks=ticks, y_ticks=ticks),
        line(frame.points([0, 1], [0, 1]), "exact"),
        whiskers(spans, "network", upright=True),
        line(places, "faint network"),
        dots(places, "network", radius=4),
        "" if evenly_filled(bins) else _row_counts(bins, frame),
    ]
    said = "; ".join(f"{share(item.predicted)} predicted, {share(item.observed)} observed" for item in bins)
    return picture(WIDTH, height, f"Calibration. {said}.", body)


def evenly_filled(bins: Sequence[Bin]) -> bool:
    """Say whether every bin holds about as many rows as the others, which is not worth a plot of its own.

    >>> evenly_filled([Bin(0.1, 0.1, None, None, 100), Bin(0.9, 0.9, None, None, 103)])
    True
    """
    rows = [item.rows or 0 for item in bins]
    return bool(rows) and max(rows) <= 1.2 * min(rows)


def _row_counts(bins: Sequence[Bin], frame: Frame) -> str:
    most = max((item.rows or 0 for item in bins), default=0)
    if not most:
        return ""
    base, tallest = 464.0, 36.0
    places = sorted(frame.x.place(item.predicted) for item in bins)
    gap = min((right - left for left, right in itertools.pairwise(places)), default=40.0)
    width = max(min(14.0, gap - 1), 2.0)
    boxes, labels = [], []
    for item in bins:
        x, height = frame.x.place(item.predicted), tallest * (item.rows or 0) / most
        boxes.append((x - width / 2, base - height, width, height))
        if gap > 24:
            labels.append(text(x, base - height - 4, count(item.rows), kind="small", anchor="middle"))
    head = text(2, base - tallest - 16, "rows", kind="label")
    return head + bars(boxes, "quiet") + "".join(labels)


def confusion(classes: Sequence[str], counts: Sequence[Sequence[float]]) -> str:
    """Draw the confusion matrix with its numbers: a row per true class, a column per predicted class.

    A cell is as strong as its share of the true class: the diagonal, where both agree, in the network's colour,
    mistakes in the other one.
    """
    cell = 96.0 if len(classes) <= 3 else 64.0 if len(classes) <= 6 else 46.0
    names = min(max(map(len, classes), default=1), 16) * CHARACTER
    upright = names < cell - 6
    left, top = names + 14, (58.0 if upright else names * 0.72 + 52)
    heats, words = (
        [],
        [text(2, 14, "columns: predicted class", kind="label"), text(2, 31, "rows: true class", kind="label")],
    )
    for row, name in enumerate(classes):
        short, middle = fit(name, 16), cell * (row + 0.5)
        words.append(text(left - 8, top + middle + 4, short, kind="name", anchor="end", full=name))
        turned = text(0, 0, short, anchor="middle" if upright else "start", full=name)
        words.append(_turned(left + middle, top - 8, 0 if upright else -45, turned))
        total = sum(counts[row]) or 1
        for column, rows in enumerate(counts[row]):
            x, y, strength = left + cell * column, top + cell * row, rows / total
            hint = f"{name}, predicted as {classes[column]}: {plural(rows, 'row')}, {share(strength)} of the true class"
            heats.append(_heat(x + 1, y + 1, cell - 2, strength, hint, kind="network" if row == column else "baseline"))
            words.append(_numbers(x + cell / 2, y + cell / 2 + 4, rows, strength, roomy=cell > 60))
    right = sum(counts[index][index] for index in range(len(classes)))
    label = (
        f"Confusion matrix of {len(classes)} classes, {count(right)} of {plural(sum(map(sum, counts)), 'row')} right."
    )
    size = cell * len(classes)
    width = left + size + (4 if upright else max(names * 0.72 - cell / 2, 0) + 12)
    return picture(max(width, 150), top + size + 4, label, [f'<g class="heats">{"".join(heats)}</g>', *words])


def _numbers(x: float, y: float, rows: float, strength: float, *, roomy: bool) -> str:
    kind = "cell" if rows else "cell none"
    if not roomy or not rows:
        return text(x, y, count(rows), kind=kind, anchor="middle")
    return text(x, y - 7, count(rows), kind="cell large", anchor="middle") + text(
        x, y + 11, share(strength), anchor="middle"
    )


def _heat(x: float, y: float, side: float, strength: float, hint: str, *, kind: str) -> str:
    return (
        f'<rect class="heat {kind}" x="{pixel(x)}" y="{pixel(y)}" width="{pixel(side)}" height="{pixel(side)}" '
        f'fill-opacity="{strength:.2f}"><title>{escape(hint)}</title></rect>'
    )


def _turned(x: float, y: float, degrees: float, words: str) -> str:
    return f'<g transform="translate({pixel(x)} {pixel(y)}) rotate({pixel(degrees)})">{words}</g>'


def confusion_map(classes: Sequence[str], counts: Sequence[Sequence[float]]) -> str:
    """Draw the confusion matrix of many classes without numbers, in seven strengths, one path for each."""
    kept = sorted(range(len(classes)), key=lambda row: -sum(counts[row]))[:MOST_CLASSES]
    kept.sort()
    cell = 18.0 if len(kept) <= 30 else 13.0
    names = min(max((len(classes[row]) for row in kept), default=1), 14)
    left, top = names * CHARACTER + 12, names * CHARACTER + 50
    strengths: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    body = [text(2, 14, "columns: predicted class", kind="label"), text(2, 31, "rows: true class", kind="label")]
    for down, row in enumerate(kept):
        total = sum(counts[row]) or 1
        short, middle = fit(classes[row], 14), cell * (down + 0.5) + 4
        body.append(text(left - 6, top + middle, short, kind="small", anchor="end", full=classes[row]))
        body.append(_turned(left + middle, top - 6, -90, text(0, 0, short, kind="small", full=classes[row])))
        for across, column in enumerate(kept):
            level = min(
                7, int(7 * (counts[row][column] / total) ** 0.5 + 0.999)
            )  # the root keeps rare mistakes in sight
            if level:
                box = (left + cell * across + 0.5, top + cell * down + 0.5, cell - 1, cell - 1)
                strengths.setdefault(("network" if row == column else "baseline", level), []).append(box)
    size = cell * len(kept)
    body.append(
        f'<rect class="ground-line" x="{pixel(left)}" y="{pixel(top)}" width="{pixel(size)}" height="{pixel(size)}"/>'
    )
    heats = [bars(boxes, f"heat {kind} level-{level}") for (kind, level), boxes in sorted(strengths.items())]
    body.append(f'<g class="heats">{"".join(heats)}</g>')
    label = f"Map of the confusion of {len(kept)} classes: rows are true classes, columns predicted ones."
    return picture(left + size + 4, top + size + 4, label, body)
