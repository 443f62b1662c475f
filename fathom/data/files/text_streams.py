"""Reads a text table block by block, so that no more than some megabytes of it are in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from fathom.data.columns import one_chunk, trimmed
from fathom.data.files.dialect import Dialect
from fathom.data.files.finding import Content
from fathom.data.files.lines import Lines, block_lines, empty_rows, passed_over
from fathom.data.files.quoting import check_quotes, is_regular
from fathom.data.files.text_files import (
    PARSED,
    BadRows,
    Layout,
    OddRecord,
    cannot_split,
    is_too_long,
    lay_out,
    left_out,
    no_rows,
    open_cells,
    reader_options,
    source_of,
)
from fathom.data.table import SkippedRow, Table
from fathom.errors import TableError

MENDED = 256 << 20  # bytes of a file whose quotes have to be looked at cell by cell, which needs it whole in memory


def lay_out_stream(content: Content, **given: Any) -> Layout:
    """Settle how a large text table is written.

    Raises TableError as `lay_out` does, and for a large file whose quotes do not stand as RFC 4180 has them.
    """
    return lay_out(content, check=_check_large, **given)


def stream_text(layout: Layout, bad_rows: BadRows) -> Iterator[Table]:
    """Yield a text table block by block; every row knows its line, ``skipped`` holds the bad rows of a block.

    Raises TableError as `read_text` does, when the reading comes to the row.
    """
    reader = _Reader(layout, bad_rows)
    block, found = PARSED, False
    skipped: list[SkippedRow] = []
    while True:
        try:
            for table in reader.run(block):
                found = found or table.rows > 0
                skipped += [] if found else table.skipped
                yield table
            break
        except pa.ArrowInvalid as error:
            if not is_too_long(error, block):
                raise cannot_split(layout, error) from None
            block *= 16  # and begin again, passing over the records that have been handed out
    if not found:
        raise no_rows(layout, skipped)


@dataclass
class _Reader:
    """What has to be known from one block to the next; ``done`` counts the records handed out, also over a new beginning."""

    layout: Layout
    bad_rows: BadRows
    done: int = 0
    blanks: Lines | None = None

    def run(self, block: int) -> Iterator[Table]:
        """Parse from the start and yield the rows of the records that have not been handed out."""
        position, line = 0, 1
        odd: list[OddRecord] = []
        layout = self.layout
        reader = csv.open_csv(open_cells(layout), *reader_options(layout, block, False, odd))
        for batch in chain(
            _tables(reader), [reader.schema.empty_table()]
        ):  # the last for odd records that no even one follows
            lines, table = self._hand_out(batch, _within(odd, position, batch.num_rows), position, line)
            position, line = position + len(lines) - 1, int(lines[-1])
            if table is not None:
                yield table

    def _hand_out(self, cells: pa.Table, odd: list[OddRecord], position: int, line: int) -> tuple[Lines, Table | None]:
        """Return the lines of a run of records and its rows, or ``None`` when they have been handed out before."""
        layout, dialect = self.layout, self.layout.dialect
        places = [(record.position - position, record.breaks) for record in odd]
        lines, even = block_lines(cells, places, line, broken=layout.quoted)
        stop = position + len(lines) - 1
        if stop <= self.done:
            return lines, None
        fresh = [record for record in odd if record.position >= self.done]
        skipped = left_out(layout, fresh, [int(lines[record.position - position]) for record in fresh], self.bad_rows)
        kept = ~layout.named(even + position) & (even + position >= self.done)
        empty = empty_rows(cells)
        empty = empty[kept[empty]]
        if len(empty):
            kept[empty] = ~np.isin(lines[even][empty], self._blank_lines())
        self.done = stop
        columns = []
        for name, column in zip(dialect.names, cells.filter(pa.array(kept)).columns, strict=True):
            joined = one_chunk(column, name, layout.content.label)
            columns.append(trimmed(joined) if dialect.spaced else joined)
        sources = (source_of(layout.content.label, lines[even][kept]),) if kept.any() else ()
        table = pa.table(columns, names=list(dialect.names))
        return lines, Table(table, sources, skipped=skipped, name=layout.content.name)

    def _blank_lines(self) -> Lines:
        if self.blanks is None:
            characters = self.layout.characters
            single = self.layout.dialect.width == 1
            self.blanks = passed_over(self.layout.content, characters.codec, characters.lines, single=single)
        return self.blanks


def _tables(reader: Any) -> Iterator[pa.Table]:
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _within(odd: list[OddRecord], position: int, even: int) -> list[OddRecord]:
    """Take the odd records that stand among ``even`` even ones from ``position`` on out of the list."""
    count = 0
    while count < len(odd) and odd[count].position <= position + even + count:
        count += 1
    those = odd[:count]
    del odd[:count]
    return those


def _check_large(content: Content, codec: str, dialect: Dialect) -> tuple[str, ...]:
    """Check quotes; only a small file may be walked cell by cell, which needs all of it in memory."""
    if is_regular(content, codec, dialect):
        return ()
    if content.bytes_stored <= MENDED and content.compression is None:
        return check_quotes(content, codec, dialect)
    raise TableError(
        f"{content.label} is too large to be read whole, and its quotes do not all open and close whole cells, or spaces stand around them, "
        "which is mended only in memory. Write it again with every quote inside a cell doubled and no spaces outside of it, or as Parquet.",
        file=content.label,
    )
