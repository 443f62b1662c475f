"""Numbers become scores that no outlier can hurt, and come back."""

import json
import time
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.data.cells.scaling import KNOTS
from fathom.data.modalities import number
from fathom.errors import OptionError, TableError

finite = st.floats(allow_nan=False, allow_infinity=False)


def zeros_with_a_tail() -> np.ndarray:
    generator = np.random.default_rng(0)
    gains = np.where(generator.random(20_000) < 0.92, 0.0, np.round(generator.lognormal(8, 1.2, 20_000)))
    gains[:100] = 99_999.0
    return gains


def test_a_claim_says_how_many_cells_are_numbers() -> None:
    cells = [f"{value:.1f}".replace(".", ",") for value in np.arange(1_204) / 7]
    assert number.claim(pa.array(cells)) == number.Claim(0.95, "all 1,204 cells are numbers; decimal comma")


def test_a_claim_leaves_missing_cells_out() -> None:
    claim = number.claim(pa.array(["1", "N/A", "unknown", "", "2"]))
    assert (claim.confidence, claim.reason) == (0.95, "all 2 cells with a value are numbers")


def test_a_claim_on_dirty_numbers_names_the_first_other_cell() -> None:
    claim = number.claim(pa.array(["1"] * 54 + ["abc"] + ["2.5"]))
    assert (claim.confidence, claim.reason) == (0.6, "98.2 % of the cells are numbers, first other cell: 'abc'")


def test_a_claim_says_how_commas_in_doubt_were_read() -> None:
    claim = number.claim(pa.array(["1,234", "12,345", "999"]))
    assert claim.reason == "all 3 cells are numbers; ',' between thousands, so '1,234' is 1234"


def test_words_are_hardly_claimed() -> None:
    assert number.claim(pa.array(["a", "b"])) == number.Claim(0.0, "no cell is a number, the first is 'a'")
    assert number.claim(pa.array(["a", "b", "c", "4"])).confidence == pytest.approx(0.05)


def test_codes_with_leading_zeros_are_no_amounts() -> None:
    claim = number.claim(pa.array(["007", "123", "456"]))
    assert (claim.confidence, claim.reason) == (
        0.1,
        "every cell has 3 digits and some begin with 0: a code, not an amount",
    )
    assert number.claim(pa.array(["07", "123"])).confidence == 0.95


@pytest.mark.parametrize("values", [pa.array(["12345678901234567890"] * 3), pa.array([2**63 + 1] * 3, pa.uint64())])
def test_whole_numbers_too_long_for_a_float_are_no_amounts(values: pa.Array) -> None:
    digits = 20 if pa.types.is_string(values.type) else 19
    assert number.claim(values).reason == f"whole numbers of {digits} digits would lose digits as a number"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, 3]),
        pa.array([1.5, None]),
        pa.array([1, 2], pa.uint8()),
        pa.array([1.5], pa.float16()),
        pa.array(["1.5"]).cast(pa.decimal128(5, 2)),
        pa.array([5]).cast(pa.duration("s")),
        pa.array(["1", "2"]).dictionary_encode(),
    ],
)
def test_every_number_type_is_claimed(values: pa.Array) -> None:
    assert number.claim(values).confidence == 0.95


def test_a_long_tail_behind_a_heap_of_zeros_is_resolved() -> None:
    gains = zeros_with_a_tail()
    state = number.learn(pa.array(gains))
    tail = np.unique(gains[gains > 0])
    codes = number.encode(state, pa.array(tail))[:, 0]
    assert (np.diff(codes) > 0).all()
    assert len(state.landmarks) <= 256 and sum(mark > 0 for mark in state.landmarks) > 100
    assert len(state.knots) <= KNOTS and sum(knot > codes[0] for knot in state.knots) > KNOTS / 3
    assert codes[-1] > 2.4 and number.encode(state, pa.array([0.0]))[0, 0] < 0


def test_scores_of_a_smooth_column_are_normal() -> None:
    generator = np.random.default_rng(0)
    values = pa.array(generator.lognormal(3, 2, 5_000))
    codes = number.encode(number.learn(values), values)[:, 0]
    assert abs(codes.mean()) < 0.02 and abs(codes.std() - 1) < 0.03
    assert np.abs(codes).max() < 4


@settings(deadline=None)
@given(train=st.lists(finite, min_size=1, max_size=30), other=st.lists(finite, min_size=2, max_size=30))
def test_codes_keep_the_order_of_the_numbers_and_stay_bounded(train: list[float], other: list[float]) -> None:
    state = number.learn(pa.array(train))
    codes = number.encode(state, pa.array([*sorted(other), np.inf]))[:, 0]
    assert (np.diff(codes) >= -1e-6).all() and np.isfinite(codes).all() and np.abs(codes).max() <= 4
    assert list(state.landmarks) == sorted(set(state.landmarks)) and list(state.scores) == sorted(set(state.scores))
    assert len(state.knots) >= 2 and list(state.knots) == sorted(set(state.knots))


