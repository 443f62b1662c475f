"""The sheet of what the network sees: some training rows as they are, and as training varies them, drawn.

A picture is shown as it is. Of what has steps, each channel is a strip: its course, or, where channels are many, as the bands of a sound are, a line of lighter and darker pixels, the first channel at the bottom.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.chapters.prepared import Prepared
from fathom.data.cells.pictures import as_url
from fathom.data.encoding import inputs_of
from fathom.shapes import arrays_of

ROWS, LOOKS = 6, 5
STEPS = 64  # of a drawing, at most: of more, some; a page shows them 64 pixels wide
COURSES = 4  # channels, at most, that are drawn as courses
HEIGHT = 24  # pixels of a course
GROUND, INK = 235, 25  # of the pixels of a course

Steps = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def sheet(prepared: Prepared, parts: Sequence[Any], rows: Any, training: Any) -> tuple[dict[str, Any], ...]:
    """Return some training rows of every column that can be drawn, each as it is and, where it is varied, as training varies it, as ``data:`` URLs."""
    import torch

    from fathom.training.augmentations import augmented

    pages: list[dict[str, Any]] = []
    some = rows.take(torch.linspace(0, rows.rows - 1, min(rows.rows, ROWS)).long())
    looks = [some, *(augmented(some, training.augment, training.seed, 0, look) for look in range(LOOKS))]
    readers = {column.name: column for column in inputs_of(prepared.columns)}
    for name, those in arrays_of(parts).items():
        column, varied = readers[those[0].column], dict(training.augment.get(name, {}))
        if those[0].shape not in ("grid", "vectors") or column.kind is None:
            continue
        arrays = [look.inputs[name].numpy() for look in (looks if varied else looks[:1])]
        if those[0].shape == "grid":
            shown = [
                [column.kind.show(column.state, array[row].tobytes()) for array in arrays] for row in range(some.rows)
            ]
        else:
            shown = [drawn([array[row] for array in arrays]) for row in range(some.rows)]
        if not varied:  # nothing stands beside a row: one line takes all
            shown = [[one for line in shown for one in line]]
        pages.append({"column": column.name, "varied": varied, "rows": shown})
    return tuple(pages)


def drawn(looks: Sequence[Steps]) -> list[str]:
    """Draw looks at one row of ``vectors (step, channel)``, all on the scale of the first, as ``data:`` URLs.

    >>> one, other = drawn([np.array([[1, 0.5], [1, 2.0]], np.float32), np.array([[1, 0.4], [1, 1.0]], np.float32)])
    >>> one[:22], one == other
    ('data:image/png;base64,', False)
    """
    known = looks[0][looks[0][:, 0] != 0, 1:]
    if not known.size:
        return []
    low, high = known.min(axis=0), known.max(axis=0)
    many = known.shape[1] > COURSES
    if many:  # bands of one thing: one scale
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    length = int(np.flatnonzero(looks[0][:, 0])[-1]) + 1
    places = np.unique(np.linspace(0, length - 1, min(STEPS, length)).astype(np.int64))
    urls = []
    for steps in looks:
        there = steps[places, 0] != 0
        level = np.clip((steps[places, 1:] - low) / np.maximum(high - low, 1e-6), 0.0, 1.0)
        urls.append(as_url(_bands(level, there) if many else _courses(level, there)))
    return urls


def _bands(level: Steps, there: npt.NDArray[np.bool_]) -> Bytes:
    """Draw levels ``(step, channel)`` from 0 to 1 as ``(1, channel, step)``, the first channel at the bottom; nothing where no step is."""
    grey = (1 + 254 * level.T[::-1]).astype(np.uint8)
    return np.where(there, grey, np.uint8(0))[None]


def _courses(level: Steps, there: npt.NDArray[np.bool_]) -> Bytes:
    """Draw levels ``(step, channel)`` from 0 to 1 as ``(1, channel * height, step)``: each step a pixel, with a line to the step before."""
    at = ((1 - level) * (HEIGHT - 1)).round().astype(np.int64)
    before = np.concatenate([at[:1], at[:-1]])
    top, bottom = np.minimum(at, before).T[:, None], np.maximum(at, before).T[:, None]  # (channel, 1, step)
    line = np.arange(HEIGHT)[:, None]
    inked = (line >= top) & (line <= bottom)
    strips = np.where(inked, np.uint8(INK), np.uint8(GROUND)).reshape(-1, len(level))
    return np.where(there, strips, np.uint8(0))[None]


__all__ = ["drawn", "sheet"]
