import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from fathom.baselines import expanding, linear
from fathom.baselines.checking import planted
from fathom.baselines.choosing import loss
from fathom.baselines.contract import Truth
from fathom.data.modalities.contract import Features


def fit(train, truth, validation, check, seed=0):
    return linear.fit(train, truth, validation, check, seed=seed, seconds=None)


def test_ridge_solves_its_normal_equations():
    train, truth = planted(0, 300, seed=1)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 300)
    fitted = fit(train, Truth(truth.values, weights=weights), *planted(0, 100, seed=2))
    columns = expanding.expand(fitted.arrays, train.matrix)
    share = weights[:, None] / weights.sum()
    centred, aim = columns - (share * columns).sum(axis=0), truth.values - share[:, 0] @ truth.values
    normal = centred.T @ (weights[:, None] * centred) + fitted.notes["penalty"] * np.eye(columns.shape[1])
    expected = np.linalg.solve(normal, centred.T @ (weights * aim))
    assert np.allclose(fitted.arrays["coefficients"][:, 0], expected, atol=1e-9)


def test_logistic_regression_stands_where_its_loss_is_flat():
    train, truth = planted(3, 300, seed=1)
    fitted = fit(train, truth, *planted(3, 100, seed=2))
    columns = expanding.expand(fitted.arrays, train.matrix)
    wrong = linear.predict(fitted, train.matrix) - np.eye(3)[truth.values]
    slope = columns.T @ wrong + fitted.notes["penalty"] * fitted.arrays["coefficients"]
    assert np.abs(slope).max() < 0.05  # of 300 rows; 40 at coefficients of 0
    assert np.abs(columns.T @ (1 / 3 - np.eye(3)[truth.values])).max() > 40


def test_on_diabetes_ridge_is_better_than_without_a_penalty():
    matrix, values = load_diabetes(return_X_y=True)
    values = (values - values.mean()) / values.std()
    parts = [
        (Features(matrix[rows], tuple("abcdefghij"), (0,) * 10), Truth(values[rows]))
        for rows in (slice(0, 100), slice(100, 250), slice(250, None))
    ]
    fitted = fit(*parts[0], *parts[1])
    assert fitted.notes["penalty"] > 1
    columns = expanding.expand(fitted.arrays, parts[0][0].matrix)
    plain, *_ = np.linalg.lstsq(np.c_[columns, np.ones(100)], parts[0][1].values)
    test, truth = parts[2]
    without = np.c_[expanding.expand(fitted.arrays, test.matrix), np.ones(len(test.matrix))] @ plain
    assert loss(linear.predict(fitted, test.matrix), truth) < loss(without, truth)


def test_more_rows_than_fit_are_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(linear, "MOST_CELLS", 0)
    monkeypatch.setattr(linear, "LEAST_ROWS", 100)
    tables = (*planted(2, 300, seed=1), *planted(2, 100, seed=2))
    one, again, other = (fit(*tables, seed=seed) for seed in (1, 1, 2))
    assert one.notes["training rows"] == pytest.approx(100, abs=2)
    assert np.array_equal(one.arrays["coefficients"], again.arrays["coefficients"])
    assert not np.array_equal(one.arrays["coefficients"], other.arrays["coefficients"])


def test_many_columns_and_few_rows_do_not_stop_it():
    draw = np.random.default_rng(0)
    matrix = draw.normal(size=(60, 300))
    features = Features(matrix, tuple(map(str, range(300))), (0,) * 300)
    truth = Truth(matrix[:, 0])
    assert loss(linear.predict(fit(features, truth, features, truth), matrix), truth) < 0.5
