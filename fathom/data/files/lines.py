"""Finds the line on which each record of a text table begins, and the rows that are blank lines.

No second parser: the line breaks inside cells are counted in the cells that Arrow returned, so that lines are right whenever
the cells are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.columns import is_empty
from fathom.data.files.characters import text_blocks
from fathom.data.files.finding import Content

Lines = npt.NDArray[np.int64]


@dataclass
class UnsplitBreaks:
    """A text stream whose reads never end between CR and LF.

    Arrow (26.0 at least) forgets the LF when a block of a CSV file ends there, also inside quotes, where it belongs to
    the cell; ``test_a_line_break_in_a_cell_survives_the_end_of_a_block`` shows it.
    """

    stream: pa.NativeFile
    held: bytes = b""
    closed: bool = False

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none only at the end."""
        data = self.held + bytes(self.stream.read(size - len(self.held)))
        while data == b"\r" and (more := bytes(self.stream.read(size - 1))):
            data += more
        self.held = b"\r" if len(data) > 1 and data.endswith(b"\r") else b""
        return data[: len(data) - len(self.held)]

    def readable(self) -> bool:
        """Say that it can be read, as Arrow asks."""
        return True

    def close(self) -> None:
        """Close the stream."""
        self.closed = True
        self.stream.close()


def record_lines(cells: pa.Table, odd: Sequence[tuple[int, int]], lines_in_file: int) -> tuple[Lines, Lines]:
    """Return the first line (from 1) of each record, and the positions of the even records.

    ``cells`` are the even records, blank lines and header included; ``odd`` gives position and inner line breaks of the
    others. Only when records and lines of the file differ in number are line breaks looked for in the cells.
    """
    lines, even = block_lines(cells, odd, 1, broken=lines_in_file != cells.num_rows + len(odd))
    return lines[:-1], even


def block_lines(cells: pa.Table, odd: Sequence[tuple[int, int]], first: int, *, broken: bool) -> tuple[Lines, Lines]:
    """Return the line of each record of a run of them that begins on line ``first``, and after the last that of the next.

    Positions, those of ``odd`` and those returned of the even records, count within the run; ``broken`` says whether cells may hold
    line breaks.
    """
    records = cells.num_rows + len(odd)
    odd_positions = np.array([position for position, _ in odd], dtype=np.int64)
    even = np.delete(np.arange(records, dtype=np.int64), odd_positions)
    lines = np.arange(first, first + records + 1, dtype=np.int64)
    if broken:
        breaks = np.zeros(records, dtype=np.int64)
        breaks[odd_positions] = [inner for _, inner in odd]
        for column in cells.columns:
            breaks[even] += _breaks(column)
        lines[1:] += np.cumsum(breaks)
    return lines, even


def blank_rows(
    content: Content, codec: str, cells: pa.Table, lines: Lines, lines_in_file: int, *, single: bool
) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)``, which begin on these ``lines``, that are blank lines rather than rows of empty cells."""
    blank = np.zeros(cells.num_rows, dtype=np.bool_)
    candidates = empty_rows(cells)
    if len(candidates):
        blank[candidates] = np.isin(lines[candidates], passed_over(content, codec, lines_in_file, single=single))
    return blank


def empty_rows(cells: pa.Table) -> Lines:
    """Return the positions of the rows whose cells are all empty."""
    candidates = np.flatnonzero(is_empty(cells.column(0)))
    for column in cells.columns[1:]:
        if len(candidates):
            candidates = candidates[is_empty(column.take(pa.array(candidates)))]
    return candidates


def passed_over(content: Content, codec: str, lines_in_file: int, *, single: bool) -> Lines:
    """Return the lines that are blank and no row.

    In a table of a ``single`` column, a blank line between records is an empty cell; only those before the first record and after the last are none.
    """
    lines = blank_lines(content, codec)
    if not single:
        return lines
    leading = lines == np.arange(1, len(lines) + 1)
    trailing = lines == lines_in_file - np.arange(len(lines))[::-1]
    return np.asarray(lines[leading | trailing])


def _breaks(column: pa.ChunkedArray) -> Lines:
    """Count the line breaks in each cell: LF, CR, or both together as one."""
    feeds = pc.count_substring(column, "\n").to_numpy().astype(np.int64)
    returns = pc.count_substring(column, "\r").to_numpy()
    if not returns.any():
        return np.asarray(feeds)
    return np.asarray(feeds + returns - pc.count_substring(column, "\r\n").to_numpy())


def blank_lines(content: Content, codec: str) -> Lines:
    """Return the numbers (from 1) of the lines that hold nothing, those inside quotes included."""
    found: list[Lines] = []
    line, at_start, after_return = 0, True, False
    for block in text_blocks(content, codec):
        text = block[1:] if after_return and block.startswith(b"\n") else block
        after_return = block.endswith(b"\r") if block else after_return
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        places = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 10)
        if len(places):
            before = np.concatenate([[-1 if at_start else -2], places[:-1]])
            found.append(line + 1 + np.flatnonzero(places - before == 1))
        line += len(places)
        at_start = text.endswith(b"\n") if text else at_start
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
