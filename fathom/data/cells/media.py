"""What a cell that stands for a file is, and how its bytes are read: pictures, recordings and videos beside a table, in a folder or in an archive.

A cell of type :data:`MEDIA` is a record ``{path, folder}``: where the file is inside a folder or an archive, and which. Only `fathom.read` makes such cells, of files and of the
caller's own frames; a plain string that arrives otherwise is a word and never opens a file. Rows are parted by ``path`` alone, so they stay where they are when a folder moves to another
machine. A cell may also hold the bytes themselves, or a ``data:`` URL (RFC 2397).
"""

import base64
import binascii
import stat
import urllib.parse
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.files.archives import Archive, is_archive_name, open_archive

MEDIA = pa.struct([("path", pa.large_string()), ("folder", pa.large_string())])
MOST_BYTES = 256 << 20  # of one cell that is read into memory

Kind = Literal["image", "audio", "video"]
ENDINGS: dict[Kind, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    "audio": (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au"),
    "video": (".mp4", ".m4v", ".mkv", ".webm", ".avi", ".mov", ".mpg", ".mpeg"),
}
_KINDS: dict[str, Kind] = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}


class UnreadableError(Exception):
    """The bytes of a cell cannot be had, or are not what they should be; the words say why, without a full stop."""


def is_media(kind: pa.DataType) -> bool:
    """Say whether cells of this type stand for files.

    >>> is_media(MEDIA), is_media(pa.string())
    (True, False)
    """
    return bool(kind == MEDIA)


def is_text(kind: pa.DataType) -> bool:
    """Say whether cells of this type are strings."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def kind_of_name(name: str) -> Kind | None:
    """Return what a file of this name most likely holds.

    >>> kind_of_name("cat/7.JPG"), kind_of_name("notes.txt")
    ('image', None)
    """
    return _KINDS.get(PurePosixPath(name).suffix.lower())


def cells(paths: Any, folder: str) -> pa.Array:
    """Make cells of paths inside one folder or archive; a null path is a missing cell."""
    known = pa.array(paths, pa.large_string()) if not isinstance(paths, pa.Array) else paths.cast(pa.large_string())
    folders = pa.repeat(pa.scalar(folder, pa.large_string()), len(known))
    return pa.StructArray.from_arrays([known, folders], fields=list(MEDIA), mask=pc.is_null(known))


def paths_of(values: pa.Array) -> pa.Array:
    """Return the paths ``(row,)`` of cells that stand for files, null where a cell is missing."""
    return pc.struct_field(values, "path")


def shown(value: Any) -> str:
    """Write one cell of any kind in words: a file by its path, bytes by their number.

    >>> shown({"path": "cat/7.jpg", "folder": "photos"}), shown(b"abc"), shown("nurse")
    ('cat/7.jpg', '3 bytes', 'nurse')
    """
    if isinstance(value, dict) and set(value) == {"path", "folder"}:
        return str(value["path"])
    if isinstance(value, bytes):
        return f"{len(value):,} byte{'s' if len(value) != 1 else ''}"
    text = str(value)
    return f"{text[:30]}… ({len(text):,} characters)" if text.startswith("data:") and len(text) > 60 else text


def place(value: Any) -> Path | bytes:
    """Return where the file of a cell lies, or its bytes where it has no place of its own.

    Raises UnreadableError when there is neither. Safe to call from several threads.
    """
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str) and value.startswith("data:"):
        return _data_url(value)
    if not isinstance(value, dict) or set(value) != {"path", "folder"}:
        raise UnreadableError("it is neither a file that was read with a table, nor bytes, nor a data: URL")
    if is_archive_name(value["folder"]):
        return _member(open_archive(value["folder"]), value["path"])
    return _ordinary(Path(str(value["folder"])) / str(value["path"]))


def read_bytes(value: Any, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a cell: a file, bytes, or a ``data:`` URL.

    Raises UnreadableError, which says why.

    >>> read_bytes("data:;base64,aGk=")
    b'hi'
    """
    found = place(value)
    if isinstance(found, Path):
        try:
            with found.open("rb") as file:
                found = file.read(most + 1)
        except FileNotFoundError:
            raise UnreadableError("there is no such file") from None
        except OSError as error:
            raise UnreadableError(f"it cannot be opened: {error.strerror or error}") from None
    if not found:
        raise UnreadableError("it holds no bytes")
    if len(found) > most:
        raise UnreadableError(f"it is larger than {most >> 20} MiB")
    return found


def head(value: Any, count: int = 64) -> bytes:
    """Return the first bytes of a cell, or none where they cannot be had."""
    try:
        found = place(value if not isinstance(value, str) else value[: 4 * count + 64])
        if isinstance(found, Path):
            with found.open("rb") as file:
                return file.read(count)
        return found[:count]
    except (UnreadableError, OSError):
        return b""


def evenly(values: pa.Array, count: int) -> list[Any]:
    """Return at most ``count`` known cells, spread evenly."""
    known = values.drop_null()
    if not len(known):
        return []
    rows = np.unique(np.linspace(0, len(known) - 1, min(count, len(known))).astype(np.int64))
    return [known[int(row)].as_py() for row in rows]


def _ordinary(path: Path) -> Path:
    """Return the path of a file that is one, or is not there. Raises UnreadableError for a folder, a pipe or a device: who opens a pipe waits for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return path  # whoever opens it says why it cannot be
    if not stat.S_ISREG(mode):
        raise UnreadableError("it is no ordinary file")
    return path


def _member(archive: Archive, name: str) -> bytes:
    try:
        return archive.read(name)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UnreadableError(str(error.args[0] if error.args else error).rstrip(".")) from None


def _data_url(text: str) -> bytes:
    kind, comma, content = text[5:].partition(",")
    if not comma:
        raise UnreadableError("it is a data: URL without a comma")
    try:
        if kind.endswith(";base64"):
            content = content.strip()
            return base64.b64decode(content[: len(content) // 4 * 4], validate=True)
        return urllib.parse.unquote_to_bytes(content)
    except (binascii.Error, ValueError):
        raise UnreadableError("its data: URL is no valid base64") from None


__all__ = [
    "ENDINGS",
    "MEDIA",
    "UnreadableError",
    "cells",
    "evenly",
    "head",
    "is_media",
    "is_text",
    "kind_of_name",
    "paths_of",
    "place",
    "read_bytes",
    "shown",
]
