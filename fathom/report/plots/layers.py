"""Plots of what layers have learned: a map of rows, and the filters of a first layer."""

from collections.abc import Sequence
from html import escape

from fathom.report.plots.drawing import Frame, Scale, picture, text
from fathom.report.wording import fit, plural

SIDE = 400.0
MARKS = 8  # kinds of dots that can be told apart
FILTERS_A_LINE = 16
FILTER = 44.0  # pixels of a filter's side
GAP = 6.0
BARS, BAR = 640.0, 48.0  # pixels of all bars side by side, and of the highest
PATCH = 10  # pixels of a patch's side


def places(points: Sequence[tuple[float, float]], marks: Sequence[int], names: Sequence[str]) -> str:
    """Draw a dot per row, at ``points`` from -1 to 1; ``marks`` index ``names``, which stand below."""
    lines = -(-len(names) // 2)
    height = SIDE + 22.0 * lines
    frame = Frame(SIDE, SIDE, Scale(-1.04, 1.04, 4, SIDE - 4), Scale(-1.04, 1.04, SIDE - 4, 4))
    dots = [
        f'<circle class="mark{mark % MARKS}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
        for (x, y), mark in zip(
            frame.points([point[0] for point in points], [point[1] for point in points]), marks, strict=True
        )
    ]
    legend = []
    for index, name in enumerate(names):
        x, y = 12 + (index % 2) * SIDE / 2, SIDE + 16 + 22.0 * (index // 2)
        legend.append(f'<circle class="mark{index % MARKS}" cx="{x:.0f}" cy="{y - 4:.0f}" r="5"/>')
        legend.append(text(x + 10, y, fit(name, 26)))
    label = f"Map of {plural(len(points), 'row')} by the last layer's outputs, marked by {', '.join(names)}."
    return picture(SIDE, height, label, [*dots, *legend])


def bars(levels: Sequence[float], low: str, high: str) -> str:
    """Draw a bar a step, ``levels`` from 0 to 1, whose lowest and highest are called so."""
    width = BARS / max(len(levels), 1)
    drawn = [
        f'<rect class="bar network" x="{place * width:.2f}" y="{BAR * (1 - level):.1f}" width="{max(width - 0.5, 0.4):.2f}" height="{BAR * level + 1:.1f}"/>'
        for place, level in enumerate(levels)
    ]
    return picture(BARS, BAR + 2, f"{plural(len(levels), 'step')}, from {low} to {high}.", drawn)


def patches(levels: Sequence[float]) -> str:
    """Draw the patches of a picture, a square of them row by row, darker where ``levels``, 0 to 1, are higher."""
    side = max(1, round(len(levels) ** 0.5))
    high = -(-len(levels) // side)
    drawn = [
        f'<rect class="bar network" x="{place % side * PATCH}" y="{place // side * PATCH}" width="{PATCH}" height="{PATCH}" opacity="{0.05 + 0.95 * level:.2f}"/>'
        for place, level in enumerate(levels)
    ]
    return picture(
        side * PATCH, high * PATCH, f"Map of {plural(len(levels), 'field')}, darker where more is seen.", drawn
    )


def filters(pictures: Sequence[Sequence[Sequence[Sequence[float]]]]) -> str:
    """Draw filters ``(filter, channel, height, width)`` of 0 to 255, grey or in colour, each as a small picture."""
    drawn = []
    lines = -(-len(pictures) // FILTERS_A_LINE)
    for index, channels in enumerate(pictures):
        left = (index % FILTERS_A_LINE) * (FILTER + GAP)
        top = (index // FILTERS_A_LINE) * (FILTER + GAP)
        high, wide = FILTER / len(channels[0]), FILTER / len(channels[0][0])
        for row in range(len(channels[0])):
            for column in range(len(channels[0][0])):
                colour = [int(channel[row][column]) for channel in channels] * (3 if len(channels) == 1 else 1)
                drawn.append(
                    f'<rect x="{left + column * wide:.1f}" y="{top + row * high:.1f}" width="{wide + 0.3:.1f}" height="{high + 0.3:.1f}"'
                    f' fill="#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}"/>'
                )
    width = min(len(pictures), FILTERS_A_LINE) * (FILTER + GAP) - GAP
    return picture(
        width, lines * (FILTER + GAP) - GAP, escape(f"{plural(len(pictures), 'filter')} of the first layer."), drawn
    )
