"""Videos: MP4, WebM, Matroska, AVI or MPEG, as small grey pictures, what moves, and sound, a few times a second.

A video is decoded once, and its first minute is seen; of a longer one nothing more is read. A step is the first frame of so many milliseconds in 8 × 6 grey cells, how each cell differs
from the step before, the mean colour, and the loudness of 16 bands of its sound (`fathom.data.cells.clips`). Differences of frames as the plainest sign of movement: Bobick and Davis, "The
recognition of human movement using temporal templates", IEEE TPAMI 23(3), 2001. What is small in a picture is not seen: for that, cut the video into pictures and give those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import byte_steps, clips, media, media_columns, pieces, sounds
from fathom.data.cells import values as cells
from fathom.data.cells.pieces import Gone, Piece
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import FathomError, OptionError, check_installed
from fathom.shapes import Shape

NAME = "video"
SHAPE: Shape = "vectors"
SUMMARY = "videos: MP4, WebM, Matroska, AVI or MPEG, with their sound"
SOURCE = "Bobick and Davis, IEEE TPAMI 23(3), 2001, https://doi.org/10.1109/34.910878"
PREDICTABLE = False

LOOKED_AT = 16  # cells, for a claim
MEASURED = 32  # videos from which length and brightness are learned
MOST_STEPS = 96
LEAST_PACE = 0.125  # seconds a step
COMPACT = byte_steps.kind(clips.WIDTH)
STRETCHES = 4
NAMES = (
    "steps",
    *(f"{name} {what}" for name in ("brightness", "movement", "sound") for what in ("mean", "spread", "most")),
    *(f"{name} {stretch + 1}" for name in ("brightness", "movement", "sound") for stretch in range(STRETCHES)),
    *(f"{what} {name}" for name in ("red", "green", "blue") for what in ("mean", "spread")),
    *(f"cell {cell + 1} {what}" for cell in range(clips.PIXELS) for what in ("mean", "spread", "movement")),
    *(f"band {band + 1} {what}" for band in range(clips.BANDS) for what in ("mean", "spread")),
)


@dataclass(frozen=True)
class State:
    """The ``steps`` that are seen at most, ``pace`` seconds each, and each byte's ``centre`` and ``spread``."""

    steps: int
    pace: float
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(self.centre))
        object.__setattr__(self, "spread", tuple(self.spread))


