import numpy as np

from fathom.baselines import constant
from fathom.baselines.contract import Truth
from fathom.data.modalities.contract import Features

ROWS = Features(np.zeros((4, 1)), ("column",), (0,))


def answer(truth):
    fitted = constant.fit(ROWS, truth, ROWS, truth, seed=0, seconds=None)
    return constant.predict(fitted, np.zeros((2, 1))).tolist()


def test_a_number_is_answered_with_the_mean():
    assert answer(Truth(np.array([0.0, 0.0, 1.0, 3.0]))) == [1.0, 1.0]


def test_a_class_is_answered_with_its_share():
    assert answer(Truth(np.array([0, 1, 1, 1]), classes=2)) == [[0.25, 0.75]] * 2


def test_the_mean_is_weighted():
    assert answer(Truth(np.array([0.0, 0.0, 1.0, 3.0]), weights=np.array([0.0, 0.0, 2.0, 2.0]))) == [2.0, 2.0]


def test_the_shares_are_weighted():
    assert answer(Truth(np.array([0, 1, 1, 1]), 2, np.array([3.0, 1.0, 0.0, 0.0]))) == [[0.75, 0.25]] * 2


def test_a_class_without_rows_counts_as_half_a_row():
    assert np.allclose(answer(Truth(np.array([0, 0, 1, 1]), classes=3))[0], [2 / 4.5, 2 / 4.5, 0.5 / 4.5])
