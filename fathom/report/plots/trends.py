"""Plots of a score that changes with something: how badly rows are spoiled, how many are learned from, how far an attack may reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from fathom.quantities import number
from fathom.report.plots.curves import Curve, names_at_ends
from fathom.report.plots.drawing import Frame, Scale, axes, dots, gutter, line, nice_ticks, picture, pixel, widen


@dataclass(frozen=True)
class Trend:
    """Points of a score with their intervals, and perhaps a law through them; ``kind`` is the class that colours it."""

    name: str
    xs: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    kind: str = "network"
    law: tuple[tuple[float, float], ...] = ()


def trends(
    found: Sequence[Trend], *, x_label: str, y_label: str, width: float, logarithmic: bool = False, whole: bool = False
) -> str:
    """Draw each trend with its interval as a band; ``logarithmic`` is the scale from left to right, ``whole`` shows all of 0 to 1."""
    height = 250.0 if width < 500 else 290.0
    xs = [x for trend in found for x in (*trend.xs, *(place for place, _ in trend.law))]
    ys = [y for trend in found for y in (*trend.values, *trend.lows, *trend.highs, *(value for _, value in trend.law))]
    low, high = (0.0, 1.0) if whole else widen(ys, share=0.04)
    y = Scale(low, high, height - 46, 34)
    first, last = min(xs), max(xs)
    last = last if last > first else first + 1
    narrow = width < 500
    x = Scale(first, last, max(gutter(y.ticks(5)), 56), width - (104 if narrow else 136), logarithmic)
    frame = Frame(width, height, x, y)
    ticks = x.ticks() if logarithmic else nice_ticks(first, last, count=4 if narrow else 8)
    if all(place == int(place) for trend in found for place in trend.xs):
        ticks = tuple(tick for tick in ticks if tick == int(tick))
    body = [
        axes(
            frame,
            x_label=x_label,
            y_label=y_label,
            x_ticks=ticks[:: 2 if narrow and logarithmic else 1],
            y_ticks=y.ticks(5),
        )
    ]
    for trend in found:
        if trend.lows and trend.highs:
            body.append(_band(frame, trend))
    for trend in found:
        if trend.law:
            body.append(line(frame.points(*zip(*trend.law, strict=True)), f"{trend.kind} law"))
        else:
            body.append(line(frame.points(trend.xs, trend.values), trend.kind))
        body.append(dots(frame.points(trend.xs, trend.values), trend.kind, radius=3.5))
    body.append(names_at_ends(frame, [_end(trend) for trend in found]))
    said = "; ".join(f"{trend.name} from {number(trend.values[0])} to {number(trend.values[-1])}" for trend in found)
    return picture(width, height, f"{y_label} by {x_label}: {said}.", body)


def _band(frame: Frame, trend: Trend) -> str:
    upper, lower = frame.points(trend.xs, trend.highs), frame.points(trend.xs, trend.lows)[::-1]
    path = "L".join(f"{pixel(x)} {pixel(y)}" for x, y in [*upper, *lower])
    return f'<path class="band {trend.kind}" d="M{path}Z"/>'


def _end(trend: Trend) -> Curve:
    if trend.law:
        xs, values = zip(*trend.law, strict=True)
        return Curve(trend.name, tuple(xs), tuple(values), trend.kind)
    return Curve(trend.name, trend.xs, trend.values, trend.kind)