def claim(values: pa.Array) -> Claim:
    """Look whether cells are files or bytes that begin as videos do."""
    return media_columns.claim(values, LOOKED_AT, "video", "videos", clips.format_of)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Choose how much is seen and how often, and measure brightness and sound, on a sample of the rows.

    Raises OptionError for a target, ExtraError without PyAV.
    """
    if role == "target":
        raise OptionError("A column of videos cannot be predicted. Choose another target.")
    some = media_columns.candidates(values, MEASURED)
    if some:
        check_installed(("av",), "video")
    lengths = [found[0] for cell in some if (found := clips.duration_of(cell)) is not None]
    seconds = float(np.clip(max(lengths, default=1.0), LEAST_PACE, clips.MOST_SECONDS))
    pace = max(LEAST_PACE, seconds / MOST_STEPS)
    state = State(max(1, int(np.ceil(seconds / pace - 1e-9))), pace, (128.0,) * clips.WIDTH, (64.0,) * clips.WIDTH)
    seen = [one for one in sounds.hear(some, lambda cell: clips.see(cell, state.steps, pace))[0] if one is not None]
    if not seen:
        return state
    every = np.concatenate(seen).astype(np.float64)
    centre, spread = every.mean(axis=0).round(3), np.maximum(every.std(axis=0), 4.0).round(3)
    return State(state.steps, pace, tuple(centre.tolist()), tuple(spread.tolist()))


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the vectors: being there, then what is seen and heard."""
    return (Part(column, "value", "vectors", size=(state.steps, 1 + clips.WIDTH)),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into vectors ``(row, step, 1 + byte)``; what is missing or cannot be seen is 0 throughout."""
    block, there = byte_steps.block(_compact(state, values), state.steps)
    centre, spread = np.array(state.centre, np.float32), np.array(state.spread, np.float32)
    seen = np.where(there[:, :, None], (block - centre) / spread, np.float32(0))
    return np.concatenate([there[:, :, None].astype(np.float32), seen], axis=2)


def settle(state: State, values: pa.Array, advance: Callable[[int], None]) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Return the videos as lists of steps of bytes, decoded once, and mark those that cannot be seen."""
    values = media_columns.one(values)
    if values.type == COMPACT:
        advance(len(values))
        return values, np.zeros(len(values), np.bool_)
    seen, marks = _seen(state, values, advance)
    return byte_steps.packed(seen, clips.WIDTH), marks


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: videos are not predicted."""
    raise OptionError("A column of videos cannot be predicted. Choose another target.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold something and cannot be seen."""
    values = media_columns.one(values)
    return np.zeros(len(values), np.bool_) if values.type == COMPACT else _seen(state, values)[1]


def fault(state: State, cell: Any) -> str:
    """Say why a cell cannot be seen; empty for one that can."""
    try:
        clips.see(cell, 1, state.pace)
        return ""
    except (media.UnreadableError, FathomError) as error:
        return str(error)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing: null, no path, no bytes, or a word for missing."""
    return media_columns.missing(values)


def features(state: State, values: pa.Array) -> Features:
    """Make some 200 numbers: brightness, movement and sound and their course, colours, every cell and band; NaN where there is no video."""
    block, there = byte_steps.block(_compact(state, values), state.steps)
    whole = block.astype(np.float64)
    count = np.maximum(there.sum(axis=1), 1)
    bright, moved = (
        whole[:, :, : clips.PIXELS],
        np.abs(np.where(there[:, :, None], whole[:, :, clips.PIXELS : 2 * clips.PIXELS] - 128, 0.0)),
    )
    colours, bands = whole[:, :, 2 * clips.PIXELS : 2 * clips.PIXELS + 3], whole[:, :, 2 * clips.PIXELS + 3 :]
    columns = [there.sum(axis=1).astype(np.float64)]
    courses = [bright.mean(axis=2), moved.mean(axis=2), bands.mean(axis=2)]
    for course in courses:
        columns += [*_mean_and_spread(course, there, count), course.max(axis=1, initial=0.0)]
    for course in courses:
        for stretch in range(STRETCHES):
            inside = there & (np.arange(state.steps) * STRETCHES // count[:, None] == stretch)
            columns.append((course * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1))
    for place in range(3):
        columns += _mean_and_spread(colours[:, :, place], there, count)
    for place in range(clips.PIXELS):
        columns += [*_mean_and_spread(bright[:, :, place], there, count), moved[:, :, place].sum(axis=1) / count]
    for place in range(clips.BANDS):
        columns += _mean_and_spread(bands[:, :, place], there, count)
    matrix = np.stack(columns, axis=1)
    matrix[~there.any(axis=1)] = np.nan
    return Features(matrix, NAMES, (0,) * len(NAMES))


def _mean_and_spread(
    course: npt.NDArray[np.float64], there: npt.NDArray[np.bool_], count: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.float64]]:
    course = np.ascontiguousarray(np.where(there, course, 0.0))
    mean = course.sum(axis=1) / count
    around = np.where(there, course - mean[:, None], 0.0)
    return [mean, np.sqrt(np.square(around).sum(axis=1) / count)]


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Change the light, add noise, and lose a piece of what was seen; empty some cells that were not decoded yet."""
    values = media_columns.one(values)
    level = cells.level(severity)
    generator = np.random.default_rng([seed, severity])
    if values.type != COMPACT:
        return (
            cells.empty_some(values, (0.01, 0.02, 0.05, 0.1, 0.15)[level], generator)
            if media_columns.candidates(values, 1)
            else values
        )
    counts = byte_steps.lengths(values)
    row, place = np.repeat(np.arange(len(values)), counts), byte_steps.places(values)
    steps = byte_steps.flat(values).astype(np.float64)
    steps[:, : clips.PIXELS] += (generator.uniform(-10.0, 10.0, len(values)) * severity)[row, None]
    steps += generator.normal(0, 3.0 * severity, steps.shape)
    start = generator.random(len(values)) * (1 - 0.04 * severity)
    lost = (place >= start[row] * counts[row]) & (place < (start[row] + 0.04 * severity) * counts[row])
    steps[lost] = 1
    return byte_steps.in_rows(np.clip(np.rint(steps), 1, 255).astype(np.uint8), values)


def blank(state: State, rows: int) -> pa.Array:
    """Return cells without a video."""
    return pa.nulls(rows, pa.binary())


def show(state: State, value: Any) -> str:
    """Write how long a video is, or that there is none."""
    if value is None or value == "":
        return "no video"
    if isinstance(value, list):
        return f"{len(value) * state.pace:.2g} s"
    found = clips.duration_of(value)
    if found is None:
        return f"{media.shown(value)[:80]}: {fault(state, value)}"
    return f"{media.shown(value)[:80]}: {found[0]:.1f} s{' with sound' if found[1] else ''}"


def pieces_of(state: State, value: pa.Array) -> tuple[Piece, ...]:
    """Return the stretches of the one video."""
    steps = byte_steps.flat(_compact(state, value))
    return pieces.stretches(len(steps)) if len(steps) else ()


def without(state: State, value: pa.Array, gone: Gone) -> pa.Array:
    """Return the one video with the stretches that are gone put to its mean, in its compact form."""
    steps = byte_steps.flat(_compact(state, value))
    return byte_steps.packed(pieces.without_steps(steps, pieces_of(state, value), gone), clips.WIDTH)


def sample(count: int, seed: int) -> pa.Array:
    """Make little videos of a square that moves, a few that come again and again, one in twenty of them missing. Raises ExtraError without PyAV."""
    generator = np.random.default_rng(seed)
    made = (
        [clips.square(int(start), bool(right)) for start, right in generator.integers(0, (12, 2), (6, 2))]
        if count
        else []
    )
    chosen = generator.integers(0, 6, count)
    return pa.array([made[place] for place in chosen], pa.binary(), mask=generator.random(count) < 0.05)


def _seen(
    state: State, values: pa.Array, advance: Callable[[int], None] | None = None
) -> tuple[list[clips.Bytes | None], npt.NDArray[np.bool_]]:
    """Return what is seen of every cell, and mark those that hold something that cannot be."""
    nothing, kind = missing(values), values.type
    if not (media_columns.may_be_media(kind)):
        if advance:
            advance(len(values))
        return [None] * len(values), ~nothing
    seen, faults = sounds.hear(values, lambda cell: clips.see(cell, state.steps, state.pace), nothing, advance)
    return seen, np.array([fault is not None for fault in faults], np.bool_)


def _compact(state: State, values: pa.Array) -> pa.Array:
    values = media_columns.one(values)
    return values if values.type == COMPACT else byte_steps.packed(_seen(state, values)[0], clips.WIDTH)
