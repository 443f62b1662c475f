"""Reads a text table (CSV, TSV and their kin) into strings, exactly as they stand, and knows each row's line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from fathom.data.columns import check_names, first_line, one_chunk, shortened, trimmed
from fathom.data.files.characters import Characters, count_breaks, examine, open_text, text_blocks
from fathom.data.files.dialect import DELIMITERS, NO_DELIMITER, Dialect, find_dialect, sample, tight_pattern
from fathom.data.files.finding import Content
from fathom.data.files.lines import UnsplitBreaks, blank_rows, record_lines
from fathom.data.files.quoting import check_quotes
from fathom.data.table import SkippedRow, Source, Table
from fathom.errors import TableError

BadRows = Literal["error", "skip"]

COLUMNS = 100_000  # more is a wrong delimiter, or a table that lies on its side
_SAMPLE = 1 << 20  # bytes looked at to tell the dialect; more when the first records are longer
_LARGEST_SAMPLE = 1 << 26
PARSED = 4 << 20  # bytes parsed at a time; a longer record makes the reader start again with larger blocks
LARGEST_PARSED = 1 << 30


@dataclass(frozen=True)
class OddRecord:
    """A record that does not have as many cells as the table has columns: a bad row, a blank line, a short header.

    ``position`` counts all records from 0, header and blank lines included; ``breaks`` are the line breaks inside the
    record, ``text`` is its beginning.
    """

    position: int
    cells: int
    breaks: int
    text: str

    @property
    def blank(self) -> bool:
        """Whether the line holds only spaces."""
        return self.cells == 1 and not self.text.strip()


@dataclass(frozen=True)
class Layout:
    """How one text table is written: all that is settled before its cells are split.

    ``quoted`` says whether any cell may stand in quotes; ``oddities`` are sentences on cells that are oddly quoted.
    """

    content: Content
    characters: Characters
    dialect: Dialect
    quoted: bool
    oddities: tuple[str, ...]

    def named(self, position: int | npt.NDArray[np.int64]) -> Any:
        """Say whether records at these positions (from 0) are the header or Excel's hint, which are no rows."""
        return (position == _or_none(self.dialect.header)) | (position == _or_none(self.dialect.hint))

    def decisions(self, blanks: int = 0, skipped: int = 0) -> tuple[str, ...]:
        """Return the sentences on how the file was understood."""
        return _decisions(self.content, self.characters, self.dialect, self.oddities, blanks, skipped)


def lay_out(
    content: Content,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    check: Callable[[Content, str, Dialect], tuple[str, ...]] = check_quotes,
) -> Layout:
    """Settle how a text table is written, and check every byte and quote of it.

    Raises TableError when the bytes are no text table: wrong encoding, quotes that never close, names that come twice, more than
    100,000 columns.
    """
    characters = examine(content, encoding)
    dialect = _dialect(content, characters.codec, delimiter, header)
    quoted = characters.quotes > 0 or dialect.quote == "'"
    oddities = check(content, characters.codec, dialect) if quoted else ()
    return Layout(content, characters, dialect, quoted, oddities)


def read_text(
    content: Content,
    *,
    bad_rows: BadRows = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    empty: bool = False,
) -> Table:
    """Read one text table; every column is of strings, an empty cell is ``''``.

    Raises TableError when the bytes are no such table: wrong encoding, quotes that never close, ragged rows (unless
    ``bad_rows`` is ``skip``), no rows (a header alone will do where it may be ``empty``), names that come twice, more than 100,000 columns.
    """
    layout = lay_out(content, delimiter=delimiter, encoding=encoding, header=header)
    characters, dialect = layout.characters, layout.dialect
    cells, odd = _parse(layout)
    lines, even = record_lines(cells, [(record.position, record.breaks) for record in odd], characters.lines)
    skipped = left_out(layout, odd, [int(lines[record.position]) for record in odd], bad_rows)
    blank = blank_rows(content, characters.codec, cells, lines[even], characters.lines, single=dialect.width == 1)
    kept = ~blank & ~layout.named(even)
    if not kept.any() and (skipped or not empty):
        raise no_rows(layout, skipped)
    columns = _cut(cells, kept).columns
    del cells  # so that each column's chunks are freed as soon as they are joined
    for index, name in enumerate(dialect.names):
        joined = one_chunk(columns[index], name, content.label)
        columns[index] = trimmed(joined) if dialect.spaced else joined
    blanks = int(blank.sum()) + sum(record.blank for record in odd)
    return Table(
        pa.table(columns, names=list(dialect.names)),
        sources=(source_of(content.label, lines[even][kept]),),
        decisions=layout.decisions(blanks, len(skipped)),
        skipped=skipped,
        name=content.name,
    )


