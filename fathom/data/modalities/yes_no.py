"""Yes or no: columns of two words that mean so, in several languages, of 0 and 1, or of true and false."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import values as cells
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import TableError
from fathom.shapes import Shape

NAME = "yes_no"
SHAPE: Shape = "code"
SUMMARY = "two answers: yes and no, true and false, on and off, 1 and 0"
SOURCE = "the words that spreadsheets, databases and forms write for true and false; no published method"
PREDICTABLE = True

PAIRS = (
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("0", "1"),
    ("0.0", "1.0"),
    ("off", "on"),
    ("nein", "ja"),
    ("nee", "ja"),
    ("nej", "ja"),
    ("non", "oui"),
    ("no", "si"),
    ("no", "sí"),
    ("no", "sì"),
    ("não", "sim"),
    ("nao", "sim"),
    ("nie", "tak"),
    ("нет", "да"),
    ("否", "是"),
    ("いいえ", "はい"),
)
NO_WORDS = tuple(dict.fromkeys(no for no, _ in PAIRS))
YES_WORDS = tuple(dict.fromkeys(yes for _, yes in PAIRS))
MISSING, UNSEEN, NO, YES = 0, 1, 2, 3  # the codes of an input; a target's are 0 for no and 1 for yes
FLIPPED = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of answers turned round, by severity
LOOK = 20_000  # cells looked at before all are
MOST_SPELLINGS = 12  # two words in several spellings: Yes, YES, yes
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity


@dataclass(frozen=True)
class State:
    """The two words as they stood most often, the Arrow type they were given in, and what the column is for."""

    no: str
    yes: str
    kind: str
    role: Role


def _codes(values: pa.Array) -> npt.NDArray[np.int32]:
    """Return 0 for missing, 1 for any other word, 2 for no and 3 for yes ``(row,)``."""
    encoded = cells.encoded_once(values)
    words = cells.words_of(encoded.dictionary)
    small = pc.utf8_lower(words)
    codes = np.full(len(words) + 1, UNSEEN, np.int32)
    codes[:-1][cells.as_mask(pc.is_in(small, pa.array(NO_WORDS, small.type)))] = NO
    codes[:-1][cells.as_mask(pc.is_in(small, pa.array(YES_WORDS, small.type)))] = YES
    codes[:-1][cells.missing_mask(words)] = MISSING
    codes[-1] = MISSING  # where a cell is null, its place -1 finds this
    return codes[cells.places_in(encoded)]


def claim(values: pa.Array) -> Claim:
    """Look whether the column holds the two words of a known pair and no other."""
    if len(cells.tally(cells.evenly(values, LOOK), cells.MISSING_WORDS)[0]) > MOST_SPELLINGS:
        return Claim(0.0, "more than two different values")
    words, rows = cells.tally(values, cells.MISSING_WORDS)
    if len(words) > MOST_SPELLINGS:
        return Claim(0.0, "more than two different values")
    small = {word.lower() for word in words.to_pylist()}
    pair = next((pair for pair in PAIRS if small == set(pair)), None)
    if pa.types.is_boolean(cells.plain(values).type):
        return Claim(0.98, "true or false")
    if pair:
        return Claim(0.97, f"all {rows.sum():,} cells with a value are {pair[0]} or {pair[1]}")
    if len(small) == 1 and (word := small.pop()) in (*NO_WORDS, *YES_WORDS):
        return Claim(0.8 if len(word) > 1 else 0.3, f"every cell with a value is {word}")
    return Claim(0.0, "not a pair of words for yes and no")


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn how the two words are spelled.

    Raises TableError when no cell is a word for yes or no.
    """
    words, rows = cells.tally(values, cells.MISSING_WORDS)
    codes = _codes(words)
    if not (codes >= NO).any() and (len(words) or role == "target"):
        first = f"the first is {cells.quoted(words, 0)}" if len(words) else "every cell is missing"
        raise TableError(
            f"None of the {len(values):,} training cells is a word for yes or no: {first}. "
            "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
        )
    no, yes = _spelling(words, rows, codes == NO), _spelling(words, rows, codes == YES)
    for pair in PAIRS:  # a word that training rows lack
        no = no or (pair[0] if yes.lower() == pair[1] else "")
        yes = yes or (pair[1] if no.lower() == pair[0] else "")
    return State(no or "no", yes or "yes", cells.kind_name(values), role)


def _spelling(words: pa.Array, rows: cells.Counts, marks: cells.Mask) -> str:
    """Return the most frequent of the marked words, the first by letter among equals; empty for none."""
    if not marks.any():
        return ""
    most = rows == rows[marks].max()
    return str(min(words.filter(pa.array(marks & most)).to_pylist()))


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes: missing, unseen, no, yes for an input, and no, yes for a target."""
    return (Part(column, "value", "code", codes=2 if state.role == "target" else 4),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, 1)``; a target's cell that is neither yes nor no becomes -1."""
    codes = _codes(values)
    return (np.maximum(codes - NO, -1) if state.role == "target" else codes)[:, None]


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Turn probabilities ``(row, class)`` of no and yes into the likelier word, in the type that the column had."""
    likelier = np.asarray(answer).reshape(len(answer), -1).argmax(axis=1) if len(answer) else np.empty(0, np.int64)
    return cells.restored(pa.array([state.no, state.yes], pa.string()), state.kind).take(pa.array(likelier))


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that are neither missing nor a word for yes or no."""
    marks: npt.NDArray[np.bool_] = _codes(values) == UNSEEN
    return marks


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word for missing."""
    return cells.missing_mask(values)


def features(state: State, values: pa.Array) -> Features:
    """Make one feature: 1 for yes, 0 for no, NaN for anything else."""
    codes = _codes(values)
    return Features(np.where(codes >= NO, codes - NO, np.nan).astype(np.float64)[:, None], ("value",), (0,))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Turn 1 to 15 % of the answers round and empty as many."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    codes = _codes(values)
    values = cells.plain(values)
    if (codes >= NO).any() and not pa.types.is_temporal(values.type):
        state = learn(values)
        words = cells.restored(pa.array([state.no, state.yes], pa.string()), state.kind).cast(values.type)
        other = words.take(pa.array(np.where(codes == YES, 0, 1)))
        flipped = (generator.random(len(values)) < FLIPPED[level]) & (codes >= NO)
        values = pc.if_else(pa.array(flipped), other, values)
    return cells.empty_some(values, LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the column's own word for the value."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    code = int(_codes(pa.array([cell.as_py()], cell.type))[0])
    return ("missing", str(cell.as_py()).strip(), state.no, state.yes)[code]


def sample(count: int, seed: int) -> pa.Array:
    """Make answers, seven of ten yes and one in twenty missing."""
    generator = np.random.default_rng(seed)
    answers = np.where(generator.random(count) < 0.7, "yes", "no")
    return pa.array(answers, pa.string(), mask=generator.random(count) < 0.05)
