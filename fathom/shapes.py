"""The six shapes in which data and networks meet, and the axis names.

Modalities (``fathom.data``) write these arrays, networks (``fathom.networks``) read them; neither side knows more of the
other than what stands here.

======== ============================================== ===========================================
shape    array, first axis always ``row``               written by
======== ============================================== ===========================================
scalar   ``(row,)`` float32, finite                     number, date
code     ``(row,)`` int32, ``0 <= code < codes``        category, yes/no, id
codes    ``(row, step)`` int32, ragged                  text, labels
vectors  ``(row, step, channel)`` float32, ragged       series, audio, strokes
grid     ``(row, channel, height, width)`` uint8        image, spectrogram, board
boxes    ``(row, box, 4)`` and codes, ragged            boxes
======== ============================================== ===========================================

A column may write several arrays of its shape, called its *parts*: a date writes its cycles and its trend. For the two flat
shapes the parts of all columns stand side by side in one array, ``(row, part)``, so that one matrix product serves them all.
The part of a deep shape is an array of its own.

Ragged rows are padded to the longest, and **zero is nothing**, in every deep shape: a code 0 is no step; channel 0 of ``vectors`` is 1 on a step
that is there and 0 on one that is not; a pixel of a ``grid`` is 1 to 255, and 0 where there is no picture. A row that is zero throughout is a missing cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Shape = Literal["scalar", "code", "codes", "vectors", "grid", "boxes"]
FLAT: tuple[Shape, ...] = ("scalar", "code")
DEEP: tuple[Shape, ...] = ("codes", "vectors", "grid")
RAGGED: tuple[Shape, ...] = ("codes", "vectors")

Scalars = npt.NDArray[np.float32]  # (row, part), finite
Codes = npt.NDArray[np.int32]  # (row, part)
Arrays = dict[
    str, npt.NDArray[np.generic]
]  # "scalar" and "code" -> (row, part), "grid_0" -> that of the first part of the shape, …
KINDS = {"scalar": "<f4", "code": "<i4", "codes": "<i4", "vectors": "<f4", "grid": "|u1"}  # as NumPy writes them


# From so many channels on those of ``vectors`` are taken for pitches side by side, as of sound: they tell the shape of a step without its height.
MANY_CHANNELS = 24


@dataclass(frozen=True)
class Part:
    """What a network must know of one array that a column writes.

    ``codes`` is the number of different codes (shapes ``code`` and ``codes``); ``knots`` are the increasing places, in units of the
    encoded scalar, between which its training rows are spread evenly (shape ``scalar``): at least two. Of a deep shape, ``size`` is that of a row,
    ``(step,)``, ``(step, channel)`` or ``(channel, height, width)``, and ``centre`` and ``spread`` are the mean and the standard deviation of each channel of
    a ``grid`` over the training rows, of what is there.

    >>> Part(column="job", name="value", shape="code", codes=12).label
    'job'
    >>> Part(column="day", name="weekday_sin", shape="scalar", knots=(-1.0, 1.0)).label
    'day.weekday_sin'
    """

    column: str
    name: str
    shape: Shape
    codes: int = 0
    knots: tuple[float, ...] = ()
    size: tuple[int, ...] = ()
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The name under which plots and traces show the part."""
        return self.column if self.name == "value" else f"{self.column}.{self.name}"


def arrays_of(parts: Sequence[Part]) -> dict[str, tuple[Part, ...]]:
    """Return the arrays in which parts are passed, in order, with the parts that stand in each: flat shapes first, then one array a deep part.

    >>> parts = [Part("photo", "value", "grid", size=(3, 32, 32)), Part("age", "value", "scalar"), Part("size", "value", "scalar")]
    >>> {name: [part.label for part in those] for name, those in arrays_of(parts).items()}
    {'scalar': ['age', 'size'], 'grid_0': ['photo']}
    """
    flat = {shape: tuple(part for part in parts if part.shape == shape) for shape in FLAT}
    deep = {shape: [part for part in parts if part.shape == shape] for shape in DEEP}
    arrays: dict[str, tuple[Part, ...]] = {str(shape): those for shape, those in flat.items() if those}
    return arrays | {f"{shape}_{index}": (part,) for shape, those in deep.items() for index, part in enumerate(those)}


def row_size(parts: Sequence[Part]) -> tuple[int, ...]:
    """Return the size of a row of the array that holds these parts: that of a deep part, or how many flat ones there are.

    >>> row_size([Part("photo", "value", "grid", size=(3, 32, 32))])
    (3, 32, 32)
    """
    return parts[0].size if parts[0].shape in DEEP else (len(parts),)


def margins_of(target: str) -> str:
    """Return the name under which answers hold how far below and above each number the truth may lie, ``(row, 2)``, beside the numbers under the target's own name.

    >>> margins_of("price")
    'price, how far it may be off'
    """
    return f"{target}, how far it may be off"


def spread_of(target: str) -> str:
    """Return the name under which answers hold how far the members of a network are apart on each row, ``(row,)``.

    >>> spread_of("price")
    'price, how far its members are apart'
    """
    return f"{target}, how far its members are apart"


def outputs_of(targets: Sequence[str]) -> dict[str, str]:
    """Return every output that the graph of a network may have, and the name under which answers hold it: one answer a target, and beside it what is told of how sure it is.

    >>> list(outputs_of(["price"]))
    ['answer_0', 'margins_0', 'spread_0']
    """
    kinds: dict[str, Callable[[str], str]] = {"answer": str, "margins": margins_of, "spread": spread_of}
    return {f"{kind}_{number}": name(target) for kind, name in kinds.items() for number, target in enumerate(targets)}
