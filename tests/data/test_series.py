"""Series of every nesting are read alike; gaps, uneven times and hostile cells have a defined code."""

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.baselines import constant
from fathom.data.modalities import series
from fathom.errors import OptionError, TableError

STEPS = [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]]
CHANNELS = [list(channel) for channel in zip(*STEPS, strict=True)]
SHORT = [[7.0, 70.0], [8.0, 80.0], [9.0, 90.0]]
SHORT_CHANNELS = [list(channel) for channel in zip(*SHORT, strict=True)]
WRITTEN = {
    "a list of steps": pa.array([STEPS, SHORT, None]),
    "a list of channels": pa.array([CHANNELS, SHORT_CHANNELS, None]),
    "a record of channels": pa.array(
        [{"a": CHANNELS[0], "b": CHANNELS[1]}, {"a": SHORT_CHANNELS[0], "b": SHORT_CHANNELS[1]}, None]
    ),
    "a list of records": pa.array([[{"a": a, "b": b} for a, b in STEPS], [{"a": a, "b": b} for a, b in SHORT], None]),
    "text of steps": pa.array([str(STEPS), str(SHORT), ""]),
    "text of channels": pa.array(["1,2,3,4,5:10,20,30,40,50", "7,8,9:70,80,90", "NaN"]),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_every_nesting_is_read_alike(how):
    values = WRITTEN[how]
    state = series.learn(values)
    expected = series.encode(series.learn(WRITTEN["a list of steps"]), WRITTEN["a list of steps"])
    assert (state.channels, state.longest) == (2, 5)
    np.testing.assert_allclose(series.encode(state, values), expected, atol=1e-6)
    assert series.missing(values).tolist() == [False, False, True]


@pytest.mark.parametrize(
    "text", ["1 2 3 4 5 6", "[1, 2, 3, 4, 5, 6]", "1;2;3;4;5;6", "1.0\t2\n3 4 5 6", "(1,2,3,4,5,6)"]
)
def test_text_of_numbers_is_a_series_whatever_stands_between_them(text):
    values = pa.array([text] * 4)
    assert series.claim(values).confidence >= 0.8
    assert series.learn(values).longest == 6


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-02", "2024-02-03"],
        ["+44 20 7946 0958"],
        ["a b c d e f"],
        ["12.5 47.1"],
        ["1,234,567"],
        ["red, 3 4 5 6 7 8"],
    ],
)
def test_text_that_is_something_else_is_not_claimed(cells):
    assert series.claim(pa.array(cells * 5)).confidence < 0.5


def test_a_gap_is_filled_between_its_neighbours_and_marked():
    values = pa.array([[0.0, None, 2.0, 4.0], [1.0, 1.0, 1.0, 3.0]])
    state = series.learn(values)
    encoded = series.encode(state, values)
    back = encoded[0, :, 1] * state.spread[0] + state.centre[0]
    assert state.gaps
    np.testing.assert_allclose(back, [0, 1, 2, 4], atol=1e-5)
    assert encoded[0, :, 2].tolist() == [1, 0, 1, 1]


def test_ragged_channels_end_where_each_ends():
    values = pa.array([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0]], [[1.0] * 7, [2.0] * 7]])
    encoded = series.encode(series.learn(values), values)
    assert encoded[0, :, 0].sum() == 6
    assert np.isfinite(encoded).all()


def test_uneven_times_are_read_and_even_ones_are_not():
    def cells(times):
        return pa.array([{"time": times, "x": [1.0, 2.0, 3.0, 4.0]}] * 3)

    uneven = series.learn(cells([0.0, 1.0, 2.0, 9.0]))
    assert uneven.pace == 1.0
    assert series.learn(cells([0.0, 1.0, 2.0, 3.0])).pace == 0.0
    late = series.encode(uneven, cells([0.0, 1.0, 2.0, 9.0]))[0, :, -1]
    np.testing.assert_allclose(late, [0, 0, 0, np.log(7)], atol=1e-5)