def test_numbers_beyond_the_training_rows_still_differ() -> None:
    state = number.learn(pa.array(np.arange(100.0)))
    codes = number.encode(state, pa.array([99.0, 100.0, 200.0, 1e6, 1e300, np.inf]))[:, 0]
    assert (np.diff(codes) > 0).all() and codes[-1] == 4.0


def test_one_outlier_moves_no_other_code_much() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    clean, dirty = number.learn(pa.array(values)), number.learn(pa.array([*values, 1e30, np.inf]))
    probe = pa.array(np.linspace(-2, 2, 50))
    assert np.abs(number.encode(clean, probe) - number.encode(dirty, probe)).max() < 0.06
    assert dirty.highest == 1e30


@settings(deadline=None)
@given(values=st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=30))
def test_a_target_comes_back_from_its_code(values: list[float]) -> None:
    state = number.learn(pa.array(values), "target")
    codes = number.encode(state, pa.array(values))[:, 0]
    errors = np.abs(number.decode(state, codes).to_numpy() - values)
    assert errors.max() <= 1e-6 * (state.deviation * float(np.abs(codes).max()) + abs(state.mean))


def test_a_target_beyond_all_measure_still_comes_back_finite() -> None:
    state = number.learn(pa.array([0.0] * 4 + [1.797e308]), "target")
    back = number.decode(state, number.encode(state, pa.array([1.797e308, 0.0, np.inf]))[:, 0])
    assert np.isfinite(back.to_numpy()).all()


def test_a_target_is_standardised() -> None:
    values = np.random.default_rng(0).normal(50, 7, 1_000)
    state = number.learn(pa.array(values), "target")
    codes = number.encode(state, pa.array(values))
    assert codes.dtype == np.float32 and codes.shape == (1_000, 1)
    assert abs(codes.mean()) < 1e-6 and abs(codes.std() - 1) < 1e-6
    assert state.mean == pytest.approx(values.mean()) and state.deviation == pytest.approx(values.std())


def test_a_constant_column_has_a_deviation_of_one() -> None:
    state = number.learn(pa.array(["7", "7"]), "target")
    assert (state.mean, state.deviation) == (7.0, 1.0)
    assert number.encode(state, pa.array(["7", "9"]))[:, 0].tolist() == [0.0, 2.0]


def test_an_inputs_code_turns_back_into_the_number() -> None:
    values = np.arange(50.0)
    state = number.learn(pa.array(values))
    assert number.decode(state, number.encode(state, pa.array(values))[:, 0]).to_numpy() == pytest.approx(
        values, abs=1e-4
    )


def test_missing_numbers_get_the_median_and_a_flag_of_their_own() -> None:
    state = number.learn(pa.array(["1", "2", "3", "", "5", "NA"]))
    assert [part.label for part in number.parts(state, "age")] == ["age", "age.missing"]
    assert number.parts(state, "age")[1].knots == (0.0, 1.0)
    codes = number.encode(state, pa.array(["2", "", None, "x", "1e400"]))
    assert codes[:, 1].tolist() == [0, 1, 1, 1, 0]
    assert codes[1, 0] == codes[0, 0] == codes[3, 0]  # 2 is the median


def test_without_missing_training_cells_there_is_no_flag() -> None:
    state = number.learn(pa.array([1.0, 2.0]))
    assert number.encode(state, pa.array([None, 1.0])).shape == (2, 1)


def test_infinite_training_cells_are_left_out_of_the_statistics() -> None:
    state = number.learn(pa.array([1.0, 3.0, np.inf, -np.inf]), "target")
    assert (state.mean, state.deviation, state.lowest, state.highest) == (2.0, 1.0, 1.0, 3.0)


def test_cells_that_are_no_finite_numbers_are_unreadable_and_missing_ones_are_not() -> None:
    state = number.learn(pa.array(["1", "2"]))
    cells = pa.array(["1", "x", "", "n/a", "inf", "1e400", None, "-", "12,5"])
    assert number.unreadable(state, cells).tolist() == [False, True, False, False, True, True, False, False, True]
    assert number.missing(cells).tolist() == [False, False, True, True, False, False, True, True, False]
    assert number.unreadable(state, pa.array([1.0, np.nan, np.inf])).tolist() == [False, False, True]


def test_a_column_without_numbers_cannot_be_learned() -> None:
    with pytest.raises(TableError) as caught:
        number.learn(pa.array(["a", "b"]))
    assert str(caught.value) == (
        "None of the 2 training cells is a number: the first is 'a'. "
        "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
    )
    with pytest.raises(TableError) as caught:
        number.learn(pa.array([None, ""]), "target")
    assert str(caught.value) == (
        "None of the 2 training cells is a number: every cell is missing. "
        "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
    )


