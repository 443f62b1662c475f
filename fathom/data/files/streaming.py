"""Opens a table, or a folder of files, that is larger than memory, to be read block by block from the start as often as needed."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.data.cells import media
from fathom.data.columns import first_line
from fathom.data.files.finding import Content, check_unchanged
from fathom.data.files.folders import LOOK, as_media, is_folder, listing, path_columns, read_folder
from fathom.data.files.reading import format_of, how_written, joined, named_files, opened
from fathom.data.files.text_files import BadRows
from fathom.data.files.text_streams import lay_out_stream, stream_text
from fathom.data.files.typed_streams import stream_typed, unpacked_bytes
from fathom.data.rows.splitting import row_hashes
from fathom.data.table import Table
from fathom.errors import TableError

PACKED = 6  # how many times larger text is than its gzip or zstd bytes, about
ARROW_TIMES = 1.5  # Arrow's size of a text table over its bytes: an offset a cell instead of a delimiter
FILE_BYTES = 32_768  # what a picture, a recording or a video takes once it is decoded for a network, at most, as a rule
FILE_ROWS = 1_024  # of a block whose cells stand for files: they are decoded together
_ENDINGS = "|".join(ending[1:] for endings in media.ENDINGS.values() for ending in endings)
_FILE_NAME = re.compile(rf"[^\s,;\"'|]+\.(?:{_ENDINGS})\b".encode(), re.IGNORECASE)


@dataclass(frozen=True)
class Stream:
    """A table of one file or more that is read block by block.

    ``schema`` holds the columns in order; ``files`` the opened files, each with what yields its blocks from the start; ``decisions`` say how they were understood;
    the columns ``media`` hold paths of files, relative to the table's.
    """

    files: tuple[tuple[Content, Callable[[], Iterator[Table]]], ...]
    schema: pa.Schema
    name: str
    decisions: tuple[str, ...]
    media: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the files, as the user gave them."""
        return tuple(content.label for content, _ in self.files)

    @property
    def bytes_stored(self) -> int:
        """The size of the files."""
        return sum(content.bytes_stored for content, _ in self.files)

    @property
    def fingerprint(self) -> str:
        """What identifies the files: their names, sizes and times of the last change."""
        stamps = [(content.label, content.stamp) for content, _ in self.files]
        return hashlib.sha256(repr((stamps, self.schema)).encode()).hexdigest()[:16]

    def blocks(self) -> Iterator[Table]:
        """Yield the rows from the first on, some megabytes at a time, every column in its final type.

        Raises TableError for a row or a cell that cannot be used, and when a file changes meanwhile.
        """
        for content, blocks in self.files:
            check_unchanged(content)
            for block in blocks():
                whole = replace(block, arrow=_cast(block, self.schema, content), name=self.name, _cache={})
                yield from _standing_for_files(whole, self.media, _folder_of(content)) if self.media else (whole,)
            check_unchanged(content)


