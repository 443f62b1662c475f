"""The few marks that every plot is made of, as SVG text: axes, line, dots, bars, whiskers.

Places are in pixels from the top left corner, before the page scales the picture. Colours are never named here: a mark
carries a class (``network``, ``baseline``, ``quiet`` …) that ``style.css`` colours for light, dark and paper.

The choice of round ticks follows P. Heckbert, "Nice Numbers for Graph Labels", Graphics Gems (1990), page 61.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from fathom.quantities import compact

Point = tuple[float, float]
CHARACTER = 6.6  # width of an average character of a 12-pixel label, in pixels


@dataclass(frozen=True)
class Scale:
    """A straight or logarithmic way from values to pixels: ``low`` lies at ``start``, ``high`` at ``end``.

    >>> Scale(0, 10, start=40, end=140).place(5)
    90.0
    >>> Scale(1, 100, start=0, end=100, logarithmic=True).place(10)
    50.0
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> tuple[float, ...]:
        """Return round values between ``low`` and ``high``."""
        return round_decades(self.low, self.high) if self.logarithmic else nice_ticks(self.low, self.high, count=count)


@dataclass(frozen=True)
class Frame:
    """A picture of ``width`` x ``height`` pixels and the two scales of the plot inside it."""

    width: float
    height: float
    x: Scale
    y: Scale

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> list[Point]:
        """Return the places of value pairs."""
        return [(self.x.place(x), self.y.place(y)) for x, y in zip(xs, ys, strict=True)]


def nice_ticks(low: float, high: float, *, count: int = 5) -> tuple[float, ...]:
    """Return about ``count`` round values from ``low`` to ``high``, in steps of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(0, 1), nice_ticks(-0.013, 0.044), nice_ticks(3, 3)
    ((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (-0.01, 0.0, 0.01, 0.02, 0.03, 0.04), (3.0,))
    """
    if not high > low:
        return (float(low),)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(round_step * power for round_step in (1, 2, 5, 10) if round_step * power >= raw * 0.7)
    slack = 1e-9 * (high - low) / step
    first, last = math.ceil(low / step - slack), math.floor(high / step + slack)
    decimals = max(0, -math.floor(math.log10(step)) + 1)
    return tuple(round(index * step, decimals) + 0.0 for index in range(first, last + 1))


