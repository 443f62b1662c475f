"""Finds quotes that never close, or close in the middle of a cell, before they can swallow rows.

A well-kept file is told from the places of its quotes alone, vectorised: counted from 1, every odd quote opens a cell (a
delimiter or a line's beginning stands before it) or follows the even one that it doubles; every even one closes a cell (a
delimiter or a line's end follows) or is followed by the one that doubles it. Only other files are walked cell by cell, which
one regular expression does. The rule for quotes is RFC 4180's, section 2, as Arrow and Python's ``csv`` module read it.
"""

import re

import numpy as np
import numpy.typing as npt

from fathom.data.files.characters import count_breaks, text_blocks
from fathom.data.files.dialect import Dialect
from fathom.data.files.finding import Content
from fathom.errors import TableError

_FEED, _RETURN = 10, 13


def check_quotes(content: Content, codec: str, dialect: Dialect) -> tuple[str, ...]:
    """Check that every quote that opens a cell closes it, and return sentences on cells that are oddly quoted.

    Raises TableError, naming the line on which the quote opens, when it never closes, when text follows the closing
    quote of a cell that runs over lines, or when quotes inside a cell are escaped by a backslash.
    """
    if is_regular(content, codec, dialect):
        return ()
    text = b"".join((*text_blocks(content, codec), b"\n"))
    quote = dialect.quote.encode()
    mark = re.escape(dialect.delimiter.encode())
    plain = b"[^%b%b\r\n][^%b\r\n]*+" % (quote, mark, mark)
    closed = b"%b(?:[^%b]++|%b%b)*+%b" % (quote, quote, quote, quote, quote)
    padding = b" *+" if dialect.spaced else b""
    end = padding + b"[%b\r\n]" % mark
    # One match runs over all the well-kept cells there are, and ends before the first that is not.
    well_kept = re.compile(b"(?:%b(?:%b(?=%b)|%b)?+%b)*+" % (padding, closed, end, plain, end))
    odd = re.compile(b"%b(%b)([^%b\r\n]*+)[%b\r\n]" % (padding, closed, mark, mark))
    position, oddities, first = 0, 0, 0
    while True:
        kept = well_kept.match(text, position)
        position = kept.end() if kept else position
        if position == len(text):
            break
        match = odd.match(text, position)
        line = 1 + count_breaks(text[:position]) if oddities == 0 or match is None else 0
        if match is None:
            raise _never_closed(content, line, text[position:-1], dialect)
        oddities += 1
        first = first or line
        _check_odd(content, text, position, match, dialect)
        position = match.end()
    if not oddities:
        return ()
    cells = "One cell has" if oddities == 1 else f"{oddities:,} cells have"
    return (f"{cells} text after the closing quote, first on line {first}; the quotes were removed, the text kept.",)


def is_regular(content: Content, codec: str, dialect: Dialect) -> bool:
    """Say whether every quote of the file stands where a well-kept file has it."""
    if dialect.spaced:
        return False  # spaces may stand around the quotes; rare enough to be walked
    quote = ord(dialect.quote)
    separator = np.zeros(256, dtype=bool)
    separator[[_FEED, _RETURN, ord(dialect.delimiter), quote]] = True
    carried, count = b"\n", 0
    for block in (*text_blocks(content, codec), b"\n\n"):
        array = np.frombuffer(carried + block, dtype=np.uint8)
        # The last byte waits for the next block, so that each quote is seen with both its neighbours.
        places = np.flatnonzero(array[1:-1] == quote) + 1
        opening, closing = places[count % 2 :: 2], places[(count + 1) % 2 :: 2]
        if not (_all(separator, array[opening - 1]) and _all(separator, array[closing + 1])):
            return False
        count += len(places)
        carried = array[-2:].tobytes()
    return count % 2 == 0


def _all(separator: npt.NDArray[np.bool_], neighbours: npt.NDArray[np.uint8]) -> bool:
    return bool(separator[neighbours].all())


def _check_odd(content: Content, text: bytes, position: int, match: re.Match[bytes], dialect: Dialect) -> None:
    """Raise when a cell with text after its closing quote is rather one whose quotes were not closed or not doubled."""
    quoted = match.group(1)
    if not (count_breaks(quoted) or quoted[:-1].endswith(b"\\")):
        return
    line = 1 + count_breaks(text[:position])
    if quoted[:-1].endswith(b"\\"):
        raise TableError(
            f"{content.label}, line {line}: a quote inside a cell is escaped by a backslash: {_shown(match.group())}. "
            f"Write it doubled ({dialect.quote * 2}), as most programs do; in pandas: to_csv(…, doublequote=True).",
            file=content.label,
            line=line,
        )
    last = line + count_breaks(quoted)
    raise TableError(
        f"{content.label}, line {line}: the quote that opens here closes only on line {last}, in the middle of a cell: "
        f"{_shown(match.group())}. Close it where its cell ends; quotes inside a cell are written doubled "
        f"({dialect.quote * 2}).",
        file=content.label,
        line=line,
    )


def _never_closed(content: Content, line: int, rest: bytes, dialect: Dialect) -> TableError:
    return TableError(
        f"{content.label}, line {line}: the quote that opens here never closes: {_shown(rest)}. "
        f"Close it where its cell ends; quotes inside a cell are written doubled ({dialect.quote * 2}).",
        file=content.label,
        line=line,
    )


def _shown(text: bytes) -> str:
    """Return the first characters of a text, with its line breaks visible."""
    start = text[:200].decode("utf-8", "ignore")
    return repr(start[:60] + ("…" if len(start) > 60 else ""))
