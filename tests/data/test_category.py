"""Words of a limited set become codes, and come back in the type they had."""

import datetime
import decimal
import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import category
from fathom.errors import TableError

JOBS = pa.array(["nurse"] * 5 + ["cook"] * 3 + ["smith"] * 2 + ["poet"] + [None, "?", " N/A "])


def codes(state: category.State, *words: object) -> list[int]:
    return category.encode(state, pa.array(words))[:, 0].tolist()


def test_a_missing_an_unseen_and_a_rare_word_have_codes_of_their_own() -> None:
    state = category.learn(JOBS)
    assert state.words == ("nurse", "cook", "smith")
    assert codes(state, "nurse", "cook", "smith", "poet", "pilot", "", None) == [2, 3, 4, 1, 1, 0, 0]
    assert category.parts(state, "job")[0].codes == 5
    assert state.kept_share == pytest.approx(10 / 11)


def test_words_of_equal_frequency_stand_by_the_alphabet_whatever_the_order_of_rows() -> None:
    state = category.learn(pa.array(["b", "a", "b", "a", "c", "c"]))
    assert state.words == ("a", "b", "c")
    assert category.learn(pa.array(["c", "c", "a", "b", "a", "b"])) == state


def test_blanks_at_the_ends_do_not_count_but_case_does() -> None:
    state = category.learn(pa.array([" nurse", "nurse ", "nurse", "Nurse", "Nurse"]))
    assert state.words == ("nurse", "Nurse")
    assert codes(state, "\tnurse\u00a0") == [2]


def test_words_that_may_be_categories_are_not_missing() -> None:
    words = ["none", "unknown", "-", "missing", ".", "--", "not available"]
    assert not category.missing(pa.array(words)).any()
    assert category.missing(pa.array(["", "NA", "n/a", "NaN", "NULL", "?", "#N/A", " ", "<NA>", None])).all()


def test_among_many_words_a_word_needs_five_rows() -> None:
    words = [f"w{index}" for index in range(150) for _ in range(5 if index < 40 else 4)]
    state = category.learn(pa.array(words))
    assert len(state.words) == 40


def test_at_most_a_thousand_words_are_kept() -> None:
    words = [f"w{index:04}" for index in range(1_200) for _ in range(6 if index >= 200 else 5)]
    state = category.learn(pa.array(words))
    assert len(state.words) == 1_000 and state.words[0] == "w0200"


def test_a_targets_classes_stand_by_the_alphabet_or_by_their_number() -> None:
    assert category.learn(pa.array(["b", "c", "a"]), "target").words == ("a", "b", "c")
    assert category.learn(pa.array(["10", "9", "-1"]), "target").words == ("-1", "9", "10")
    assert category.learn(pa.array([10, 9, 10]), "target").words == ("9", "10")


def test_a_targets_code_is_its_class_and_what_is_no_class_is_minus_one() -> None:
    state = category.learn(pa.array(["b", "a"]), "target")
    assert codes(state, "a", "b", "x", "") == [0, 1, -1, -1]
    assert category.parts(state, "grade")[0].codes == 2


