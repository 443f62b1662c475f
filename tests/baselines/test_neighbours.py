import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from fathom.baselines import neighbours
from fathom.baselines.checking import hostile, planted
from fathom.baselines.contract import Truth
from fathom.baselines.graph import onnx_model
from fathom.data.modalities.contract import Features


def fit(train, truth, validation, check, seed=0):
    return neighbours.fit(train, truth, validation, check, seed=seed, seconds=None)


def run_onnx(fitted, rows):
    model = onnx_model([(neighbours.nodes(fitted, "features", "answer"), "answer", fitted.classes)], rows.shape[1])
    return onnxruntime.InferenceSession(model).run(None, {"features": rows})[0]


def numbers(matrix, values, classes=0):
    return Features(matrix, tuple(map(str, range(matrix.shape[1]))), (0,) * matrix.shape[1]), Truth(values, classes)


def test_the_near_rows_are_averaged_and_the_nearer_count_more(monkeypatch):
    monkeypatch.setattr(neighbours, "NEIGHBOURS", (2,))
    monkeypatch.setattr(neighbours, "DRAWN_TO_ALL", (0.0,))
    monkeypatch.setattr(neighbours, "NEAREST", 0.0)
    table = numbers(np.array([[0.0], [3.0], [4.0], [100.0]]), np.array([0.0, 1.0, 2.0, 9.0]))
    fitted = fit(*table, *table)
    # At 1, squared distances are 1, 4, 9, …; the second sets the reach 1.25 * 4 = 5: weights 4 and 1.
    assert neighbours.predict(fitted, np.array([[1.0]])).tolist() == pytest.approx([(4 * 0.0 + 1 * 1.0) / 5])


def test_rows_equally_far_count_equally_and_rounding_decides_nothing():
    draw = np.random.default_rng(0)
    matrix = draw.integers(0, 3, (600, 4)).astype(float)  # 81 kinds of row: ties everywhere
    features = Features(matrix, tuple("abcd"), (3, 3, 0, 0))
    truth = Truth(draw.integers(0, 2, 600), 2)
    fitted = fit(features, truth, features, truth)
    answer = neighbours.predict(fitted, matrix)
    assert np.allclose(fitted.estimator(matrix), answer, rtol=1e-9)
    assert np.allclose(run_onnx(fitted, matrix), answer, rtol=1e-9)
    order = draw.permutation(600)  # the order of the reference rows says nothing
    shuffled = fit(
        Features(matrix[order], features.names, features.sizes), Truth(truth.values[order], 2), features, truth
    )
    assert np.allclose(neighbours.predict(shuffled, matrix), answer, rtol=1e-9)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_estimator_arrays_and_onnx_agree_on_hostile_rows(classes):
    train, truth = planted(classes, 500, seed=1)
    fitted = fit(train, truth, *planted(classes, 200, seed=2))
    rows = hostile(train, 2_000, seed=3)
    answer = neighbours.predict(fitted, rows)
    assert np.allclose(fitted.estimator(rows), answer, rtol=1e-6, atol=1e-12)
    assert np.allclose(run_onnx(fitted, rows), answer, rtol=1e-6, atol=1e-12)


def test_another_category_is_one_apart_whichever_it_is(monkeypatch):
    monkeypatch.setattr(neighbours, "NEIGHBOURS", (1,))
    monkeypatch.setattr(neighbours, "DRAWN_TO_ALL", (0.0,))
    codes = np.array([[0.0], [1.0], [2.0]])
    features = Features(codes, ("job",), (4,))
    truth = Truth(np.array([1.0, 2.0, 6.0]))
    fitted = fit(features, truth, features, truth)
    answer = neighbours.predict(fitted, np.array([[0.0], [2.0], [3.0]]))  # the last was never seen: all are as near
    assert answer.tolist() == pytest.approx([1.0, 6.0, 3.0])


def test_digits_are_told_apart():
    matrix, codes = load_digits(return_X_y=True)
    train, check, test = (numbers(matrix[rows], codes[rows], 10) for rows in np.split(np.arange(1797), [1000, 1400]))
    answer = neighbours.predict(fit(*train, *check), test[0].matrix)
    assert (answer.argmax(axis=1) == test[1].values).mean() > 0.93


def test_no_more_than_the_most_reference_rows_are_kept_with_every_class(monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_REFERENCES", 50)
    train, truth = planted(3, 400, seed=1)
    fitted = fit(train, truth, *planted(3, 100, seed=2))
    assert len(fitted.arrays["reference"]) == pytest.approx(50, abs=3)
    assert set(fitted.arrays["outcome"]) == {0, 1, 2}


def test_rows_of_weight_zero_leave_an_answer_where_there_are_no_others():
    matrix = np.r_[np.zeros(50), np.full(50, 9.0)][:, None]
    table, truth = numbers(matrix, np.arange(100) // 50, 2)
    weighted = Truth(truth.values, 2, np.repeat([0.0, 2.0], 50))
    answer = neighbours.predict(fit(table, weighted, table, truth), matrix)
    assert np.isfinite(answer).all()
    assert answer[0, 0] > 0.5
