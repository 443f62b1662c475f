"""Calibration: an honest model lies on the line, a boastful one does not, for probabilities and for intervals."""

import numpy as np
import pytest

from fathom.chapters.preparing import prepare
from fathom.data.files.reading import read
from fathom.data.modalities import MODALITIES
from fathom.evidence.calibration import LEVELS, of_intervals, of_probabilities, widths_at
from fathom.progress import Silent
from fathom.resampling import wilson
from fathom.settings import Settings


def two(first: np.ndarray) -> np.ndarray:
    return np.stack([1 - first, first], axis=1)


def honest(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    chance = generator.random(rows)
    return (generator.random(rows) < chance).astype(int), chance


def test_an_honest_model_lies_on_the_line_in_ten_bins_of_equally_many_rows() -> None:
    truth, chance = honest(5000)
    plot = of_probabilities(truth, two(chance))
    assert plot["kind"] == "probability"
    assert [bin["rows"] for bin in plot["bins"]] == [500] * 10
    assert [bin["predicted"] for bin in plot["bins"]] == pytest.approx(np.arange(0.05, 1, 0.1), abs=0.02)
    assert sum(bin["low"] <= bin["predicted"] <= bin["high"] for bin in plot["bins"]) >= 9


def test_a_boastful_model_leaves_the_line() -> None:
    truth, chance = honest(5000)
    boast = np.clip(3 * (chance - 0.5) + 0.5, 0.001, 0.999)
    bins = of_probabilities(truth, two(boast))["bins"]
    assert sum(bin["low"] <= bin["predicted"] <= bin["high"] for bin in bins) <= 4


def test_more_than_two_classes_are_judged_by_the_likeliest() -> None:
    probabilities = np.tile([0.2, 0.7, 0.1], (40, 1))
    truth = np.array([1] * 30 + [0] * 9 + [-1])  # the last class was never seen in training: a miss
    (only,) = of_probabilities(truth, probabilities)["bins"]
    assert only == {
        "predicted": pytest.approx(0.7),
        "observed": 0.75,
        "low": pytest.approx(0.598, abs=1e-3),
        "high": pytest.approx(0.858, abs=1e-3),
        "rows": 40,
    }


def test_equal_probabilities_share_a_bin_whatever_the_order_of_rows() -> None:
    chance = np.repeat([0.1, 0.6, 0.9], [50, 100, 50])
    truth = (np.random.default_rng(1).random(200) < chance).astype(int)
    bins = of_probabilities(truth, two(chance))["bins"]
    assert [bin["rows"] for bin in bins] == [50, 100, 50]
    order = np.random.default_rng(2).permutation(200)
    assert of_probabilities(truth[order], two(chance[order]))["bins"] == bins


def test_few_rows_make_few_bins_and_none_make_none() -> None:
    truth, chance = honest(35)
    assert len(of_probabilities(truth, two(chance))["bins"]) == 3
    assert of_probabilities(np.empty(0, int), np.empty((0, 2)))["bins"] == []
    assert of_intervals(np.empty(0), np.empty(0), np.zeros(3), np.ones(3))["bins"] == []


def test_intervals_from_validation_errors_cover_what_they_promise() -> None:
    generator = np.random.default_rng(3)
    truth = generator.standard_t(5, size=4000)
    bins = of_intervals(truth, np.zeros(4000), np.zeros(4000), generator.standard_t(5, size=4000))["bins"]
    assert [bin["predicted"] for bin in bins] == list(LEVELS)
    assert [bin["observed"] for bin in bins] == pytest.approx(LEVELS, abs=0.03)
    assert all(bin["low"] < bin["observed"] < bin["high"] and bin["rows"] == 4000 for bin in bins)


def test_errors_that_grew_since_validation_show_as_too_little_covered() -> None:
    generator = np.random.default_rng(4)
    bins = of_intervals(2 * generator.normal(size=2000), np.zeros(2000), np.zeros(2000), generator.normal(size=2000))[
        "bins"
    ]
    assert all(bin["high"] < bin["predicted"] for bin in bins)


def test_widths_are_the_ranked_errors_and_the_largest_where_rows_are_too_few() -> None:
    residuals = np.array([3.0, -1.0, 2.0, -4.0])
    one = np.zeros(1)
    assert [widths_at(level, np.zeros(4), residuals, one)[0] for level in (0.2, 0.4, 0.6, 0.8, 0.9)] == [1, 2, 3, 4, 4]


def test_the_intervals_of_the_plot_are_those_that_are_served(few, few_run) -> None:
    sealed = prepare(
        read(few_run.parent / "few.parquet"), "y", None, Settings(), MODALITIES, Silent(), folded=True
    ).sealed
    answers = few.predict(sealed)
    truth, low, high = (
        column.to_numpy() for column in (sealed.column("y"), answers.column("y_low"), answers.column("y_high"))
    )
    assert np.ptp(high - low) > 0.1  # by the size of the answer
    (promised,) = [one for one in few.result["plots"]["y"]["calibration"]["bins"] if one["predicted"] == 0.9]
    assert (promised["rows"], promised["observed"]) == (sealed.rows, np.mean((low <= truth) & (truth <= high)))


def test_errors_that_grow_with_the_answer_are_covered_on_the_line_among_small_and_large_answers() -> None:
    generator = np.random.default_rng(6)
    said = generator.uniform(1, 10, size=8000)
    error = said * generator.normal(size=8000)
    new, old = slice(None, 4000), slice(4000, None)
    for rows in (said[new] < 3, said[new] > 8):
        truth, answer = (said + error)[new][rows], said[new][rows]
        for one in of_intervals(truth, answer, said[old], np.abs(error[old]))["bins"]:
            assert one["observed"] == pytest.approx(one["predicted"], abs=0.07)


def test_wilsons_interval_is_that_of_the_paper() -> None:
    low, high = wilson(np.array([0, 5, 10]), np.array([10, 10, 10]))
    assert low.tolist() == pytest.approx([0.0, 0.2366, 0.7225], abs=1e-4)
    assert high.tolist() == pytest.approx([0.2775, 0.7634, 1.0], abs=1e-4)
