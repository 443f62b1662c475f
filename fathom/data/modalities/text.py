"""Text: sentences, articles, mails, names, in any language and script.

A network reads a text as the codes of its subwords (`fathom.data.cells.subwords`), learned on the training rows; very short texts, such as names, as those of their characters. It reads as many as nearly all
training texts have, at most 512: of a longer text, the start. Large and small letters count alike. Simpler models read how often which subwords, and which pairs of them, stand in a text, and its length and looks;
of a text of more than 20,000 characters, the first 20,000. Only an empty cell, blanks, and '', 'na', 'n/a', 'nan', 'null', '?', '#n/a' and '<na>' mean missing here.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import numerals, pieces, subwords, terms, word_pieces
from fathom.data.cells import values as cells
from fathom.data.cells.code_steps import laid_out, steps_for
from fathom.data.cells.pieces import Gone, Piece
from fathom.data.cells.subwords import Vocabulary
from fathom.data.cells.word_pieces import WordPieces
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.data.pretrained import Pretrained
from fathom.errors import OptionError
from fathom.shapes import Shape

NAME = "text"
SHAPE: Shape = "codes"
SUMMARY = "words and sentences in any language"
SOURCE = "Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, ACL 2016, https://arxiv.org/abs/1508.07909"
PREDICTABLE = False

MOST_READ = 20_000  # characters of a text
MOST_STEPS, FEWEST_STEPS = 512, 8
CHARACTERS_A_STEP = 16  # of a text are parted into words for the network, for each step it has
MOST_CODES = 8_192
MOST_ADOPTED = (
    256  # steps that a network that was taught elsewhere reads: attention costs their square, and the start says most
)
LEARNED_FROM = 40_000  # texts, evenly spread over the training rows, and
LEARNED_CHARACTERS = 20_000_000  # of them at most
SHORT_WORDS, SHORT_CHARACTERS = 3.0, 24.0  # texts shorter than both, on average, are read by their characters
AT_ONCE = 8_000_000  # characters that are parted at once, which bounds the memory
MISTYPED = (0.01, 0.03, 0.06, 0.10, 0.15)  # share of words with a slip of the pen, by severity
DROPPED = (0.01, 0.03, 0.06, 0.10, 0.15)  # share of words left out, by severity
SWAPPED = (0.01, 0.02, 0.04, 0.07, 0.10)  # share of words that change places with the next, by severity
LOST = (0.00, 0.01, 0.02, 0.05, 0.10)  # share of cells emptied, by severity
LOOKS = ("characters", "words", "capitals", "digits", "marks")


@dataclass(frozen=True)
class State:
    """The vocabulary (its characters and its merges, `fathom.data.cells.subwords.Vocabulary`), how many steps a text has at most, and the terms that simpler models count.

    Where a pretrained network reads the text, ``words`` are the word pieces that it knows, and ``lower`` says whether they are in small letters (`fathom.data.cells.word_pieces.WordPieces`).
    """

    characters: str
    merges: str
    steps: int
    terms: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    words: str = ""
    lower: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", cells.as_tuple(self.terms))
        object.__setattr__(self, "weights", cells.as_tuple(self.weights))

    @property
    def vocabulary(self) -> Vocabulary:
        """What turns words into codes."""
        return Vocabulary(self.characters, self.merges)

    @property
    def pieces(self) -> WordPieces | None:
        """What turns words into the codes of a pretrained network; ``None`` where none reads the text."""
        return WordPieces(self.words, self.lower) if self.words else None


def claim(values: pa.Array) -> Claim:
    """Look how many words a cell has, whether they are words, and how many cells differ."""
    plain = cells.plain(values)
    if not cells.is_text(plain):
        return Claim(0.0, f"values of type {values.type}")
    known = plain.filter(pa.array(~missing(plain)))
    if not len(known):
        return Claim(0.0, "no cell has a value")
    some = pc.utf8_slice_codeunits(cells.evenly(known, numerals.LOOK), 0, MOST_READ)
    words = float(np.mean(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(some))).to_numpy()))
    characters = float(np.mean(pc.utf8_length(some).to_numpy()))
    wordy = float(cells.as_mask(pc.match_substring_regex(some, r"\p{L}\p{M}*\p{L}|[\p{Lo}\p{So}]")).mean())
    distinct = pc.count_distinct(known).as_py()
    reason = f"{words:,.0f} {'word' if round(words) == 1 else 'words'} a cell, {distinct:,} different cells of {len(known):,}"
    if wordy < 0.5:
        return Claim(0.1, f"few of the cells hold words; {reason}")
    long = words >= 4 or characters >= 30
    return Claim(min(0.8 if long else 0.55 if words >= 2 else 0.4, 2.0 * distinct / len(known)), reason)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn the subwords, the number of steps and the terms from at most 40,000 texts, evenly spread."""
    texts = _texts(values)
    rows = len(texts)
    texts = cells.evenly(texts.filter(pa.array(~missing(texts))), LEARNED_FROM)
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    total = int(lengths.sum())
    if total > LEARNED_CHARACTERS:
        texts = cells.evenly(texts, max(1, len(texts) * LEARNED_CHARACTERS // total))
    parted = pc.list_value_length(pc.utf8_split_whitespace(texts)).to_numpy(zero_copy_only=False)
    short = len(texts) > 0 and parted.mean() < SHORT_WORDS and lengths.mean() < SHORT_CHARACTERS
    vocabulary = subwords.learn(texts, MOST_CODES, merging=not short)
    codes, starts = subwords.codes_in(vocabulary, texts)
    learned = terms.learn(codes, starts, rows)
    return State(
        vocabulary.characters,
        vocabulary.merges,
        steps_for(np.diff(starts), FEWEST_STEPS, MOST_STEPS),
        learned.keys,
        learned.weights,
    )


def _texts(values: pa.Array) -> pa.Array:
    """Return the first characters of each cell as ``large_string``; null where it is missing."""
    words = cells.words_of(values)
    return pc.if_else(
        pa.array(missing(words)), pa.scalar(None, words.type), pc.utf8_slice_codeunits(words, 0, MOST_READ)
    )


def _pieces(texts: pa.Array) -> list[pa.Array]:
    """Part rows into pieces of a bounded number of characters; a piece at least."""
    ends = np.cumsum(pc.binary_length(pc.fill_null(texts, "")).to_numpy(zero_copy_only=False))
    bounds = [0, *(np.flatnonzero(np.diff(ends // AT_ONCE)) + 1).tolist(), len(texts)]
    return [texts.slice(start, stop - start) for start, stop in pairwise(bounds)]


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the codes of a text's steps."""
    codes = (state.pieces or state.vocabulary).size
    return (Part(column, "value", "codes", codes=codes, size=(state.steps,)),)


def adopt(state: State, reader: Pretrained, values: pa.Array) -> State:
    """Return the state of the same texts for a network that was taught elsewhere: its codes in place of ours; what simpler models read stays."""
    assert reader.pieces is not None
    most = min(MOST_ADOPTED, int(reader.options["places"]))
    return replace(state, words=reader.pieces.words, lower=reader.pieces.lower, steps=min(state.steps + 2, most))


def encode(state: State, values: pa.Array) -> npt.NDArray[np.int32]:
    """Turn values into codes ``(row, step)``, 0 after a text's end."""
    texts = pc.utf8_slice_codeunits(_texts(values), 0, CHARACTERS_A_STEP * state.steps)
    pieces = _pieces(texts)
    if state.pieces is not None:
        return np.concatenate([word_pieces.codes_of(state.pieces, piece, state.steps) for piece in pieces])
    return np.concatenate([laid_out(*subwords.codes_in(state.vocabulary, piece), state.steps) for piece in pieces])


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: no network of this version writes text."""
    raise OptionError("A text column cannot be predicted. Choose another target, or --columns NAME=category.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark no cell: anything can be a text."""
    return np.zeros(len(values), np.bool_)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word that cannot be a text."""
    return cells.missing_mask(values, cells.MISSING_ANYWHERE)


def features(state: State, values: pa.Array) -> Features:
    """Weigh the terms of each text, and count what it looks like; terms of a missing cell are 0, its looks not known."""
    texts = _texts(values)
    vocabulary, known = state.vocabulary, terms.Terms(state.terms, state.weights)
    made = [terms.weighed(known, *subwords.codes_in(vocabulary, piece)) for piece in _pieces(texts)]
    matrix = np.concatenate([_looks(texts), np.concatenate(made)], axis=1)
    shown = subwords.names(vocabulary)
    named = tuple(_term_name(shown, key) for key in state.terms)
    return Features(matrix, (*LOOKS, *named), (0,) * matrix.shape[1])


def _looks(texts: pa.Array) -> npt.NDArray[np.float64]:
    """Return how long each text is, as logarithms of characters and words, and the shares of capitals, digits and marks among its characters."""
    counts = [
        pc.utf8_length(texts),
        pc.list_value_length(pc.utf8_split_whitespace(texts)),
        *(pc.count_substring_regex(texts, pattern) for pattern in (r"\p{Lu}", r"\p{N}", r"[^\p{L}\p{M}\p{N}\s]")),
    ]
    numbers = np.stack([count.cast(pa.float64()).to_numpy(zero_copy_only=False) for count in counts], 1)
    numbers[:, 2:] /= numbers[:, :1]
    numbers[:, :2] = np.log1p(numbers[:, :2])
    return np.asarray(numbers, np.float64)


def _term_name(shown: list[str], key: int) -> str:
    left, right = divmod(key, 1 << terms.SHIFT)
    return repr(((shown[left] if left else "") + shown[right]).replace(subwords.START, " ").strip() or " ")


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Mistype, leave out and swap words, write some in the other case, and empty some cells."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    texts = cells.words_of(values)
    parted = pc.utf8_split_whitespace(pc.fill_null(texts, ""))
    words = cells.mistype(parted.flatten(), MISTYPED[level], generator)
    ends = np.cumsum(pc.list_value_length(parted).to_numpy(zero_copy_only=False).astype(np.int64))
    row = np.repeat(np.arange(len(parted)), np.diff(np.concatenate([[0], ends])))
    behind = 1.5 * (generator.random(len(words)) < SWAPPED[level])  # goes behind the next
    order = np.lexsort((np.arange(len(words)) + behind, row))
    lone = np.bincount(row, minlength=len(parted))[row] == 1
    order = order[(generator.random(len(words)) >= DROPPED[level])[order] | lone[order]]
    starts = np.searchsorted(row[order], np.arange(len(parted) + 1))
    again = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), words.take(pa.array(order)))
    joined = pc.binary_join(again, pa.scalar(" ", words.type))
    return cells.empty_some(pc.if_else(texts.is_valid(), joined, pa.scalar(None, joined.type)), LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write the start of the text on one line."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    text = cells.words_of(pa.array([cell.as_py()], cell.type))
    if missing(text)[0]:
        return "missing"
    line = " ".join(str(pc.utf8_slice_codeunits(text, 0, 400)[0].as_py()).split())
    return line if len(line) <= 120 else f"{line[:119]}…"


def named(state: State, codes: npt.NDArray[np.int32]) -> list[str]:
    """Return the piece of a word that each code stands for, with a blank before those that begin one."""
    if state.pieces is not None:
        words = state.pieces.words.split("\n")
        known = [word.removeprefix("##") if word.startswith("##") else f" {word}" for word in words]
    else:
        known = [name.replace(subwords.START, " ") for name in subwords.names(state.vocabulary)]
    return [known[code] for code in codes]


def tell(state: State) -> str:
    """Say what was learned, for the report."""
    codes = state.pieces or state.vocabulary
    kind = "word pieces" if state.pieces else "subwords" if state.merges else "characters"
    return f"read as up to {state.steps:,} of {codes.size:,} {kind}; simpler models count {len(state.terms):,} terms"


def pieces_of(state: State, value: pa.Array) -> tuple[Piece, ...]:
    """Return the words of the one text, as far as it is read."""
    text = _texts(value)[0].as_py()
    return pieces.words(text) if text else ()


def without(state: State, value: pa.Array, gone: Gone) -> pa.Array:
    """Return the one text without the words that are gone."""
    return pa.array(pieces.without_words(_texts(value)[0].as_py(), pieces_of(state, value), gone), pa.string())


def sample(count: int, seed: int) -> pa.Array:
    """Make remarks of a few words in several languages, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    words = pa.array(
        [
            "the",
            "room",
            "was clean,",
            "but",
            "a little",
            "noisy.",
            "很好的地方",
            "Köstlich!",
            "שלום",
            "מאוד",
            "понравилось",
            "🙂",
            "12 €",
        ],
        pa.large_string(),
    )
    lengths = generator.integers(3, 30, count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    chosen = words.take(pa.array(generator.integers(0, len(words), int(lengths.sum()))))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(starts, pa.int32()), chosen), pa.scalar(" ", words.type))
    return pc.if_else(pa.array(generator.random(count) < 0.05, pa.bool_()), None, joined.cast(pa.string()))
