"""What a method is: a module that says how much each piece of a row has to do with the answer, by asking what the answer is without some of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kept = npt.NDArray[np.bool_]  # (question, piece): whether the piece is left in the row


@dataclass(frozen=True)
class Part:
    """A piece of a row: a column, or a word, a patch or a stretch of one of its cells, with its ``place`` in the cell (`fathom.data.cells.pieces`)."""

    column: str
    name: str
    place: tuple[float, ...] = ()


@dataclass(frozen=True)
class Question:
    """One row, its pieces, and what the model answers when only some of them are left.

    ``value(kept)`` returns the answer ``(question,)`` for each row of ``kept (question, piece)``: where a column is taken away, the mean over rows of others that
    stand in for it; where a piece of a cell is, without it. ``most`` is how many questions a method may ask.
    """

    parts: Sequence[Part]
    value: Callable[[Kept], Floats] = field(repr=False)
    most: int = 1_000
    seed: int = 0


@dataclass(frozen=True)
class Shares:
    """How much each piece has to do with the answer: ``values (piece,)``, in the answer's unit; what is positive has pushed it up.

    ``base`` is the answer without any piece, ``answer`` that with all; ``questions`` how many were asked.
    """

    values: Floats
    base: float
    answer: float
    questions: int


class Method(Protocol):
    """The contract. ``SUMMARY`` says in a few words what its numbers mean."""

    NAME: str
    SUMMARY: str
    SOURCE: str

    def shares(self, question: Question) -> Shares:
        """Say how much each piece has to do with the answer. The same question and seed give the same shares."""
        ...


def ends(question: Question) -> tuple[float, float]:
    """Return the answers without any piece and with all."""
    both = np.zeros((2, len(question.parts)), np.bool_)
    both[1] = True
    base, answer = question.value(both)
    return float(base), float(answer)
