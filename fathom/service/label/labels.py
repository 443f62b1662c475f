"""Labels that people gave: each one forced to the disk at once, taken back without a trace being lost, and joined into a table.

The journal beside the labels (``labels.csv.journal``) holds a line for every label and every one that was taken back; ``labels.csv`` is made from it: a row a line, all its cells and the label,
ready for ``fathom update --with labels.csv``. A row on which labellers differ is left out until more of them say the same; of numbers, the label is the mean of what was said.
"""

import base64
import csv
import io
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fathom.data.cells.media import is_media
from fathom.data.files.writing import write_text
from fathom.data.rows.splitting import row_hashes
from fathom.data.table import Table
from fathom.errors import OptionError, OutputError
from fathom.service.shelf import journal

FREQUENT = (
    2_000  # labels, up to which the table of labels is written anew at each; then at every hundredth, and at the end
)
LABELS, BACK = "label", "back"


def keys_of(table: Table, target: str) -> list[str]:
    """Return what tells each row from others, whatever its label and its place: the hash of its cells, as 16 hex digits."""
    inputs = table.select([name for name in table.names if name != target])
    return [f"{value:016x}" for value in row_hashes(inputs).tolist()]


class LabelBook:
    """The labels of one table, in a journal that several people may write at the same time; without ``classes``, a label is a number."""

    def __init__(self, output: str | Path, target: str, classes: Sequence[str] = ()) -> None:
        self.output, self.target, self.classes = Path(output), target, tuple(classes)
        self.journal = self.output.with_name(f"{self.output.name}.journal")
        self.given: dict[str, dict[str, str]] = {}  # key of a row -> labeller -> label
        self._read = -1
        self.refresh()

    def refresh(self) -> None:
        """Read what others have written since. Raises OutputError for a journal of other labels."""
        size = self.journal.stat().st_size if self.journal.exists() else 0
        if size == self._read:
            return
        given: dict[str, dict[str, str]] = {}
        for entry in journal.entries(self.journal):
            if entry.get("target", self.target) != self.target:
                raise OutputError(
                    f"{self.journal} holds labels of {entry['target']!r}, not of {self.target!r}. Name another file with -o.",
                    file=str(self.journal),
                )
            key, who = str(entry.get("row")), str(entry.get("labeller"))
            if entry.get("what") == LABELS:
                given.setdefault(key, {})[who] = str(entry.get("label"))
            else:
                given.get(key, {}).pop(who, None)
        self.given, self._read = given, size

    def label(self, key: str, label: str, labeller: str) -> None:
        """Write a label down. Raises OutputError when the disk does not take it."""
        self._append({"what": LABELS, "row": key, "label": label, "labeller": labeller})

    def take_back(self, key: str, labeller: str) -> None:
        """Take a person's label of a row back."""
        self._append({"what": BACK, "row": key, "labeller": labeller})

    def _append(self, entry: Mapping[str, str]) -> None:
        lock = self.journal.with_name(f".{self.journal.name}.lock")
        with journal.locked(lock):
            journal.append(self.journal, {**entry, "target": self.target, "when": journal.now()})
        self.refresh()

    def of(self, labeller: str) -> dict[str, str]:
        """Return a person's labels by row."""
        return {key: labels[labeller] for key, labels in self.given.items() if labeller in labels}

    def agreed(self) -> dict[str, str]:
        """Return the label of every row that more people gave than any other; of numbers, their mean.

        >>> book = LabelBook("none.csv", "topic", ["a", "b"])
        >>> book.given = {"1": {"ada": "a"}, "2": {"ada": "a", "bob": "b"}, "3": {"ada": "a", "bob": "b", "cy": "b"}}
        >>> book.agreed()
        {'1': 'a', '3': 'b'}
        >>> numbers = LabelBook("none.csv", "price")
        >>> numbers.given = {"1": {"ada": "2", "bob": "2.5"}, "2": {"ada": "7"}}
        >>> numbers.agreed()
        {'1': '2.25', '2': '7'}
        """
        if not self.classes:
            return {key: _mean(list(labels.values())) for key, labels in self.given.items() if labels}
        found = {}
        for key, labels in self.given.items():
            counted = Counter(labels.values()).most_common(2)
            if counted and (len(counted) == 1 or counted[0][1] > counted[1][1]):
                found[key] = counted[0][0]
        return found

    @property
    def labellers(self) -> list[str]:
        """Everyone who has given a label that stands."""
        return sorted({who for labels in self.given.values() for who in labels})

    def differing(self) -> list[tuple[str, dict[str, str]]]:
        """Return the rows on which labellers differ, with what each said."""
        return [(key, labels) for key, labels in self.given.items() if len(set(labels.values())) > 1]

    def write(self, table: Table, keys: Sequence[str]) -> Path:
        """Write the table of labels: the rows that have one, with all their cells. Whole or not at all; raises OutputError."""
        agreed = self.agreed()
        rows = [row for row, key in enumerate(keys) if key in agreed]
        names = [name for name in table.names if name != self.target]
        some = table.take(np.array(rows, np.int64))
        cells = [_cells(some, name, self.output.parent) for name in names]
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow([*names, self.target])
        for place, row in enumerate(rows):
            writer.writerow([*(column[place] for column in cells), agreed[keys[row]]])
        return write_text(lines.getvalue(), self.output)

    def due(self) -> bool:
        """Say whether the table of labels should be written now, so that writing stays cheap when there are many."""
        count = len(self.given)
        return count <= FREQUENT or count % 100 == 0


def as_number(label: str) -> str:
    """Return a number that a person typed as it is written down. Raises OptionError.

    >>> as_number(" 3.50 "), as_number("-0"), as_number("1e3")
    ('3.5', '0', '1000')
    """
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{label[:40]!r} is no number. Write digits, with a point before decimals: 12.5")
    return _written(number)


def _written(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _mean(labels: Sequence[str]) -> str:
    return labels[0] if len(set(labels)) == 1 else _written(math.fsum(map(float, labels)) / len(labels))


def _cells(table: Table, name: str, folder: Path) -> list[Any]:
    """Return a column's cells as CSV can hold them and `fathom.read` takes them again: files by their path from ``folder``, bytes as ``data:`` URLs, lists as JSON."""
    values = table.column(name)
    if is_media(values.type):
        found = []
        for cell in values.to_pylist():
            path = None if cell is None else Path(cell["folder"]) / cell["path"]
            found.append("" if path is None else os.path.relpath(path, folder or "."))
        return found
    return [_cell(cell) for cell in values.to_pylist()]


def _cell(cell: Any) -> Any:
    if isinstance(cell, bytes):
        return "data:;base64," + base64.b64encode(cell).decode()
    return json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, (list, dict)) else cell
