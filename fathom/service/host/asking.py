"""What a model asks for and what it answers, in the words of JSON: the columns of a row, checked cell by cell, and the answer beside its certainty."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.bundle.answers.inference import Answers
from fathom.bundle.answers.listing import Listed, listed
from fathom.bundle.answers.quick import Quick, shown
from fathom.data.cells.media import is_media
from fathom.data.encoding import Column, inputs_of
from fathom.data.gathering import Gathered
from fathom.data.modalities import yes_no
from fathom.data.table import Table
from fathom.errors import TableError, suggestion
from fathom.model import Model, predictions
from fathom.service.host.columns import alike
from fathom.service.refusing import Refused
from fathom.shapes import Arrays

FEW = 64  # rows of text that are encoded one by one, which costs less than columns of them
TEXT = (pa.string(), pa.large_string())
MEDIA = ("image", "audio", "video")
_WORDS: dict[str, tuple[type, ...]] = {  # what a cell of each kind is in JSON, null apart
    "number": (int, float),
    "date": (str,),
    "yes_no": (str, bool),
    "category": (str, bool, int, float),
    "id": (str, int),
    "text": (str,),
    "labels": (str, list),
    "molecule": (str,),
    "series": (str, list, dict),
    "strokes": (str, list),
    "image": (str, bytes),
    "audio": (str, bytes),
    "video": (str, bytes),
}
_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    bytes: "a file",
}


@dataclass(frozen=True)
class Field:
    """A cell that a row must have: the column's name as the client writes it, and the column that it becomes or is gathered into."""

    name: str
    kind: str
    column: Column

    @property
    def takes(self) -> tuple[type, ...]:
        """The Python types of JSON values that it takes; None is always one of them."""
        return _WORDS.get(self.kind, (str, bool, int, float, list, dict))


