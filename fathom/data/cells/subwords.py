"""Byte-pair encoding: frequent words become one code, rare ones a few, and no word is without.

A text is parted at blanks and around every mark that is neither letter nor digit. Each word is a row of characters after a mark that says where it starts; then the two neighbours that
stand beside each other most often are merged, again and again. No language is asked for: a script without blanks has long words, of which frequent runs are merged as well. Source: Sennrich,
Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016, section 3.2 (https://arxiv.org/abs/1508.07909); the mark at a word's start is that of Kudo and
Richardson, "SentencePiece", EMNLP 2018 (https://arxiv.org/abs/1808.06226). Ours learns and encodes all *different* words of a column at once, as one flat array of symbols; in a round it
merges every frequent pair whose symbols do not get in another's way, so that rounds are hundreds, not thousands.

Codes: 0 is no step, 1 a character that was not learned, then the characters, then the merges in the order in which they were learned.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import values as cells

Numbers = npt.NDArray[np.int64]

UNKNOWN = 1  # the code of a character that was not learned
FIRST = 2  # the code of the first character
START = "\u2581"  # stands before every word
LONGEST_WORD = 32  # characters; longer runs without a blank are cut into words of so many
MOST_CHARACTERS = 4_000  # that have a code of their own: enough for Chinese and for a text of many scripts
LEAST_CHARACTERS = 2  # how often a character must occur to have one
LEAST_PAIRS = 5  # how often a pair must occur to be merged
NEAR_BEST = 0.7  # pairs at least so frequent, beside the most frequent, are merged in the same round
PER_ROUND = 256  # pairs merged in a round, at most
AT_ONCE = 1 << 20  # symbols that are encoded together, which bounds the memory

_AROUND_MARKS = r"([^\p{L}\p{M}\p{N}\s])"
_LONG_RUN = rf"(\S{{{LONGEST_WORD}}})"


@dataclass(frozen=True)
class Vocabulary:
    """What was learned: the characters, in the order of their codes, and the merges, pairs of codes written one after the other."""

    characters: str
    merges: str = ""

    @property
    def size(self) -> int:
        """The number of codes."""
        return FIRST + len(self.characters) + len(_merges(self.merges))


@dataclass(frozen=True)
class Words:
    """The words of some texts: the different ones, ``place (word,)`` of each among them, and where each text's words start, ``starts (text + 1,)``."""

    different: pa.Array
    place: Numbers
    starts: Numbers


def words_in(texts: pa.Array) -> Words:
    """Part texts (``large_string``; null is a text without words) into words, in small letters.

    >>> words = words_in(pa.array(["The cat's hat.", None, "the hat"], pa.large_string()))
    >>> words.different.to_pylist(), words.place.tolist(), words.starts.tolist()
    (['the', 'cat', "'", 's', 'hat', '.'], [0, 1, 2, 3, 4, 5, 0, 4], [0, 6, 6, 8])
    """
    texts = pc.utf8_lower(pc.fill_null(texts, ""))
    texts = pc.replace_substring_regex(texts, _AROUND_MARKS, r" \1 ")
    if pc.any(pc.match_substring_regex(texts, _LONG_RUN)).as_py():
        texts = pc.replace_substring_regex(texts, _LONG_RUN, r"\1 ")
    parted = pc.utf8_split_whitespace(texts)
    flat = parted.flatten()
    starts = np.concatenate([[0], np.cumsum(pc.list_value_length(parted).to_numpy(zero_copy_only=False))])
    kept = pc.binary_length(flat).to_numpy(zero_copy_only=False) > 0
    if not kept.all():
        starts = np.concatenate([[0], np.cumsum(kept)])[starts]
        flat = flat.filter(pa.array(kept))
    encoded = flat.dictionary_encode()
    return Words(encoded.dictionary, cells.places_in(encoded), starts.astype(np.int64))


