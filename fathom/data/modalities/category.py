"""Words from a limited set: jobs, colours, grades; also whole numbers or dates that stand for classes.

A word of a limited set becomes its code, which networks look up in a learned table of vectors (Guo and Berkhahn, "Entity
embeddings of categorical variables", 2016). Code 0 is a missing cell, code 1 any word that is rare or was not seen in training,
so that a word which turns up later has a code that was trained. Cells are stripped of blanks at their ends; case counts. Only '',
'na', 'n/a', 'nan', 'null', '?', '#n/a' and '<na>' (in any case) mean missing here: 'none', 'unknown' and '-' may be categories.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import numerals
from fathom.data.cells import values as cells
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import TableError
from fathom.shapes import Shape

NAME = "category"
SHAPE: Shape = "code"
SUMMARY = "words from a limited set"
SOURCE = "Guo and Berkhahn, Entity Embeddings of Categorical Variables, 2016, https://arxiv.org/abs/1604.06737"
PREDICTABLE = True

RESERVED = 2  # codes of an input before its words: missing, and rare or unseen
MOST_WORDS = 1_000  # kept of an input; rarer ones share a code
FEW_WORDS = 100  # up to so many words, each needs two training rows to have its own code; among more, five
MOST_FEATURE_CODES = 255  # the limit of scikit-learn's histogram boosting
SWAPPED = (0.005, 0.01, 0.03, 0.06, 0.10)  # share of cells with another row's word, by severity
MISTYPED = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells with a slip of the pen, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity


@dataclass(frozen=True)
class State:
    """The words that have a code of their own, in the order of the codes, and the Arrow type they were given in.

    An input's words stand by falling frequency, a target's by the alphabet or by their number. ``kept_share`` is the share
    of the training cells with a value that hold one of the words.
    """

    words: tuple[str, ...]
    kind: str
    role: Role
    kept_share: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", cells.as_tuple(self.words))

    @property
    def reserved(self) -> int:
        """The number of codes before the words."""
        return 0 if self.role == "target" else RESERVED


def claim(values: pa.Array) -> Claim:
    """Weigh the number of different words against the rows; amounts, dates, and true and false are claimed by others."""
    words, rows = cells.tally(values)
    total, distinct = int(rows.sum()), len(words)
    if not distinct:
        return Claim(0.0, "no cell has a value")
    reason = f"{distinct:,} different {'word' if distinct == 1 else 'words'} in {total:,} rows"
    confidence = _confidence(distinct, total)
    plain = cells.plain(values)
    if not cells.is_text(plain):
        whole = pa.types.is_integer(plain.type) or pa.types.is_boolean(plain.type)
        reason = reason.replace("word", "value")
        return Claim(min(confidence, 0.4 if whole and distinct <= 10 else 0.2), reason)
    return _among_numbers(words, rows, Claim(confidence, reason))


def _confidence(distinct: int, total: int) -> float:
    average = total / distinct
    if average < 1.5 and distinct > 2:
        return 0.2
    if distinct <= 50:
        return 0.9 if average >= 2 else 0.5
    return 0.85 if average >= 5 else 0.5 if average >= 2 else 0.25


def _among_numbers(words: pa.Array, rows: cells.Counts, claimed: Claim) -> Claim:
    """Lower the claim where the words are numbers, unless they are codes or the words among them keep coming back."""
    total, distinct = rows.sum(), len(words)
    looked = cells.evenly(pa.array(np.arange(distinct)), numerals.LOOK)
    some, counts = words.take(looked), rows[looked.to_numpy()]
    numbers = np.isfinite(numerals.parse(some, numerals.find_form(some)))
    share = counts[numbers].sum() / counts.sum()
    if share < 0.8:
        return claimed
    if share == 1.0:
        lengths = pc.utf8_length(some)
        code = pc.min(lengths).as_py() == pc.max(lengths).as_py() > 1 and pc.any(pc.starts_with(some, "0")).as_py()
        digits = numerals.whole_cells(some).all()
        if code and digits:
            return Claim(claimed.confidence, f"{claimed.reason}; codes written in digits")
        return Claim(min(claimed.confidence, 0.4 if digits and distinct <= 10 else 0.2), claimed.reason)
    if distinct <= 20 and counts[~numbers].min() >= max(3, 0.005 * total):
        other = cells.quoted(some, int(np.argmin(numbers)))
        return Claim(min(claimed.confidence, 0.7), f"{claimed.reason}; not all are numbers: {other} keeps coming back")
    return Claim(min(claimed.confidence, 0.2), claimed.reason)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn which words have a code of their own.

    Of an input: the most frequent, at most 1,000, each on two training rows or more, and among more than 100 words on five
    or more. The rest share the code for rare and unseen. Of a target: all.

    Raises TableError for a target without any value.
    """
    words, rows = cells.tally(values)
    kind = cells.kind_name(values)
    if role == "target":
        if not len(words):
            raise TableError(
                f"None of the {len(values):,} training cells of the target has a value. Choose another target."
            )
        return State(tuple(_in_order(words)), kind, role, 1.0)
    least = 2 if len(words) <= FEW_WORDS else 5
    table = pa.table({"word": words, "rows": rows}).filter(pc.field("rows") >= least)
    table = table.sort_by([("rows", "descending"), ("word", "ascending")]).slice(0, MOST_WORDS)
    kept = pc.sum(table["rows"]).as_py() or 0
    return State(tuple(table["word"].to_pylist()), kind, role, kept / max(int(rows.sum()), 1))


