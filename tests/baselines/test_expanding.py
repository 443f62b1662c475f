import numpy as np
import onnxruntime
import pytest

from fathom.baselines.checking import hostile, planted
from fathom.baselines.contract import Fragment
from fathom.baselines.expanding import LIMIT, MOST_CATEGORIES, expand, expand_nodes, learn, width
from fathom.baselines.graph import Drawing, onnx_model
from fathom.data.modalities.contract import Features


def numbers(*columns):
    return Features(np.array(columns, dtype=float).T, tuple("abc"[: len(columns)]), (0,) * len(columns))


def test_a_number_is_measured_from_the_median_in_spreads_of_the_inner_nine_tenths():
    features = numbers(np.random.default_rng(0).normal(loc=40, scale=3, size=100_000))
    assert expand(learn(features), np.array([[40.0], [43.0]])).ravel() == pytest.approx([0, 1], abs=0.02)


def test_a_mistyped_number_moves_neither_the_others_nor_the_answer_beyond_the_cut():
    ages = np.linspace(20, 60, 401)
    with_mistake = np.append(ages, 1e9)
    clean, soiled = (learn(numbers(column)) for column in (ages, with_mistake))
    assert np.allclose(expand(clean, ages[:, None]), expand(soiled, ages[:, None]), atol=0.01)
    assert expand(soiled, np.array([[1e9], [-np.inf]])).ravel().tolist() == [LIMIT, -LIMIT]


def test_a_number_that_is_mostly_zero_is_scaled_by_what_remains():
    gains = np.r_[np.zeros(990), np.linspace(1000, 2000, 10)]
    column = expand(learn(numbers(gains)), gains[:, None]).ravel()
    assert column[:990].max() == 0
    assert 0 < column[990] < column[-1] <= LIMIT


def test_a_missing_number_is_the_middle_and_a_mark():
    columns = expand(learn(numbers([1.0, 2, 3, np.nan])), np.array([[np.nan], [2.0]]))
    assert columns.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_a_column_that_never_varied_says_nothing_in_new_rows():
    expansion = learn(numbers([7.0, 7, 7], [np.nan, np.nan, np.nan]))
    assert expand(expansion, np.array([[7.0, np.nan], [9.0, 5.0], [np.inf, 1e300]])).tolist() == [[0.0, 0.0]] * 3


def test_rare_and_unseen_categories_share_a_column():
    codes = np.r_[np.repeat(np.arange(MOST_CATEGORIES), 3), 70, 71].astype(float)
    expansion = learn(Features(codes[:, None], ("job",), (80,)))
    columns = expand(expansion, np.array([[0.0], [70.0], [75.0], [-1.0], [np.nan]]))
    assert width(expansion) == columns.shape[1] == MOST_CATEGORIES + 1
    assert columns[0, 0] == 1
    assert columns[1:, -1].tolist() == [1, 1, 1, 1]
    assert (columns.sum(axis=1) == 1).all()


def test_onnx_expands_hostile_rows_to_the_same_numbers():
    features, _ = planted(0, 300, seed=1)
    expansion = learn(features)
    rows = hostile(features, 2_000, seed=2)
    drawing = Drawing("columns")
    last = expand_nodes(drawing, expansion, "features", category=0.5)
    drawing.node("Identity", last, output="columns")
    model = onnx_model(
        [(Fragment(tuple(drawing.nodes), tuple(drawing.initializers)), "columns", width(expansion))], rows.shape[1]
    )
    (found,) = onnxruntime.InferenceSession(model).run(None, {"features": rows})
    assert np.array_equal(found, expand(expansion, rows, category=0.5))
