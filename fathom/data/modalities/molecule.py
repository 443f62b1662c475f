"""Molecules written in one line, as SMILES: ``CC(=O)Oc1ccccc1C(=O)O`` is aspirin.

A network reads a molecule as the codes of its atoms, bonds, branches and ring marks, in the order in which they are written (Weininger, "SMILES, a chemical language and information system", Journal of Chemical
Information and Computer Sciences 28(1), 1988); a bracketed atom such as ``[C@@H]`` is one. Simpler models read how often which of them, and which pairs of neighbours, occur, and how large, ringed and
branched the molecule is. Chemistry is not checked: what is no SMILES is read as far as its marks are known.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import numerals, terms
from fathom.data.cells import values as cells
from fathom.data.cells.code_steps import laid_out, steps_for
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import OptionError
from fathom.shapes import Shape

NAME = "molecule"
SHAPE: Shape = "codes"
SUMMARY = "molecules, written as SMILES"
SOURCE = "Weininger, SMILES, a chemical language and information system, 1988, https://doi.org/10.1021/ci00057a005"
PREDICTABLE = False

MARK = r"\[[^\[\]\s]{1,40}\]|Br|Cl|%[0-9]{2}|@@"  # marks of more than one character
ATOM = r"\[[^\[\]\s]{1,40}\]|Br|Cl|[BCNOPSFIbcnops]"
SMILES = rf"^(?:{ATOM}|[-=#$:/\\.()0-9*~]|%[0-9]{{2}})+$"
TOLD_BY = r"[=#()\[\]]|[cno][0-9]"  # what no usual word has: one cell in two holds some
UNKNOWN, FIRST = 1, 2
LEAST_MARKS = 2  # how often a mark occurs that has a code
MOST_MARKS = 500
MOST_READ = 4_000  # characters of a molecule
MOST_STEPS, FEWEST_STEPS = 256, 8
MOST_TERMS = 300
LEARNED_FROM = 40_000
FEWEST_CELLS = 20  # among fewer, what looks like SMILES says little
CHANGED = (0.01, 0.03, 0.06, 0.10, 0.15)  # share of cells with a slip of the pen, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity
LOOKS = {
    "atoms": ATOM,
    "aromatic atoms": r"[bcnops]",
    "hetero atoms": r"Br|Cl|[BNOPSFInops]",
    "halogens": r"Br|Cl|[FI]",
    "ring marks": r"%[0-9]{2}|[0-9]",
    "branches": r"\(",
    "double bonds": r"=",
    "charges": r"[+\-]\]",
    "pieces": r"\.",
}


@dataclass(frozen=True)
class State:
    """The marks that have a code, in the order of the codes; how many steps a molecule has at most; and the marks and pairs that simpler models count."""

    marks: tuple[str, ...]
    steps: int
    terms: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("marks", "terms"):
            object.__setattr__(self, name, cells.as_tuple(getattr(self, name)))


def claim(values: pa.Array) -> Claim:
    """Look whether cells are written in the marks of SMILES, and with such as no usual word has."""
    plain = cells.plain(values)
    if not cells.is_text(plain):
        return Claim(0.0, f"values of type {values.type}")
    known = cells.words_of(plain.filter(pa.array(~missing(plain))))
    if len(known) < FEWEST_CELLS:
        return Claim(0.0, f"fewer than {FEWEST_CELLS} cells with a value")
    some = pc.utf8_slice_codeunits(cells.evenly(known, numerals.LOOK), 0, MOST_READ)
    written = cells.as_mask(pc.match_substring_regex(some, SMILES)).mean()
    told = cells.as_mask(pc.match_substring_regex(some, TOLD_BY)).mean()
    letters = cells.as_mask(pc.match_substring_regex(some, r"[CcNn]")).mean()
    if written >= 0.95 and told >= 0.5 and letters >= 0.9:
        return Claim(
            0.98,
            f"{cells.share_in_words(min(written, 0.9999))} of the cells are written like SMILES, such as {cells.quoted(some, 0)}",
        )
    return Claim(0.0, f"{cells.share_in_words(min(written, 0.9999))} of the cells are written like SMILES")


def _marks_in(values: pa.Array) -> tuple[pa.DictionaryArray, npt.NDArray[np.int64]]:
    """Return the marks of molecules one after the other, and where each molecule's start, ``(row + 1,)``."""
    texts = cells.words_of(values)
    texts = pc.if_else(
        pa.array(missing(texts)), pa.scalar("", texts.type), pc.utf8_slice_codeunits(texts, 0, MOST_READ)
    )
    texts = pc.replace_substring_regex(texts, r"\s", "_")
    parted = pc.utf8_split_whitespace(pc.replace_substring_regex(texts, rf"({MARK}|.)", r"\1 "))
    flat = parted.flatten()
    starts = np.concatenate([[0], np.cumsum(pc.list_value_length(parted).to_numpy(zero_copy_only=False))])
    kept = pc.binary_length(flat).to_numpy(zero_copy_only=False) > 0
    return flat.filter(pa.array(kept)).dictionary_encode(), np.concatenate([[0], np.cumsum(kept)])[starts].astype(
        np.int64
    )