def test_whole_numbers_that_would_lose_digits_cannot_be_learned() -> None:
    with pytest.raises(TableError) as caught:
        number.learn(pa.array(["12345678901234567891"] * 3))
    assert str(caught.value) == (
        "Whole numbers of 20 digits would lose digits as a number: '12345678901234567891' becomes 12345678901234567168. "
        "Read the column as words with --columns NAME=category, or as names with NAME=id."
    )


def test_an_empty_column_is_learned_as_nothing() -> None:
    state = number.learn(pa.nulls(3))
    assert state.has_missing and number.encode(state, pa.array(["5", ""]))[:, 1].tolist() == [0.0, 1.0]


def test_typed_and_text_numbers_have_the_same_codes() -> None:
    values = np.round(np.random.default_rng(0).lognormal(3, 1, 500), 2)
    state = number.learn(pa.array(values))
    text = pa.array(values).cast(pa.string())
    assert state == number.learn(text)
    assert number.encode(state, text).tobytes() == number.encode(state, pa.array(values)).tobytes()


def test_a_state_survives_json_to_the_last_bit() -> None:
    values = pa.array(np.random.default_rng(0).lognormal(3, 2, 1_000))
    state = number.learn(values)
    again = number.State(**json.loads(json.dumps(asdict(state))))
    assert again == state and number.encode(again, values).tobytes() == number.encode(state, values).tobytes()


def test_features_are_the_numbers_themselves() -> None:
    state = number.learn(pa.array(["$1,200", "$3"]))
    made = number.features(state, pa.array(["$1,200", "", "x", "3", "1e400", "-1e400"]))
    largest = float(np.finfo(np.float32).max)
    assert np.array_equal(made.matrix[:, 0], [1200, np.nan, np.nan, 3, largest, -largest], equal_nan=True)
    assert (made.names, made.sizes) == (("value",), (0,))


def test_a_number_is_shown_as_the_column_writes_it() -> None:
    state = number.learn(pa.array(["1.234,50 €", "2,25 €"]))
    shown = [number.show(state, value) for value in (1234.5, "7,5 €", None, float("nan"), -3)]
    assert shown == ["1.234,50 €", "7,5 €", "missing", "missing", "-3,00 €"]
    whole = number.learn(pa.array([1, 2, 30]), "target")
    assert [number.show(whole, value) for value in (2, 2.25, np.float32(3))] == ["2", "2.2", "3"]
    assert number.show(whole, float("inf")) == "inf"


@settings(deadline=None)
@given(value=st.floats(-1e12, 1e12).map(lambda number: round(number, 2)))
def test_what_is_shown_can_be_read_again(value: float) -> None:
    state = number.learn(pa.array(["1.234,50", "1.234.567,25"]))
    shown = number.show(state, value)
    assert number.features(state, pa.array([shown])).matrix[0, 0] == value


def test_corrupt_numbers_are_noisier_the_severer() -> None:
    values = pa.array(np.random.default_rng(0).normal(size=4_000))
    noise = []
    for severity in range(1, 6):
        worse = number.corrupt(values, severity, 3)
        assert worse.type == values.type
        changes = worse.to_numpy(zero_copy_only=False) - values.to_numpy()
        noise.append(float(np.nanmedian(np.abs(changes))))
        assert abs(worse.null_count / 4_000 - number.LOST[severity - 1]) < 0.02
    assert noise == sorted(noise) and noise[0] > 0
    assert np.nanmax(np.abs(number.corrupt(values, 5, 3).to_numpy(zero_copy_only=False))) > 20  # a slip of the unit


def test_corrupt_text_stays_in_the_form_of_the_column() -> None:
    values = pa.array([f"{value / 4},25 €".replace(".", "") for value in range(0, 400, 4)] + ["abc"])
    state = number.learn(values.slice(0, 100))
    worse = number.corrupt(values, 2, 0)
    assert not number.unreadable(state, worse.slice(0, 100)).any()
    assert worse[100].as_py() == "abc"


def test_corrupt_whole_numbers_stay_whole() -> None:
    values = pa.array(range(0, 1000, 3), pa.int16())
    assert number.corrupt(values, 5, 0).type == pa.int16()


def test_an_unknown_severity_is_refused() -> None:
    with pytest.raises(OptionError) as caught:
        number.corrupt(pa.array([1.0]), 6, 0)
    assert str(caught.value) == "There is no severity 6. Severities go from 1 (a little) to 5 (badly)."


def test_a_million_numbers_are_encoded_in_half_a_second() -> None:
    values = pa.array(np.round(np.random.default_rng(0).lognormal(3, 2, 200_000), 3))
    state = number.learn(values.slice(0, 10_000))
    for column in (values, values.cast(pa.string())):
        start = time.process_time()
        number.encode(state, column)
        assert time.process_time() - start < 0.1  # a fifth of the rows; an idle core needs a tenth of the time allowed
