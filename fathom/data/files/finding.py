"""Finds the files that a source names and opens them, so that all that follows sees plain bytes."""

import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from fathom.data.files.signatures import Compression, compression_of
from fathom.errors import TableError, suggestion

HEAD = 1 << 16  # bytes; enough to tell a format
BLOCK = 4 << 20  # bytes; a few blocks fit in the processor's cache, and reading them costs no more than reading at once


@runtime_checkable
class ByteStream(Protocol):
    """Something open for reading."""

    def read(self) -> bytes:
        """Return all bytes that are left."""
        ...


@dataclass(frozen=True)
class Content:
    """The bytes of a file or a stream, which can be read from the start as often as needed.

    ``label`` is the file's name as the user gave it. Bytes that came through a stream stand in ``buffer``; a file stays
    on the disk. ``head`` holds the first bytes, decompressed. ``stamp`` (size and time of the last change) tells
    whether the file changed while it was being read.
    """

    label: str
    path: str | None
    buffer: pa.Buffer | None
    compression: Compression | None
    head: bytes
    stamp: tuple[int, int] | None

    def open(self) -> pa.NativeFile:
        """Open the bytes, decompressed, from the start."""
        # By its bytes, since a name need not be valid UTF-8.
        raw = pa.OSFile(os.fsencode(self.path)) if self.path is not None else pa.BufferReader(self.buffer)
        return pa.CompressedInputStream(raw, self.compression) if self.compression else raw

    @property
    def bytes_stored(self) -> int:
        """The bytes as they are stored, before decompression."""
        return self.stamp[0] if self.stamp is not None else int(self.buffer.size if self.buffer is not None else 0)

    @property
    def name(self) -> str:
        """The file's name without folder and endings: ``homes`` for ``data/homes.csv.gz``."""
        if self.path is None:
            return "stdin"
        name = Path(self.path)
        return Path(name.stem).stem if name.suffix.lower() in {".gz", ".zst"} else name.stem

    @property
    def ending(self) -> str:
        """The ending of the name in small letters, without ``.gz`` or ``.zst``: ``.csv``."""
        name = Path(self.path or "")
        return Path(name.stem if name.suffix.lower() in {".gz", ".zst"} else name.name).suffix.lower()


def find(source: str) -> list[str]:
    """Return the files that a path or a glob (``data/*.csv``, ``**`` for all folders below) names, in order.

    Raises TableError when a glob matches no file; a single path is looked at when it is opened.
    """
    if not source:
        raise TableError("The name of the table is empty. Give a file, a glob such as 'data/*.csv', or '-'.")
    if "\0" in source:
        raise TableError(f"{source!r} is not the name of a file: it holds a NUL character.")
    if "://" in source:
        raise TableError(
            f"{source} is an address, and Fathom reads files of this machine only. Download it first.", file=source
        )
    if not glob.has_magic(source) or os.path.lexists(source):
        return [source]
    anchor = Path(source).anchor
    try:
        matches = sorted(str(path) for path in Path(anchor).glob(source[len(anchor) :]) if not path.is_dir())
    except (ValueError, NotImplementedError) as error:
        raise TableError(f"{source!r} cannot be read as a glob: {error}.") from None
    if not matches:
        folder = Path(source).parent
        holds = "" if glob.has_magic(str(folder)) else _folder_holds(folder)
        raise TableError(f"No file matches '{source}'.{holds}", file=source)
    return matches


