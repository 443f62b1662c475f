"""Reads the members of zip and tar archives without unpacking them to the disk, and refuses archives made to do harm.

Refused: members whose names lead out of the archive, links and devices, encrypted members, and bombs: members that unpack to far more bytes than they have, or archives with
more members than any folder of files. Source of the list: the documentation of Python's ``zipfile`` ("Decompression pitfalls") and PEP 706 (tar).
"""

import functools
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fathom.errors import TableError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_MEMBERS = 5_000_000
MOST_MEMBER_BYTES = 256 << 20
MOST_RATIO = 200  # unpacked over packed bytes of a member; media are packed already and gain little
SMALL_BYTES = 1 << 20  # a member that unpacks to no more may have any ratio: it does no harm
MOST_UNPACKED_TAR = 2 << 30  # bytes; a packed tar has no index, so its members are held in memory


@dataclass(frozen=True)
class Archive:
    """An open archive: ``members`` are the sizes of its files by name, in order. Its members may be read from several threads."""

    path: str
    members: Mapping[str, int]
    _zip: zipfile.ZipFile | None = field(default=None, repr=False)
    _unpacked: bytes | None = field(default=None, repr=False)  # of a packed tar
    _offsets: Mapping[str, int] = field(default_factory=dict, repr=False)

    def read(self, name: str) -> bytes:
        """Return the bytes of a member. Raises ValueError or OSError, in words, when it cannot be unpacked."""
        if name not in self.members:
            raise ValueError(f"the archive has no member {name!r}")
        size = self.members[name]
        if self._zip is not None:
            try:
                with self._zip.open(name) as member:
                    content = member.read(size + 1)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                raise ValueError(f"the archive's member is damaged: {error}") from None
            if len(content) != size:
                raise ValueError("the archive's member is not of the size that it claims")
            return content
        start = self._offsets[name]
        if self._unpacked is not None:
            content = self._unpacked[start : start + size]
        else:
            with Path(self.path).open("rb") as file:
                file.seek(start)
                content = file.read(size)
        if len(content) != size:
            raise ValueError("the archive is cut short")
        return content


def is_archive_name(name: str) -> bool:
    """Say whether a file of this name is an archive of files.

    >>> is_archive_name("photos.tar.gz"), is_archive_name("homes.csv.gz")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def open_archive(path: str) -> Archive:
    """Open an archive and check all its members; one that has not changed since is not read again.

    Raises TableError when it is damaged or made to do harm.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise TableError(f"There is no archive {path}: {error.strerror}.", file=path) from None
    return _opened(os.fspath(path), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _opened(path: str, size: int, changed: int) -> Archive:
    try:
        return _open_zip(path) if zipfile.is_zipfile(path) else _open_tar(path)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise TableError(f"{path} cannot be read as an archive: {error}. Copy or make it again.", file=path) from None


def _open_zip(path: str) -> Archive:
    archive = zipfile.ZipFile(path)
    found: dict[str, int] = {}
    _check_count(path, len(archive.infolist()))
    for info in archive.infolist():
        if info.is_dir():
            continue
        _check_name(path, info.filename)
        mode = info.external_attr >> 16
        if mode & 0o170000 == 0o120000:
            raise _refused(path, info.filename, "is a link")
        if info.flag_bits & 0x1:
            raise _refused(path, info.filename, "is encrypted")
        _check_size(path, info.filename, info.file_size, info.compress_size)
        found[info.filename] = info.file_size
    return Archive(path, found, _zip=archive)


def _open_tar(path: str) -> Archive:
    unpacked = None if _is_plain_tar(path) else _unpacked(path)
    found: dict[str, int] = {}
    offsets: dict[str, int] = {}
    with (
        Path(path).open("rb") if unpacked is None else io.BytesIO(unpacked) as content,
        tarfile.open(fileobj=content, mode="r:") as archive,
    ):
        for count, member in enumerate(archive, 1):
            _check_count(path, count)
            if member.isdir():
                continue
            _check_name(path, member.name)
            if not member.isreg() or member.sparse is not None:
                raise _refused(path, member.name, "is a link, a device or sparse")
            _check_size(path, member.name, member.size, member.size)
            found[member.name], offsets[member.name] = member.size, member.offset_data
            archive.members = []  # type: ignore[attr-defined]  # it would keep every header
    return Archive(path, found, _unpacked=unpacked, _offsets=offsets)


def _is_plain_tar(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(262)[257:262] == b"ustar"


def _unpacked(path: str) -> bytes:
    """Return a packed tar, unpacked in memory."""
    import bz2
    import gzip
    import lzma

    with Path(path).open("rb") as file:
        start = file.read(6)
    opener: Any = gzip.open if start[:2] == b"\x1f\x8b" else bz2.open if start[:3] == b"BZh" else lzma.open
    try:
        with opener(path, "rb") as stream:
            content: bytes = stream.read(MOST_UNPACKED_TAR + 1)
    except lzma.LZMAError as error:
        raise tarfile.ReadError(str(error)) from None
    if len(content) > MOST_UNPACKED_TAR:
        raise TableError(
            f"{path} unpacks to more than {MOST_UNPACKED_TAR >> 30} GiB, and a packed tar can only be read as a whole. "
            "Give it as a .zip or a plain .tar, or unpack it and give the folder.",
            file=path,
        )
    return content


def _check_name(path: str, name: str) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in name or (len(name) > 1 and name[1] == ":"):
        raise _refused(path, name, "has a name that leads out of the archive")


def _check_size(path: str, name: str, size: int, packed: int) -> None:
    if size > MOST_MEMBER_BYTES:
        raise _refused(path, name, f"unpacks to {size:,} bytes, more than the {MOST_MEMBER_BYTES:,} that one file may")
    if size > SMALL_BYTES and size > MOST_RATIO * max(packed, 1):
        raise _refused(path, name, f"would unpack from {packed:,} to {size:,} bytes, as bombs do and media do not")


def _check_count(path: str, count: int) -> None:
    if count > MOST_MEMBERS:
        raise TableError(f"{path} has more than {MOST_MEMBERS:,} members. Give a folder instead.", file=path)


def _refused(path: str, name: str, why: str) -> TableError:
    return TableError(
        f"{path} is refused: its member {name[:120]!r} {why}. Make an archive of plain files, or unpack it yourself and give the folder.",
        file=path,
    )


__all__ = ["Archive", "is_archive_name", "open_archive"]
