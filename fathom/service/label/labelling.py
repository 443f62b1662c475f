"""People label rows: which row comes next, what is shown of it, and what is written down. Every label is on the disk before the next row is shown."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fathom.data.cells.media import shown
from fathom.data.encoding import Column, class_labels, hand_made_features
from fathom.data.modalities import MODALITIES
from fathom.data.recognising import recognise_inputs
from fathom.data.table import Table
from fathom.errors import OptionError, TableError, suggestion
from fathom.model import Model, load, predictions
from fathom.service.label.agreeing import agreement_of
from fathom.service.label.choosing import informative_order, margins, random_order
from fathom.service.label.labels import LabelBook, as_number, keys_of
from fathom.service.shelf.versions import NAME, is_shelf, open_shelf

LOOK = 2_000  # rows from which is seen what the columns are
MOST_TEXT = 20_000  # characters of a cell that are shown
COMMON = 50  # rows that a second person is given because another has labelled them; then one of ten
MOST_CLASSES = 1_000
MOST_LISTED = 50  # rows on which labellers differ


class Session:
    """One person labels the rows of a table, with classes or with numbers, for which ``usual`` is the range that is known. Safe to use from several threads."""

    def __init__(
        self,
        table: Table,
        book: LabelBook,
        labeller: str,
        model: Model | None = None,
        seed: int = 0,
        usual: tuple[float, float] | None = None,
    ) -> None:
        self.table, self.book, self.labeller, self.usual = table, book, labeller, usual
        self.keys = keys_of(table, book.target)
        self.row_of = {key: row for row, key in reversed([*enumerate(self.keys)])}
        self.columns = _columns_of(table, book.target)
        self.asks = "the least sure first" if model is not None else "in an order of chance"
        self.order: list[str] = [self.keys[row] for row in _order(table, book.target, model, seed)]
        known = _known(table, book.target)
        self.open = {key for key, labelled in zip(self.keys, known, strict=True) if not labelled}
        self.skipped: set[str] = set()
        self.done: list[str] = [key for key in book.of(labeller) if key in self.row_of]
        self._lock = threading.Lock()

    def state(self) -> dict[str, Any]:
        """Return what the page shows: the next row, how far the labelling is, and how labellers agree."""
        with self._lock:
            self.book.refresh()
            mine = self.book.of(self.labeller)
            key = self._next(mine)
            return {
                "target": self.book.target,
                "classes": list(self.book.classes),
                "usual": self.usual,
                "labeller": self.labeller,
                "asks": self.asks,
                "done": len(mine.keys() & self.open),
                "total": len(self.open),
                "labelled": sum(row in self.row_of for row, labels in self.book.given.items() if labels),
                "row": None if key is None else {"key": key, "number": self.row_of[key] + 1, "cells": self._cells(key)},
                "agreement": self._agreement(),
            }

    def label(self, key: str, label: str) -> None:
        """Write a label down. Raises OptionError for a row or a class that is not there, or what is no number."""
        with self._lock:
            if key not in self.row_of:
                raise OptionError("There is no such row. Load the page anew.")
            if not self.book.classes:
                label = as_number(label)
            elif label not in self.book.classes:
                raise OptionError(f"There is no class {label!r}.{suggestion(label, self.book.classes)}")
            self.book.label(key, label, self.labeller)
            self.skipped.discard(key)
            self.done = [*(row for row in self.done if row != key), key]
            self._write()

    def skip(self, key: str) -> None:
        """Put a row off until all others are done."""
        with self._lock:
            if key in self.row_of:
                self.skipped.add(key)

    def undo(self) -> None:
        """Take the latest label back; its row is asked for again at once."""
        with self._lock:
            if self.done:
                key = self.done.pop()
                self.book.take_back(key, self.labeller)
                self.skipped.discard(key)
                self.order = [key, *(row for row in self.order if row != key)]
                self._write()

    def finish(self) -> Path:
        """Write the table of labels, whatever was due."""
        with self._lock:
            self.book.refresh()
            return self.book.write(self.table, self.keys)

    def _write(self) -> None:
        if self.book.due():
            self.book.write(self.table, self.keys)

    def _next(self, mine: Mapping[str, str]) -> str | None:
        """Return the row that is asked for next: every other one, at first, is one that somebody else has labelled."""

        def asked(key: str) -> bool:
            return key in self.open and key not in mine and key not in self.skipped

        given = self.book.given
        theirs = (key for key, labels in given.items() if labels and asked(key))
        fresh = (key for key in self.order if not given.get(key) and asked(key))
        common = sum(len(given[key]) > 1 for key in mine)
        turn = len(mine) % (2 if common < COMMON else 10) == 0
        for found in (next(theirs, None), next(fresh, None)) if turn else (next(fresh, None), next(theirs, None)):
            if found is not None:
                return found
        return next((key for key in self.order if key in self.skipped and key in self.open and key not in mine), None)

    def _agreement(self) -> list[dict[str, Any]]:
        """Return how far this person agrees with each other one, and the rows on which they differ."""
        found = []
        mine = self.book.of(self.labeller)
        for other in self.book.labellers:
            if other != self.labeller:
                theirs = self.book.of(other)
                found_out = agreement_of(mine, theirs, numbers=not self.book.classes)
                differ = [
                    {"number": self.row_of[key] + 1, "mine": mine[key], "theirs": theirs[key]}
                    for key in mine
                    if key in theirs and mine[key] != theirs[key] and key in self.row_of
                ]
                found.append(
                    {
                        "other": other,
                        "rows": found_out.rows,
                        "measure": found_out.measure,
                        "value": found_out.value.as_json(),
                        "apart": found_out.apart,
                        "differ": differ[:MOST_LISTED],
                        "differing": len(differ),
                    }
                )
        return found

    def _cells(self, key: str) -> list[dict[str, str]]:
        row = self.row_of[key]
        return [_shown(column, self.table.column(column.name)[row].as_py()) for column in self.columns]


def open_session(
    source: Any,
    output: str | Path,
    *,
    bundle: str | Path | None = None,
    target: str | None = None,
    classes: tuple[str, ...] = (),
    numbers: bool = False,
    labeller: str = "",
    seed: int = 0,
) -> Session:
    """Open a table to be labelled by one person; with a bundle (or a shelf), the rows that it is least sure of come first.

    ``target`` and ``classes`` are the bundle's where there is one; ``numbers`` says that labels are numbers, as they are where the bundle predicts one. Raises TableError, BundleError or OptionError, each saying what to do.
    """
    from fathom.data.files.reading import read

    table = source if isinstance(source, Table) else read(source)
    model = _model(bundle) if bundle is not None else None
    if model is not None:
        column = next((column for column in model.description.targets if target in (None, column.name)), None)
        if column is None:
            known = [column.name for column in model.description.targets]
            raise OptionError(
                f"{bundle} does not predict {target!r}.{suggestion(str(target), known)} It predicts: {', '.join(known)}."
            )
        target = column.name
        if not column.parts[0].codes:
            numbers = True
        elif numbers:
            raise OptionError(
                f"{bundle} predicts classes of {target!r}, and labels for it are classes. Leave --numbers out."
            )
        else:
            classes = classes or tuple(class_labels(column))
    if not target:
        raise OptionError(
            "Name what is labelled: --target NAME --classes a,b,c (or --numbers), or --bundle RUN, which knows both."
        )
    known = _known(table, target)
    if numbers and classes:
        raise OptionError("Labels are classes or numbers, not both. Leave --classes or --numbers out.")
    if not numbers and not classes and target in table.names:
        classes = tuple(sorted({str(value) for value in table.column(target).filter(known).to_pylist()}))
    if not numbers and (not 2 <= len(set(classes)) <= MOST_CLASSES or len(set(classes)) != len(classes)):
        raise OptionError(
            f"{len(set(classes))} different classes are named, and at least two are needed: --classes a,b,c. For numbers: --numbers"
        )
    if not table.rows or known.all():
        raise TableError(f"{table.name} has no row without a label in {target!r}: there is nothing to do.")
    if not labeller.strip():
        raise OptionError("Whose labels are they? Give a name: --labeller NAME")
    usual = _usual(model, table, target, known) if numbers else None
    return Session(table, LabelBook(output, target, classes), labeller.strip(), model, seed, usual)


def _usual(model: Model | None, table: Table, target: str, known: Any) -> tuple[float, float] | None:
    """Return the lowest and the highest number of the training rows, or of the rows of the table that have one; ``None`` where none has."""
    if model is not None:
        state = next(column.state for column in model.description.targets if column.name == target)
        lowest, highest = getattr(state, "lowest", None), getattr(state, "highest", None)
        return None if lowest is None or highest is None else (float(lowest), float(highest))
    if target not in table.names:
        return None
    given = [str(cell) for cell in table.column(target).filter(known).to_pylist()]
    try:
        found = [float(as_number(cell)) for cell in given]
    except OptionError as error:
        raise TableError(f"{table.name} has labels in {target!r} that are no numbers: {error}") from None
    return (min(found), max(found)) if found else None


def _model(bundle: str | Path) -> Model:
    """Return the model of a bundle, or the one that is live on a shelf or on that of a run."""
    for place in (Path(bundle), Path(bundle) / NAME):
        if is_shelf(place):
            shelf = open_shelf(place)
            return load(shelf.folder(shelf.state().live))
    return load(bundle)


def _known(table: Table, target: str) -> Any:
    """Mark the rows that have a label in the table already."""
    if target not in table.names:
        return np.zeros(table.rows, np.bool_)
    from fathom.data.cells.values import MISSING_ANYWHERE, missing_mask

    return ~missing_mask(table.column(target), MISSING_ANYWHERE)


def _order(table: Table, target: str, model: Model | None, seed: int) -> Any:
    if model is None:
        return random_order(table.rows, seed)
    inputs = model.checked(model.gathered(table))
    answers = model.tell(inputs)
    answer = answers[target]
    if answer.ndim == 2:
        sure = margins(answer)
    else:  # of a number, the wider its interval the less is known
        told = predictions(model.description, answers).arrow
        sure = np.asarray(told[f"{target}_low"].to_numpy() - told[f"{target}_high"].to_numpy(), np.float64)
    return informative_order(sure, lambda rows: hand_made_features(model.columns, inputs.take(rows)).matrix, seed)


def _columns_of(table: Table, target: str) -> list[Column]:
    """Return every column but the target with what it is taken for, as far as that can be seen."""
    rows = np.unique(np.linspace(0, table.rows - 1, min(table.rows, LOOK)).astype(np.int64))
    found: list[Column] = []
    for name in (name for name in table.names if name != target):
        try:
            found += recognise_inputs(table, rows, [name], {}, {}, MODALITIES)
        except TableError:  # it is shown as it stands
            found.append(Column(name, "left_out", None, 0.0, "not recognised"))
    return found


def _shown(column: Column, value: Any) -> dict[str, str]:
    """Return a cell for the page: a picture or a recording as a ``data:`` URL, a text whole, anything else as its kind writes it."""
    if isinstance(value, str) and not value.startswith("data:"):
        return {"name": column.name, "kind": "text", "value": value[:MOST_TEXT]}
    words = shown(value) if column.kind is None else column.kind.show(column.state, value)
    kind = "image" if words.startswith("data:image/") else "audio" if words.startswith("data:audio/") else "text"
    return {"name": column.name, "kind": kind, "value": words if kind != "text" else words[:MOST_TEXT]}
