"""Plots of reasons: the mean answer along a column's values, and a picture whose patches are marked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fathom.quantities import number
from fathom.report.plots.drawing import (
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
from fathom.report.wording import fit

LEVELS = 7
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STARTS, _ENDS = (0, 5, 11), (4, 7, 10, 16)  # of year, month and day, and clock in 2018-10-05 07:10


@dataclass(frozen=True)
class Course:
    """How the mean answer goes along a column: at each of ``values``, numbers or names, the ``mean`` with its interval."""

    column: str
    values: tuple[float | str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def course(drawn: Course, *, label: str, ends: tuple[float, float], width: float) -> str:
    """Draw one column's course; ``ends`` are the least and the greatest answer of all columns, so that courses can be compared."""
    height = 190.0
    y = Scale(*widen(ends, share=0.06), height - 44, 30)
    left = max(gutter(y.ticks(4)), 44)
    numbers = [value for value in drawn.values if isinstance(value, float)]
    if len(numbers) == len(drawn.values):
        low, high = widen(numbers, share=0.03)
        frame = Frame(width, height, Scale(low, high, left, width - 14), y)
        points = frame.points(numbers, drawn.mean)
        across = frame.points([*numbers, *reversed(numbers)], [*drawn.low, *reversed(drawn.high)])
        outline = "L".join(f"{pixel(x)} {pixel(place)}" for x, place in across)
        band = f'<path class="bar network ground" d="M{outline}z"/>'
        body = [
            axes(
                frame,
                x_label=fit(drawn.column, 40),
                y_label=label,
                x_ticks=nice_ticks(low, high, count=4),
                y_ticks=y.ticks(4),
            ),
            band,
            line(points, "network"),
            dots(points, "network", radius=3),
        ]
    else:
        frame = Frame(width, height, Scale(-0.5, len(drawn.values) - 0.5, left, width - 14), y)
        places = [frame.x.place(place) for place in range(len(drawn.values))]
        room = max(3, int((places[1] - places[0]) / 7)) if len(places) > 1 else 20
        names, common = told_apart([str(value) for value in drawn.values], room)
        spans = [(y.place(low), y.place(high), x) for low, high, x in zip(drawn.low, drawn.high, places, strict=True)]
        body = [
            axes(frame, y_label=label, y_ticks=y.ticks(4)),
            whiskers(spans, "network", upright=True),
            dots([(x, y.place(mean)) for x, mean in zip(places, drawn.mean, strict=True)], "network", radius=4),
            *(
                text(x, height - 26, name, anchor="middle", full=str(value))
                for x, name, value in zip(places, names, drawn.values, strict=True)
            ),
            text((left + width - 14) / 2, height - 6, f"{fit(drawn.column, 40)}{common}", anchor="middle"),
        ]
    said = "; ".join(
        f"{value if isinstance(value, str) else number(value)}: {number(mean)}"
        for value, mean in zip(drawn.values, drawn.mean, strict=True)
    )
    return picture(width, height, f"{label} by {drawn.column}. {said}.", body)


def told_apart(names: Sequence[str], room: int) -> tuple[list[str], str]:
    """Return names that have room below an axis, and what they have in common for beside its label: dates as coarsely as tells them apart, all else cut to ``room`` characters.

    >>> told_apart(["2018-01-05 07:10", "2018-10-02 12:00", "2019-08-01 00:00"], 8)
    (['2018-01', '2018-10', '2019-08'], '')
    >>> told_apart(["2018-10-05 07:10", "2018-10-06 12:00"], 8), told_apart(["2018-10-05 07:10", "2018-10-05 12:00"], 8)
    ((['10-05', '10-06'], ', 2018'), (['07:10', '12:00'], ', 2018-10-05'))
    >>> told_apart(["breakfast", "lunch"], 6)
    (['break…', 'lunch'], '')
    """
    if all(map(_DATE.match, names)) and max(map(len, names), default=0) > room:
        for start in _STARTS:
            shared = {name[:start].rstrip("- T") for name in names}
            for end in _ENDS if len(shared) == 1 else ():
                short = [name[start:end] for name in names]
                if 0 < end - start <= room and len(set(short)) == len(names):
                    return short, f", {shared.pop()}" if start else ""
    return [fit(name, room) for name in names], ""


def marked(
    url: str, places: Sequence[tuple[float, float, float, float]], values: Sequence[float], *, side: float
) -> str:
    """Draw a picture twice, as it is and with its patches marked: what has pushed the answer up in the network's colour, what down in the other's.

    ``places`` are top, left, bottom and right as shares of the sides.
    """
    gap = 12.0
    image = f'<image class="seen" href="{escape(url)}" x="{{}}" y="0" width="{pixel(side)}" height="{pixel(side)}" preserveAspectRatio="none"/>'
    most = max((abs(value) for value in values), default=0.0) or 1.0
    boxes = []
    for (top, left, bottom, right), value in zip(places, values, strict=True):
        level = level_of(value, most)
        if level:
            box = (side + gap + left * side, top * side, (right - left) * side, (bottom - top) * side)
            boxes.append(bars([box], f"{'network' if value > 0 else 'baseline'} over level-{level}"))
    width = 2 * side + gap
    return picture(
        width,
        side,
        "The picture, and the same with the patches marked that have pushed the answer.",
        [image.format("0"), image.format(pixel(side + gap)), *boxes],
    )


def level_of(value: float, most: float) -> int:
    """Return how strongly a piece is marked, 0 (not at all) to 7.

    >>> level_of(1.0, 1.0), level_of(-0.5, 1.0), level_of(0.01, 1.0)
    (7, 4, 0)
    """
    return round(LEVELS * abs(value) / most) if most > 0 else 0
