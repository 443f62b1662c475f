"""Names of single things: keys, serial numbers, addresses, which tell rows apart and repeat seldom.

An identifier teaches a network only where the same thing comes back. Its cells are hashed into a fixed number of buckets, each
a code (Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009), so no list of names is kept.
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
from fathom.data.rows.hashing import hash_values
from fathom.errors import OptionError
from fathom.shapes import Shape

NAME = "id"
SHAPE: Shape = "code"
SUMMARY = "names of single things: keys, serial numbers, addresses"
SOURCE = (
    "Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009, https://arxiv.org/abs/0902.2206"
)
PREDICTABLE = False

FEWEST_ROWS = 20  # among fewer, that all differ says little
MOST_BUCKETS = 4096
MOST_FEATURE_CODES = 255  # the limit of scikit-learn's histogram boosting
LONG = 10  # digits from which whole numbers of equal length look like codes
CODE = r"^[A-Za-z0-9@#{(][A-Za-z0-9_\-./:#@+{}()]*$"  # no blank inside
YEARS = ((1500, 2200), (2, 150))  # consecutive numbers in these ranges may be years, of four digits or two
EPOCHS = ((1e9, 2e9), (1e12, 2e12))  # seconds and milliseconds since 1970, from 2001 to 2033: moments and no codes
MISTYPED = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells with a slip of the pen, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity


@dataclass(frozen=True)
class State:
    """Into how many buckets cells are hashed; code 0 is a missing cell, the buckets are codes 1 to ``buckets``."""

    buckets: int


def claim(values: pa.Array) -> Claim:
    """Look whether all cells differ and look like keys: codes without blanks, row numbers, or long whole numbers."""
    values = cells.plain(values)
    known = values.filter(pa.array(~missing(values)))
    if len(known) < FEWEST_ROWS:
        return Claim(0.0, f"fewer than {FEWEST_ROWS} cells with a value")
    if pa.types.is_temporal(known.type) or pa.types.is_boolean(known.type) or pa.types.is_decimal(known.type):
        return Claim(0.0, f"values of type {known.type}")
    words = cells.words_of(known)
    distinct = pc.count_distinct(words).as_py()
    if distinct < len(words):
        share = cells.share_in_words(distinct / len(words))
        return Claim(0.1, f"values repeat: {share} of the cells are different")
    if numerals.whole_cells(words).all():
        return _claim_whole(words)
    if pa.types.is_floating(known.type):
        return Claim(0.0, "decimal numbers")
    some = cells.evenly(words, numerals.LOOK)
    codes = cells.as_mask(pc.match_substring_regex(some, CODE)) & cells.as_mask(
        pc.match_substring_regex(some, r"[0-9@]")
    )
    numbers = np.isfinite(numerals.parse(some, numerals.find_form(some)))
    if codes.mean() >= 0.95 and numbers.mean() < 0.5:
        return Claim(0.97, f"all {len(known):,} cells differ and look like codes, such as {cells.quoted(some, 0)}")
    return Claim(0.1, f"all {len(known):,} cells differ, but they do not look like codes")


def _claim_whole(words: pa.Array) -> Claim:
    numbers = numerals.parse(words)
    steps = np.diff(numbers)
    low, high = float(numbers.min()), float(numbers.max())
    lengths = pc.unique(pc.utf8_length(words))
    if any(start <= low and high <= end for start, end in YEARS):
        return Claim(0.1, "all cells differ, but they may be years")
    # Other regular steps are rather a time or a scale.
    if high < 2.0**53 and abs(steps[0]) == 1 and (steps == steps[0]).all():
        return Claim(0.97, f"row numbers: all {len(words):,} cells differ by 1 from the one before")
    if high - low == len(words) - 1 and high < 2.0**53:
        return Claim(0.96, f"row numbers: each number from {low:.0f} to {high:.0f} once, in another order")
    # The training rows of a numbered table are its numbers with gaps. Amounts that fill half of their range never differ all.
    if high - low < 2 * len(words) and high < 2.0**53:
        return Claim(
            0.96, f"row numbers: all {len(words):,} cells differ and fill {low:.0f} to {high:.0f} but for gaps"
        )
    if len(lengths) == 1 and lengths[0].as_py() > 1 and pc.any(pc.starts_with(words, "0")).as_py():
        return Claim(
            0.9, f"all {len(words):,} cells differ and are codes written in digits, such as {words[0].as_py()}"
        )
    if any(start <= low and high < end for start, end in EPOCHS):
        return Claim(0.5, "all cells differ, but they may be moments, counted since 1970")
    if max(abs(low), abs(high)) > 2.0**53 or (len(lengths) == 1 and lengths[0].as_py() >= LONG):
        return Claim(0.97, f"all {len(words):,} cells differ and are long whole numbers, such as {words[0].as_py()}")
    return Claim(0.2, f"all {len(words):,} cells differ, but as whole numbers often do")


def learn(values: pa.Array, role: Role = "input") -> State:
    """Choose the number of buckets: a power of two, about the number of different cells, at most 4,096.

    Raises OptionError for a target.
    """
    if role == "target":
        raise OptionError(
            "An id column cannot be predicted: each row has its own. Choose another target, or --columns NAME=category."
        )
    distinct = len(cells.tally(values)[0])
    return State(min(MOST_BUCKETS, 1 << max(4, (max(distinct, 1) - 1).bit_length())))


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes: missing, then the buckets."""
    return (Part(column, "value", "code", codes=state.buckets + 1),)


def _buckets(values: pa.Array, count: int) -> npt.NDArray[np.int64]:
    """Return the bucket of each cell ``(row,)``, 1 to ``count``, and 0 where it is missing."""
    words = cells.words_of(values)
    buckets = (hash_values(words) % np.uint64(count)).astype(np.int64) + 1
    return np.where(missing(words), 0, buckets)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, 1)``."""
    return _buckets(values, state.buckets).astype(np.int32)[:, None]


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: buckets cannot be turned back into names."""
    raise OptionError("An id column cannot be predicted. Choose another target, or --columns NAME=category.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark no cell: anything can be a name."""
    return np.zeros(len(values), np.bool_)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word that cannot be a name."""
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


def features(state: State, values: pa.Array) -> Features:
    """Make one category feature of at most 255 codes."""
    size = min(state.buckets + 1, MOST_FEATURE_CODES)
    return Features(_buckets(values, size - 1).astype(np.float64)[:, None], ("value",), (size,))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Mistype some cells and empty some; numbers move by one."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    words = cells.mistype(cells.words_of(values), MISTYPED[level], generator)
    return cells.empty_some(words, LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the name."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    word = cells.words_of(pa.array([cell.as_py()], cell.type))
    return "missing" if missing(word)[0] else str(word[0].as_py())


def sample(count: int, seed: int) -> pa.Array:
    """Make serial numbers that all differ."""
    generator = np.random.default_rng(seed)
    numbers = pa.array(10_000_000 + generator.permutation(max(2 * count, 1))[:count]).cast(pa.string())
    return pc.binary_join_element_wise("SN", numbers, "-")
