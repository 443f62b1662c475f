"""Plots of numbers with intervals: the verdict's difference, every model's score, every column's importance."""

from collections.abc import Sequence
from dataclasses import dataclass

from fathom.quantities import number, together
from fathom.report.plots.drawing import (
    CHARACTER,
    Frame,
    Scale,
    axes,
    bars,
    dots,
    line,
    nice_ticks,
    picture,
    text,
    whiskers,
    widen,
)
from fathom.report.wording import breadth, fit


@dataclass(frozen=True)
class Estimate:
    """A named number with its interval; ``kind`` is the class that colours it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = "network"
    note: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the number itself where there is none."""
        return (self.value if self.low is None else self.low), (self.value if self.high is None else self.high)


def difference(estimate: Estimate, *, better: str, worse: str, label: str, width: float) -> str:
    """Draw the verdict: the difference and its interval on a scale with zero in the middle.

    ``better`` names what wins right of zero, ``worse`` what wins left of it; ``label`` names the scale.
    """
    low, high = estimate.ends
    reach = 1.2 * max(abs(low), abs(high), abs(estimate.value)) or 1.0
    narrow = width < 500
    frame = Frame(width, 150, Scale(-reach, reach, 8, width - 8), Scale(0, 1, 106, 30))
    zero, middle = frame.x.place(0), 76.0
    places = int((width / 2 - 30) / CHARACTER)
    left, right = fit(f"← {worse} better", places), fit(f"{better} better →", places)
    told = together([estimate.value, low, high], 3)
    # Keep the words inside the picture, however far out the dot lies.
    words = f"{_signed(told[0], estimate.value)}  ({told[1]} to {told[2]})"
    half = len(words) * CHARACTER / 2 + 4
    at = min(max(frame.x.place(estimate.value), half), width - half)
    body = [
        bars([(frame.x.start, 30, zero - frame.x.start, 76)], "ground baseline"),
        bars([(zero, 30, frame.x.end - zero, 76)], "ground network"),
        axes(frame, x_label=label, x_ticks=nice_ticks(-reach, reach, count=4 if narrow else 8)),
        line([(zero, 30), (zero, 106)], "zero"),
        text(frame.x.start, 20, left, kind="side baseline", full=f"{worse} better"),
        text(frame.x.end, 20, right, kind="side network", anchor="end", full=f"{better} better"),
        whiskers([(frame.x.place(low), frame.x.place(high), middle)], "strong", cap=8),
        dots([(frame.x.place(estimate.value), middle)], "strong", radius=6),
        text(at, middle - 18, words, kind="strong", anchor="middle"),
    ]
    told_label = f"{label}: {told[0]}, interval {told[1]} to {told[2]}. Above zero {better} is better."
    return picture(width, 150, told_label, body)


def _signed(words: str, value: float) -> str:
    return f"+{words}" if value > 0 else words


def rows_of_estimates(rows: Sequence[Estimate], *, label: str, width: float, boxes: bool = False) -> str:
    """Draw one line per estimate: a dot (or, with ``boxes``, a bar from zero) and its interval.

    On a wide picture the names stand left of the plot, on a narrow one above each line.
    """
    narrow = width < 500
    longest = max((breadth(row.name) for row in rows), default=0.0)
    names = 0.0 if narrow else min(max(longest * CHARACTER + 20, 80), 260)
    numbers = 72.0
    step = 40.0 if narrow else 30.0
    ends = [end for row in rows for end in (*row.ends, row.value)]
    low, high = widen([*ends, 0.0] if boxes else ends, share=0.04)
    bottom = 8 + step * len(rows)
    x = Scale(low, high, names + 4, width - numbers)
    frame = Frame(width, bottom + 46, x, Scale(0, 1, bottom, 4))
    body = [axes(frame, x_label=label, x_ticks=nice_ticks(low, high, count=4 if narrow else 6))]
    if low < 0 < high:
        body.append(line([(x.place(0), bottom), (x.place(0), 4)], "zero"))
    values = together([row.value for row in rows], 3 if boxes else 4)
    for index, (row, value) in enumerate(zip(rows, values, strict=True)):
        y = 8 + step * (index + (0.68 if narrow else 0.5))
        body.append(_estimate(row, value, x, y, width, narrow=narrow, names=names, boxes=boxes))
    said = "; ".join(f"{row.name} {number(row.value)}" for row in rows[:30])
    return picture(width, bottom + 46, f"{label}. {said}.", body)


def _estimate(
    row: Estimate, value: str, x: Scale, y: float, width: float, *, narrow: bool, names: float, boxes: bool
) -> str:
    low, high = row.ends
    name = fit(row.name, int((width if narrow else names - 12) / CHARACTER))
    place = (2.0, y - 13, "start") if narrow else (names - 8, y + 4, "end")
    start, end = sorted((x.place(0), x.place(row.value))) if boxes else (0.0, 0.0)
    mark = bars([(start, y - 7, end - start, 14)], row.kind) if boxes else ""
    point = "" if boxes else dots([(x.place(row.value), y)], row.kind, radius=5)
    spans = [] if row.low is None and row.high is None else [(x.place(low), x.place(high), y)]
    return "".join(
        (
            text(place[0], place[1], name, kind=f"name {row.note}".strip(), anchor=place[2], full=row.name),
            mark,
            whiskers(spans, "over" if boxes else row.kind),
            point,
            text(width - 2, y + 4, value, kind="value", anchor="end"),
        )
    )
