"""Reads a Parquet or Arrow file block by block, so that no more than some megabytes of it are in memory at a time."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from fathom.data.columns import first_line, plain
from fathom.data.files.finding import Content
from fathom.data.files.signatures import is_arrow_file, is_parquet
from fathom.data.table import Source, Table
from fathom.errors import TableError

ROWS = 65_536  # of a block


def stream_typed(content: Content) -> Iterator[Table]:
    """Yield a Parquet file, an Arrow file or an Arrow stream block by block; every row knows its place in the file.

    Raises TableError when the file is compressed as a whole, damaged or cut short.
    """
    if content.compression:
        raise TableError(
            f"{content.label} is too large to be read whole, and packed by {content.compression} it cannot be read piece by piece. Unpack it; "
            "Parquet and Arrow have a compression of their own.",
            file=content.label,
        )
    row = 0
    try:
        with content.open() as stream:
            for batch in _batches(stream, content):
                batch.validate(full=True)  # what a damaged file holds may still look whole
                if not batch.num_rows:
                    continue
                table, _ = plain(pa.Table.from_batches([batch]), content.label)
                yield Table(table, (Source(content.label, table.num_rows, 1 + row, unit="row"),), name=content.name)
                row += table.num_rows
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise TableError(
            f"{content.label} cannot be read to its end: it is damaged or cut short ({first_line(error)}). Write it again, or copy it again.",
            file=content.label,
        ) from None
    if not row:
        raise TableError(f"{content.label} has no rows.", file=content.label)


def unpacked_bytes(content: Content) -> int:
    """Return about how many bytes the cells take once they are read; as stored where the file does not say or is damaged."""
    if not is_parquet(content.head, ".parquet") or content.compression:
        return content.bytes_stored
    from pyarrow import parquet

    try:
        with content.open() as stream:
            metadata = parquet.ParquetFile(stream).metadata
            rows, columns = metadata.num_rows, metadata.num_columns
            groups = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError):
        return content.bytes_stored
    return max(sum(map(int, groups)), int(rows) * int(columns) * 8)  # dictionaries and runs unfold


def _batches(stream: Any, content: Content) -> Iterator[pa.RecordBatch]:
    if is_parquet(content.head, ".parquet"):
        from pyarrow import parquet

        yield from parquet.ParquetFile(stream).iter_batches(batch_size=ROWS)
        return
    arrow_file = is_arrow_file(content.head, ".arrow")
    reader = pa.ipc.open_file(stream) if arrow_file else pa.ipc.open_stream(stream)
    batches = (reader.get_batch(index) for index in range(reader.num_record_batches)) if arrow_file else reader
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)