@dataclass(frozen=True)
class Form:
    """What a model asks of every row."""

    model: Model

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The cells of a row, in the order of training."""
        found: dict[str, Field] = {}
        for column in inputs_of(self.model.columns):
            gathered = column.gathered
            if gathered is None:
                found[column.name] = Field(column.name, column.modality, column)
                continue
            for name in _gathered_names(gathered):
                found[name] = Field(name, "number" if name in gathered.columns else "id", column)
        return tuple(found.values())

    @cached_property
    def ignored(self) -> frozenset[str]:
        """Names that a row may have besides, because training had them: targets and what was left out."""
        return frozenset(column.name for column in self.model.columns) - {field.name for field in self.fields}

    @cached_property
    def quick(self) -> Quick | None:
        """What encodes rows one by one; None where rows or columns are gathered first."""
        gathered = any(column.gathered is not None for column in inputs_of(self.model.columns))
        return None if gathered else Quick.of(self.model.description)

    @cached_property
    def light(self) -> bool:
        """Whether a row is encoded in microseconds, so that no thread is needed for it."""
        return self.quick is not None and not self.quick.deep

    @cached_property
    def _checks(self) -> tuple[tuple[str, frozenset[type], Field], ...]:
        return tuple((field.name, frozenset({*field.takes, type(None)}), field) for field in self.fields)

    def check(self, rows: Any) -> list[dict[str, Any]]:
        """Return rows as the columns' code takes them. Raises Refused, with the field, for one that is not what the model asks for."""
        if rows.__class__ is not list:
            raise Refused(422, 'a list of rows is expected: {"rows": [{"column": value, …}, …]}.', "rows")
        checks, count = self._checks, len(self._checks)
        for place, row in enumerate(rows):
            if row.__class__ is not dict:
                raise Refused(422, "an object of columns and values is expected.", f"rows[{place}]")
            for name, takes, field in checks:
                if name not in row:
                    raise self._lacking(place, name, row)
                if row[name].__class__ not in takes:
                    raise _other(place, field, row[name])
            if len(row) != count:
                self._check_names(place, row)
        for field, closer in self._closer:
            for place, row in enumerate(rows):
                if row[field.name] is not None:
                    row[field.name] = closer(place, field, row[field.name])
        return rows

    @cached_property
    def _closer(self) -> tuple[tuple[Field, Callable[[int, Field, Any], Any]], ...]:
        """What looks at cells more closely than by their type, for the columns that need it."""
        found: list[tuple[Field, Callable[[int, Field, Any], Any]]] = []
        for field in self.fields:
            if field.kind == "yes_no":
                found.append((field, _word))
            elif field.kind in MEDIA:
                found.append((field, _file))
            elif list in field.takes:
                found.append((field, _list))
        return tuple(found)

    def _check_names(self, place: int, row: Mapping[str, Any]) -> None:
        known = {field.name for field in self.fields}
        for name in row:
            if name not in known and name not in self.ignored:
                near = suggestion(name, known)
                raise Refused(422, f"the model has no such column.{near}", at(place, name))

    def _lacking(self, place: int, name: str, row: Mapping[str, Any]) -> Refused:
        near = suggestion(name, [other for other in row if other not in {field.name for field in self.fields}])
        return Refused(
            422, f"the column is not there. Write null for a value that is not known.{near}", at(place, name)
        )

    def encode(self, rows: Sequence[dict[str, Any]]) -> tuple[Arrays, int, pa.Array | None]:
        """Return what the graph reads for checked rows, how many rows it will answer, and their ids where rows were gathered."""
        if self.quick is not None:
            try:
                return self.quick.encode(rows), len(rows), None
            except TableError as error:
                raise Refused(422, f"{error}.", at(error.line or 0, error.column or "")) from None
        return self.encode_table(self.table(rows))

    def table(self, rows: Sequence[dict[str, Any]]) -> Table:
        """Return checked rows as a table of the columns that the model reads."""
        return Table.of({name: alike([row[name] for row in rows]) for name, _, _ in self._checks}, name="the request")

    def unlike(self, rows: Sequence[dict[str, Any]] | Table) -> npt.NDArray[np.bool_] | None:
        """Mark the rows ``(row,)`` that are unlike those of training; ``None`` where the bundle cannot tell."""
        learned = self.model.unlikeness
        if learned is None:
            return None
        table = self.model.gathered(rows if isinstance(rows, Table) else self.table(rows))
        for column in inputs_of(self.model.columns):
            table = table.with_column(column.name, _readable(column, table))
        return learned.unlike(table)

    def encode_table(self, table: Table) -> tuple[Arrays, int, pa.Array | None]:
        """Return the same for rows that came as a table (CSV, Arrow)."""
        types = dict(zip(table.names, table.arrow.schema.types, strict=True))
        for field in self.fields:
            if field.name not in types:
                raise Refused(422, f"the column is not there.{suggestion(field.name, table.names)}", field.name)
            kind = types[field.name]
            if is_media(kind) or (field.kind in MEDIA and pa.types.is_nested(kind)):
                raise Refused(422, "a file's own bytes are expected, and no path.", field.name)
        names = [field.name for field in self.fields]
        for name in types:
            if name not in self.ignored and name not in names:
                raise Refused(422, f"the model has no such column.{suggestion(name, names)}", name)
        if not table.rows and self.quick is None:
            raise Refused(422, "one row or more is expected.", "rows")
        if self.light and 0 < table.rows <= FEW and all(types[name] in TEXT for name in names):
            return self.encode(table.arrow.select(names).to_pylist())
        try:
            table = self.model.gathered(table)
            for column in inputs_of(self.model.columns):
                table = table.with_column(column.name, _readable(column, table))
        except TableError as error:
            raise Refused(422, str(error), error.column or "") from None
        ids = next((c.gathered.id for c in self.model.columns if c.gathered is not None and c.gathered.id), None)
        inputs = self.model.inference.inputs(table)
        return inputs, table.rows, table.column(ids) if ids else None

    @cached_property
    def _listed(self) -> tuple[Listed, ...]:
        return listed(self.model.description)

    def rows_of(
        self,
        answers: Answers,
        doubt: bool = False,
        ids: pa.Array | None = None,
        unlike: npt.NDArray[np.bool_] | None = None,
    ) -> list[dict[str, Any]]:
        """Return answers as objects with the columns that `Model.predict` writes, in JSON's own types."""
        if doubt or ids is not None:
            made: list[dict[str, Any]] = self.table_of(answers, doubt, ids, unlike).to_pylist()
        else:
            made = [{} for _ in next(iter(answers.values()))]
            for target in self._listed:
                target.into(made, answers)
        return made if self._plain else [{name: _json(cell) for name, cell in row.items()} for row in made]

    @cached_property
    def _plain(self) -> bool:
        """Whether every class is a value that JSON has."""
        return all(isinstance(value, str | bool | int | float) for target in self._listed for value in target.classes)

    def table_of(
        self,
        answers: Answers,
        doubt: bool = False,
        ids: pa.Array | None = None,
        unlike: npt.NDArray[np.bool_] | None = None,
    ) -> Table:
        """Return answers as the table that `Model.predict` returns."""
        found = predictions(self.model.description, answers, doubt, unlike)
        if ids is None:
            return found
        name = next(c.gathered.id for c in self.model.columns if c.gathered is not None and c.gathered.id)
        return found if name in found.names else Table(found.arrow.add_column(0, name, ids), name=found.name)


