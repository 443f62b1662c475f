"""One row becomes a question: its pieces, and what the model answers when some of them are taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.cells.pieces import Piece
from fathom.data.encoding import Column, inputs_of
from fathom.data.table import Table
from fathom.reasons.contract import Floats, Kept, Part, Question
from fathom.shapes import FLAT

STAND_INS = 16  # rows whose values stand in for a column that is taken away
ROWS_AT_ONCE = 4_096
FEWEST_QUESTIONS = 64  # that a method may ask of a row, whatever it costs


@dataclass(frozen=True)
class Subject:
    """A model and one row of it: ``row`` holds the input columns of the row, ``others`` those of rows of training; ``answer`` answers rows ``(row,)`` with one number each.

    Of ``others`` the flat columns are used; their values stand in for a column that is taken away, so that the row stays one that can be (Lundberg and Lee, 2017, section
    4: interventional expectations). A deep column, such as a text, falls into its pieces or, where it has none, is taken away by leaving its cell empty.
    """

    columns: Sequence[Column]
    row: Table
    others: Table
    answer: Callable[[Table], Floats] = field(repr=False)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that the model reads, in the order of the table."""
        return inputs_of(self.columns)

    def pieces(self, column: Column) -> tuple[Piece, ...]:
        """Return the pieces of the row's cell of a column; none of a flat column, or of one that does not fall into pieces."""
        assert column.kind is not None
        if column.kind.SHAPE in FLAT or not hasattr(column.kind, "pieces_of"):
            return ()
        found: tuple[Piece, ...] = column.kind.pieces_of(column.state, self.row.column(column.name))
        return found if len(found) > 1 else ()


def question_of(subject: Subject, most_rows: int = 8_192, seed: int = 0) -> Question:
    """Return the question about a subject. All questions together answer about ``most_rows`` rows.

    >>> from fathom.data.modalities import number
    >>> values = pa.array([1.0, 2.0, 3.0])
    >>> column = Column("x", "input", number, 1.0, "", number.learn(values))
    >>> rows = Table.of({"x": values})
    >>> asked = question_of(Subject([column], rows.take([2]), rows, lambda rows: 2 * rows.column("x").to_numpy()))
    >>> asked.value(np.array([[False], [True]])).tolist()
    [4.0, 6.0]
    """
    parts: list[Part] = []
    of_column: dict[str, list[int]] = {}
    for column in subject.inputs:
        pieces = subject.pieces(column)
        made = [Part(column.name, piece.name, piece.place) for piece in pieces] or [Part(column.name, column.name)]
        of_column[column.name] = list(range(len(parts), len(parts) + len(made)))
        parts += made
    flat = [column for column in subject.inputs if column.kind is not None and column.kind.SHAPE in FLAT]
    count = min(STAND_INS, subject.others.rows) if flat else 1
    spread = np.linspace(0, max(subject.others.rows - 1, 0), max(count, 1)).astype(np.int64)
    standing = {
        column.name: beside(subject.row.column(column.name), subject.others.column(column.name).take(pa.array(spread)))
        for column in flat
        if count
    }
    count = max(count, 1)

    def value(kept: Kept) -> Floats:
        at_once = max(1, ROWS_AT_ONCE // count)
        pieces = [kept[start : start + at_once] for start in range(0, len(kept), at_once)]
        return np.concatenate([np.zeros(0), *(answered(piece) for piece in pieces)])

    def answered(kept: Kept) -> Floats:
        every = np.repeat(kept, count, axis=0)  # (question x stand-in, piece)
        stand_in = np.tile(np.arange(1, count + 1), len(kept))
        made = {}
        for column in subject.inputs:
            there = every[:, of_column[column.name]]
            if column.name in standing:
                made[column.name] = standing[column.name].take(pa.array(np.where(there[:, 0], 0, stand_in)))
            else:
                own = without(column, subject.row.column(column.name), kept[:, of_column[column.name]])
                made[column.name] = own.take(pa.array(np.repeat(np.arange(len(kept)), count)))
        return np.asarray(subject.answer(Table.of(made)).reshape(len(kept), count).mean(axis=1), np.float64)

    return Question(parts, value, max(FEWEST_QUESTIONS, most_rows // count), seed)


def fewest_rows(columns: Sequence[Column]) -> int:
    """Return how many rows a method may answer for one row at least: each question of one with flat columns is answered once for each row that stands in."""
    flat = any(column.kind is not None and column.kind.SHAPE in FLAT for column in inputs_of(columns))
    return FEWEST_QUESTIONS * (STAND_INS if flat else 1)


def without(column: Column, cell: pa.Array, kept: npt.NDArray[np.bool_]) -> pa.Array:
    """Return the one cell of a column once for each row of ``kept (cell, piece)``, with the pieces that are kept; as it is where all are."""
    assert column.kind is not None
    if kept.shape[1] > 1:
        changed = column.kind.without(column.state, cell, ~kept)  # type: ignore[attr-defined]
        if kept.all(axis=1).any():
            whole = beside(changed, cell)
            place = np.where(kept.all(axis=1), len(changed), np.arange(len(changed)))
            return whole.take(pa.array(place)) if whole.type == changed.type else changed
        return changed
    pair = pa.concat_arrays([cell, pa.nulls(1, cell.type)])
    return pair.take(pa.array(np.where(kept[:, 0], 0, 1)))


def beside(cell: pa.Array, others: pa.Array) -> pa.Array:
    """Return the cells one after the other, ``cell`` first; where they are of different types, as text.

    >>> beside(pa.array(["41"]), pa.array([38.5, None])).to_pylist()
    ['41', '38.5', None]
    """
    if cell.type == others.type:
        return pa.concat_arrays([cell, others])
    try:
        return pa.concat_arrays([cell, others.cast(cell.type)])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = [*cell.to_pylist(), *others.to_pylist()]
        return pa.array([None if value is None else str(value) for value in values], pa.string())
