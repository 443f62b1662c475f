"""Plots of training: the loss and the learning rate of every epoch, the gradient of every layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from fathom.quantities import number
from fathom.report.plots.drawing import Frame, Scale, axes, dots, gutter, line, nice_ticks, picture, text, widen
from fathom.report.wording import plural


@dataclass(frozen=True)
class Curve:
    """A value per epoch, or per layer, and the class that draws it."""

    name: str
    xs: tuple[float, ...]
    values: tuple[float, ...]
    kind: str


def losses(curves: Sequence[Curve], *, best_epoch: float | None, label: str, width: float) -> str:
    """Draw losses over epochs and mark the best one. Losses that fall more than thirtyfold get a logarithmic scale."""
    height = 250.0 if width < 500 else 290.0
    frame, logarithmic = _frame(curves, width, height, right=78, top=34, bottom=46)
    note = f"{label} (logarithmic)" if logarithmic else label
    x_ticks = _whole(nice_ticks(frame.x.low, frame.x.high, count=4 if width < 500 else 8))
    body = [axes(frame, x_label="epoch", y_label=note, x_ticks=x_ticks, y_ticks=frame.y.ticks(5))]
    if best_epoch is not None and frame.x.low <= best_epoch <= frame.x.high:
        body.append(_best(frame, best_epoch))
    body += [line(frame.points(curve.xs, curve.values), curve.kind) for curve in curves]
    body += [
        dots(frame.points([best_epoch], [curve.values[curve.xs.index(best_epoch)]]), curve.kind, radius=4)
        for curve in curves
        if best_epoch is not None and best_epoch in curve.xs
    ]
    body.append(names_at_ends(frame, curves))
    said = ", ".join(f"{curve.name} from {number(curve.values[0])} to {number(curve.values[-1])}" for curve in curves)
    epochs = plural(len(curves[0].xs), "epoch")
    return picture(width, height, f"{label} over {epochs}: {said}.", body)


def rates(curve: Curve, *, width: float) -> str:
    """Draw the learning rate over epochs, small."""
    height = 120.0
    frame, _ = _frame([curve], width, height, right=78, top=30, bottom=28, zero=True)
    x_ticks = _whole(nice_ticks(frame.x.low, frame.x.high, count=4 if width < 500 else 8))
    body = [
        axes(frame, y_label="learning rate", x_ticks=x_ticks, y_ticks=frame.y.ticks(2)),
        line(frame.points(curve.xs, curve.values), curve.kind),
    ]
    return picture(width, height, f"Learning rate over epochs, at most {number(max(curve.values))}.", body)


def gradients(curves: Sequence[Curve], *, width: float) -> str:
    """Draw the length of the gradient of every layer, from the input to the output; one of 0 lies at the lower edge."""
    height = 210.0 if width < 500 else 240.0
    known = [value for curve in curves for value in curve.values if value > 0]
    lowest, highest = min(known, default=0.1), max(known, default=1.0)
    floor = lowest / 10 if any(value <= 0 for curve in curves for value in curve.values) else lowest / 1.5
    y = Scale(floor, highest * 1.5, height - 46, 34, logarithmic=True)
    last = max(curve.xs[-1] for curve in curves)
    # An axis over hundreds of decades has ticks such as 10⁻²⁰.
    frame = Frame(width, height, Scale(1, max(last, 2), max(gutter(y.ticks()), 56), width - 78), y)
    x_ticks = _whole(nice_ticks(1, max(last, 2), count=4 if width < 500 else 8))
    label = "layer, from input to output"
    body = [axes(frame, x_label=label, y_label="gradient norm (logarithmic)", x_ticks=x_ticks, y_ticks=y.ticks())]
    drawn = [
        Curve(curve.name, curve.xs, tuple(max(value, floor) for value in curve.values), curve.kind) for curve in curves
    ]
    for curve in drawn:
        body.append(line(frame.points(curve.xs, curve.values), curve.kind))
        if len(curve.xs) <= 40:
            body.append(dots(frame.points(curve.xs, curve.values), curve.kind, radius=3))
    body.append(names_at_ends(frame, drawn))
    said = ", ".join(f"{curve.name} from {number(curve.values[0])} to {number(curve.values[-1])}" for curve in curves)
    return picture(width, height, f"Gradient norm of {plural(last, 'layer')}, first to last: {said}.", body)


def _frame(
    curves: Sequence[Curve], width: float, height: float, *, right: float, top: float, bottom: float, zero: bool = False
) -> tuple[Frame, bool]:
    values = [value for curve in curves for value in curve.values]
    epochs = [epoch for curve in curves for epoch in curve.xs]
    low, high = widen([*values, 0.0] if zero else values, share=0.04)
    logarithmic = not zero and min(values) > 0 and max(values) > 30 * min(values)
    if logarithmic:
        low, high = min(values) / 1.15, max(values) * 1.15
    y = Scale(low, high, height - bottom, top, logarithmic)
    first, last = min(epochs), max(epochs)
    x = Scale(first, last if last > first else first + 1, max(gutter(y.ticks(5)), 56), width - right)
    return Frame(width, height, x, y), logarithmic


def _best(frame: Frame, best_epoch: float) -> str:
    x = frame.x.place(best_epoch)
    right = x > (frame.x.start + frame.x.end) / 2
    return line([(x, frame.y.start), (x, frame.y.end)], "best") + text(
        x + (-6 if right else 6), frame.y.end + 10, f"best: epoch {best_epoch:.0f}", anchor="end" if right else "start"
    )


def names_at_ends(frame: Frame, curves: Sequence[Curve]) -> str:
    """Write each curve's name at its end, at least a line of text apart."""
    placed = [(frame.y.place(curve.values[-1]), curve) for curve in curves]
    ends = sorted(placed, key=lambda end: end[0])
    drawn, above = [], frame.y.end - 14.0
    for index, (end, curve) in enumerate(ends):
        lowest = frame.y.start - 14.0 * (len(ends) - 1 - index)
        above = min(max(end, above + 14.0), lowest)
        drawn.append(text(frame.x.end + 7, above + 4, curve.name, kind=f"side {curve.kind}"))
    return "".join(drawn)


def _whole(ticks: Sequence[float]) -> tuple[float, ...]:
    return tuple(tick for tick in ticks if tick == int(tick))