def round_decades(low: float, high: float) -> tuple[float, ...]:
    """Return 1, 2 and 5 times powers of ten between ``low`` and ``high``; over many decades the powers alone, thinned.

    >>> round_decades(0.3, 12)
    (0.5, 1.0, 2.0, 5.0, 10.0)
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    every = max(1, len(powers) // 6)
    ticks = (float(f"{step}e{power}") for power in powers if power % every == 0 for step in steps)
    return tuple(tick for tick in ticks if low <= tick <= high)


def widen(values: Iterable[float], *, share: float = 0.05) -> tuple[float, float]:
    """Return the range of values with room on both sides; a single value gets a range around it.

    >>> widen([0, 10]), widen([2]), widen([])
    ((-0.5, 10.5), (1.0, 3.0), (0.0, 1.0))
    """
    known = list(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    room = share * (high - low)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one value, or rounding noise around it
        room = abs(low) / 2 or 1.0
    return low - room, high + room


def picture(width: float, height: float, label: str, body: Iterable[str]) -> str:
    """Return the SVG document; ``label`` says to those who cannot see it what it shows."""
    return (
        f'<svg viewBox="0 0 {pixel(width)} {pixel(height)}" width="{pixel(width)}" height="{pixel(height)}" role="img"'
        f' aria-label="{escape(label)}">{"".join(body)}</svg>'
    )


def axes(
    frame: Frame,
    *,
    x_label: str = "",
    y_label: str = "",
    x_ticks: Sequence[float] = (),
    y_ticks: Sequence[float] = (),
) -> str:
    """Draw grid lines, ticks and axis labels; the label of the y axis stands above the plot, where it can be read."""
    left, right, bottom, top = frame.x.start, frame.x.end, frame.y.start, frame.y.end
    grid, labels = [], []
    for tick in x_ticks:
        x = pixel(frame.x.place(tick))
        grid.append(f"M{x} {pixel(bottom)}V{pixel(top)}")
        labels.append(f'<text x="{x}" y="{pixel(bottom + 17)}" text-anchor="middle">{compact(tick)}</text>')
    for tick in y_ticks:
        y = frame.y.place(tick)
        grid.append(f"M{pixel(left)} {pixel(y)}H{pixel(right)}")
        labels.append(f'<text x="{pixel(left - 7)}" y="{pixel(y + 4)}" text-anchor="end">{compact(tick)}</text>')
    drawn = [f'<path class="grid" d="{"".join(grid)}"/><g class="ticks">{"".join(labels)}</g>']
    if x_label:
        drawn.append(text((left + right) / 2, bottom + 36, x_label, kind="label", anchor="middle"))
    if y_label:
        drawn.append(text(2, top - 12, y_label, kind="label"))
    return "".join(drawn)


def line(points: Sequence[Point], kind: str) -> str:
    """Draw a line through the points."""
    path = "L".join(f"{pixel(x)} {pixel(y)}" for x, y in points)
    return f'<path class="line {kind}" d="M{path}"/>' if points else ""


def dots(points: Sequence[Point], kind: str, *, radius: float = 0) -> str:
    """Draw dots; without ``radius`` as a cloud of small see-through ones, so that crowds look dense."""
    if radius:
        return "".join(
            f'<circle class="dot {kind}" cx="{pixel(x)}" cy="{pixel(y)}" r="{pixel(radius)}"/>' for x, y in points
        )
    marks = "".join(f'<path d="M{pixel(x)} {pixel(y)}h0"/>' for x, y in points)
    return f'<g class="cloud {kind}">{marks}</g>'


def bars(boxes: Iterable[tuple[float, float, float, float]], kind: str) -> str:
    """Draw filled boxes, each ``(x, y, width, height)``."""
    path = "".join(f"M{pixel(x)} {pixel(y)}h{pixel(w)}v{pixel(h)}h{pixel(-w)}z" for x, y, w, h in boxes)
    return f'<path class="bar {kind}" d="{path}"/>' if path else ""


def whiskers(spans: Iterable[tuple[float, float, float]], kind: str, *, upright: bool = False, cap: float = 4) -> str:
    """Draw intervals with caps, each ``(low, high, across)`` in pixels: lying at height ``across``, or upright."""
    path = ""
    for low, high, across in spans:
        a, b, near, far, middle = map(pixel, (low, high, across - cap, across + cap, across))
        if upright:
            path += f"M{middle} {a}V{b}M{near} {a}H{far}M{near} {b}H{far}"
        else:
            path += f"M{a} {middle}H{b}M{a} {near}V{far}M{b} {near}V{far}"
    return f'<path class="whisker {kind}" d="{path}"/>' if path else ""


def text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start", full: str = "") -> str:
    """Draw a text; ``full`` is what hovering over it shows where ``words`` had to be shortened."""
    hint = f"<title>{escape(full)}</title>" if full and full != words else ""
    classes = f' class="{kind}"' if kind else ""
    place = f'x="{pixel(x)}" y="{pixel(y)}"' + ("" if anchor == "start" else f' text-anchor="{anchor}"')
    return f"<text {place}{classes}>{escape(words)}{hint}</text>"


def gutter(ticks: Sequence[float]) -> float:
    """Return the pixels that the tick labels of a y axis need, and a little air."""
    return max((len(compact(tick)) for tick in ticks), default=1) * CHARACTER + 12


def pixel(value: float) -> str:
    """Write a place with one decimal at most.

    >>> pixel(3.0), pixel(3.14159), pixel(-0.01)
    ('3', '3.1', '0')
    """
    short = f"{value:.1f}"
    return "0" if short == "-0.0" else short.removesuffix(".0")