def words_for(column: Column) -> tuple[str, ...]:
    """Return the words that a yes/no column takes, its own first.

    >>> words_for(Column("x", "input", yes_no, 1.0, "", yes_no.State("no", "yes", "string", "input")))[:2]
    ('no', 'yes')
    """
    own = (column.state.no, column.state.yes)
    return tuple(dict.fromkeys((*own, *yes_no.NO_WORDS, *yes_no.YES_WORDS)))


def at(place: int, name: str) -> str:
    """Return where a cell stands in the request.

    >>> at(3, "age"), at(0, "job title")
    ('rows[3].age', "rows[0]['job title']")
    """
    return f"rows[{place}].{name}" if name.isidentifier() else f"rows[{place}][{name[:60]!r}]"


def _gathered_names(gathered: Gathered) -> tuple[str, ...]:
    return (*filter(None, (gathered.id, gathered.time)), *gathered.columns)


def _other(place: int, field: Field, value: Any) -> Refused:
    found = _NAMES.get(type(value), "null")
    words = list(dict.fromkeys(_NAMES[kind] for kind in field.takes if kind is not bytes))
    return Refused(422, f"it is {found}, and {' or '.join(words)} or null is expected.", at(place, field.name))


def _word(place: int, field: Field, value: Any) -> Any:
    """Refuse a word that says neither yes nor no."""
    words = words_for(field.column)
    if value.__class__ is str and value not in words:
        known = ", ".join(map(repr, words[:4]))
        raise Refused(
            422, f"it is {shown(value)}, and one of {known}, true or false is expected.", at(place, field.name)
        )
    return value


def _file(place: int, field: Field, value: Any) -> Any:
    """Return a file that came as a data: URL (kept) or as base64 (decoded)."""
    if value.__class__ is bytes or value.startswith("data:"):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "a data: URL or base64 is expected.", at(place, field.name)) from None


def _list(place: int, field: Field, value: Any) -> Any:
    """Refuse lists and objects that hold anything but numbers, or words where labels are expected."""
    if value.__class__ is not str:
        _check_inner(value, at(place, field.name), (str,) if field.kind == "labels" else (int, float))
    return value


def _check_inner(value: Any, where: str, takes: tuple[type, ...], depth: int = 0) -> None:
    if depth > 3:
        raise Refused(422, "it is nested too deeply.", where)
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        if each.__class__ in (list, dict):
            _check_inner(each, f"{where}[{name!r}]", takes, depth + 1)
        elif each is not None and each.__class__ not in takes:
            raise Refused(422, f"{'words' if str in takes else 'numbers'} are expected.", f"{where}[{name!r}]")


def _readable(column: Column, table: Table) -> pa.Array:
    """Return a column's values, decoded once. Raises TableError for a cell that cannot be read."""
    kind = column.kind
    assert kind is not None
    values = table.column(column.name)
    if hasattr(kind, "settle"):
        settled, marks = kind.settle(column.state, values, lambda done: None)
    else:
        settled, marks = values, kind.unreadable(column.state, values)
    if marks.any():
        row = int(np.flatnonzero(marks)[0])
        raise TableError(
            f"it is {shown(values[row].as_py())}, which is not readable as {kind.NAME}.", column=at(row, column.name)
        )
    return settled


def _json(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str | bool | int | float) else str(cell)
