"""Tells how a text table is written from its first records: delimiter, quote character, header, spaces after delimiters.

The rules are ours. They follow the idea of wrangling a table by the regularity of its records (van den Burg, Nazábal and
Sutton, "Wrangling messy CSV files by detecting row and type patterns", 2019, https://arxiv.org/abs/1811.11242): the right
delimiter is the one that splits the records evenly, and among equals the one whose cells read as numbers.
"""

import re
from collections import Counter
from dataclasses import dataclass

from fathom.data.files.header import find_header, is_value

RECORDS = 100  # how many records are looked at
DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "pipe", ",": "comma"}  # equals: the rarer in prose goes first
NO_DELIMITER = "\x1f"  # ASCII's own unit separator, which no text table holds: every line is one cell
_CELLS = 200_000  # of a very wide table, three records and as many more as hold so many cells are looked at
_EVEN = 0.5  # the share of records that must agree before a delimiter is believed
_SPACED = 0.95  # the share of cells that must begin with a space before spaces are taken as decoration
_HINT = re.compile(r"sep=([^\r\n])[\r\n]", re.IGNORECASE)  # Excel's note of the delimiter on a line of its own

Records = list[list[str]]


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    ``width`` is the number of cells of a row, ``names`` the columns'. ``header`` is the position (from 0, among all
    records, blank ones included) of the record that holds the names, ``hint`` that of Excel's ``sep=`` line; None where
    there is none. ``spaced``: cells are padded with spaces, which are no part of them. ``single``: no delimiter was found.
    """

    delimiter: str
    quote: str
    spaced: bool
    width: int
    names: tuple[str, ...]
    header: int | None
    hint: int | None
    decisions: tuple[str, ...]

    @property
    def single(self) -> bool:
        """Whether every line is one cell."""
        return self.width == 1


def find_dialect(text: str, *, whole: bool, delimiter: str | None = None, header: bool | None = None) -> Dialect:
    """Tell the dialect from the first records of a file.

    ``whole`` says that ``text`` is all there is; otherwise its last record may be cut and is not looked at. What the
    caller gives is not guessed.

    >>> find_dialect("name;size\\noak;21,5\\nelm;18,0\\n", whole=True).delimiter
    ';'
    >>> find_dialect("41,nurse\\n38,cook\\n", whole=True).names
    ('column_1', 'column_2')
    """
    hint = _HINT.match(text)
    given = delimiter or (hint.group(1) if hint else None)
    quote = "'" if _in_single_quotes(text, given, whole) else '"'
    found = given or _find_delimiter(text, quote, whole)
    spaced = found != " " and _has_spaces(sample(text, found, None, whole))
    records = sample(tight(text, found, quote) if spaced else text, found, quote, whole)
    records = [[unquoted(cell.strip(" ") if spaced else cell, quote) for cell in record] for record in records]
    start = 1 if hint else 0
    head = find_header(records[start:], header)
    sentences = [_delimiter_sentence(found, delimiter, hint is not None, head.width)]
    if spaced:
        sentences.append(
            "Spaces around cells were removed, since nearly every delimiter of the first lines is followed by one."
        )
    return Dialect(
        delimiter=found,
        quote=quote,
        spaced=spaced,
        width=head.width,
        names=head.names,
        header=head.position + start if head.position is not None else None,
        hint=0 if hint else None,
        decisions=(*sentences, *head.decisions),
    )


def sample(text: str, delimiter: str, quote: str | None, whole: bool, limit: int = RECORDS) -> Records:
    """Split the first records of a text into raw cells, quotes and all.

    A quote opens a cell only as its first character; inside, a doubled quote is one quote; what follows the closing
    quote belongs to the cell, as in Python's and Arrow's readers. With ``quote=None`` quotes are characters like others.

    >>> sample('a,"b,\\n""c"\\nd,e\\n', ",", '"', whole=True)
    [['a', '"b,\\n""c"'], ['d', 'e']]
    """
    rest = f"[^{re.escape(delimiter)}\r\n]*+"
    opened = f"(?:{quote}(?:[^{quote}]|{quote}{quote})*+(?:{quote}|\\Z))?+" if quote else ""
    cell = re.compile(f"({opened}{rest})({re.escape(delimiter)}|\r\n|\r|\n|\\Z)")
    records: Records = []
    record: list[str] = []
    position = 0
    cells = 0
    while len(records) < limit and (len(records) < 3 or cells < _CELLS):
        match = cell.match(text, position)
        if match is None or (match.end() == len(text) and not match.group() and not record):
            break
        record.append(match.group(1))
        cells += 1
        position = match.end()
        if match.group(2) != delimiter:
            if match.group(2) or whole:
                records.append(record)
            record = []
            if not match.group(2):
                break
    return records


def unquoted(cell: str, quote: str) -> str:
    """Return what a raw cell says: ``he said "no"`` for ``"he said ""no\"""``."""
    if not cell.startswith(quote):
        return cell
    match = re.match(f"{quote}((?:[^{quote}]|{quote}{quote})*+){quote}?", cell)
    assert match is not None
    return match.group(1).replace(quote * 2, quote) + cell[match.end() :]


