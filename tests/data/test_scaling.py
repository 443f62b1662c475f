"""Landmarks, scores and knots resolve a column where its rows and its values are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.data.cells import scaling


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 1_000), min_size=1, max_size=300), limit=st.integers(3, 100))
def test_both_ends_are_chosen_and_never_more_than_the_limit(counts: list[int], limit: int) -> None:
    chosen = scaling.spread(np.array(counts), limit)
    assert chosen[0] == 0 and chosen[-1] == len(counts) - 1
    assert len(chosen) <= limit and (np.diff(chosen) > 0).all()


def test_distinct_values_are_chosen_evenly() -> None:
    chosen = scaling.spread(np.ones(100_000, np.int64), 256)
    assert len(chosen) > 250 and np.diff(chosen).max() < 900


def test_half_of_the_places_go_to_a_tail_behind_a_heap() -> None:
    chosen = scaling.spread(np.array([1_000_000, *[1] * 1_000]), 100)
    assert len(chosen) > 45


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 10**9), min_size=1, max_size=200))
def test_scores_rise_and_stay_within_four(counts: list[int]) -> None:
    rows = np.array(counts)
    scores = scaling.normal_scores(rows, np.arange(len(rows)))
    assert np.abs(scores).max() < 4 and (np.diff(scores) > 0).all()


def test_scores_are_those_of_the_middle_rank() -> None:
    assert scaling.normal_scores(np.array([1, 1, 1]), np.arange(3)).tolist() == pytest.approx(
        [-0.9674, 0, 0.9674], abs=1e-4
    )


def test_back_reverses_forth() -> None:
    landmarks, scores = (1.0, 10.0, 1000.0), (-1.0, 0.5, 2.0)
    numbers = np.array([1.0, 4.0, 600.0, 1000.0])
    assert scaling.back(scaling.forth(numbers, landmarks, scores), landmarks, scores) == pytest.approx(numbers)
    assert scaling.back(np.array([-9.0, 9.0]), landmarks, scores).tolist() == [1.0, 1000.0]


def test_beyond_the_landmarks_order_is_kept_up_to_infinity() -> None:
    numbers = np.array([-np.inf, -1e300, -5.0, 0.0, 1.0, 2.0, 3.0, 1e3, 1e300, np.inf])
    scored = scaling.forth(numbers, (1.0, 2.0), (-1.0, 1.0))
    assert (np.diff(scored) > 0).all() and scored[0] == -4 and scored[-1] == 4
    assert np.isnan(scaling.forth(np.array([np.nan]), (1.0, 2.0), (-1.0, 1.0)))[0]


def test_knots_are_never_too_close() -> None:
    encoded = np.array([0.0, 1e-6, 0.5, 0.5 + 1e-5, 1.0])
    assert scaling.knots(encoded, np.ones(5, np.int64)) == (0.0, 0.5, 1.0)
    assert scaling.knots(np.array([2.0]), np.array([9])) == (2.0, 3.0)
    assert scaling.knots(np.empty(0), np.empty(0, np.int64)) == (0.0, 1.0)


def test_the_mean_and_the_deviation_survive_any_size() -> None:
    for scale in (1e-290, 1.0, 1e150, 1e299):
        mean, deviation = scaling.mean_and_deviation(np.array([1.0, 3.0]) * scale)
        assert mean == pytest.approx(2 * scale, rel=1e-9, abs=0) and deviation == pytest.approx(scale, rel=1e-9, abs=0)
    assert scaling.mean_and_deviation(np.array([0.1] * 3))[1] == 1.0
    assert scaling.mean_and_deviation(np.empty(0)) == (0.0, 1.0)