def _codes_in(marks: tuple[str, ...], values: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    found, starts = _marks_in(values)
    place = pc.index_in(found.dictionary, pa.array(marks, found.dictionary.type)).fill_null(-1)
    codes = np.where(np.asarray(place) < 0, UNKNOWN, np.asarray(place) + FIRST).astype(np.int64)
    return codes[cells.places_in(found)], starts


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn the marks, the number of steps and the terms from at most 40,000 molecules, evenly spread."""
    some = cells.evenly(cells.plain(values).filter(pa.array(~missing(values))), LEARNED_FROM)
    found, _ = _marks_in(some)
    often = np.bincount(cells.places_in(found), minlength=len(found.dictionary))
    table = pa.table({"mark": found.dictionary, "often": often}).filter(pc.field("often") >= LEAST_MARKS)
    table = table.sort_by([("often", "descending"), ("mark", "ascending")]).slice(0, MOST_MARKS)
    marks = tuple(table["mark"].to_pylist())
    codes, starts = _codes_in(marks, some)
    learned = terms.learn(codes, starts, len(values), MOST_TERMS)
    return State(marks, steps_for(np.diff(starts), FEWEST_STEPS, MOST_STEPS), learned.keys)


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes of a molecule's marks."""
    return (Part(column, "value", "codes", codes=FIRST + len(state.marks), size=(state.steps,)),)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, step)``, 0 after a molecule's end."""
    return laid_out(*_codes_in(state.marks, values), state.steps)


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: no network of this version writes molecules."""
    raise OptionError("A molecule cannot be predicted. Choose another target, or --columns NAME=category.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark no cell: chemistry is not checked."""
    return np.zeros(len(values), np.bool_)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word that cannot be a molecule."""
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


def features(state: State, values: pa.Array) -> Features:
    """Count marks, pairs of neighbours, atoms, rings, branches and bonds; not known where the cell is missing."""
    codes, starts = _codes_in(state.marks, values)
    known = terms.Terms(state.terms)
    texts = pc.utf8_slice_codeunits(cells.words_of(values), 0, MOST_READ)
    looks = [pc.count_substring_regex(texts, pattern).cast(pa.float64()) for pattern in LOOKS.values()]
    matrix = np.concatenate(
        [np.stack([look.to_numpy(zero_copy_only=False) for look in looks], 1), terms.counted(known, codes, starts)],
        axis=1,
    )
    matrix[missing(values)] = np.nan
    shown = ("", "?", *state.marks)
    named = ["".join(shown[code] for code in divmod(key, 1 << terms.SHIFT)) for key in state.terms]
    return Features(matrix, (*LOOKS, *(f"'{name}'" for name in named)), (0,) * matrix.shape[1])


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Mistype some cells and empty some."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    words = cells.mistype(cells.words_of(values), CHANGED[level], generator)
    return cells.empty_some(words, LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the molecule, shortened."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    word = cells.words_of(pa.array([cell.as_py()], cell.type))
    if missing(word)[0]:
        return "missing"
    text = str(word[0].as_py())
    return text if len(text) <= 120 else f"{text[:119]}…"


def named(state: State, codes: npt.NDArray[np.int32]) -> list[str]:
    """Return the mark that each code stands for."""
    known = [*("" for _ in range(UNKNOWN)), "?", *state.marks]
    return [known[code] for code in codes]


def tell(state: State) -> str:
    """Say what was learned, for the report."""
    return f"read as up to {state.steps:,} of {len(state.marks):,} marks; simpler models count {len(state.terms):,} of them and their pairs"


def sample(count: int, seed: int) -> pa.Array:
    """Chain rings, chains and groups that may follow one another into molecules, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    pieces = pa.array(
        ["C", "CC", "C(C)", "C(=O)", "N", "O", "c1ccccc1", "[C@@H](N)", "C(Cl)", "C1CC1", "C#C"], pa.large_string()
    )
    starts = np.concatenate([[0], np.cumsum(generator.integers(3, 12, count))])
    chosen = pieces.take(pa.array(generator.integers(0, len(pieces), int(starts[-1]))))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(starts, pa.int32()), chosen), pa.scalar("", pieces.type))
    return pc.if_else(pa.array(generator.random(count) < 0.05, pa.bool_()), None, joined.cast(pa.string()))