def learn(texts: pa.Array, most: int, merging: bool = True) -> Vocabulary:
    """Learn at most ``most`` codes from texts; characters alone unless ``merging``.

    >>> learned = learn(pa.array(["low lower lowest"] * 9, pa.large_string()), 64)
    >>> names(learned)[-3:]
    ['st', '▁lower', '▁lowest']
    """
    words = words_in(texts)
    counts = np.bincount(words.place, minlength=len(words.different))
    characters, owner = _characters(words.different)
    found, inverse = np.unique(characters, return_inverse=True)
    often = np.bincount(inverse, weights=counts[owner], minlength=len(found))
    order = np.argsort(-often, kind="stable")[: min(MOST_CHARACTERS, most - FIRST - 1)]
    kept = found[order[often[order] >= LEAST_CHARACTERS]]
    alphabet = START + "".join(map(chr, kept))
    if not merging:
        return Vocabulary(alphabet)
    symbols, owner = _symbols(words.different, alphabet)
    merges = _learn_merges(symbols, owner, counts, FIRST + len(alphabet), most)
    return Vocabulary(alphabet, " ".join(map(str, merges.ravel().tolist())))


def encode(vocabulary: Vocabulary, words: pa.Array) -> tuple[Numbers, Numbers]:
    """Return the codes of different words one after the other, and where each word's start, ``(word + 1,)``."""
    pieces, lengths = [], []
    sizes = pc.utf8_length(words).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    bounds = np.flatnonzero(np.diff(np.cumsum(sizes) // AT_ONCE)) + 1
    for start, stop in zip([0, *bounds.tolist()], [*bounds.tolist(), len(words)], strict=True):
        symbols, owner = _symbols(words.slice(start, stop - start), vocabulary.characters)
        symbols, owner = _merged(symbols, owner, _merges(vocabulary.merges), FIRST + len(vocabulary.characters))
        pieces.append(symbols)
        lengths.append(np.bincount(owner, minlength=stop - start))
    return np.concatenate(pieces), np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)


def codes_in(vocabulary: Vocabulary, texts: pa.Array) -> tuple[Numbers, Numbers]:
    """Return the codes of texts one after the other, and where each text's start, ``(text + 1,)``."""
    words = words_in(texts)
    codes, starts = encode(vocabulary, words.different)
    lengths = np.diff(starts)[words.place]  # of every word of every text
    ends = np.cumsum(lengths)
    flat = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    flat += np.repeat(starts[:-1][words.place], lengths)
    return codes[flat], np.concatenate([[0], ends])[words.starts]


def names(vocabulary: Vocabulary) -> list[str]:
    """Return what each code stands for: nothing, a character that was not learned, the characters, the merges."""
    known = ["", "\ufffd", *vocabulary.characters]
    for left, right in _merges(vocabulary.merges).tolist():
        known.append(known[left] + known[right])
    return known


def _characters(words: pa.Array) -> tuple[npt.NDArray[np.uint32], Numbers]:
    """Return the characters of words one after the other, and the word that each stands in."""
    lengths = pc.utf8_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(words)], words), pa.scalar("", words.type))
    text = whole[0].as_py()
    return np.frombuffer(text.encode("utf-32-le"), np.uint32), np.repeat(np.arange(len(words)), lengths)


def _symbols(words: pa.Array, alphabet: str) -> tuple[Numbers, Numbers]:
    """Return the codes of words before any merge, each word after its mark, and the word that each stands in."""
    characters, owner = _characters(words)
    known = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)
    order = np.argsort(known)
    place = np.searchsorted(known, characters, sorter=order)
    code = order[np.minimum(place, len(known) - 1)]
    symbols = np.where(known[code] == characters, code + FIRST, UNKNOWN)
    starts = np.searchsorted(owner, np.arange(len(words)))
    return np.insert(symbols, starts, FIRST), np.insert(owner, starts, np.arange(len(words)))


