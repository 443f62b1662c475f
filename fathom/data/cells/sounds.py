"""Sound files become loudness by pitch and time: read in part, mixed to one channel, windowed, laid on the mel scale, and written as bytes.

No file is resampled: a window is so many milliseconds at any rate, so the frequencies between which its transform tells are the same, and the filters of the mel scale lie over those
that the file has. What lies above half a file's rate is silence. The mel scale is that of O'Shaughnessy, "Speech Communication", 1987, page 150, ``2595 log10(1 + f / 700)``; triangular
filters in it are those of Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", IEEE TASSP 28(4), 1980. Decoding is libsndfile's.
"""

import io
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.cells import media
from fathom.errors import require

Wave = npt.NDArray[np.float32]  # (sample,)
Bytes = npt.NDArray[np.uint8]  # (step, band)

WINDOW, HOP = 0.032, 0.016  # seconds
BANDS = 40
LOWEST = 40.0  # Hz
FLOOR = -100.0  # decibels below full scale, where byte 1 is; a byte is half a decibel
MOST_SECONDS = 30.0  # of a recording that are heard
MOST_BYTES = 1 << 30

_HEADS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "WAV"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "OGG"),
    (0, b"ID3", "MP3"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (0, b".snd", "AU"),
)


def format_of(head: bytes) -> str | None:
    """Return the format that the first bytes tell, or ``None`` where they are those of no sound file.

    >>> format_of(b"RIFF....WAVEfmt "), format_of(b"hello")
    ('WAV', None)
    """
    for place, mark, name in _HEADS:
        if head[place : place + len(mark)] == mark:
            return name
    # An MP3 without a tag begins with eleven bits of 1, then a version and a layer that are not reserved.
    sync = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return "MP3" if sync and head[1] & 0x06 == 0x02 and head[2] & 0xF0 != 0xF0 else None


def open_sound(cell: Any) -> Any:
    """Open a cell as a ``soundfile.SoundFile``. Raises media.UnreadableError, which says why it cannot be."""
    soundfile = require("soundfile", "audio")
    found = media.place(cell)
    if isinstance(found, Path):
        try:
            if not found.stat().st_size:
                raise media.UnreadableError("it holds no bytes")
        except FileNotFoundError:
            raise media.UnreadableError("there is no such file") from None
        except OSError as error:
            raise media.UnreadableError(f"it cannot be opened: {error.strerror or error}") from None
    elif not found:
        raise media.UnreadableError("it holds no bytes")
    head = media.head(cell if isinstance(found, Path) else found)
    if format_of(head) is None:
        raise media.UnreadableError(
            f"its first bytes, {head[:8]!r}, are those of no WAV, FLAC, OGG, MP3, AIFF or AU file"
        )
    try:
        return soundfile.SoundFile(io.BytesIO(found) if isinstance(found, bytes) else str(found))
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise media.UnreadableError(f"it is damaged ({_reason(error)})") from None


def duration_of(cell: Any) -> tuple[float, int] | None:
    """Return the seconds and the rate that a file's head tells, or ``None`` where it cannot be opened."""
    try:
        with open_sound(cell) as file:
            return max(0, int(file.frames)) / file.samplerate, int(file.samplerate)
    except media.UnreadableError:
        return None


def read(cell: Any, seconds: float = MOST_SECONDS) -> tuple[Wave, int]:
    """Return the first seconds of a recording, its channels mixed, and its rate; no more of a long one is ever read.

    Samples that are not finite are silence. Raises media.UnreadableError.
    """
    with open_sound(cell) as file:
        rate = int(file.samplerate)
        try:
            samples = file.read(int(seconds * rate) + 1, dtype="float32", always_2d=True)
        except (RuntimeError, OSError, ValueError, MemoryError) as error:
            raise media.UnreadableError(f"it is damaged ({_reason(error)})") from None
    if not len(samples):
        raise media.UnreadableError("it holds no sample of sound")
    if not np.isfinite(samples.sum()):
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    wave = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return np.clip(wave, -4.0, 4.0), rate


def _reason(error: BaseException) -> str:
    return str(error).split(":")[-1].strip().rstrip(".") or type(error).__name__


