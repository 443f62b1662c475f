"""A bundle as one file: a zip whose members are stored, not compressed, so that nothing in it can grow, in a layout without choices.

The same files make the same bytes. Reading is the mirror of writing: every header must be, byte for byte, the one that would have been written, so a zip's many ways of saying two things at
once (members twice, names that climb, sizes that differ, what stands before, between or behind) are refused without being understood. Source: PKWARE, APPNOTE.TXT
6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from fathom.bundle import manifest
from fathom.errors import BundleError, OutputError

ENDING = ".fathom"
LARGEST = 2**32 - 1  # bytes; more needs another layout
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_DAY = (0 << 9) + (1 << 5) + 1  # 1 January 1980: when a bundle was packed is not part of it
_RIGHTS = 0o100644 << 16


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return the files of a bundle as one. Raises OutputError when they are larger than 4 GiB.

    >>> packed({"manifest.json": b"{}"})[:4]
    b'PK\\x03\\x04'
    """
    if sum(map(len, files.values())) > LARGEST - (1 << 16):
        raise OutputError("The bundle is larger than 4 GiB, which one file cannot hold. Keep it as a folder.")
    pieces, central, place = [], [], 0
    for name in _order(files):
        content = files[name]
        check = zlib.crc32(content)
        central.append(_central(name, check, len(content), place))
        pieces += [_local(name, check, len(content)), content]
        place += len(pieces[-2]) + len(content)
    return b"".join([*pieces, *central, _end(len(central), sum(map(len, central)), place)])


def unpacked(content: bytes, file: str) -> dict[str, bytes]:
    """Return the files of a bundle that is one file, each as the manifest says. Raises BundleError, naming ``file``."""
    if content[:4] != b"PK\x03\x04":
        raise BundleError(
            f"{file} is no bundle: it does not begin as one. Name a run, the bundle in it, or a file that fathom pack wrote.",
            file=file,
        )
    first, place = _member(content, 0, manifest.NAME, None, file)
    files = {manifest.NAME: first}
    _, listed = manifest.entries(first, f"{file}: {manifest.NAME}")
    for name in _order(listed):
        files[name], place = _member(content, place, name, listed[name], file)
    if content[place : place + 4] == b"PK\x03\x04":
        files[manifest.SIGNATURE], place = _member(content, place, manifest.SIGNATURE, None, file)
    tail = packed(files)[place:]
    if content[place:] != tail:
        raise BundleError(
            f"{file} does not end as a bundle does after its last file: something was added or changed. Copy it again, whole.",
            file=file,
        )
    return files


def _order(names: Iterable[str]) -> list[str]:
    """Return names in the order in which they are packed: the manifest first, the signature last."""
    return sorted(names, key=lambda name: (name == manifest.SIGNATURE, name != manifest.NAME, name))


def _member(content: bytes, place: int, name: str, entry: manifest.Entry | None, file: str) -> tuple[bytes, int]:
    """Return the member at a place, which must be of this name, and where it ends."""
    start = place + _LOCAL.size + len(name)
    if start > len(content):
        raise BundleError(f"{file} ends where {name} should begin: it was cut off. Copy it again, whole.", file=file)
    fields = _LOCAL.unpack_from(content, place)
    size = fields[8] if entry is None else entry.bytes
    if size > manifest.LARGEST[name] or start + size > len(content):
        raise BundleError(f"{file} ends before {name} does: it was cut off. Copy it again, whole.", file=file)
    member = content[start : start + size]
    if content[place:start] != _local(name, zlib.crc32(member), size):
        raise BundleError(f"{file}: {_what_is_odd(content, place, name, fields)}. Copy it again, whole.", file=file)
    if entry is not None and hashlib.sha256(member).hexdigest() != entry.sha256:
        raise BundleError(
            f"{file}: {name} was changed after it was saved: its SHA-256 is not the manifest's. Copy it again, whole.",
            file=file,
        )
    return member, start + size


def _what_is_odd(content: bytes, place: int, name: str, fields: tuple[Any, ...]) -> str:
    if fields[0] != b"PK\x03\x04":
        return f"{name} should begin at byte {place:,} and does not; a bundle is made by fathom pack"
    found = content[place + _LOCAL.size : place + _LOCAL.size + min(fields[9], 200)].decode("utf-8", "backslashreplace")
    if found != name:
        return f"it holds {found[:80]!r} where a bundle has {name}"
    if fields[3]:
        return f"{name} is compressed, and a bundle is not: fathom pack makes it"
    return f"{name} is not stored as fathom pack stores it, or was changed after it was saved"


def _local(name: str, check: int, size: int) -> bytes:
    return _LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, _DAY, check, size, size, len(name), 0) + name.encode("ascii")


def _central(name: str, check: int, size: int, place: int) -> bytes:
    fixed = (b"PK\x01\x02", 3 << 8 | 20, 20, 0, 0, 0, _DAY, check, size, size, len(name), 0, 0, 0, 0, _RIGHTS, place)
    return _CENTRAL.pack(*fixed) + name.encode("ascii")


def _end(count: int, size: int, place: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, size, place, 0)
