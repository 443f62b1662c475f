"""Recordings: WAV, FLAC, OGG, MP3, AIFF or AU, as files, bytes or data: URLs, heard as loudness by pitch and time.

A recording is decoded once, at its own rate, its channels mixed, and its first half minute is heard; of a longer one nothing more is read. Windows of 32 ms become the loudness of 40
bands of the mel scale, a byte each (`fathom.data.cells.sounds`): sound is so kept in a hundredth of its size. The network reads bands in deviations from their mean over the training rows; the
simpler models read their means, spreads and changes, the cepstrum, and the centre, width, slope and flatness of the spectrum. Sources: Davis and Mermelstein, IEEE TASSP 28(4), 1980, for bands
and cepstrum; Tzanetakis and Cook, "Musical genre classification of audio signals", IEEE TSAP 10(5), 2002, section III for the rest.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import byte_steps, media, media_columns, pieces, sounds
from fathom.data.cells import values as cells
from fathom.data.cells.pieces import Gone, Piece
from fathom.data.cells.sound_features import NAMES, matrix_of
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import FathomError, OptionError, check_installed
from fathom.shapes import Shape

NAME = "audio"
SHAPE: Shape = "vectors"
SUMMARY = "recordings: WAV, FLAC, OGG, MP3, AIFF or AU, as files, bytes or data: URLs"
SOURCE = "Davis and Mermelstein, IEEE TASSP 28(4), 1980, https://doi.org/10.1109/TASSP.1980.1163420"
PREDICTABLE = False

LOOKED_AT = 32  # cells, for a claim
MEASURED = 256  # recordings from which length and loudness are learned
MOST_STEPS = 192  # that a network reads
HIGHEST = 11_025.0  # Hz
USUAL = 0.95  # of the training recordings are heard to their end
SHOWN_SECONDS, SHOWN_RATE = 2.0, 8_000  # of what a report plays
WIDTH = sounds.BANDS + 2  # bytes of a step

COMPACT = byte_steps.kind(WIDTH)


@dataclass(frozen=True)
class State:
    """The ``steps`` that are heard at most, each of ``factor`` windows, up to the ``highest`` pitch in Hz, and each band's ``centre`` and ``spread`` in bytes."""

    steps: int
    factor: int
    highest: float
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(self.centre))
        object.__setattr__(self, "spread", tuple(self.spread))

    @property
    def seconds(self) -> float:
        """How much of a recording is heard."""
        return self.steps * self.factor * sounds.HOP + sounds.WINDOW