def mel(frequency: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the pitch in mel of frequencies in Hz.

    >>> round(float(mel(1000.0)))
    1000
    """
    return 2595.0 * np.log10(1.0 + np.asarray(frequency, np.float64) / 700.0)


@lru_cache(maxsize=32)
def filters(rate: int, highest: float, bands: int = BANDS) -> npt.NDArray[np.float32]:
    """Return the weights ``(band, frequency)`` of the frequencies of a window's transform in each band, which add up to 1.

    A band's weights rise in a straight line from the middle of the band below to its own, and fall to the middle of the one above, all middles evenly spread in mel.
    """
    size = round(rate * WINDOW)
    frequencies = np.arange(size // 2 + 1) * rate / size
    edges = 700.0 * (10.0 ** (np.linspace(mel(LOWEST), mel(highest), bands + 2) / 2595.0) - 1.0)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    weights = np.maximum(0.0, np.minimum(rise, fall))
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.maximum(total, 1e-12), 0.0).astype(np.float32)


def loudness(wave: Wave, rate: int, highest: float, factor: int = 1, bands: int = BANDS) -> Bytes:
    """Return a recording as bytes ``(step, 2 + band)``: loudness, the pitch at which it crosses zero, and the loudness of each band of the mel scale.

    Byte 1 is -100 decibels of full scale or less, and a byte is half a decibel; a step is the mean power of ``factor`` windows that overlap by half.
    """
    size, hop = round(rate * WINDOW), round(rate * HOP)
    count = max(1, -(-(len(wave) - size) // hop) + 1)
    count = -(-count // factor) * factor
    wave = np.pad(wave, (0, max(0, (count - 1) * hop + size - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop][:count]
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    weights = filters(rate, highest, bands)
    power = np.empty((count, len(weights)), np.float32)
    level, crossings = np.empty(count, np.float32), np.empty(count, np.float32)
    for start in range(0, count, 512):
        some = frames[start : start + 512]
        spectrum = np.fft.rfft(some * window, axis=1)
        energy = np.square(np.abs(spectrum)).astype(np.float32) * np.float32(4.0 / window.sum() ** 2)
        power[start : start + 512] = energy @ weights.T
        level[start : start + 512] = np.square(some).mean(axis=1)
        crossings[start : start + 512] = (np.signbit(some[:, 1:]) != np.signbit(some[:, :-1])).mean(axis=1)
    power, level, crossings = (
        part.reshape(count // factor, factor, -1).mean(axis=1) for part in (power, level, crossings)
    )
    pitch = mel(crossings * rate / 2) / float(mel(highest))
    steps = np.concatenate([_decibels(level), 1 + 254 * np.clip(pitch, 0, 1), _decibels(power)], axis=1)
    heard: Bytes = np.clip(np.rint(steps), 1, 255).astype(np.uint8)
    return heard


def _decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return 1 + 2 * (10 * np.log10(np.maximum(power.astype(np.float64), 1e-30)) - FLOOR)


def hear(
    cells: Sequence[Any],
    listen: Callable[[Any], Bytes],
    skip: npt.NDArray[np.bool_] | None = None,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[Bytes | None], list[str | None]]:
    """Call ``listen`` for every cell but those to ``skip``, on threads; return what it says, and why a cell cannot be heard where it cannot."""

    def one(place: int) -> tuple[Bytes | None, str | None]:
        if skip is not None and skip[place]:
            return None, None
        try:
            cell = cells[place]
            return listen(cell.as_py() if hasattr(cell, "as_py") else cell), None
        except media.UnreadableError as error:
            return None, str(error)

    found: list[tuple[Bytes | None, str | None]] = []
    with ThreadPoolExecutor(4) as pool:
        for done, answer in enumerate(pool.map(one, range(len(cells))), 1):
            found.append(answer)
            if advance is not None and (done % 50 == 0 or done == len(cells)):
                advance(done)
    if advance is not None and not len(cells):
        advance(0)
    return [heard for heard, _ in found], [fault for _, fault in found]


def wav(wave: Wave, rate: int) -> bytes:
    """Return a recording as a WAV file of 16 bits (RIFF, Microsoft and IBM, 1991).

    >>> wav(np.zeros(2, np.float32), 8000)[:4], len(wav(np.zeros(2, np.float32), 8000))
    (b'RIFF', 48)
    """
    data = np.rint(np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 4 + len(form) + 8 + len(data))
        + b"WAVE"
        + form
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


def worse(wave: Wave, rate: int, severity: int, generator: np.random.Generator) -> Wave:
    """Return a recording as a worse microphone hears it: louder or softer, with noise, clipped, and with a piece lost."""
    level = float(np.sqrt(np.mean(np.square(wave)))) or 1e-3
    changed = wave * 10 ** (generator.uniform(-1, 1) * 3 * severity / 20)
    changed = changed + generator.normal(0, level * 10 ** ((5 * severity - 35) / 20), len(wave))
    limit = float(np.abs(changed).max()) * (1 - 0.12 * (severity - 1) * generator.random())
    changed = np.clip(changed, -limit, limit)
    lost = int(0.04 * severity * len(wave))
    start = int(generator.integers(0, max(1, len(wave) - lost)))
    changed[start : start + lost] = 0.0
    return changed.astype(np.float32)


__all__ = [
    "BANDS",
    "HOP",
    "MOST_SECONDS",
    "duration_of",
    "filters",
    "format_of",
    "hear",
    "loudness",
    "mel",
    "open_sound",
    "read",
    "wav",
    "worse",
]
