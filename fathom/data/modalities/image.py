"""Pictures: files, bytes or data: URLs, as a grid of one size whose pixels are 1 to 255, and 0 where there is no picture.

Every picture is turned upright, made as large as fits into the grid, and keeps its proportions; what is left over, and what is transparent, is nothing. Formats are an allow-list,
told by a file's bytes and not by its name; decoding is Pillow's, on threads (it lets go of Python's lock). Sources: EXIF 2.32, tag 0x0112 (orientation); histograms of oriented gradients: Dalal
and Triggs, CVPR 2005; colour histograms: Swain and Ballard, IJCV 7, 1991; what cameras do to pictures: Hendrycks and Dietterich, ICLR 2019 (https://arxiv.org/abs/1903.12261).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import media, media_columns, pictures, pieces
from fathom.data.cells.picture_features import NAMES, matrix_of
from fathom.data.cells.pieces import Gone, Piece
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.data.pretrained import Pretrained
from fathom.errors import FathomError, OptionError, check_installed
from fathom.shapes import Shape

NAME = "image"
SHAPE: Shape = "grid"
SUMMARY = "pictures: JPEG, PNG, WebP, GIF, BMP or TIFF, as files, bytes or data: URLs"
SOURCE = "https://pillow.readthedocs.io/en/stable/handbook/image-file-formats.html"
PREDICTABLE = False

LOOKED_AT = 32  # cells, for a claim
MEASURED = 512  # pictures from which size, colour and brightness are learned
SIDES = (16, 24, 28, 32, 48, 64)  # of the grid, in pixels; a larger one costs more than most tables gain
LARGEST_SIDE = 160  # of the grid where a network reads it that was taught on large pictures
LEAST_SHARE = 0.95  # of the pictures whose proportions may be the grid's own
NOTHING_KNOWN = (32, 32, 3)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class State:
    """The grid: ``height`` and ``width`` in pixels, ``channels`` (1 grey, 3 colours), and of each its mean and its standard deviation."""

    height: int
    width: int
    channels: int
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(self.centre))
        object.__setattr__(self, "spread", tuple(self.spread))

    @property
    def size(self) -> tuple[int, int, int]:
        """The size of a row."""
        return self.channels, self.height, self.width


def claim(values: pa.Array) -> Claim:
    """Look whether cells are files, bytes or data: URLs that begin as pictures do."""
    return media_columns.claim(values, LOOKED_AT, "image", "pictures", pictures.format_of)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Choose the grid by the sizes of the pictures, and measure its pixels, on a sample of the rows.

    Raises OptionError for a target, ExtraError without Pillow.
    """
    if role == "target":
        raise OptionError("A column of pictures cannot be predicted yet. Choose another target.")
    some = media_columns.candidates(values, MEASURED)
    if not some:
        return State(*NOTHING_KNOWN[:2], 3, (128.0,) * 3, (64.0,) * 3)
    check_installed(("PIL",), "image")
    measured = [size for cell in some if (size := pictures.size_of(cell)) is not None]
    height, width, channels = _grid(measured) if measured else NOTHING_KNOWN
    state = State(height, width, channels, (128.0,) * channels, (64.0,) * channels)
    grid, _ = pictures.decode(some, state.size)
    if channels == 3 and _is_grey(grid):
        grid, channels = grid[:, :1], 1
    known = grid.transpose(1, 0, 2, 3).reshape(channels, -1)
    pixels = [channel[channel > 0].astype(np.float64) for channel in known]
    centre = tuple(round(float(channel.mean()), 3) if len(channel) else 128.0 for channel in pixels)
    spread = tuple(round(max(float(channel.std()), 1.0), 3) if len(channel) else 64.0 for channel in pixels)
    return State(height, width, channels, centre, spread)


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the one grid."""
    return (Part(column, "value", "grid", size=state.size, centre=state.centre, spread=state.spread),)


def adopt(state: State, reader: Pretrained, values: pa.Array) -> State:
    """Return the state of the same pictures for a network that was taught elsewhere: pictures larger than our grid are kept as large as it reads them, or 160 pixels."""
    measured = [size for cell in media_columns.candidates(values, MEASURED) if (size := pictures.size_of(cell))]
    longest = float(np.median([max(size[:2]) for size in measured])) if measured else 0.0
    side = min(reader.side, LARGEST_SIDE)
    return replace(state, height=side, width=side) if longest > SIDES[-1] else state


def encode(state: State, values: pa.Array) -> Bytes:
    """Turn values into ``(row, channel, height, width)`` bytes; what is missing or cannot be decoded is 0 throughout."""
    values = media_columns.one(values)
    if _is_compact(state, values):
        return _pixels_of(state, values)
    return _decoded(state, values)[0]


def settle(state: State, values: pa.Array, advance: Callable[[int], None]) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Return the pictures as fixed-size binary, decoded once, and mark those that cannot be."""
    values = media_columns.one(values)
    if _is_compact(state, values):
        advance(len(values))
        return values, np.zeros(len(values), np.bool_)
    grid, marks = _decoded(state, values, advance)
    there = np.asarray(grid.any(axis=(1, 2, 3)), np.bool_)
    return _compact(grid, there), marks


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: pictures are not predicted."""
    raise OptionError("A column of pictures cannot be predicted yet. Choose another target.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold something and cannot be decoded."""
    values = media_columns.one(values)
    if _is_compact(state, values):
        return np.zeros(len(values), np.bool_)
    return _decoded(state, values)[1]


