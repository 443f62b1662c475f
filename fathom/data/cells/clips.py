"""Videos become small grey pictures, what moves, and sound, a few times a second: decoded once, in part, by PyAV."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.cells import media, sounds
from fathom.errors import require

Bytes = npt.NDArray[np.uint8]

ROWS, COLUMNS = 6, 8  # of the small picture
PIXELS = ROWS * COLUMNS
BANDS = 16  # of the sound, from 40 Hz to 8 kHz
HIGHEST = 8_000.0
WIDTH = 2 * PIXELS + 3 + BANDS  # bytes of a step: brightness, movement, mean colour, sound
MOST_SECONDS = 60.0  # of a video that are seen
MOST_FRAMES = 20_000  # that are decoded of one video

_HEADS = (
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI"),
    (0, b"\x00\x00\x01\xba", "MPEG"),
)


def format_of(head: bytes) -> str | None:
    """Return the format that the first bytes tell, or ``None`` where they are those of no video.

    >>> format_of(b"....ftypisom"), format_of(b"hello")
    ('MP4', None)
    """
    return next((name for place, mark, name in _HEADS if head[place : place + len(mark)] == mark), None)


def open_clip(cell: Any) -> Any:
    """Open a cell as an ``av`` container. Raises media.UnreadableError, which says why it cannot be."""
    av = require("av", "video")
    found = media.place(cell)
    head = media.head(cell)
    if not head:
        raise media.UnreadableError("there is no such file, or it holds no bytes")
    if format_of(head) is None:
        raise media.UnreadableError(f"its first bytes, {head[:8]!r}, are those of no MP4, MKV, WebM, AVI or MPEG file")
    try:
        container = av.open(str(found) if isinstance(found, Path) else io.BytesIO(found), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise media.UnreadableError(f"it is damaged ({_reason(error)})") from None
    if not container.streams.video:
        container.close()
        raise media.UnreadableError("there is no picture in it")
    return container


def duration_of(cell: Any) -> tuple[float, bool] | None:
    """Return the seconds of a video that its head tells and whether it has sound, or ``None`` where it cannot be opened."""
    try:
        with open_clip(cell) as container:
            return (container.duration or 0) / 1e6, bool(container.streams.audio)
    except media.UnreadableError:
        return None


def see(cell: Any, steps: int, pace: float) -> Bytes:
    """Return the bytes ``(step, WIDTH)`` of the first ``steps`` times ``pace`` seconds: of each step its first frame, how it differs from the one before, its mean colour, and its sound.

    Brightness 1 is black, movement 128 is none, and the loudness of a band is as in `fathom.data.cells.sounds`, 1 where there is no sound. Raises media.UnreadableError.
    """
    pictures = _pictures(cell, steps, pace)
    if not pictures:
        raise media.UnreadableError("no frame of it can be decoded")
    last = max(pictures)
    frames = np.zeros((last + 1, PIXELS + 3))
    for step in range(last + 1):  # a step without a frame of its own shows the one before
        frames[step] = pictures.get(step, frames[max(step - 1, 0)])
    frames[0] = pictures[min(pictures)] if 0 not in pictures else frames[0]
    moved = np.diff(frames[:, :PIXELS], axis=0, prepend=frames[:1, :PIXELS])
    sound = _sound(cell, last + 1, pace)
    whole = np.concatenate(
        [1 + frames[:, :PIXELS] * 254 / 255, 128 + moved / 2, 1 + frames[:, PIXELS:] * 254 / 255, sound], axis=1
    )
    seen: Bytes = np.clip(np.rint(whole), 1, 255).astype(np.uint8)
    return seen


def _pictures(cell: Any, steps: int, pace: float) -> dict[int, npt.NDArray[np.float64]]:
    """Return the small picture and the mean colour of the first frame of each step."""
    av = require("av", "video")
    found: dict[int, npt.NDArray[np.float64]] = {}
    with open_clip(cell) as container:
        try:
            for count, frame in enumerate(container.decode(video=0)):
                moment = frame.time if frame.time is not None else count / 25
                step = int(moment / pace)
                if step >= steps or count >= MOST_FRAMES:
                    break
                if step < 0 or step in found:
                    continue
                small = (
                    frame.reformat(width=COLUMNS * 4, height=ROWS * 4, format="rgb24", interpolation="AREA")
                    .to_ndarray()
                    .astype(np.float64)
                )
                grey = small @ (0.299, 0.587, 0.114)
                cells = grey.reshape(ROWS, 4, COLUMNS, 4).mean(axis=(1, 3)).reshape(-1)
                found[step] = np.concatenate([cells, small.mean(axis=(0, 1))])
        except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
            if not found:
                raise media.UnreadableError(f"it is damaged ({_reason(error)})") from None
    return found


def _sound(cell: Any, steps: int, pace: float) -> npt.NDArray[np.float64]:
    """Return the loudness in bytes of each band in each step, 1 without sound."""
    silent = np.ones((steps, BANDS))
    av = require("av", "video")
    rate = round(2 * HIGHEST)
    with open_clip(cell) as container:
        if not container.streams.audio:
            return silent
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        pieces, have = [], 0
        try:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    samples = part.to_ndarray().reshape(-1)
                    pieces.append(samples)
                    have += len(samples)
                if have > steps * pace * rate:
                    break
        except (av.FFmpegError, OSError, ValueError):
            pass  # what was heard until then
    if not have:
        return silent
    wave = np.concatenate(pieces)[: int(steps * pace * rate) + 1].astype(np.float32) / np.float32(32768)
    heard = sounds.loudness(wave, rate, HIGHEST, bands=BANDS)[:, 2:].astype(np.float64)
    step = np.minimum((np.arange(len(heard)) * sounds.HOP / pace).astype(np.int64), steps - 1)
    counts = np.bincount(step, minlength=steps)
    for band in range(BANDS):
        sums = np.bincount(step, heard[:, band], steps)
        silent[:, band] = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
    return silent


def square(start: int, right: bool, frames: int = 8) -> bytes:
    """Return a video (MPEG-4 in AVI) of a bright square that goes right or left from pixel ``start`` on a dark ground, eight frames a second."""
    av = require("av", "video")
    target = io.BytesIO()
    with av.open(target, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for count in range(frames):
            picture = np.full((24, 32, 3), 20, np.uint8)
            left = min(24, max(0, start + (2 * count if right else -2 * count)))
            picture[8:16, left : left + 8] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return target.getvalue()


def _reason(error: BaseException) -> str:
    return str(error).split("]")[-1].split(":")[0].strip().rstrip(".") or type(error).__name__


__all__ = ["BANDS", "COLUMNS", "MOST_SECONDS", "PIXELS", "ROWS", "WIDTH", "duration_of", "format_of", "see", "square"]