def _dialect(content: Content, codec: str, delimiter: str | None, header: bool | None) -> Dialect:
    """Tell the dialect from the beginning of the file, of which more is read until it holds a few records."""
    size = _SAMPLE
    while True:
        text, whole = _beginning(content, codec, size)
        dialect = find_dialect(text, whole=whole, delimiter=delimiter, header=header)
        enough = len(sample(text, dialect.delimiter, dialect.quote, whole, limit=3)) == 3
        if whole or enough or size >= _LARGEST_SAMPLE:
            break
        size *= 8
    if delimiter is not None and dialect.width == 1:
        other = find_dialect(text, whole=whole, header=header)
        if other.delimiter not in {delimiter, NO_DELIMITER}:
            raise TableError(
                f"{content.label}: the given delimiter {delimiter!r} splits no line, while every line is split by "
                f"{DELIMITERS[other.delimiter]}s. Leave the delimiter out to have it found.",
                file=content.label,
            )
    if len(dialect.names) > COLUMNS:
        raise TableError(
            f"{content.label} has {len(dialect.names):,} columns, and at most {COLUMNS:,} are read. "
            "If the rows of this table are its columns, turn it round; else check the delimiter.",
            file=content.label,
        )
    line = 1 + dialect.header if dialect.header is not None else None
    check_names(list(dialect.names), content.label, line)
    return dialect


def _beginning(content: Content, codec: str, size: int) -> tuple[str, bool]:
    """Return about the first ``size`` bytes as text, and whether they are all there is."""
    gathered: list[bytes] = []
    for block in text_blocks(content, codec):
        gathered.append(block)
        if sum(map(len, gathered)) > size:
            return b"".join(gathered)[:size].decode("utf-8", "ignore"), False
    return b"".join(gathered).decode("utf-8"), True


def _parse(layout: Layout) -> tuple[pa.Table, list[OddRecord]]:
    """Split the file into the cells of its even records (header included), and set the odd ones aside.

    Arrow knows a record's position only on one thread: the first odd record stops the threads, and one begins again.
    """
    block, content = PARSED, layout.content
    threads = content.compression is not None or content.bytes_stored > block  # for a single block they only cost
    while True:
        odd: list[OddRecord] = []
        try:
            cells = csv.read_csv(open_cells(layout), *reader_options(layout, block, threads, odd))
        except pa.ArrowInvalid as error:
            if odd:
                threads = False
                continue
            if is_too_long(error, block):
                block *= 16
                continue
            raise cannot_split(layout, error) from None
        return cells, odd


def is_too_long(error: pa.ArrowInvalid, block: int) -> bool:
    """Say whether a record did not fit into a block, and larger blocks may still be tried."""
    return "straddling" in str(error) and block < LARGEST_PARSED


def cannot_split(layout: Layout, error: Exception) -> TableError:
    """Return the error for a file that Arrow cannot split."""
    label = layout.content.label
    return TableError(
        f"{label} cannot be split into cells: {first_line(error)}. "
        "If it is no text table, export it as CSV; if it is, give its delimiter.",
        file=label,
    )


def reader_options(layout: Layout, block: int, threads: bool, odd: list[OddRecord]) -> tuple[Any, Any, Any]:
    """Return Arrow's options for reading, parsing and converting; odd records are set aside in ``odd``.

    A record's position is known only without ``threads``; with them, the first odd record ends the reading.
    """
    dialect = layout.dialect

    def set_aside(row: Any) -> str:
        position = -1 if threads else row.number - 1
        odd.append(OddRecord(position, row.actual_columns, count_breaks(row.text.encode()), row.text[:100]))
        return "error" if threads else "skip"

    names = [str(index) for index in range(dialect.width)]
    return (
        csv.ReadOptions(use_threads=threads, block_size=block, column_names=names),
        csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            newlines_in_values=layout.quoted,
            ignore_empty_lines=False,
            invalid_row_handler=set_aside,
        ),
        # The bytes are known to be UTF-8. Strings everywhere: the modalities decide what '007' is.
        csv.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )


