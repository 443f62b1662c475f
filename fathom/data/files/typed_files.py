"""Reads Parquet and Arrow (Feather) files, whose columns carry their own types."""

import os
from typing import Any

import pyarrow as pa

from fathom.data.columns import first_line, plain
from fathom.data.files.finding import Content, cannot_read
from fathom.data.files.signatures import is_arrow_file, is_parquet
from fathom.data.table import Source, Table
from fathom.errors import TableError


def read_typed(content: Content, empty: bool = False) -> Table:
    """Read a Parquet file, an Arrow file (Feather version 2) or an Arrow stream, which may be without rows where it may be ``empty``.

    Raises TableError when the file is damaged or cut short, or says that it holds more than the memory can.
    """
    kind = (
        "Parquet"
        if is_parquet(content.head, ".parquet")
        else "Arrow"
        if is_arrow_file(content.head, ".arrow")
        else "Arrow stream"
    )
    try:
        # Both formats begin reading at their end, which compressed bytes do not allow.
        with content.open() as stream:
            source = pa.BufferReader(stream.read()) if content.compression else stream
            table = _parquet(source, content) if kind == "Parquet" else _arrow(source, kind)
        # What a damaged file holds may still look whole; without this check it could crash what follows.
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, EOFError) as error:
        if content.compression and isinstance(error, OSError) and "compress" in str(error):
            raise cannot_read(content, error) from None
        raise TableError(
            f"{content.label} begins as {kind} does, but cannot be read: it is damaged or cut short "
            f"({first_line(error)}). Write it again, or copy it again.",
            file=content.label,
        ) from None
    columns, sentences = plain(table, content.label, empty)
    packed = (f"Compression: {content.compression}.",) if content.compression else ()
    return Table(
        columns,
        sources=(Source(content.label, columns.num_rows, unit="row"),),
        decisions=(f"Format: {kind}, told by its first bytes; columns keep their types.", *packed, *sentences),
        name=content.name,
    )


def memory_bytes() -> int | None:
    """Return the memory of this machine in bytes, or None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _parquet(source: Any, content: Content) -> pa.Table:
    from pyarrow import parquet

    file = parquet.ParquetFile(source)
    rows, columns = file.metadata.num_rows, file.metadata.num_columns
    memory = memory_bytes()
    if memory is not None and rows * columns > memory:  # at least a byte a cell; a few bytes on disk can say 10^12 rows
        raise TableError(
            f"{content.label} says it holds {rows:,} rows of {columns:,} columns, more than the memory of this machine "
            f"({memory / 2**30:.0f} GiB) can. Read fewer columns or rows of it into a smaller file first.",
            file=content.label,
        )
    return file.read()


def _arrow(source: Any, kind: str) -> pa.Table:
    return pa.ipc.open_file(source).read_all() if kind == "Arrow" else pa.ipc.open_stream(source).read_all()