def fault(state: State, cell: Any) -> str:
    """Say why a cell cannot be decoded; empty for one that can."""
    try:
        return pictures.decode([cell], state.size)[1][0] or ""
    except FathomError as error:
        return str(error)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing: null, no path, no bytes, or a word for missing."""
    return media_columns.missing(values)


def features(state: State, values: pa.Array) -> Features:
    """Make some 250 numbers: how often which colours are there, which way edges run where, and the picture in small; NaN where there is none."""
    grid = encode(state, values)
    matrix = matrix_of(grid)
    matrix[~grid.any(axis=(1, 2, 3))] = np.nan
    names = NAMES[state.channels]
    return Features(matrix, names, (0,) * len(names))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Blur, add noise, pack badly, change the light, or cover a part; a cell that is no picture stays as it is."""
    values = media_columns.one(values)
    if not (media_columns.may_be_media(values.type)):
        return values
    if len(values) == 0 or not media_columns.candidates(values, 1):
        return values
    if pa.types.is_fixed_size_binary(values.type):
        return _worse_pixels(values, severity, seed)
    return pictures.worsened(values, severity, seed)


def blank(state: State, rows: int) -> pa.Array:
    """Return cells without a picture."""
    return pa.nulls(rows, pa.binary())


def show(state: State, value: Any) -> str:
    """Return a small ``data:`` URL of a picture, or words where there is none."""
    if value is None or value == "":
        return "no picture"
    if isinstance(value, bytes) and len(value) == int(np.prod(state.size)) and pictures.format_of(value[:64]) is None:
        return pictures.as_url(np.frombuffer(value, np.uint8).reshape(state.size))
    try:
        return pictures.thumbnail(value)
    except (media.UnreadableError, FathomError) as error:
        return f"{media.shown(value)[:80]}: {error}"


def pieces_of(state: State, value: pa.Array) -> tuple[Piece, ...]:
    """Return the patches of the one picture."""
    return pieces.patches(state.height, state.width) if encode(state, value).any() else ()


def without(state: State, value: pa.Array, gone: Gone) -> pa.Array:
    """Return the one picture with the patches that are gone painted over, in its compact form."""
    grid = pieces.without_patches(encode(state, value)[0], pieces_of(state, value), gone)
    return _compact(grid, np.ones(len(grid), np.bool_))


