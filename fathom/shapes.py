"""The six shapes in which data and networks meet, and the axis names.

Modalities (``fathom.data``) write these arrays, networks (``fathom.networks``) read them; neither side knows more of the
other than what stands here.

======== ============================================== ===========================================
shape    array, first axis always ``row``               written by
======== ============================================== ===========================================
scalar   ``(row,)`` float32, finite                     number, date
code     ``(row,)`` int32, ``0 <= code < codes``        category, yes/no, id
codes    ``(row, step)`` integer, ragged                text, labels
vectors  ``(row, step, channel)`` float, ragged         series, audio, strokes
grid     ``(row, channel, height, width)``              image, spectrogram, board
boxes    ``(row, box, 4)`` and codes, ragged            boxes
======== ============================================== ===========================================

A column may write several arrays of its shape, called its *parts*: a date writes its cycles and its trend. For the two flat
shapes the parts of all columns stand side by side in one array, ``(row, part)``, so that one matrix product serves them all.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Shape = Literal["scalar", "code", "codes", "vectors", "grid", "boxes"]
FLAT: tuple[Shape, ...] = ("scalar", "code")

Scalars = npt.NDArray[np.float32]  # (row, part), finite
Codes = npt.NDArray[np.int32]  # (row, part)
Arrays = dict[str, npt.NDArray[np.generic]]  # "scalar" -> (row, part), "code" -> (row, part)


@dataclass(frozen=True)
class Part:
    """What a network must know of one array that a column writes.

    ``codes`` is the number of different codes (shape ``code``); ``knots`` are the increasing places, in units of the
    encoded scalar, between which its training rows are spread evenly (shape ``scalar``): at least two.

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

    @property
    def label(self) -> str:
        """The name under which plots and traces show the part."""
        return self.column if self.name == "value" else f"{self.column}.{self.name}"
