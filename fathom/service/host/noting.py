"""Answers that the observers have yet to be told of: several requests to one version are told together, which costs hardly more than one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fathom.bundle.answers.inference import Answers
from fathom.data.table import Table
from fathom.service.contract import Answered
from fathom.service.host.columns import alike

if TYPE_CHECKING:
    from fathom.service.host.hosting import Opened


@dataclass(frozen=True, eq=False)
class Note:
    """An answer that the observers have not been told of; ``answers`` ``None`` where the shadow has yet to answer."""

    model: str
    opened: "Opened"
    request: str
    rows: Any
    answers: Answers | None
    ids: Any
    when: float
    seconds: float
    shadow: bool = False

    @property
    def alone(self) -> int | None:
        """What keeps it apart from all others: rows that came as a table, or were gathered."""
        return None if isinstance(self.rows, list) and self.ids is None else id(self)


def told_together(notes: Sequence[Note]) -> list[Answered]:
    """Return what the observers are told of notes of one version; where the shadow has yet to answer, it does so now. Raises what its columns or its graph raise."""
    first = notes[0]
    form = first.opened.form
    rows = first.rows if first.alone is not None else [row for note in notes for row in note.rows]
    answers, ids = first.answers, first.ids
    if answers is None:
        arrays, _, ids = form.encode_table(rows) if isinstance(rows, Table) else form.encode(rows)
        answers = first.opened.model.inference.run(arrays)
    elif len(notes) > 1:
        answers = {name: np.concatenate([(note.answers or {})[name] for note in notes]) for name in answers}
    table = rows if isinstance(rows, Table) else Table.of(_columns(rows), name="rows")
    told = form.table_of(answers, ids=ids)
    if len(notes) == 1:
        return [_of(first, table, told)]
    found, start = [], 0
    for note in notes:
        count = len(note.rows)
        pieces = (Table(each.arrow.slice(start, count), name=each.name) for each in (table, told))
        found.append(_of(note, *pieces))
        start += count
    return found


def _of(note: Note, rows: Table, answers: Table) -> Answered:
    return Answered(note.request, note.model, note.opened.version, rows, answers, note.when, note.seconds, note.shadow)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: alike([row.get(name) for row in rows]) for name in names}
