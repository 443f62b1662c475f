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
