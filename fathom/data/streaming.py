"""Opens a table that is larger than memory, to be read block by block from the start as often as needed."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from fathom.data.columns import first_line
from fathom.data.files import Content, check_unchanged
from fathom.data.folders import is_folder
from fathom.data.reading import format_of, how_written, joined, named_files, opened
from fathom.data.table import Table
from fathom.data.text_files import BadRows
from fathom.data.text_streams import lay_out_stream, stream_text
from fathom.data.typed_streams import stream_typed, unpacked_bytes
from fathom.errors import TableError

PACKED = 6  # how many times larger text is than its gzip or zstd bytes, about
ARROW_TIMES = 1.5  # Arrow's size of a text table over its bytes: an offset a cell instead of a delimiter


@dataclass(frozen=True)
class Stream:
    """A table of one file or more that is read block by block.

    ``schema`` holds the columns in order; ``files`` the opened files, each with what yields its blocks from the start; ``decisions`` say how they were understood.
    """

    files: tuple[tuple[Content, Callable[[], Iterator[Table]]], ...]
    schema: pa.Schema
    name: str
    decisions: tuple[str, ...]

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
                yield replace(block, arrow=_cast(block, self.schema, content), name=self.name, _cache={})
            check_unchanged(content)


def larger_than(source: object, limit: float) -> int | None:
    """Return the bytes that a source of files would take in memory, about, if that is more than ``limit``.

    Frames, streams and the standard input are in memory already: they are never larger.
    """
    files = named_files(source)
    if files is None or "-" in files or any(map(is_folder, files)):
        return None
    needed = sum(_arrow_bytes(opened(file)) for file in files)
    return needed if needed > limit else None


def stream(
    source: object,
    *,
    bad_rows: BadRows = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Stream:
    """Open a table of files to be read block by block; arguments as for `fathom.data.reading.read`.

    Every byte of a text file is checked here. Raises TableError when a file is no table or cannot be read in blocks (JSON lines, packed
    Parquet), or when files have other columns than the first.
    """
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
    return Stream(tuple(files), first.arrow.schema, first.name, first.decisions)


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
    size = unpacked_bytes(content)
    if content.compression:
        size *= PACKED
    return int(size * ARROW_TIMES)


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


__all__ = ["Stream", "larger_than", "stream"]