def open_cells(layout: Layout) -> pa.NativeFile:
    """Open the text so that Arrow's reader splits it rightly."""
    content, codec, dialect = layout.content, layout.characters.codec, layout.dialect
    stream = open_text(content, codec)
    if dialect.spaced and layout.quoted:
        text = b"".join(text_blocks(content, codec)).decode("utf-8")
        stream = pa.BufferReader(tight_pattern(dialect.delimiter, dialect.quote).sub("", text).encode("utf-8"))
    return pa.PythonFile(UnsplitBreaks(stream), mode="r") if layout.quoted and layout.characters.returns else stream


def left_out(
    layout: Layout, odd: Sequence[OddRecord], lines: Sequence[int], bad_rows: BadRows
) -> tuple[SkippedRow, ...]:
    """Return the bad rows to be left out, or raise for the first of them; ``lines`` are those of the odd records."""
    content, dialect = layout.content, layout.dialect
    both = zip(odd, lines, strict=True)
    bad = [(record, line) for record, line in both if not record.blank and not layout.named(record.position)]
    if bad and bad_rows == "error":
        first, line = bad[0]
        found = f"{_cells(first.cells)} {'was' if first.cells == 1 else 'were'} found where {dialect.width:,}"
        others = f" {len(bad) - 1:,} more {'row is' if len(bad) == 2 else 'rows are'} like it." if len(bad) > 1 else ""
        raise TableError(
            f"{content.label}, line {line}: {found} {'was' if dialect.width == 1 else 'were'} expected: "
            f"{_shown(first.text)}.{others} Correct the file, or leave such rows out with --bad-rows skip "
            '(in Python: bad_rows="skip").',
            file=content.label,
            line=line,
        )
    return tuple(
        SkippedRow(content.label, line, f"{_cells(record.cells)} instead of {dialect.width:,}") for record, line in bad
    )


def no_rows(layout: Layout, skipped: Sequence[SkippedRow]) -> TableError:
    """Return the error for a file without a usable row."""
    content, dialect = layout.content, layout.dialect
    if skipped:
        text = (
            f"{content.label} has no usable row: all {len(skipped):,} have another number of cells than the "
            f"{dialect.width:,} expected (line {skipped[0].line}: {skipped[0].reason}). Check the delimiter and the header."
        )
    else:
        text = (
            f"{content.label} holds only a header ({shortened(list(dialect.names))}) and no rows. "
            "If this line is a row, say that there is no header (header=False)."
        )
    return TableError(text, file=content.label)


def _decisions(
    content: Content, characters: Characters, dialect: Dialect, quoting: tuple[str, ...], blanks: int, skipped: int
) -> tuple[str, ...]:
    encoding, *ends = characters.decisions
    notes = []
    if characters.quotes or dialect.quote == "'":
        ends.insert(0, f"Quote character: {dialect.quote}")
    if content.compression:
        notes.append(f"Compression: {content.compression}.")
    if blanks:
        notes.append(f"{blanks:,} blank {'line was' if blanks == 1 else 'lines were'} passed over.")
    if skipped:
        notes.append(f"{skipped:,} bad {'row was' if skipped == 1 else 'rows were'} left out.")
    return (encoding, *dialect.decisions, *quoting, *ends, *notes)


def source_of(label: str, lines: npt.NDArray[np.int64]) -> Source:
    """Return where rows on these lines came from."""
    if not len(lines):
        return Source(label, 0)
    first = int(lines[0])
    consecutive = int(lines[-1]) - first == len(lines) - 1
    return Source(label, len(lines), first_line=first, lines=None if consecutive else lines)


def _cut(cells: pa.Table, kept: npt.NDArray[np.bool_]) -> pa.Table:
    """Return the rows that are kept; when they are the last ones, without a copy."""
    first = int(kept.argmax()) if kept.any() else len(kept)
    return cells.slice(first) if kept[first:].all() else cells.filter(pa.array(kept))


def _or_none(position: int | None) -> int:
    return -1 if position is None else position


def _cells(count: int) -> str:
    return f"{count:,} {'cell' if count == 1 else 'cells'}"


def _shown(text: str) -> str:
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
