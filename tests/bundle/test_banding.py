"""Intervals hold the truth among small answers and large ones alike, where one width for all does not."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.bundle.answers import banding

LEVEL = 0.9


def homes(rows, seed):
    """Answers, and truths that differ from them the more, the larger they are."""
    random = np.random.default_rng(seed)
    said = random.uniform(10, 1_000, rows)
    return said, said + random.normal(0, said / 10)


def test_every_fifth_of_the_answers_is_held_as_often_as_promised():
    held, alike = [], []
    for seed in range(60):
        said, truth = homes(800, seed)
        asked, known = homes(800, seed + 1_000)
        bands = banding.learn(said, np.abs(truth - said), LEVEL)
        fifth = np.searchsorted(np.quantile(asked, [0.2, 0.4, 0.6, 0.8]), asked)
        one_width = banding.half_width(np.abs(truth - said), LEVEL)
        for widths, kept in ((bands, held), (None, alike)):
            inside = np.abs(known - asked) <= banding.reach(widths, one_width, asked)
            kept.append([inside[fifth == part].mean() for part in range(5)])
    assert np.abs(np.mean(held, axis=0) - LEVEL).max() < 0.03
    assert np.mean(alike, axis=0)[0] > 0.99 and np.mean(alike, axis=0)[-1] < 0.8


@pytest.mark.parametrize("rows", [0, 3, 99])
def test_few_rows_keep_one_width_for_all(rows):
    said, truth = homes(rows, 0)
    assert banding.learn(said, np.abs(truth - said), LEVEL) is None


def test_answers_that_are_nearly_all_the_same_keep_one_width_for_all():
    assert banding.learn(np.append(np.zeros(400), 1.0), np.ones(401), LEVEL) is None


def test_intervals_of_a_bundle_follow_the_size_of_its_answer_where_no_margins_are_told(two_targets, flights):
    bands = two_targets.description.bands["temperature_f"]
    without = replace(two_targets.description, factors={})
    found = replace(two_targets, inference=replace(two_targets.inference, description=without)).predict(flights)
    said, high = (found.column(name).to_numpy() for name in ("temperature_f", "temperature_f_high"))
    assert high - said == pytest.approx(banding.reach(bands, 0.0, said), abs=1e-6)
    assert len(set((high - said).round(4))) == len(set(np.round(bands["half_widths"], 4))) > 1