def claim(values: pa.Array) -> Claim:
    """Look whether cells are files, bytes or data: URLs that begin as sound files do."""
    return media_columns.claim(values, LOOKED_AT, "audio", "recordings", sounds.format_of)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Choose how much is heard, and measure the bands, on a sample of the rows.

    Raises OptionError for a target, ExtraError without soundfile.
    """
    if role == "target":
        raise OptionError("A column of recordings cannot be predicted yet. Choose another target.")
    some = media_columns.candidates(values, MEASURED)
    if some:
        check_installed(("soundfile",), "audio")
    known = [found for cell in some if (found := sounds.duration_of(cell)) is not None]
    seconds, highest = 1.0, HIGHEST
    if known:
        lengths, rates = np.array(known).T
        seconds = float(np.clip(np.quantile(lengths, USUAL, method="higher"), 2 * sounds.WINDOW, sounds.MOST_SECONDS))
        highest = float(min(HIGHEST, max(1_000.0, np.median(rates) / 2)))
    windows = max(1, int(np.ceil(seconds / sounds.HOP)))
    factor = -(-windows // MOST_STEPS)
    state = State(-(-windows // factor), factor, highest, (128.0,) * sounds.BANDS, (64.0,) * sounds.BANDS)
    heard = [one for one in sounds.hear(some, lambda cell: _listen(state, cell))[0] if one is not None]
    if not heard:
        return state
    bands = np.concatenate(heard)[:, 2:].astype(np.float64)
    centre, spread = bands.mean(axis=0).round(3), np.maximum(bands.std(axis=0), 4.0).round(3)
    return State(state.steps, factor, highest, tuple(centre.tolist()), tuple(spread.tolist()))


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the vectors: being there, then the bands."""
    return (Part(column, "value", "vectors", size=(state.steps, 1 + sounds.BANDS)),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into vectors ``(row, step, 1 + band)``; what is missing or cannot be heard is 0 throughout."""
    encoded = np.zeros((len(values), state.steps, 1 + sounds.BANDS), np.float32)
    block, there = byte_steps.block(_compact(state, values), state.steps)
    centre, spread = np.array(state.centre, np.float32), np.array(state.spread, np.float32)
    encoded[:, :, 0] = there
    encoded[:, :, 1:] = np.where(there[:, :, None], (block[:, :, 2:] - centre) / spread, 0.0)
    return encoded


def settle(state: State, values: pa.Array, advance: Callable[[int], None]) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Return the recordings as lists of steps of bytes, decoded once, and mark those that cannot be heard."""
    values = media_columns.one(values)
    if values.type == COMPACT:
        advance(len(values))
        return values, np.zeros(len(values), np.bool_)
    heard, marks = _heard(state, values, advance)
    return byte_steps.packed(heard, WIDTH), marks


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: recordings are not predicted."""
    raise OptionError("A column of recordings cannot be predicted yet. Choose another target.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold something and cannot be heard."""
    values = media_columns.one(values)
    return np.zeros(len(values), np.bool_) if values.type == COMPACT else _heard(state, values)[1]


def fault(state: State, cell: Any) -> str:
    """Say why a cell cannot be heard; empty for one that can."""
    try:
        sounds.read(cell, 0.1)
        return ""
    except (media.UnreadableError, FathomError) as error:
        return str(error)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing: null, no path, no bytes, or a word for missing."""
    return media_columns.missing(values)


def features(state: State, values: pa.Array) -> Features:
    """Make some 140 numbers of the loudness, its course, the bands and the spectrum; NaN where there is no recording."""
    block, there = byte_steps.block(_compact(state, values), state.steps)
    matrix = matrix_of(block, there, state.highest, sounds.HOP * state.factor)
    return Features(matrix, NAMES, (0,) * len(NAMES))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Change the loudness, add noise, clip, and lose a piece; a cell that is no recording stays as it is."""
    values = media_columns.one(values)
    cells.level(severity)
    if values.type == COMPACT:
        return _worse_bands(values, severity, seed)
    if not media_columns.candidates(values, 1):
        return values
    cell_list = values.to_pylist()

    def worsened(place: int) -> Any:
        cell = cell_list[place]
        try:
            wave, rate = sounds.read(cell, sounds.MOST_SECONDS)
        except media.UnreadableError:
            return b"" if cell is None else media.read_bytes(cell) if _has_bytes(cell) else None
        return sounds.wav(sounds.worse(wave, rate, severity, np.random.default_rng([seed, severity, place])), rate)

    made = [None if cell is None else worsened(place) for place, cell in enumerate(cell_list)]
    return pa.array(made, pa.large_binary())


def _has_bytes(cell: Any) -> bool:
    try:
        return bool(media.read_bytes(cell))
    except media.UnreadableError:
        return False


def blank(state: State, rows: int) -> pa.Array:
    """Return cells without a recording."""
    return pa.nulls(rows, pa.binary())


def show(state: State, value: Any) -> str:
    """Return a ``data:`` URL of the first seconds of a recording in small, or words where there is none."""
    if value is None or value == "":
        return "no recording"
    if isinstance(value, list):
        level = np.array([step[0] for step in value], np.float64)
        return f"{len(value) * state.factor * sounds.HOP:.2g} s, at most {(level.max(initial=1) - 1) / 2 + sounds.FLOOR:.0f} dB"
    try:
        wave, rate = sounds.read(value, SHOWN_SECONDS)
    except (media.UnreadableError, FathomError) as error:
        return f"{media.shown(value)[:80]}: {error}"
    if rate > SHOWN_RATE:
        wave, rate = _slower(wave, rate), SHOWN_RATE
    return "data:audio/wav;base64," + base64.b64encode(sounds.wav(wave, rate)).decode()


def _slower(wave: sounds.Wave, rate: int) -> sounds.Wave:
    """Return a recording at the rate of the report: its transform without what that rate cannot hold."""
    count = max(1, round(len(wave) * SHOWN_RATE / rate))
    spectrum = np.fft.rfft(wave)[: count // 2 + 1]
    return (np.fft.irfft(spectrum, count) * (count / len(wave))).astype(np.float32)


def pieces_of(state: State, value: pa.Array) -> tuple[Piece, ...]:
    """Return the stretches of the one recording."""
    steps = byte_steps.flat(_compact(state, value))
    return pieces.stretches(len(steps)) if len(steps) else ()


def without(state: State, value: pa.Array, gone: Gone) -> pa.Array:
    """Return the one recording with the stretches that are gone put to its mean, in its compact form."""
    steps = byte_steps.flat(_compact(state, value))
    return byte_steps.packed(pieces.without_steps(steps, pieces_of(state, value), gone), WIDTH)


def sample(count: int, seed: int) -> pa.Array:
    """Make tones that rise, fall or stay, as WAV files, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        seconds, pitch, glide = generator.uniform(0.1, 0.25), generator.uniform(200, 1500), generator.choice([-1, 0, 1])
        time = np.arange(int(seconds * 8_000)) / 8_000
        wave = np.sin(2 * np.pi * pitch * time * (1 + glide * time)) * np.exp(-time * generator.uniform(1, 9))
        made.append(sounds.wav((0.5 * wave + generator.normal(0, 0.01, len(time))).astype(np.float32), 8_000))
    return pa.array(made, pa.binary(), mask=generator.random(count) < 0.05)


def _listen(state: State, cell: Any) -> sounds.Bytes:
    wave, rate = sounds.read(cell, state.seconds)
    return sounds.loudness(wave, rate, state.highest, state.factor)[: state.steps]


def _heard(
    state: State, values: pa.Array, advance: Callable[[int], None] | None = None
) -> tuple[list[sounds.Bytes | None], npt.NDArray[np.bool_]]:
    """Return what is heard of every cell, and mark those that hold something that cannot be."""
    nothing, kind = missing(values), values.type
    if not (media_columns.may_be_media(kind)):
        if advance:
            advance(len(values))
        return [None] * len(values), ~nothing
    heard, faults = sounds.hear(values, lambda cell: _listen(state, cell), nothing, advance)
    return heard, np.array([fault is not None for fault in faults], np.bool_)


def _compact(state: State, values: pa.Array) -> pa.Array:
    values = media_columns.one(values)
    return values if values.type == COMPACT else byte_steps.packed(_heard(state, values)[0], WIDTH)


def _worse_bands(compact: pa.Array, severity: int, seed: int) -> pa.Array:
    """Do to what was heard what noise, another loudness and a lost piece do."""
    generator = np.random.default_rng([seed, severity])
    lengths = byte_steps.lengths(compact)
    row, place = np.repeat(np.arange(len(compact)), lengths), byte_steps.places(compact)
    steps = byte_steps.flat(compact).astype(np.float64)
    gain = generator.uniform(-6.0, 6.0, len(compact)) * severity
    floor = generator.uniform(20.0, 40.0, len(compact)) + 20.0 * severity  # bytes that noise reaches
    noise = floor[row, None] + generator.normal(0, 4.0, steps.shape)
    loud = np.maximum(steps + gain[row, None], noise)
    loud[:, 1] = steps[:, 1] + generator.normal(0, 3.0 * severity, len(steps))
    start = generator.random(len(compact)) * (1 - 0.04 * severity)
    lost = (place >= start[row] * lengths[row]) & (place < (start[row] + 0.04 * severity) * lengths[row])
    loud[lost] = 1
    return byte_steps.in_rows(np.clip(np.rint(loud), 1, 255).astype(np.uint8), compact)
