"""Tells what bytes are by how they begin: a table we read, or something else under a table's name.

Sources: the first bytes are those that each format's own description fixes (Parquet: ``PAR1``; Arrow IPC file: ``ARROW1``;
gzip: RFC 1952, section 2.3.1; Zstandard: RFC 8878, section 3.1.1), the others as the public ``file`` database lists them.
"""

import codecs
from typing import Literal

Compression = Literal["gzip", "zstd"]

_COMPRESSIONS: tuple[tuple[bytes, Compression], ...] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))  # no text holds them

# What a table's file may turn out to be. Only beginnings that no table of text has.
_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "a program (ELF)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file (.xls, .doc)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"Obj\x01", "an Avro file"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x80\x02}", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
)


def compression_of(head: bytes) -> Compression | None:
    """Return how these first bytes are compressed, if they are.

    >>> compression_of(b"\\x1f\\x8b\\x08...")
    'gzip'
    """
    return next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), None)


def stranger(head: bytes) -> str | None:
    """Return what these first bytes are, when they are surely no table that Fathom reads.

    >>> stranger(b"\\x89PNG\\r\\n\\x1a\\n")
    'a PNG image'
    >>> stranger(b"age,job\\n41,nurse\\n") is None
    True
    """
    for magic, name in _STRANGERS:
        if head.startswith(magic):
            return name
    if _is_binary(head):  # these could also begin a text
        for magic, name in ((b"FEA1", "a Feather file of version 1"), (b"PARE", "an encrypted Parquet file")):
            if head.startswith(magic):
                return name
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "a bzip2 archive"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(head)
    if head.startswith(b"RIFF") and head[8:12] in {b"WAVE", b"AVI ", b"WEBP"}:
        return {b"WAVE": "a WAV sound", b"AVI ": "an AVI video", b"WEBP": "a WebP image"}[head[8:12]]
    if head[257:262] == b"ustar":
        return "a tar archive"
    start = head[:512].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    if start.startswith(b"<?xml"):
        return "an XML file"
    return None


def is_parquet(head: bytes, ending: str) -> bool:
    """Say whether these are the first bytes of a Parquet file, rather than of a text whose first name is ``PAR1``."""
    return head.startswith(b"PAR1") and (ending == ".parquet" or _is_binary(head))


def is_arrow_file(head: bytes, ending: str) -> bool:
    """Say whether these are the first bytes of an Arrow (or Feather version 2) file."""
    return head.startswith(b"ARROW1") and (ending in {".arrow", ".feather"} or _is_binary(head))


def is_arrow_stream(head: bytes) -> bool:
    """Say whether these are the first bytes of an Arrow stream: a continuation mark, then a length."""
    return head.startswith(b"\xff\xff\xff\xff")


def _is_binary(head: bytes) -> bool:
    return len(head) != len(head.translate(None, _CONTROLS))


def _zip_kind(head: bytes) -> str:
    if b"xl/" in head:
        return "an Excel workbook (.xlsx)"
    if b"application/vnd.oasis.opendocument.spreadsheet" in head:
        return "an OpenDocument spreadsheet (.ods)"
    if b"word/" in head:
        return "a Word document (.docx)"
    return "a ZIP archive"