def _learn_merges(symbols: Numbers, owner: Numbers, counts: Numbers, first: int, most: int) -> Numbers:
    """Return the pairs to merge, ``(merge, 2)``; the result of the first has the code ``first``, and no code reaches ``most``."""
    merges: list[Numbers] = []
    learned = 0
    while learned < most - first:
        beside = owner[1:] == owner[:-1]
        busy = np.zeros(len(symbols), np.bool_)  # of a word with a pair left
        busy[1:] |= beside
        busy[:-1] |= beside
        symbols, owner = symbols[busy], owner[busy]
        place = np.flatnonzero((owner[1:] == owner[:-1]) & (symbols[1:] != UNKNOWN) & (symbols[:-1] != UNKNOWN))
        keys, inverse = np.unique(symbols[place] * most + symbols[place + 1], return_inverse=True)
        often = np.bincount(inverse, weights=counts[owner[place]], minlength=len(keys))
        chosen = _compatible(keys, often, most, min(PER_ROUND, most - first - learned))
        if not len(chosen):
            break
        ranks = np.full(len(keys), -1)
        ranks[chosen] = np.arange(len(chosen))
        found = np.full(len(symbols), -1)
        found[place] = ranks[inverse]
        symbols, owner = _put_together(symbols, owner, found, first + learned)
        merges.append(np.stack([keys[chosen] // most, keys[chosen] % most], 1))
        learned += len(chosen)
    return np.concatenate(merges) if merges else np.empty((0, 2), np.int64)


def _compatible(keys: Numbers, often: npt.NDArray[Any], most: int, limit: int) -> Numbers:
    """Return the most frequent pairs that do not overlap: none ends with the symbol another starts with, so merging one leaves the counts of the others as they are."""
    order = np.lexsort((keys, -often))[: 4 * limit]
    order = order[often[order] >= max(LEAST_PAIRS, NEAR_BEST * often[order[0]])] if len(order) else order
    lefts: set[int] = set()
    rights: set[int] = set()
    chosen: list[int] = []
    for pair in order.tolist():
        left, right = divmod(int(keys[pair]), most)
        if left in rights or right in lefts or (left == right and chosen):
            continue
        lefts.add(left)
        rights.add(right)
        chosen.append(pair)
        if left == right or len(chosen) == limit:
            break
    return np.array(chosen, np.int64)


def _merged(symbols: Numbers, owner: Numbers, merges: Numbers, first: int) -> tuple[Numbers, Numbers]:
    """Merge what can be merged in every word, the pair that was learned first before the others."""
    if not len(merges) or not len(symbols):
        return symbols, owner
    wide = first + len(merges)
    keys = merges[:, 0] * wide + merges[:, 1]
    order = np.argsort(keys)
    keys = keys[order]
    done: list[tuple[Numbers, Numbers]] = []
    while len(symbols):
        pairs = symbols[:-1] * wide + symbols[1:]
        place = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        ranks = np.full(len(symbols), len(merges))
        ranks[:-1] = np.where((keys[place] == pairs) & (owner[1:] == owner[:-1]), order[place], len(merges))
        starts = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
        best = np.minimum.reduceat(ranks, starts)
        best = np.repeat(best, np.diff(np.append(starts, len(symbols))))
        busy = best < len(merges)
        done.append((symbols[~busy], owner[~busy]))
        symbols, owner = symbols[busy], owner[busy]
        found = np.where(ranks == best, ranks, -1)[busy]
        symbols, owner = _put_together(symbols, owner, found, first)
    whose = np.concatenate([each for _, each in done])
    order = np.argsort(whose, kind="stable")  # a word is done at once: its symbols stand together, in order
    return np.concatenate([each for each, _ in done])[order], whose[order]


def _put_together(symbols: Numbers, owner: Numbers, found: Numbers, first: int) -> tuple[Numbers, Numbers]:
    """Merge each symbol whose ``found`` is 0 or more with the symbol after it, into the code ``first + found``; in a run of such symbols, every second one."""
    places = np.arange(len(found))
    run = places - np.maximum.accumulate(np.where(found < 0, places, -1))  # 1, 2, 3, … in a run
    left = (found >= 0) & (run % 2 == 1)
    symbols = np.where(left, first + found, symbols)
    kept = np.ones(len(symbols), np.bool_)
    kept[1:] = ~left[:-1]
    return symbols[kept], owner[kept]


@lru_cache(maxsize=16)
def _merges(written: str) -> Numbers:
    return np.array(written.split(), np.int64).reshape(-1, 2)