def test_a_target_without_values_cannot_be_learned() -> None:
    with pytest.raises(TableError) as caught:
        category.learn(pa.array([None, "?"]), "target")
    assert str(caught.value) == ("None of the 2 training cells of the target has a value. Choose another target.")


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["b", "a"]),
        pa.array([3, 1], pa.int8()),
        pa.array([2**64 - 1, 1], pa.uint64()),
        pa.array([3.0, 1.5]),
        pa.array([3.0, 1.5], pa.float32()),
        pa.array([True, False]),
        pa.array([decimal.Decimal("3.50"), decimal.Decimal("1.00")]),
        pa.array([datetime.date(2024, 1, 2), datetime.date(2023, 1, 1)]),
        pa.array([datetime.datetime(2024, 1, 2, 3), datetime.datetime(2023, 1, 1)]),
        pa.array([datetime.datetime(2024, 1, 2, 3), datetime.datetime(2023, 1, 1)]).cast(pa.timestamp("ns", "UTC")),
        pa.array(["b", "a"]).cast(pa.large_string()),
        pa.array(["b", "a"]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_classes_come_back_in_the_type_they_had(values: pa.Array) -> None:
    state = category.State(**json.loads(json.dumps(asdict(category.learn(values, "target")))))
    back = category.decode(state, np.eye(2)[category.encode(state, values)[:, 0]])
    assert back.to_pylist() == values.to_pylist()
    text = pa.types.is_dictionary(values.type) or pa.types.is_large_string(values.type)
    assert back.type == (pa.string() if text else values.type)


def test_times_of_the_day_come_back_as_words() -> None:
    values = pa.array([datetime.time(12), datetime.time(13)])
    state = category.learn(values, "target")
    assert category.decode(state, np.eye(2)).to_pylist() == ["12:00:00.000000", "13:00:00.000000"]


def test_a_typed_value_and_its_text_are_the_same_word() -> None:
    typed = category.learn(pa.array([3, 3, 1, 1, 1]))
    assert codes(typed, "3", "3.0", " 1") == codes(typed, 3, 3, 1) == codes(typed, 3.0, 3.0, 1.0) == [3, 3, 2]
    text = category.learn(pa.array(["02134", "02134", "3.0", "3.0", "3.0", "True", "True", "True", "True"]))
    assert codes(text, 2134) == codes(text, "02134") == [4]
    assert codes(text, 3.0) == codes(text, 3) == codes(text, "3.0") == [3]
    assert codes(text, True) == codes(text, "True") == [2]
    assert codes(text, "2134") == [1]  # as text another zip code


def test_two_spellings_of_a_number_in_a_text_column_stay_two_words() -> None:
    state = category.learn(pa.array(["3", "3", "3", "3.0", "3.0"]))
    assert codes(state, "3", "3.0", "3.00") == [2, 3, 1]
    assert codes(state, 3) == [2]


def test_a_prediction_is_the_likeliest_class() -> None:
    state = category.learn(pa.array(["cat", "dog"]), "target")
    assert category.decode(state, np.array([[0.6, 0.4], [0.1, 0.9]])).to_pylist() == ["cat", "dog"]
    assert category.decode(state, np.zeros((0, 2))).to_pylist() == []


def test_features_have_at_most_255_codes() -> None:
    words = pa.array([f"w{index:03}" for index in range(400) for _ in range(5)])
    state = category.learn(words)
    made = category.features(state, pa.concat_arrays([words, pa.array(["new", None])]))
    assert made.sizes == (255,) and made.matrix.max() == 254
    assert made.matrix[-2:, 0].tolist() == [1.0, 0.0]
    assert len(np.unique(made.matrix)) == 255
    assert category.features(category.learn(JOBS), JOBS).sizes == (5,)


@pytest.mark.parametrize(
    ("values", "confidence", "reason"),
    [
        (JOBS, 0.9, "4 different words in 11 rows"),
        (pa.array(["a", "b", "c"]), 0.2, "3 different words in 3 rows"),
        (pa.array([f"w{index % 100}" for index in range(600)]), 0.85, "100 different words in 600 rows"),
        (pa.array([f"w{index % 300}" for index in range(600)]), 0.5, "300 different words in 600 rows"),
        (pa.array([1, 2, 3] * 9), 0.4, "3 different values in 27 rows"),
        (pa.array(["1", "2", "3"] * 9), 0.4, "3 different words in 27 rows"),
        (pa.array([1.5, 2.5] * 9), 0.2, "2 different values in 18 rows"),
        (pa.array(["1.5", "2.5"] * 9), 0.2, "2 different words in 18 rows"),
        (pa.array(["01", "12", "23"] * 9), 0.9, "3 different words in 27 rows; codes written in digits"),
        (
            pa.array(["0", "1", "2", "3+", "1"] * 9),
            0.7,
            "4 different words in 45 rows; not all are numbers: '3+' keeps coming back",
        ),
        (pa.array(["1"] * 99 + ["x"]), 0.2, "2 different words in 100 rows"),
        (pa.array(["", None, "na"]), 0.0, "no cell has a value"),
        (pa.array(["a"] * 3), 0.9, "1 different word in 3 rows"),
    ],
)
def test_a_claim_weighs_words_against_rows(values: pa.Array, confidence: float, reason: str) -> None:
    assert category.claim(values) == category.Claim(confidence, reason)


def test_corrupt_words_are_swapped_mistyped_or_lost() -> None:
    values = pa.array(np.random.default_rng(0).choice(["nurse", "cook", "driver"], 5_000))
    for severity in (1, 5):
        worse = category.corrupt(values, severity, 0)
        strange = len(set(worse.to_pylist()) - {"nurse", "cook", "driver", None})
        changed = 1 - np.mean([one == other for one, other in zip(values.to_pylist(), worse.to_pylist(), strict=True)])
        assert strange >= 3
        assert abs(changed - {1: 0.024, 5: 0.33}[severity]) < 0.03


def test_a_value_is_shown_as_its_word() -> None:
    state = category.learn(pa.array([3, 3]))
    assert [category.show(state, value) for value in (3, 3.0, " x ", None, "NA")] == [
        "3",
        "3",
        "x",
        "missing",
        "missing",
    ]