def open_file(file: str) -> Content:
    """Open one file and look at its first bytes.

    Raises TableError when there is no such file, when it is no regular file, cannot be read, or is empty.
    """
    label = os.fsencode(file).decode("utf-8", "replace")  # a name need not be valid UTF-8, a message must be
    try:
        status = Path(file).stat()
    except OSError as error:
        raise _cannot_open(file, label, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise TableError(
            f"{label} is a folder. Give a file in it, or a glob such as '{Path(label) / '*.csv'}'."
            f"{_folder_holds(Path(file))}",
            file=label,
        )
    if not stat.S_ISREG(status.st_mode):
        raise TableError(
            f"{label} is {_kind(status.st_mode)}, not a file. "
            "Only regular files are read; to read what another program writes, pipe it in and give '-'.",
            file=label,
        )
    content = Content(label, file, None, None, b"", (status.st_size, status.st_mtime_ns))
    try:
        return _looked_at(content)
    except OSError as error:
        raise _cannot_open(file, label, error) from None


def open_stream(stream: ByteStream) -> Content:
    """Read all of a binary stream, for instance the standard input, and look at its first bytes.

    Raises TableError when it is a text stream, cannot be read, or is empty.
    """
    name = getattr(stream, "name", None)
    label = "standard input" if name in {"<stdin>", 0} else name if isinstance(name, str) else "the stream"
    try:
        data = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{label} could not be read: {error}.", file=label) from None
    if not isinstance(data, bytes):
        raise TableError(
            f"{label} gives text, and Fathom reads bytes so that it can find the encoding. "
            "Open the file with open(path, 'rb'), or give its path.",
            file=label,
        )
    return _looked_at(Content(label, None, pa.py_buffer(data), None, b"", None))


def blocks(content: Content) -> Iterator[bytes]:
    """Yield the decompressed bytes, block after block.

    Raises TableError when the file is damaged, cut short, or cannot be read to its end.
    """
    try:
        with content.open() as stream:
            while block := stream.read(BLOCK):
                yield block
    except OSError as error:
        raise cannot_read(content, error) from None


def check_unchanged(content: Content) -> None:
    """Raise TableError when the file has changed since it was opened."""
    if content.path is None:
        return
    try:
        status = Path(content.path).stat()
        now = (status.st_size, status.st_mtime_ns)
    except OSError:
        now = None
    if now != content.stamp:
        raise TableError(
            f"{content.label} changed while it was being read. Wait until it is written, then read it again.",
            file=content.label,
        )


def cannot_read(content: Content, error: Exception) -> TableError:
    """Return the TableError for bytes that broke off or are damaged."""
    reason = str(error).split("\n")[0].rstrip(".")
    if content.compression and "Truncated" in reason:
        text = f"{content.label} is cut short: its {content.compression} data end too early. Copy or download it again."
    elif content.compression:
        text = f"{content.label} is damaged: its {content.compression} data cannot be unpacked ({reason}). Copy or download it again."
    else:
        text = f"{content.label} could not be read to its end: {reason}."
    return TableError(text, file=content.label)


def _looked_at(content: Content) -> Content:
    """Return the content with its compression and its first bytes filled in."""
    with content.open() as stream:
        head = stream.read(HEAD)
    if not head:
        raise TableError(f"{content.label} is empty: it holds no bytes. Was it written to the end?", file=content.label)
    compression = compression_of(head)
    if compression is None:
        return Content(content.label, content.path, content.buffer, None, head, content.stamp)
    packed = Content(content.label, content.path, content.buffer, compression, b"", content.stamp)
    try:
        with packed.open() as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise cannot_read(packed, error) from None
    if not head:
        raise TableError(
            f"{content.label} is empty: nothing is left when it is unpacked ({compression}).", file=content.label
        )
    return Content(content.label, content.path, content.buffer, compression, head, content.stamp)


def _cannot_open(file: str, label: str, error: OSError) -> TableError:
    path, folder = Path(file), Path(file).parent
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        text = f"{label} is a link to {path.readlink()}, which does not exist."
    elif isinstance(error, FileNotFoundError) and folder.is_dir():
        near = suggestion(path.name, _names_in(folder))
        text = f"There is no file {label}.{near or _folder_holds(folder)}"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        text = f"There is no file {label}: {folder} is no folder."
    elif isinstance(error, PermissionError):
        text = f"{label} may not be read: permission denied. Ask its owner, or run as a user who may read it."
    else:
        text = f"{label[:200]} cannot be opened: {error.strerror or error}."
    return TableError(text, file=label)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _folder_holds(folder: Path) -> str:
    """Return a sentence that lists a few files of a folder, or nothing when there is none."""
    names = _names_in(folder)
    if not names:
        return "" if folder.is_dir() else f" There is no folder {folder}."
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f" The folder {folder} holds {shown}."


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
