"""Word pieces: the codes that a pretrained reader of text was taught on, made as it was taught.

A text is cleaned of control characters, put into small letters without accents where the reader knows no others, and parted at blanks, around every mark and around every Chinese character; a word becomes the longest
piece of the vocabulary that it begins with, then the longest that goes on from there (written ``##piece``), and so on; a word that no pieces make up is *unknown*. Sources: Wu et al., "Google's Neural Machine Translation
System", 2016, section 4.1 (https://arxiv.org/abs/1609.08144); Devlin et al., "BERT", NAACL 2019, section 3 (https://arxiv.org/abs/1810.04805).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import values as cells

Numbers = npt.NDArray[np.int64]

NOTHING, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD = 100  # characters; a longer one is unknown

_UNSEEN = r"[\x00\x{FFFD}\x01-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\p{Cf}\p{Co}]"
_CHINESE = r"([\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2FA1F}])"
_MARK = r"([!-/:-@\[-`{-~\p{P}])"


@dataclass(frozen=True)
class WordPieces:
    """The pieces in the order of their codes, a line each, and whether they are all in small letters without accents."""

    words: str
    lower: bool = True

    @property
    def size(self) -> int:
        """The number of codes."""
        return self.words.count("\n") + 1


def codes_of(pieces: WordPieces, texts: pa.Array, steps: int) -> npt.NDArray[np.int32]:
    """Return the codes ``(row, step)`` of texts (``large_string``): a start, the pieces, an end, then 0; 0 throughout where there is no text.

    >>> pieces = WordPieces("[PAD]\\n[UNK]\\n[CLS]\\n[SEP]\\nplay\\n##ing\\n.")
    >>> codes_of(pieces, pa.array(["Playing.", None, "play sport"], pa.large_string()), 6).tolist()
    [[2, 4, 5, 6, 3, 0], [0, 0, 0, 0, 0, 0], [2, 4, 1, 3, 0, 0]]
    """
    places = _places(pieces.words)
    words, owner = _words(texts, pieces.lower)
    encoded = words.dictionary_encode()
    made = [_pieces_of(word, places) for word in encoded.dictionary.to_pylist()]  # a loop over words that differ
    lengths = np.array([len(codes) for codes in made], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.array([code for codes in made for code in codes], np.int64)
    place = cells.places_in(encoded)
    count = lengths[place]
    ends = np.cumsum(count)
    codes = flat[np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts[place] - (ends - count), count)]
    row = np.repeat(owner, count)
    step = np.arange(len(codes)) - np.searchsorted(row, row) + 1  # the start is step 0
    grid = np.zeros((len(texts), steps), np.int32)
    kept = step < steps - 1
    grid[row[kept], step[kept]] = codes[kept]
    known = np.asarray(texts.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    grid[known, 0] = places[START]
    last = np.minimum(np.bincount(row, minlength=len(texts)), steps - 2) + 1
    grid[known, last[known]] = places[END]
    return grid


@lru_cache(maxsize=4)
def _places(words: str) -> Mapping[str, int]:
    return {word: code for code, word in enumerate(words.split("\n"))}


def _words(texts: pa.Array, lower: bool) -> tuple[pa.Array, Numbers]:
    """Return the words of all texts, one after the other, and the text that each stands in."""
    texts = pc.replace_substring_regex(pc.fill_null(texts, ""), _UNSEEN, "")
    texts = pc.replace_substring_regex(texts, _CHINESE, r" \1 ")
    if lower:
        texts = pc.replace_substring_regex(pc.utf8_normalize(pc.utf8_lower(texts), "NFD"), r"\p{Mn}", "")
    texts = pc.replace_substring_regex(texts, _MARK, r" \1 ")
    parted = pc.utf8_split_whitespace(texts)
    flat = parted.flatten()
    owner = np.repeat(np.arange(len(parted)), pc.list_value_length(parted).to_numpy(zero_copy_only=False))
    kept = pc.binary_length(flat).to_numpy(zero_copy_only=False) > 0
    return flat.filter(pa.array(kept)), owner[kept]


def _pieces_of(word: str, places: Mapping[str, int]) -> list[int]:
    """Return the codes of a word: the longest piece that it begins with, then the longest that goes on from there."""
    codes: list[int] = []
    begin = 0
    while begin < len(word) <= LONGEST_WORD:
        before = "##" if begin else ""
        end = next((end for end in range(len(word), begin, -1) if before + word[begin:end] in places), 0)
        if not end:
            return [places[UNKNOWN]]
        codes.append(places[before + word[begin:end]])
        begin = end
    return codes or [places[UNKNOWN]]


__all__ = ["END", "NOTHING", "START", "UNKNOWN", "WordPieces", "codes_of"]
