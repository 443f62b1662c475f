"""Tells whether a text table begins with names, and names the columns when it does not."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

Records = list[list[str]]

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "--", ".", "#n/a", "missing", "nil"})
_VALUE = re.compile(
    r"""[-+(]?[$€£¥]?[ ]?\d[\d.,'’\ \u00a0\u202f]*(?:e[-+]?\d+)?[ ]?[%)]?         # a number: 1,234.5  3e-4  12 %  $7
    |[-+]?[.,]\d+(?:e[-+]?\d+)?                                             # .5
    |\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?Z?(?:[-+]\d{2}:?\d{2})?)?  # a date
    |\d{1,2}:\d{2}(?::\d{2})?                                               # a time
    |[-+]?(?:inf|infinity)""",
    re.VERBOSE | re.IGNORECASE,
)
_YEARS = range(1800, 2201)


@dataclass(frozen=True)
class Header:
    """The columns of a text table: how many cells a row has, their names, and which record holds the names, if any."""

    width: int
    names: tuple[str, ...]
    position: int | None
    decisions: tuple[str, ...]


def is_value(cell: str) -> bool:
    """Say whether a cell reads as a number, a date or a time, so that it is hardly a column's name.

    >>> [is_value(cell) for cell in ("12", "1.234,5", "2024-05-01", "1e400", "age", "")]
    [True, True, True, True, False, False]
    """
    return _VALUE.fullmatch(cell.strip()) is not None


def find_header(records: Records, header: bool | None = None) -> Header:
    """Find the names among the first records (cells without quotes), or make names.

    A record before the names that is not as wide as the rows, such as a title, is no header: it is left to be reported
    as a bad row. ``header`` true or false settles whether there are names.
    """
    filled = [index for index, record in enumerate(records) if len(record) > 1 or record[0].strip()]
    if not filled:
        return Header(1, ("column_1",), None, ())
    width = _width([len(records[index]) for index in filled])
    lines = [records[index] for index in filled]
    if header is not False and _has_row_names(lines, width):
        row = free("row", lines[0])
        names = completed([row, *lines[0]])
        sentence = f"The header has one name fewer than the rows have cells, so the first column is called {row!r}."
        return Header(width, names[0], filled[0], (sentence, *names[1]))
    if header is not False and _has_trailing_delimiter(lines, width):
        names = completed([*lines[0], ""])
        return Header(width, names[0], filled[0], ("Header: the first line holds the names.", *names[1]))
    if header:
        width = len(lines[0])
    even = [index for index in filled if len(records[index]) == width]
    rows = [records[index] for index in even]
    found, sentence = (header, _given(header, width)) if header is not None else _decide(rows)
    if not found:
        return Header(width, _made(width), None, (sentence,))
    names = completed(rows[0])
    return Header(width, names[0], even[0], (sentence, *names[1]))


def _width(counts: list[int]) -> int:
    """Return how many cells a row should have: as most have, if nearly all agree; otherwise as the first line has."""
    tally = Counter(counts)
    common = max(tally, key=lambda count: (tally[count], count == counts[0]))
    below = Counter(counts[1:])
    if below and below[common] >= 0.8 * len(counts[1:]) and (len(counts) > 2 or common == counts[0]):
        return common
    return counts[0]


def _has_row_names(filled: Records, width: int) -> bool:
    """Say whether the first record names all columns but the first, whose cells are all different, as R writes it."""
    rows = [record for record in filled[1:] if len(record) == width]
    firsts = [row[0] for row in rows]
    return (
        len(filled[0]) == width - 1
        and len(rows) >= 2
        and all(firsts)
        and len(set(firsts)) == len(firsts)
        and any(row[-1] for row in rows)
        and not all(is_value(cell) for cell in filled[0])
    )


def _has_trailing_delimiter(filled: Records, width: int) -> bool:
    """Say whether every row, but not the first record, ends with a delimiter after which nothing comes."""
    rows = [record for record in filled[1:] if len(record) == width]
    return len(filled[0]) == width - 1 and len(rows) >= 2 and not any(row[-1] for row in rows)


def _decide(rows: Records) -> tuple[bool, str]:
    """Decide whether the first of these equally wide records holds names.

    Each column votes: for names, when its first cell is a word above numbers or dates; against, when its first cell is
    a number above numbers, or comes again below.
    """
    first, below = rows[0], rows[1:]
    counting = _counts_up(first) and not any(_counts_up(row) for row in below)
    votes = 0
    for index, cell in enumerate(first):
        cells = [row[index] for row in below if row[index].strip().lower() not in _MISSING]
        if not cells or cell.strip().lower() in _MISSING:
            continue
        if all(is_value(other) for other in cells):
            votes += 1 if counting or not is_value(cell) else -1
        elif cell in cells:
            votes -= 1
    if votes > 0:
        return True, "Header: the first line holds the names."
    named = [cell for cell in first if cell]
    if votes < 0 or (below and len(set(named)) < len(named)):
        return False, f"Header: none, the first line holds values like those below it; {_called(len(first))}."
    return (
        True,
        "Header: taken to be the first line, though nothing tells it from the rows. If it is a row, say so (header=False).",
    )


def _counts_up(record: list[str]) -> bool:
    """Say whether the numbers of a record count up by one from 0 or from a year, as names of columns do."""
    numbers = [int(cell) for cell in record if cell.isascii() and cell.isdigit() and len(cell) < 7]
    return (
        len(numbers) > 1
        and (numbers[0] == 0 or numbers[0] in _YEARS)
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    )


def completed(names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names with empty ones filled in, and a sentence for each of those (the first few)."""
    taken = frozenset(names)
    complete: list[str] = []
    sentences: list[str] = []
    for position, name in enumerate(names, start=1):
        made = name if name.strip() else free(f"column_{position}", taken)
        if made != name:
            sentences.append(f"Column {position} has no name; it is called {made!r}.")
        complete.append(made)
    if len(sentences) > 5:
        sentences = [f"{len(sentences)} columns have no name; they are called column_ and their position."]
    return tuple(complete), tuple(sentences)


def free(name: str, taken: Collection[str]) -> str:
    """Return the name, or where it is taken the name with underscores that make it free."""
    while name in taken:
        name += "_"
    return name


def _made(width: int) -> tuple[str, ...]:
    return tuple(f"column_{position}" for position in range(1, width + 1))


def _called(width: int) -> str:
    return "the column is called column_1" if width == 1 else f"the columns are called column_1 to column_{width}"


def _given(header: bool, width: int) -> str:
    return "Header: the first line, as given." if header else f"Header: none, as given; {_called(width)}."
