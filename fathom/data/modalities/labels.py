"""Sets of labels: ``red;blue``, ``action|comedy``, or a list of words: any number of words from a limited set, whose order says nothing.

A network reads the set as the codes of its labels, simpler models as a mark for each label. Code 0 is no label, 1 a label that is rare or was not seen in training. Labels are stripped of blanks at their ends, case counts,
and one that is named twice counts once. A list without a label is missing, like an empty cell.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import numerals
from fathom.data.cells import values as cells
from fathom.data.cells.code_steps import laid_out, steps_for
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import OptionError
from fathom.shapes import Shape

NAME = "labels"
SHAPE: Shape = "codes"
SUMMARY = "sets of words from a limited set, such as red;blue"
SOURCE = "Zaheer et al., Deep Sets, NeurIPS 2017, https://arxiv.org/abs/1703.06114"
PREDICTABLE = False

SEPARATORS = (";", "|", ",")
UNKNOWN, FIRST = 1, 2
LEAST_ROWS = 2  # training rows that a label stands on to have a code
MOST_LABELS = 1_000
MOST_FEATURES = 200  # labels that simpler models see, the most frequent
MOST_STEPS, FEWEST_STEPS = 64, 2
MOST_READ = 10_000  # characters of a cell
MOST_WORDS = 2.5  # of a label on average: with more, they are clauses
LEAST_SETS = 0.2  # of the cells name two labels or more
LEAST_OFTEN = 4.0  # rows on which a label stands, on average
LEFT_OUT = (0.01, 0.03, 0.06, 0.10, 0.15)  # share of labels left out, by severity
MISTYPED = (0.01, 0.02, 0.04, 0.07, 0.10)  # share of labels with a slip of the pen, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """What stands between labels (empty for lists), the labels that have a code, the most frequent first, and how many a cell has at most."""

    separator: str
    labels: tuple[str, ...]
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", cells.as_tuple(self.labels))


def _is_list(values: pa.Array) -> bool:
    """Say whether the values are lists of strings."""
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return bool(pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))


def _sets(values: pa.Array, separator: str) -> tuple[pa.Array, Numbers]:
    """Return the labels of all cells one after the other, stripped, and where each cell's start, ``(row + 1,)``."""
    if _is_list(values):
        parted = pc.fill_null(values, pa.scalar([], values.type))
    else:
        texts = cells.words_of(values)
        texts = pc.if_else(
            pa.array(missing(texts)), pa.scalar("", texts.type), pc.utf8_slice_codeunits(texts, 0, MOST_READ)
        )
        parted = pc.split_pattern(texts, separator or SEPARATORS[0])
    flat = pc.utf8_trim_whitespace(parted.flatten().cast(pa.large_string()))
    starts = np.concatenate([[0], np.cumsum(pc.list_value_length(parted).to_numpy(zero_copy_only=False))]).astype(
        np.int64
    )
    kept = cells.as_mask(pc.greater(pc.binary_length(flat), 0))
    return flat.filter(pa.array(kept)), np.concatenate([[0], np.cumsum(kept)])[starts].astype(np.int64)


def claim(values: pa.Array) -> Claim:
    """Look whether cells part into words that keep coming back in other company."""
    if _is_list(values):
        return Claim(0.9, "lists of words")
    plain = cells.plain(values)
    if not cells.is_text(plain):
        return Claim(0.0, f"values of type {values.type}")
    known = cells.evenly(plain.filter(pa.array(~missing(plain))), numerals.LOOK)
    claims = [_claim(known, separator) for separator in SEPARATORS] if len(known) else []
    return max(claims, key=lambda claimed: claimed.confidence, default=Claim(0.0, "no cell has a value"))


