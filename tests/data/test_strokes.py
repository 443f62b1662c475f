"""Drawings of every nesting are read alike, whatever their size and place on the page."""

import json

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import series, strokes
from fathom.errors import TableError

CROSS = [[[0.0, 0.0], [5.0, 5.0], [10.0, 10.0]], [[0.0, 10.0], [10.0, 0.0]]]
LINE = [[[3.0, 1.0], [3.0, 2.0], [3.0, 4.0], [3.0, 5.0], [3.0, 9.0], [3.0, 10.0]]]


def by_axis(drawing):
    return [[list(axis) for axis in zip(*stroke, strict=True)] for stroke in drawing]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([CROSS, LINE, None]),
        pa.array([by_axis(CROSS), by_axis(LINE), None]),
        pa.array([json.dumps(CROSS), json.dumps(LINE), ""]),
    ],
    ids=["points", "axes", "text"],
)
def test_every_nesting_is_read_alike(values):
    assert strokes.claim(values).confidence >= 0.9
    state = strokes.learn(values)
    expected = strokes.encode(strokes.State(6, False), pa.array([CROSS, LINE, None]))
    np.testing.assert_array_equal(strokes.encode(state, values), expected)
    assert strokes.missing(values).tolist() == [False, False, True]


def test_size_and_place_on_the_page_do_not_count():
    moved = [[[7 + 3 * x, 40 + 3 * y] for x, y in stroke] for stroke in CROSS]
    values = pa.array([CROSS, moved])
    one, other = strokes.encode(strokes.learn(values), values)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_pen_is_set_down_once_a_stroke():
    encoded = strokes.encode(strokes.learn(pa.array([CROSS])), pa.array([CROSS]))[0]
    assert encoded[:, 0].tolist() == [1, 1, 1, 1, 1]
    assert encoded[:, 3].tolist() == [1, 0, 0, 1, 0]
    assert encoded[0, 4:].tolist() == [-1, -1]


def test_of_too_many_points_some_are_read_evenly():
    circle = [[[float(np.cos(t)), float(np.sin(t))] for t in np.linspace(0, 6, 1_000)]]
    state = strokes.learn(pa.array([circle]))
    encoded = strokes.encode(state, pa.array([circle]))[0]
    assert encoded.shape == (256, 6)
    assert encoded[:, 0].all()
    assert np.abs(np.diff(encoded[:, 4])).max() < 0.1


def test_strokes_are_no_series_and_series_no_strokes():
    assert series.claim(pa.array([CROSS])).confidence == 0
    assert strokes.claim(pa.array([[[1.0, 2.0], [3.0, 4.0]]])).confidence == 0


def test_a_column_without_strokes_is_refused():
    with pytest.raises(TableError, match="is a list of strokes"):
        strokes.learn(pa.array(["a cat", "a dog"]))
