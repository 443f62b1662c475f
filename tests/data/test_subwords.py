"""Byte-pair encoding merges what stands together often, and gives every text codes."""

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.cells import subwords, terms

TEXTS = ["low lower lowest", "new newer newest", "wide wider widest"] * 9


def array(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def read(vocabulary: subwords.Vocabulary, text: str) -> list[str]:
    shown = subwords.names(vocabulary)
    return [shown[code] for code in subwords.codes_in(vocabulary, array([text]))[0]]


def one_at_a_time(texts: list[str], merges: int) -> set[str]:
    """Byte-pair encoding as the paper writes it: the most frequent pair, once a round."""
    words = Counter(tuple("\u2581" + word) for text in texts for word in text.split())
    made: set[str] = set()
    for _ in range(merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, often in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += often
        best = max(pairs, key=lambda pair: (pairs[pair], pair), default=None)
        if best is None:
            break
        made.add("".join(best))
        merged: Counter[tuple[str, ...]] = Counter()
        for word, often in words.items():
            new: list[str] = []
            for symbol in word:
                if new and (new[-1], symbol) == best:
                    new[-1] += symbol
                else:
                    new.append(symbol)
            merged[tuple(new)] += often
        words = merged
    return made


def test_words_that_come_back_are_one_code_each() -> None:
    learned = subwords.learn(array(TEXTS), 500)
    assert read(learned, "Newest low, wider") == ["▁newest", "▁low", "\u2581", "\ufffd", "▁wider"]
    assert {"▁low", "▁newest"} <= set(subwords.names(learned)) & one_at_a_time(TEXTS, 100)


def test_merging_many_pairs_a_round_ends_where_one_at_a_time_does() -> None:
    generator = np.random.default_rng(0)
    stems = ["walk", "talk", "jump", "play", "sing"]
    texts = [
        " ".join(stem + end for stem in generator.choice(stems, 4) for end in ("", "ing", "er")) for _ in range(50)
    ]
    ours = set(subwords.names(subwords.learn(array(texts), 1_000)))
    theirs = one_at_a_time(texts, 200)
    whole = {f"▁{stem}{end}" for stem in stems for end in ("", "ing", "er")}
    assert whole <= ours and whole <= theirs


def test_a_new_word_is_read_by_its_parts_and_nothing_is_lost() -> None:
    learned = subwords.learn(array(TEXTS), 500)
    for text in ("lowish slowest", "widewide new", "oooo"):
        pieces = read(learned, text)
        assert "".join(pieces).replace("\u2581", " ").replace("\ufffd", "?").strip() == "".join(
            letter if letter in learned.characters or letter == " " else "?" for letter in text
        )


def test_the_vocabulary_keeps_to_its_limit_and_to_the_seedless_same() -> None:
    for most in (10, 20, 40):
        assert subwords.learn(array(TEXTS), most).size <= most
    assert subwords.learn(array(TEXTS), 60) == subwords.learn(array(TEXTS), 60)


@pytest.mark.parametrize(
    "text", ["x" * 5_000, "很好的地方" * 200, "🙂👩‍👩‍👧" * 50, "\x01\x02\x1f", "שלום עולם", "a\u0301\u0302", "\ufeff"]
)
def test_any_text_has_codes_alone_and_among_others(text: str) -> None:
    learned = subwords.learn(array([*TEXTS, "🙂 שלום"] * 3), 500)
    alone, _ = subwords.codes_in(learned, array([text]))
    together, starts = subwords.codes_in(learned, array(["low", None, text, "new"]))
    assert len(alone) and np.array_equal(alone, together[starts[2] : starts[3]])
    assert ((alone >= 1) & (alone < learned.size)).all() and starts[1] == starts[2]


def test_nothing_to_learn_from_leaves_a_vocabulary_that_answers() -> None:
    for texts in ([], [None], ["", " "]):
        learned = subwords.learn(array(texts), 500)
        assert set(subwords.codes_in(learned, array(["abc"]))[0].tolist()) <= {subwords.UNKNOWN, subwords.FIRST}


def test_terms_that_part_the_texts_are_chosen_and_common_ones_are_not() -> None:
    learned = subwords.learn(array(TEXTS), 500)
    rows = array([f"the {word}" for word in ("low", "new", "wide") for _ in range(20)])
    codes, starts = subwords.codes_in(learned, rows)
    chosen = terms.learn(codes, starts, len(rows))
    weights = terms.weighed(chosen, codes, starts)
    assert len(chosen.keys) > 0 and weights.shape == (60, len(chosen.keys))
    assert np.allclose(np.square(weights).sum(1), 1.0)
    assert len(np.unique(weights.round(6), axis=0)) == 3
    assert len(terms.learn(codes, starts, len(rows), most=2).keys) == 2
