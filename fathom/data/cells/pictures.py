"""Decodes pictures with Pillow, on threads, into one array of bytes; what cannot be decoded is told in words.

What is refused: bytes of no known format, whatever the name says; more than :data:`MOST_PIXELS` pixels (a small file can unpack to gigabytes); files that are cut short. Large pictures
are decoded one at a time, so that memory stays bounded.
"""

import base64
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells import media
from fathom.data.cells.media import UnreadableError
from fathom.errors import FathomError, check_installed

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")
MOST_PIXELS = 100_000_000
LARGE_PIXELS = 16_000_000  # above, one at a time
AT_ONCE = 64  # pictures of a thread, between two words on how far it is
OPAQUE, MIDDLE = 255, 128
LEAST_OPAQUE = 8  # below, a pixel is not there
THUMBNAIL = 96  # pixels a side
WORSENED_SIDE = 256
ORIENTATION = 0x0112
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's number to Pillow's Transpose

Bytes = npt.NDArray[np.uint8]
_large = threading.Lock()


def format_of(head: bytes) -> str | None:
    """Return the format of a picture by its first bytes.

    >>> format_of(b"\\x89PNG\\r\\n\\x1a\\n"), format_of(b"price,rooms")
    ('PNG', None)
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"BM") and head[14:18] in {struct.pack("<I", size) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return "BMP"
    return None


def size_of(cell: Any) -> tuple[int, int, int] | None:
    """Return height, width and channels of a picture, upright, by its header alone; ``None`` for a cell that is none."""
    try:
        image = _opened(cell)
        width, height = image.size
        if _turn(image) in (2, 4, 5, 6):
            width, height = height, width
        return height, width, 1 if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;") else 3
    except UnreadableError:
        return None


def decode(
    cells: Sequence[Any] | pa.Array,
    size: tuple[int, int, int],
    advance: Callable[[int], None] | None = None,
    skip: npt.NDArray[np.bool_] | None = None,
) -> tuple[Bytes, list[str | None]]:
    """Decode cells on as many threads as there are cores into ``(row, *size)``, and say of each that cannot be why; ``skip`` marks cells that hold nothing.

    ``advance`` is told how many are done. Raises ExtraError without Pillow.
    """
    rows = len(cells)
    grid = np.zeros((rows, *size), np.uint8)
    faults: list[str | None] = [None] * rows

    def some(start: int) -> int:
        stop = min(start + AT_ONCE, rows)
        values = cells[start:stop]
        listed = values.to_pylist() if isinstance(values, pa.Array) else values
        for row, cell in enumerate(listed, start):
            if skip is None or not skip[row]:
                try:
                    picture = upright(cell, size)
                    top, left = (size[1] - picture.shape[1]) // 2, (size[2] - picture.shape[2]) // 2
                    grid[row, :, top : top + picture.shape[1], left : left + picture.shape[2]] = picture
                except (UnreadableError, FathomError) as error:
                    faults[row] = str(error)
        return stop

    if skip is None or not skip.all():
        _check_pillow(cells)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what cannot be read is told in `faults`
            with ThreadPoolExecutor(_cores()) as pool:
                for stop in pool.map(some, range(0, rows, AT_ONCE)):
                    if advance:
                        advance(stop)
    if advance:
        advance(rows)
    return grid, faults


def upright(cell: Any, size: tuple[int, int, int]) -> Bytes:
    """Decode one cell to ``(channel, height, width)``, upright, as large as fits into ``size``, 1 to 255 and 0 where nothing is.

    Raises UnreadableError.
    """
    channels, high, wide = size
    image = _opened(cell)
    turn = _turn(image)
    if image.width * image.height > LARGE_PIXELS:
        with _large:
            image = _shrunk(image, channels, turn, high, wide)
    else:
        image = _shrunk(image, channels, turn, high, wide)
    if image.mode == "RGBA":
        colours, opaque = np.asarray(image), np.asarray(image)[:, :, 3:].astype(np.uint16)
        mixed = (colours[:, :, :3] * opaque + MIDDLE * (OPAQUE - opaque)) // OPAQUE
        if channels == 1:
            mixed = (mixed @ np.array([299, 587, 114], np.uint32) // 1000)[:, :, None]
        pixels = np.where(opaque < LEAST_OPAQUE, 0, np.maximum(mixed, 1)).astype(np.uint8)
    else:
        pixels = np.maximum(np.asarray(image), 1)
    return pixels.reshape(image.height, image.width, channels).transpose(2, 0, 1)


def _opened(cell: Any) -> Any:
    """Open a picture: its header is read, and its pixels are not."""
    from PIL import Image

    content = media.read_bytes(cell)
    kind = format_of(content[:64])
    if kind is None:
        raise UnreadableError(f"its bytes are those of no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture")
    try:
        image = Image.open(io.BytesIO(content), formats=[kind.upper()])
    except Image.DecompressionBombError:
        raise UnreadableError(f"it has more than {MOST_PIXELS:,} pixels, as decompression bombs do") from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise UnreadableError(f"it is a damaged {kind} picture ({_words(error)})") from None
    if image.width * image.height > MOST_PIXELS:
        raise UnreadableError(
            f"it has {image.width:,} × {image.height:,} pixels, more than the {MOST_PIXELS:,} that are decoded; a small file that unpacks to so many is a decompression bomb"
        )
    return image


def _turn(image: Any) -> int | None:
    """Return how Pillow must turn a picture for it to stand upright, by its EXIF orientation."""
    if image.format not in ("JPEG", "MPO", "TIFF", "WEBP") and "exif" not in image.info:
        return None
    try:
        return TURNS.get(image.getexif().get(ORIENTATION))
    except Exception:  # a damaged EXIF says nothing
        return None


def _shrunk(image: Any, channels: int, turn: int | None, high: int, wide: int) -> Any:
    """Decode, turn and resize a picture to the largest that fits; mode L or RGB, or RGBA where something is transparent."""
    from PIL import Image

    kind = image.format
    lies = turn in (2, 4, 5, 6)
    room = (high, wide) if lies else (wide, high)  # before it is turned
    fits = min(room[0] / image.width, room[1] / image.height)
    target = tuple(
        max(1, min(most, round(side * fits))) for side, most in zip((image.width, image.height), room, strict=True)
    )
    wanted = "L" if channels == 1 else "RGB"
    try:
        if kind in ("JPEG", "MPO") and fits < 1:
            image.draft(wanted, target)  # unpacks at a half, a quarter or an eighth of the size
        image.load()
        image = _plain(image, wanted)
        if image.size != target:
            image = image.resize(target, Image.Resampling.BILINEAR, reducing_gap=3.0 if fits < 1 else None)
        return image if turn is None else image.transpose(Image.Transpose(turn))
    except Exception as error:  # see _opened
        raise UnreadableError(f"it is a damaged {kind} picture ({_words(error)})") from None


def _plain(image: Any, wanted: str) -> Any:
    """Return a picture of any mode as ``wanted``, or as RGBA where it has transparent pixels."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, or 32 of which 16 are used
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65_535) >> 8
        image = Image.fromarray(deep.astype(np.uint8))
    elif image.mode == "F":
        numbers = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        numbers = numbers * 255 if numbers.max(initial=0.0) <= 1 else numbers
        image = Image.fromarray(np.clip(numbers, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < OPAQUE:
            return image
    return image if image.mode == wanted else image.convert("RGB" if wanted == "RGB" else "L")


def _words(error: Exception) -> str:
    return (str(error).split("\n")[0] or type(error).__name__)[:120].rstrip(".")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_pillow(cells: Sequence[Any] | pa.Array) -> None:
    """Raise ExtraError where there may be something to decode and nothing to do it with."""
    if len(cells):
        check_installed(("PIL",), "image")


def png(pixels: Bytes) -> bytes:
    """Pack ``(height, width, channel)`` bytes, of 1, 3 or 4 channels, as PNG (ISO/IEC 15948:2004), without Pillow."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1).tobytes()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b"")


def as_url(grid: Bytes) -> str:
    """Return ``(channel, height, width)`` of the shape ``grid`` as a ``data:`` URL of a PNG, transparent where nothing is."""
    picture = grid.transpose(1, 2, 0)
    there = (grid != 0).any(axis=0)[:, :, None]
    if not there.all():
        picture = np.concatenate([np.broadcast_to(picture, (*picture.shape[:2], 3)), there * np.uint8(255)], axis=2)
    return f"data:image/png;base64,{base64.b64encode(png(np.ascontiguousarray(picture))).decode()}"


def thumbnail(cell: Any, side: int = THUMBNAIL) -> str:
    """Return a small picture of a cell as a ``data:`` URL; small ones keep their size. Raises UnreadableError."""
    check_installed(("PIL",), "image")
    known = size_of(cell)
    if known is None:
        upright(cell, (3, side, side))  # raises
        raise UnreadableError("it is no picture")
    side = min(side, max(known[:2]))
    return as_url(upright(cell, (known[2], side, side)))


def worsened(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Do to every picture one of what cameras, packers and fingers do; cells that are no pictures stay, files come back as bytes."""
    check_installed(("PIL",), "image")
    text = media.is_text(values.type)
    worse: list[Any] = []
    for row, cell in enumerate(values.to_pylist()):
        generator = np.random.default_rng([seed, severity, row])
        try:
            content: Any = None if cell is None else _worse(cell, severity, generator)
            if text and content is not None:
                content = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        except UnreadableError:
            content = cell if isinstance(cell, str | bytes) else None
        worse.append(content)
    return pa.array(worse, values.type if text or pa.types.is_large_binary(values.type) else pa.binary())


def _worse(cell: Any, severity: int, generator: np.random.Generator) -> bytes:
    from PIL import Image, ImageFilter

    known = size_of(cell)
    side = min(WORSENED_SIDE, max(known[:2])) if known else WORSENED_SIDE
    grid = upright(cell, (3, side, side))
    there = (grid != 0).any(axis=0)
    image = Image.fromarray(np.ascontiguousarray(grid.transpose(1, 2, 0)))
    what = int(generator.integers(5))
    if what == 0:
        image = image.filter(ImageFilter.GaussianBlur(0.012 * severity * max(image.size)))
    if what == 1:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=int((40, 25, 15, 10, 6)[severity - 1]))
        image = Image.open(packed)
    pixels = np.asarray(image).astype(np.float64)
    if what == 2:
        pixels = pixels + generator.normal(0, 8.0 * severity, pixels.shape)
    if what == 3:
        pixels = (
            (pixels - 128) * generator.uniform(1 - 0.15 * severity, 1) + 128 + generator.choice([-14, 14]) * severity
        )
    pixels = np.clip(pixels, 1, 255)
    pixels[~there] = 0
    if what == 4:
        hole = max(1, round(0.12 * severity * min(pixels.shape[:2])))
        top, left = (generator.integers(0, max(1, edge - hole + 1)) for edge in pixels.shape[:2])
        pixels[top : top + hole, left : left + hole] = 1
    alpha = there[:, :, None] * 255.0
    return png(np.concatenate([pixels, alpha], axis=2).astype(np.uint8) if not there.all() else pixels.astype(np.uint8))


def sample(count: int, seed: int) -> pa.Array:
    """Make little pictures of discs, squares and bars in colour, packed as PNG."""
    generator = np.random.default_rng([seed, 77])
    packed = []
    for _ in range(count):
        high, wide = generator.integers(20, 33, 2)
        y, x = np.mgrid[0:high, 0:wide]
        down, right, radius = generator.uniform(0.3, 0.7) * high, generator.uniform(0.3, 0.7) * wide, high / 4
        kind = generator.integers(3)
        inside = (
            (y - down) ** 2 + (x - right) ** 2 < radius**2
            if kind == 0
            else (np.abs(y - down) < radius) & (np.abs(x - right) < radius)
            if kind == 1
            else np.abs(x - right) < radius / 2
        )
        colours = generator.integers(0, 256, (2, 3))
        pixels = np.where(inside[:, :, None], colours[0], colours[1]) + generator.normal(0, 6, (high, wide, 3))
        packed.append(png(np.clip(pixels, 0, 255).astype(np.uint8)))
    return pa.array(packed, pa.binary())


__all__ = ["as_url", "decode", "format_of", "png", "sample", "size_of", "thumbnail", "upright", "worsened"]
