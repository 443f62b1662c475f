"""Two answers in many languages become two codes, and come back as they were written."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import yes_no
from fathom.errors import TableError


@pytest.mark.parametrize("pair", yes_no.PAIRS)
def test_every_known_pair_is_claimed_learned_and_given_back(pair: tuple[str, str]) -> None:
    no, yes = pair[0].title(), pair[1].title()
    values = pa.array([yes, no, "", yes])
    claim = yes_no.claim(values)
    assert (claim.confidence, claim.reason) == (0.97, f"all 3 cells with a value are {pair[0]} or {pair[1]}")
    state = yes_no.learn(values, "target")
    assert (state.no, state.yes) == (no, yes)
    assert yes_no.encode(state, values)[:, 0].tolist() == [1, 0, -1, 1]
    assert yes_no.decode(state, np.array([[0.9, 0.1], [0.2, 0.8]])).to_pylist() == [no, yes]


def test_an_inputs_codes_are_missing_unseen_no_and_yes() -> None:
    state = yes_no.learn(pa.array(["yes", "no"]))
    cells = pa.array([None, "", "perhaps", "No", " YES "])
    assert yes_no.encode(state, cells)[:, 0].tolist() == [0, 0, 1, 2, 3]
    assert yes_no.parts(state, "smokes")[0].codes == 4
    assert yes_no.unreadable(state, cells).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False]),
        pa.array([1, 0]),
        pa.array([1, 0], pa.int8()),
        pa.array([1.0, 0.0]),
        pa.array(["1.0", "0.0"]),
        pa.array(["Ja", "Nein"]),
    ],
    ids=lambda values: f"{values.type} {values[0]}",
)
def test_answers_come_back_in_the_type_they_had(values: pa.Array) -> None:
    state = yes_no.learn(values, "target")
    back = yes_no.decode(state, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert back.equals(values)


def test_any_word_for_yes_is_read_whatever_the_column_writes() -> None:
    state = yes_no.learn(pa.array(["yes", "no"]))
    assert yes_no.encode(state, pa.array([True, False, None]))[:, 0].tolist() == [3, 2, 0]
    assert yes_no.encode(state, pa.array([1, 0]))[:, 0].tolist() == [3, 2]
    assert yes_no.encode(state, pa.array(["true", "f"]))[:, 0].tolist() == [3, 2]


def test_the_most_frequent_spelling_is_kept() -> None:
    state = yes_no.learn(pa.array(["YES", "Yes", "Yes", "no", "NO"]))
    assert (state.no, state.yes) == ("NO", "Yes")


def test_a_word_that_training_rows_lack_is_taken_from_its_pair() -> None:
    assert yes_no.learn(pa.array(["ja", "ja"])).no == "nein"
    assert yes_no.learn(pa.array(["off"])).yes == "on"
    assert yes_no.learn(pa.nulls(2)).yes == "yes"


@pytest.mark.parametrize(
    ("values", "confidence"),
    [
        (pa.array([True, True]), 0.98),
        (pa.array(["yes", "yes"]), 0.8),
        (pa.array(["1", "1"]), 0.3),
        (pa.array(["n"]), 0.3),
        (pa.array(["yes", "0"]), 0.0),
        (pa.array(["yes", "no", "perhaps"]), 0.0),
        (pa.array(["male", "female"]), 0.0),
        (pa.array(["m", "f"]), 0.0),
        (pa.array([1, 2]), 0.0),
        (pa.nulls(3), 0.0),
        (pa.array([str(number) for number in range(50)]), 0.0),
    ],
)
def test_only_two_words_of_one_pair_are_claimed(values: pa.Array, confidence: float) -> None:
    assert yes_no.claim(values).confidence == confidence


def test_a_column_without_answers_cannot_be_learned() -> None:
    with pytest.raises(TableError) as caught:
        yes_no.learn(pa.array(["perhaps", "x"]))
    assert str(caught.value) == (
        "None of the 2 training cells is a word for yes or no: the first is 'perhaps'. "
        "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
    )


def test_the_feature_is_one_for_yes() -> None:
    state = yes_no.learn(pa.array(["yes", "no"]))
    made = yes_no.features(state, pa.array(["yes", "no", "x", ""]))
    assert np.array_equal(made.matrix[:, 0], [1, 0, np.nan, np.nan], equal_nan=True)
    assert made.sizes == (0,)


def test_corrupt_answers_are_turned_round_or_lost() -> None:
    values = pa.array(["Yes", "No"] * 2_000)
    worse = yes_no.corrupt(values, 5, 0).to_pylist()
    turned = np.mean([one != other and other is not None for one, other in zip(values.to_pylist(), worse, strict=True)])
    assert set(worse) == {"Yes", "No", None} and abs(turned - 0.15 * 0.85) < 0.02


def test_a_value_is_shown_in_the_columns_own_word() -> None:
    state = yes_no.learn(pa.array(["Ja", "Nein"]))
    assert [yes_no.show(state, value) for value in (True, 0, "ja", None, "vielleicht")] == [
        "Ja",
        "Nein",
        "Ja",
        "missing",
        "vielleicht",
    ]