def _claim(known: pa.Array, separator: str) -> Claim:
    labels, starts = _sets(known, separator)
    sets = float((np.diff(starts) >= 2).mean())
    if sets < LEAST_SETS:
        return Claim(0.0, f"few cells hold {separator!r}")
    distinct, cells_distinct = pc.count_distinct(labels).as_py(), pc.count_distinct(known).as_py()
    words = float(np.mean(pc.list_value_length(pc.utf8_split_whitespace(labels)).to_numpy()))
    lettered = float(cells.as_mask(pc.match_substring_regex(labels, r"\p{L}")).mean())
    reason = f"{len(labels) / len(known):.1f} labels a cell between {separator!r}, {distinct:,} different ones"
    often = len(labels) / max(distinct, 1)
    if often < LEAST_OFTEN or words > MOST_WORDS or 2 * distinct > cells_distinct or lettered < 0.5:
        return Claim(0.1, f"{reason}, which seldom come back in other company")
    return Claim(0.92, reason)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn what stands between labels, which labels have a code, and how many a cell has."""
    separator = "" if _is_list(values) else _separator(values)
    labels, starts = _sets(values, separator)
    encoded = labels.dictionary_encode()
    row = np.repeat(np.arange(len(values)), np.diff(starts))
    once = np.unique(row * (len(encoded.dictionary) + 1) + cells.places_in(encoded))
    often = np.bincount(once % (len(encoded.dictionary) + 1), minlength=len(encoded.dictionary))
    table = pa.table({"label": encoded.dictionary, "rows": often}).filter(pc.field("rows") >= LEAST_ROWS)
    table = table.sort_by([("rows", "descending"), ("label", "ascending")]).slice(0, MOST_LABELS)
    counts = np.bincount(once // (len(encoded.dictionary) + 1), minlength=len(values))
    return State(separator, tuple(table["label"].to_pylist()), steps_for(counts[counts > 0], FEWEST_STEPS, MOST_STEPS))


def _separator(values: pa.Array) -> str:
    """Return the separator whose labels are claimed most surely, the first of equals."""
    plain = cells.plain(values)
    known = cells.evenly(plain.filter(pa.array(~missing(plain))), numerals.LOOK)
    if not cells.is_text(plain) or not len(known):
        return SEPARATORS[0]
    return max(SEPARATORS, key=lambda separator: (_claim(known, separator).confidence, -SEPARATORS.index(separator)))


def _codes_in(state: State, values: pa.Array) -> tuple[Numbers, Numbers]:
    """Return each cell's codes, rising, each once, one cell after the other, and where each cell's start."""
    labels, starts = _sets(values, state.separator)
    encoded = labels.dictionary_encode()
    place = np.asarray(pc.index_in(encoded.dictionary, pa.array(state.labels, pa.large_string())).fill_null(-1))
    codes = np.where(place < 0, UNKNOWN, place + FIRST).astype(np.int64)[cells.places_in(encoded)]
    wide = FIRST + len(state.labels)
    once = np.unique(np.repeat(np.arange(len(values)), np.diff(starts)) * wide + codes)
    return once % wide, np.searchsorted(once // wide, np.arange(len(values) + 1)).astype(np.int64)


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes of a cell's labels."""
    return (Part(column, "value", "codes", codes=FIRST + len(state.labels), size=(state.steps,)),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, step)``, rising; of more labels than steps, the most frequent."""
    laid = laid_out(*_codes_in(state, values), state.steps)
    nothing_but_separators = ~missing(values) & ~laid.any(axis=1)
    laid[nothing_but_separators, 0] = UNKNOWN
    return laid


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: no network of this version writes sets."""
    raise OptionError("A column of labels cannot be predicted. Choose another target, or --columns NAME=category.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark no cell: any word can be a label."""
    return np.zeros(len(values), np.bool_)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing, an empty list, or a word that cannot be a label."""
    if _is_list(values):
        return cells.as_mask(pc.or_(values.is_null(), pc.equal(pc.fill_null(pc.list_value_length(values), 0), 0)))
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


def features(state: State, values: pa.Array) -> Features:
    """Mark the most frequent labels, 1 or 0, and count them all; not known where the cell is missing."""
    codes, starts = _codes_in(state, values)
    shown = state.labels[:MOST_FEATURES]
    row, seen = np.repeat(np.arange(len(values)), np.diff(starts)), codes < FIRST + len(shown)
    matrix = np.zeros((len(values), 1 + len(shown)))
    matrix[:, 0] = np.diff(starts)
    known = seen & (codes >= FIRST)
    matrix[row[known], codes[known] - FIRST + 1] = 1.0
    matrix[missing(values)] = np.nan
    return Features(matrix, ("labels", *(repr(label) for label in shown)), (0,) * matrix.shape[1])


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Leave out and mistype labels, and empty some cells."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    separator = _separator(values)
    labels, starts = _sets(values, separator)
    labels = cells.mistype(labels, MISTYPED[level], generator)
    kept = generator.random(len(labels)) >= LEFT_OUT[level]
    kept[starts[:-1][np.diff(starts) > 0]] = True  # a cell keeps its first
    ends = pa.array(np.concatenate([[0], np.cumsum(kept)])[starts], pa.int32())
    again = pa.ListArray.from_arrays(ends, labels.filter(pa.array(kept)))
    if not _is_list(values):
        again = pc.binary_join(again, pa.scalar(separator, labels.type))
    return cells.empty_some(pc.if_else(values.is_valid(), again, pa.scalar(None, again.type)), LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the labels with commas between them."""
    plain = value.as_py() if isinstance(value, pa.Scalar) else value
    cell = pa.array([plain], pa.list_(pa.string())) if isinstance(plain, list) else pa.array([plain])
    if missing(cell)[0]:
        return "missing"
    text = ", ".join(_sets(cell, state.separator)[0].to_pylist()) or str(plain)
    return text if len(text) <= 120 else f"{text[:119]}…"


def tell(state: State) -> str:
    """Say what was learned, for the report."""
    return f"read as up to {state.steps:,} of {len(state.labels):,} labels"


def sample(count: int, seed: int) -> pa.Array:
    """Draw colours, one to four a cell, one cell in twenty missing."""
    generator = np.random.default_rng(seed)
    colours = pa.array(["red", "blue", "green", "Türkis", "light grey", "黒"], pa.large_string())
    ranks = generator.random((count, len(colours))).argsort(axis=1)
    chosen = np.arange(len(colours)) < generator.integers(1, 5, count)[:, None]
    starts = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
    words = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), colours.take(pa.array(ranks[chosen])))
    joined = pc.binary_join(words, pa.scalar(";", colours.type)).cast(pa.string())
    return pc.if_else(pa.array(generator.random(count) < 0.05, pa.bool_()), None, joined)