def tight(text: str, delimiter: str, quote: str) -> str:
    """Remove spaces between a delimiter and an opening quote, so that the quote opens the cell.

    >>> tight('1, "a, b", 3', ",", '"')
    '1,"a, b", 3'
    """
    return tight_pattern(delimiter, quote).sub("", text)


def tight_pattern(delimiter: str, quote: str) -> re.Pattern[str]:
    """Return the pattern of the spaces that ``tight`` removes.

    Inside a quoted cell a quote is doubled, so a single quote, or two before the cell's end, opens a cell.
    """
    mark = re.escape(delimiter)
    return re.compile(f"(?<=[{mark}\r\n]) +(?={quote}(?!{quote})|{quote}{quote}(?:[{mark}\r\n]|\\Z))")


def _find_delimiter(text: str, quote: str, whole: bool) -> str:
    samples = {delimiter: _filled(sample(text, delimiter, quote, whole)) for delimiter in DELIMITERS}
    scores = {delimiter: _evenness(records) for delimiter, records in samples.items()}
    order = list(DELIMITERS)
    best = max(order, key=lambda mark: (round(scores[mark], 1), _values(samples[mark]), -order.index(mark)))
    if round(scores[best], 1) >= _EVEN:
        return best
    first = {delimiter: len(records[0]) for delimiter, records in samples.items() if records and len(records[0]) > 1}
    return max(first, key=lambda mark: (first[mark], scores[mark])) if first else NO_DELIMITER


def _evenness(records: Records) -> float:
    """Score 0 to 1 how evenly the records are split; less where the first, which usually holds the names, differs."""
    counts = [len(record) for record in records]
    if not counts:
        return 0.0
    tally = Counter(counts)
    common = max(tally, key=lambda count: (tally[count], count == counts[0]))
    if common < 2:
        return 0.0
    if counts[0] == common:
        return tally[common] / len(counts)
    share = tally[common] / (len(counts) - 1)
    # R leaves out the name of the column of row names: one cell fewer in the first record alone, and no padding.
    if counts[0] == common - 1 and not any(cell.startswith(" ") for row in records for cell in row[1:2]):
        return share * 0.94
    return share * (0.5 if common > 2 else 0.3)  # a title above the table; but two cells may be a sentence with a comma


def _values(records: Records) -> float:
    """Return the share of cells, the first record aside, that read as a number or a date."""
    cells = [cell for record in records[1:] or records for cell in record]
    return sum(is_value(cell.strip(" \"'")) for cell in cells) / max(len(cells), 1)


def _in_single_quotes(text: str, given: str | None, whole: bool) -> bool:
    """Say whether some column stands in single quotes in every row; then ``'`` is the quote character."""
    if '"' in text or "'" not in text:
        return False
    delimiter = given or _find_delimiter(text, "'", whole)
    rows = _filled(sample(text, delimiter, "'", whole))[1:]
    if len(rows) < 2 or delimiter == NO_DELIMITER:
        return False
    widths = {len(row) for row in rows}
    return any(
        all(len(row[index]) > 1 and row[index][0] == row[index][-1] == "'" for row in rows)
        for index in range(min(widths))
    )


def _has_spaces(records: Records) -> bool:
    """Say whether spaces after delimiters are decoration.

    They are when a space begins every cell but the first of the first record, and nearly every one below; a table
    whose cells happen to begin with a space, under names that do not, keeps them.
    """
    filled = _filled(records)
    width = Counter(len(record) for record in filled).most_common(1)[0][0] if filled else 0
    first, *below = [record[1:] for record in filled if len(record) == width] or [[]]
    cells = [cell for record in below for cell in record if cell]
    if not first or not cells or not all(cell.startswith(" ") for cell in first):
        return False
    return sum(cell.startswith(" ") for cell in cells) >= _SPACED * len(cells)


def _filled(records: Records) -> Records:
    return [record for record in records if len(record) > 1 or record[0].strip()]


def _delimiter_sentence(found: str, given: str | None, hinted: bool, width: int) -> str:
    if found == NO_DELIMITER:
        return "Delimiter: none, every line is one cell."
    name = DELIMITERS.get(found, repr(found))
    if given is not None:
        return f"Delimiter: {name}, as given."
    return f"Delimiter: {name}, as the file's first line says." if hinted else f"Delimiter: {name}."