def sample(count: int, seed: int) -> pa.Array:
    """Make little pictures of circles, squares and bars, packed as PNG."""
    return pictures.sample(count, seed)


def _grid(measured: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return height, width and channels of the grid for pictures of these heights, widths and channels."""
    sizes = np.array(measured)
    channels = 3 if (sizes[:, 2] > 1).any() else 1
    height, width = sizes[:, 0], sizes[:, 1]
    longest = float(np.median(np.maximum(height, width)))
    side = min((side for side in SIDES if side >= longest), default=SIDES[-1])
    if (sizes[:, :2] == sizes[0, :2]).all() and longest <= SIDES[-1]:
        return int(max(height[0], 4)), int(max(width[0], 4)), channels
    proportion = np.log(width / height)
    usual = float(np.median(proportion))
    if np.mean(np.abs(proportion - usual) < 0.1) < LEAST_SHARE:
        usual = 0.0  # proportions differ: a square wastes the least
    tall, wide = (side, side * np.exp(usual)) if usual < 0 else (side * np.exp(-usual), side)
    return max(8, 4 * round(tall / 4)), max(8, 4 * round(float(wide) / 4)), channels


def _is_grey(grid: Bytes) -> bool:
    return bool((np.ptp(grid.astype(np.int16), axis=1) <= 2).all())


def _is_compact(state: State, values: pa.Array) -> bool:
    return bool(
        pa.types.is_fixed_size_binary(values.type)
        and values.type.byte_width == int(np.prod(state.size, dtype=np.int64))
    )


def _pixels_of(state: State, values: pa.Array) -> Bytes:
    """Return compact values as ``(row, channel, height, width)``: a view of Arrow's memory where no cell is missing."""
    width = values.type.byte_width
    buffer = values.buffers()[1]
    if len(values) == 0 or buffer is None:
        return np.zeros((len(values), *state.size), np.uint8)
    flat = np.frombuffer(buffer, np.uint8, len(values) * width, values.offset * width).reshape(len(values), width)
    if values.null_count:
        flat = np.where(np.asarray(values.is_valid().to_numpy(zero_copy_only=False))[:, None], flat, np.uint8(0))
    return flat.reshape(len(values), *state.size)


def _compact(grid: Bytes, there: npt.NDArray[np.bool_]) -> pa.Array:
    bits = pa.py_buffer(np.packbits(there, bitorder="little").tobytes())
    width = int(np.prod(grid.shape[1:], dtype=np.int64))
    return pa.Array.from_buffers(pa.binary(width), len(grid), [bits, pa.py_buffer(np.ascontiguousarray(grid))])


def _decoded(
    state: State, values: pa.Array, advance: Callable[[int], None] | None = None
) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Return the grid of values that are not compact, and mark those that hold something that is no picture."""
    nothing = missing(values)
    kind = values.type
    if not (media_columns.may_be_media(kind)):
        if advance:
            advance(len(values))
        return np.zeros((len(values), *state.size), np.uint8), ~nothing
    grid, faults = pictures.decode(values, state.size, advance, skip=nothing)
    return grid, np.array([fault is not None for fault in faults], np.bool_)


def _worse_pixels(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Corrupt decoded pixels in light and noise only: height and width are not known here, so nothing may depend on them."""
    width = values.type.byte_width
    rows = np.frombuffer(values.buffers()[1], np.uint8, len(values) * width, values.offset * width)
    pixels = rows.reshape(len(values), width).astype(np.float32)
    generator = np.random.default_rng([seed, severity])
    light = 1 + generator.choice([-1, 1], (len(values), 1)) * 0.08 * severity
    noise = generator.normal(0, 6.0 * severity, pixels.shape).astype(np.float32)
    worse = np.where(pixels > 0, np.clip((pixels - 128) * light + 128 + noise, 1, 255), 0).astype(np.uint8)
    known = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return _compact(worse, known)
