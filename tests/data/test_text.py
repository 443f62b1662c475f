"""Texts of every script become codes and features, with bounded size; short ones are read by their characters."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import text
from fathom.errors import OptionError

REMARKS = [
    f"the {thing} was {how}, and we would come again" for thing in ("room", "food", "staff") for how in ("good", "bad")
]


@pytest.fixture
def state() -> text.State:
    return text.learn(pa.array(REMARKS * 20))


def test_equal_words_have_equal_codes_whatever_their_case_and_blanks(state: text.State) -> None:
    rows = text.encode(state, pa.array(["The ROOM\n was good", "the room was good ", "the food was good"]))
    assert np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[0], rows[2])


def test_a_text_of_ten_megabytes_is_read_from_its_start(state: text.State) -> None:
    long = "the room was good " * 600_000
    rows = text.encode(state, pa.array([long, "the room was good " * 20]))
    assert rows.shape == (2, state.steps) and np.array_equal(rows[0], rows[1])
    made = text.features(state, pa.array([long]))
    assert np.isfinite(made.matrix).all() and made.matrix[0, 0] == pytest.approx(np.log1p(text.MOST_READ))


@pytest.mark.parametrize("value", ["שלום עולם", "🙂🙂", "很好的地方", "\x01\x02", "x" * 100_000, "\u202eabc"])
def test_strange_texts_are_there_and_have_codes(state: text.State, value: str) -> None:
    assert not text.missing(pa.array([value]))[0]
    assert text.encode(state, pa.array([value])).any()


def test_what_is_missing_is_zero_and_its_looks_are_not_known(state: text.State) -> None:
    rows = pa.array([None, " ", "n/a", "good"])
    assert text.encode(state, rows).any(1).tolist() == [False, False, False, True]
    assert np.isnan(text.features(state, rows).matrix[:, 0]).tolist() == [True, True, True, False]


def test_names_are_read_by_their_characters() -> None:
    names = text.learn(pa.array(["Anna", "Hanna", "Bruno", "Nora", "Arno"] * 20))
    assert names.merges == "" and names.steps == 8
    rows = text.encode(names, pa.array(["anna", "hanna"]))
    assert (rows[0] != 0).sum() == 5 and (rows[1] != 0).sum() == 6  # a mark, then the characters


def test_the_number_of_steps_follows_the_texts_up_to_a_limit() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    generator = np.random.default_rng(0)
    sizes = [
        text.learn(pa.array([" ".join(generator.choice(words, size)) for _ in range(50)])).steps
        for size in (10, 60, 3_000)
    ]
    assert sizes == [16, 64, text.MOST_STEPS]


def test_the_state_is_bounded_and_survives_json() -> None:
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    rows = pa.array([" ".join("".join(generator.choice(letters, 6)) for _ in range(40)) for _ in range(400)])
    learned = text.learn(rows)
    assert learned.vocabulary.size <= text.MOST_CODES and len(learned.terms) <= 1_000
    again = text.State(**json.loads(json.dumps(asdict(learned))))
    assert again == learned and np.array_equal(text.encode(again, rows), text.encode(learned, rows))


def test_features_have_the_words_as_names_and_part_the_texts(state: text.State) -> None:
    made = text.features(state, pa.array(REMARKS))
    assert {"'good'", "'bad'", "'room'", "characters"} <= set(made.names)
    good = made.matrix[:, made.names.index("'good'")]
    assert (good > 0).tolist() == ["good" in remark for remark in REMARKS]


def test_corruption_leaves_most_words_in_place_and_grows() -> None:
    rows = pa.array(REMARKS * 50)
    changed = [
        sum(a != b for a, b in zip(rows.to_pylist(), text.corrupt(rows, level, 0).to_pylist(), strict=True))
        for level in (1, 3, 5)
    ]
    assert 0 < changed[0] < changed[1] < changed[2]
    assert text.corrupt(pa.array(["one"] * 100), 5, 1).drop_null().to_pylist().count("one") > 50


def test_a_long_text_is_shown_by_its_start_on_one_line(state: text.State) -> None:
    shown = text.show(state, "so\n good " * 500)
    assert len(shown) == 120 and shown.endswith("…") and "\n" not in shown


def test_a_text_cannot_be_predicted(state: text.State) -> None:
    with pytest.raises(OptionError, match="cannot be predicted"):
        text.decode(state, np.zeros((1, 3)))
