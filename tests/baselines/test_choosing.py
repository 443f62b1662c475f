import math

import numpy as np
import pytest

from fathom.baselines.choosing import LEAST_PROBABILITY, choose, draw, loss, softmax
from fathom.baselines.contract import Truth


def test_the_setting_with_the_lowest_loss_is_taken():
    choice = choose([1, 2, 3], lambda setting: ({1: 0.5, 2: 0.1, 3: 0.4}[setting], f"fitted {setting}"))
    assert (choice.setting, choice.result, choice.loss, choice.tried) == (2, "fitted 2", 0.1, 3)


def test_a_loss_that_is_not_a_number_is_never_the_best():
    assert choose([1, 2], lambda setting: (math.nan if setting == 1 else 9.0, None)).setting == 2


def test_the_first_setting_is_tried_however_little_time_there_is():
    assert choose([1, 2], lambda setting: (0.0, None), seconds=0.0).tried == 1


def test_trying_ends_when_it_got_worse_more_often_than_patience_allows():
    losses = {1: 3.0, 2: 2.0, 3: 2.5, 4: 2.6, 5: 0.0}
    assert choose(list(losses), lambda setting: (losses[setting], None), patience=1).setting == 2
    assert choose(list(losses), lambda setting: (losses[setting], None), patience=2).setting == 5


def test_the_loss_of_numbers_is_the_root_of_the_mean_squared_error():
    truth = Truth(np.array([0.0, 0.0]))
    assert loss(np.array([3.0, 4.0]), truth) == math.sqrt(12.5)
    assert loss(np.array([3.0, 4.0]), Truth(truth.values, weights=np.array([2.0, 0.0]))) == 3.0


def test_the_log_loss_of_an_impossible_truth_is_finite():
    assert loss(np.array([[1.0, 0.0]]), Truth(np.array([1]), classes=2)) == pytest.approx(-math.log(LEAST_PROBABILITY))


def test_scores_beyond_the_range_of_powers_still_become_probabilities():
    assert softmax(np.array([[1e5, 0.0], [-1e5, -1e5]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_a_draw_keeps_shares_and_every_class():
    codes = np.r_[np.zeros(9_000), np.ones(999), [2]].astype(int)
    drawn = draw(Truth(codes, classes=3), 1_000, seed=1)
    assert np.bincount(codes[drawn]).tolist() == pytest.approx([900, 100, 1], abs=2)
    assert np.all(np.diff(drawn) > 0)


def test_another_seed_draws_other_rows():
    truth = Truth(np.zeros(100))
    assert np.array_equal(draw(truth, 10, seed=1), draw(truth, 10, seed=1))
    assert not np.array_equal(draw(truth, 10, seed=1), draw(truth, 10, seed=2))