def _in_order(words: pa.Array) -> list[str]:
    """Return the words by their number if all are numbers, else by the alphabet."""
    numbers = numerals.parse(words)
    table = pa.table({"number": np.zeros(len(words)) if np.isnan(numbers).any() else numbers, "word": words})
    ordered: list[str] = table.sort_by([("number", "ascending"), ("word", "ascending")])["word"].to_pylist()
    return ordered


def _codes(state: State, values: pa.Array) -> npt.NDArray[np.int64]:
    """Return each cell's place among the words ``(row,)``, -1 for a word that is none of them and -2 for a missing cell."""
    encoded = cells.encoded_once(values)
    words = cells.words_of(encoded.dictionary)
    known = pa.array(state.words, words.type)
    codes = pc.index_in(words, known)
    if not cells.is_text(cells.plain(encoded.dictionary.slice(0, 0))) or state.kind != "string":
        codes = pc.coalesce(codes, pc.index_in(_plainer(words), _first_only(_plainer(known))))
    found = np.append(np.asarray(codes.fill_null(-1).to_numpy(zero_copy_only=False), np.int64), -2)
    found[:-1][cells.missing_mask(words, cells.MISSING_ANYWHERE)] = -2
    return found[cells.places_in(encoded)]


def _plainer(words: pa.Array) -> pa.Array:
    """Return words that are numbers, true or false as the same value of a number or truth type is written."""
    small = pc.utf8_lower(words)
    words = pc.if_else(pc.is_in(small, pa.array(["true", "false"], small.type)), small, words)
    numbers = numerals.parse(words)
    exact = np.abs(np.nan_to_num(numbers, nan=np.inf)) < 2.0**53
    return pc.if_else(pa.array(exact), cells.words_of(pa.array(np.where(exact, numbers, 0.0))), words)


def _first_only(words: pa.Array) -> pa.Array:
    """Return the words with null for each that occurred before: '3' and '3.0' may both be words of a text column."""
    first = np.zeros(len(words), np.bool_)
    first[np.unique(cells.places_in(words.dictionary_encode()), return_index=True)[1]] = True
    return pc.if_else(pa.array(first, pa.bool_()), words, pa.scalar(None, words.type))


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes: those reserved, then one for each word."""
    return (Part(column, "value", "code", codes=state.reserved + len(state.words)),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, 1)``; a target's cell that is missing or none of its words becomes -1."""
    codes = _codes(state, values)
    codes = np.maximum(codes, -1) if state.role == "target" else codes + RESERVED
    return codes.astype(np.int32)[:, None]


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Turn probabilities ``(row, class)`` into the likeliest word, in the type that the column had."""
    likeliest = np.asarray(answer)[:, state.reserved :].argmax(axis=1) if len(answer) else np.empty(0, np.int64)
    return cells.restored(pa.array(state.words, pa.string()), state.kind).take(pa.array(likeliest))


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark no cell: any word can be a category."""
    return np.zeros(len(values), np.bool_)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word that cannot be a category."""
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


def features(state: State, values: pa.Array) -> Features:
    """Make one category feature of at most 255 codes; the rarest words share the last."""
    size = min(len(state.words) + RESERVED, MOST_FEATURE_CODES)
    codes = np.minimum(_codes(state, values) + RESERVED, size - 1)
    return Features(codes.astype(np.float64)[:, None], ("value",), (size,))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Put other rows' words into some cells, mistype some and empty some."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    values = cells.plain(values)
    other = values.take(pa.array(generator.permutation(len(values))))
    values = pc.if_else(pa.array(generator.random(len(values)) < SWAPPED[level], pa.bool_()), other, values)
    if cells.is_text(values):
        values = cells.mistype(values, MISTYPED[level], generator)
    return cells.empty_some(values, LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the word that stands for the value."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    word = cells.words_of(pa.array([cell.as_py()], cell.type))
    return "missing" if missing(word)[0] else str(word[0].as_py())


def sample(count: int, seed: int) -> pa.Array:
    """Make jobs, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    jobs = np.array(["nurse", "cook", "driver", "teacher", "none of these", "Köchin"])
    chosen = generator.choice(jobs, count, p=[0.35, 0.25, 0.15, 0.12, 0.08, 0.05])
    return pa.array(chosen, pa.string(), mask=generator.random(count) < 0.05)