def test_rows_that_differ_by_level_are_read_by_their_own_level_too():
    generator = np.random.default_rng(0)
    waves = np.sin(np.arange(30))[None] + 100 * generator.normal(size=(20, 1))
    state = series.learn(pa.array(waves.tolist()))
    assert state.levels
    own = series.encode(state, pa.array(waves.tolist()))[:, :, 2]
    np.testing.assert_allclose(own, np.broadcast_to(own[0], own.shape), atol=1e-4)


def test_long_rows_are_shortened_by_one_factor_and_longer_ones_cut():
    state = series.learn(pa.array([np.arange(2_000.0).tolist()]))
    assert (state.factor, state.steps) == (4, 500)
    encoded = series.encode(state, pa.array([np.arange(5_000.0).tolist(), [1.0, 3.0]]))
    assert encoded[:, :, 0].sum(axis=1).tolist() == [500, 1]


@pytest.mark.parametrize("cell", [[], [None, None], [float("nan")]])
def test_a_list_without_a_number_is_missing(cell):
    values = pa.array([[1.0, 2.0], cell, None], pa.list_(pa.float64()))
    assert series.missing(values).tolist() == [False, True, True]
    assert not series.encode(series.learn(values), values)[1].any()


def test_words_among_numbers_are_unreadable_and_the_rest_is_read():
    values = pa.array(["1 2 3", "1 two 3", "unknown"])
    state = series.learn(values)
    assert series.unreadable(state, values).tolist() == [False, True, False]
    assert series.encode(state, values)[1, :, 0].sum() == 3


def test_a_column_without_numbers_is_refused_with_what_stands_there():
    with pytest.raises(
        TableError, match=r"None of the 2 training cells is a list of numbers: the first with a value is 'rain'"
    ):
        series.learn(pa.array(["rain", "snow"]))


def test_a_series_cannot_be_predicted():
    with pytest.raises(OptionError, match="cannot be predicted"):
        series.learn(pa.array([[1.0]]), "target")


def test_features_know_level_trend_and_season():
    step = np.arange(64)
    values = pa.array([(3 + 0.5 * step).tolist(), np.sin(2 * np.pi * step / 8).tolist()])
    state = series.learn(values)
    made = series.features(state, values)
    named = {name: made.matrix[:, place] for place, name in enumerate(made.names)}
    assert named["mean"][0] == pytest.approx(3 + 0.5 * 31.5)
    assert named["slope"][0] == pytest.approx(0.5 * 64)
    assert named["season"][1] == 8
    assert named["peak of the spectrum"][1] == pytest.approx(1 / 8, abs=0.01)


def test_a_value_is_shown_by_its_course():
    values = pa.array([[0.0, 1.0, 2.0, 3.0], None])
    state = series.learn(values)
    assert series.show(state, [0.0, 1.0, 2.0, 3.0]) == "4 steps, 0 to 3: ▁▃▆█"
    assert series.show(state, None) == "missing"


def table_of(rows=60):
    generator = np.random.default_rng(0)
    cells = [generator.normal(size=int(generator.integers(5, 20))).tolist() for _ in range(rows)]
    return {"pulse": cells, "kind": ["a", "b"] * (rows // 2)}


def test_a_fit_lives_through_gaps_empty_lists_and_numbers_without_end():
    table = table_of()
    table["pulse"][3:8] = [[], None, [float("nan")] * 4, [1.0, None, 2.0], [1e300, -1e300]]
    model = fathom.fit(table, "kind", effort="quick", epochs=1, baselines=(constant,))
    assert model.result["training"]["seen"][0]["rows"][0][0].startswith("data:image/png;base64,")
    assert model.predict({"pulse": [[1.0, 2.0], [], None]}).rows == 3
    with pytest.raises(TableError, match="holds 'rain', and so are"):
        model.predict({"pulse": ["rain", "snow"]})


def test_lists_as_a_target_are_refused():
    table = table_of()
    with pytest.raises(TableError, match="cannot be predicted"):
        fathom.fit({"age": list(range(60)), "pulse": table["pulse"]}, "pulse", effort="quick")