@dataclass(frozen=True)
class FileStream:
    """A folder or an archive whose files, once they are decoded, are more than fits in memory: its ``table`` of names is here, and is read block by block.

    It says of itself what a `Stream` does; the columns ``media`` hold cells that stand for files.
    """

    table: Table
    media: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns in order."""
        return self.table.arrow.schema

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.table.name

    @property
    def decisions(self) -> tuple[str, ...]:
        """How it was understood, in sentences."""
        return self.table.decisions

    @property
    def labels(self) -> tuple[str, ...]:
        """The folders and archives that the rows come from."""
        return tuple(source.path for source in self.table.sources)

    @property
    def bytes_stored(self) -> int:
        """The size of the names."""
        return int(self.table.arrow.nbytes)

    @property
    def fingerprint(self) -> str:
        """What identifies the files: their names. One that is changed during a fit is not noticed."""
        return hashlib.sha256(repr((self.labels, row_hashes(self.table).tobytes())).encode()).hexdigest()[:16]

    def blocks(self) -> Iterator[Table]:
        """Yield the rows from the first on, few at a time, since each unfolds when it is decoded."""
        return few_at_a_time(self.table)


def larger_than(source: object, limit: float) -> int | None:
    """Return the bytes that a source of files would take in memory, about, with the pictures and recordings that it holds or names, if that is more than ``limit``.

    Frames, streams and the standard input are in memory already: they are never larger.
    """
    held = _folder_in(source)
    if held is not None:
        needed = int(held.table.arrow.nbytes) + held.table.rows * len(held.media) * FILE_BYTES
        return needed if needed > limit else None
    files = named_files(source)
    if files is None or "-" in files or any(map(is_folder, files)):
        return None
    needed = sum(_arrow_bytes(opened(file)) for file in files)
    return needed if needed > limit else None


def _folder_in(source: object) -> FileStream | None:
    """Return the files of a folder or an archive, or of a table of them, such as `fathom.data.files.folders.parted` makes; ``None`` for any other source, and for texts, which are in memory once they are read."""
    if not isinstance(source, Table):
        if not is_folder(source) or not isinstance(source, str | os.PathLike):
            return None
        found = listing(os.fsdecode(source))
        if found.tables or not any(map(media.kind_of_name, found.names[:1])):
            return None
        source = read_folder(os.fsdecode(source))
    names = tuple(field.name for field in source.arrow.schema if media.is_media(field.type))
    return FileStream(source, names) if names else None


def stream(
    source: object,
    *,
    bad_rows: BadRows = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Stream | FileStream:
    """Open a table of files, or a folder of them, to be read block by block; arguments as for `fathom.data.files.reading.read`.

    Every byte of a text file is checked here. Raises TableError when a file is no table or cannot be read in blocks (JSON lines, packed
    Parquet), or when files have other columns than the first.
    """
    held = _folder_in(source)
    if held is not None:
        return held
    given = how_written(delimiter, encoding, header)
    files, heads = [], []
    for file in named_files(source) or []:
        content = opened(file)
        blocks, decisions = _open_blocks(content, bad_rows, given)
        head = next((block for block in blocks() if block.rows), None)
        if head is None:
            raise TableError(f"{content.label} has no usable row.", file=content.label)
        files.append((content, blocks))
        heads.append(replace(head.take(range(min(head.rows, 100))), decisions=decisions))
    first = joined(heads)
    found, sentences = path_columns(first, _folder_of(files[0][0]))
    return Stream(tuple(files), first.arrow.schema, first.name, (*first.decisions, *sentences), found)


def _folder_of(content: Content) -> str:
    return os.path.dirname(content.path or "") or "."  # noqa: PTH120  (by its bytes: a name need not be valid UTF-8)


def _standing_for_files(block: Table, names: tuple[str, ...], folder: str) -> Iterator[Table]:
    """Yield the rows with the columns ``names`` as cells that stand for files, few at a time."""
    return (as_media(few, names, folder) for few in few_at_a_time(block))


def few_at_a_time(block: Table) -> Iterator[Table]:
    """Yield the rows of a block, so many at a time as may be decoded together."""
    for start in range(0, block.rows, FILE_ROWS):
        yield block.take(np.arange(start, min(start + FILE_ROWS, block.rows)))


def _open_blocks(
    content: Content, bad_rows: BadRows, given: dict[str, Any]
) -> tuple[Callable[[], Iterator[Table]], tuple[str, ...]]:
    kind = format_of(content, given)
    if kind == "json":
        raise TableError(
            f"{content.label} is JSON lines and larger than the memory that a fit may take, and only CSV, TSV, Parquet and Arrow are read piece by piece. "
            "Write it as one of these, or raise --memory.",
            file=content.label,
        )
    if kind == "typed":
        return partial(stream_typed, content), (
            "Format: Parquet or Arrow, told by its first bytes; columns keep their types.",
        )
    layout = lay_out_stream(content, **given)
    return partial(stream_text, layout, bad_rows), layout.decisions()


def _arrow_bytes(content: Content) -> int:
    size = unpacked_bytes(content) * (PACKED if content.compression else 1)
    return int(size * (ARROW_TIMES + _files_a_byte(content) * FILE_BYTES))


def _files_a_byte(content: Content) -> float:
    """Return how many files a table of text names, a byte of it, by its first lines; 0 where none of those looked for is there."""
    if b"\0" in content.head:
        return 0.0
    names = _FILE_NAME.findall(content.head)
    folder = os.fsencode(_folder_of(content))
    there = any(os.path.isfile(os.path.join(folder, name)) for name in names[:LOOK])  # noqa: PTH113, PTH118
    return len(names) / len(content.head) if there else 0.0


def _cast(block: Table, schema: pa.Schema, content: Content) -> pa.Table:
    if block.arrow.schema.equals(schema):
        return block.arrow
    try:
        return block.arrow.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowException, ValueError) as error:
        raise TableError(
            f"{content.label}: {first_line(error)}. All rows of one table need the same columns and types.",
            file=content.label,
        ) from None


__all__ = ["FileStream", "Stream", "larger_than", "stream"]
