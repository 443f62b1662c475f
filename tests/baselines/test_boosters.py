"""What both kinds of boosted trees must do, and what scikit-learn and LightGBM each do in their own way."""

import numpy as np
import onnxruntime
import pytest

from fathom.baselines import boosting, lightgbm_trees, trees
from fathom.baselines.checking import hostile, planted
from fathom.baselines.choosing import part
from fathom.baselines.contract import Truth
from fathom.baselines.graph import onnx_model
from fathom.data.modalities.contract import Features

BOOSTERS = [booster for booster in (trees, lightgbm_trees) if booster.available()]
boosters = pytest.mark.parametrize("booster", BOOSTERS, ids=[booster.NAME for booster in BOOSTERS])


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 60)


def fit(booster, table, check, seed=0):
    return booster.fit(*table, *check, seed=seed, seconds=None)


def halves(features, truth):
    rows = len(features.matrix)
    return [
        (Features(features.matrix[part_], features.names, features.sizes), part(truth, part_))
        for part_ in (np.arange(0, rows, 2), np.arange(1, rows, 2))
    ]


def run_onnx(booster, fitted, rows):
    model = onnx_model([(booster.nodes(fitted, "features", "answer"), "answer", fitted.classes)], rows.shape[1])
    return onnxruntime.InferenceSession(model).run(None, {"features": rows})[0]


def at_thresholds(fitted, rows, seed):
    """Put thresholds, and the numbers just above and below them, into the columns that they split."""
    draw = np.random.default_rng(seed)
    rows, feature, threshold = rows.copy(), fitted.arrays["split.feature"], fitted.arrays["split.threshold"]
    for split in np.flatnonzero(np.isfinite(threshold)):
        near = [threshold[split], np.nextafter(threshold[split], -np.inf), np.nextafter(threshold[split], np.inf)]
        rows[draw.integers(0, len(rows), 3), feature[split]] = near
    return rows


def assert_all_three_agree(booster, fitted, rows):
    answer = booster.predict(fitted, rows)
    assert np.allclose(fitted.estimator(rows), answer, rtol=1e-9, atol=1e-12)
    assert np.allclose(run_onnx(booster, fitted, rows), answer, rtol=1e-9, atol=1e-12)


def mixed(classes, rows, seed):
    """Categories before, between and after numbers; with and without gaps; 0 a common number; codes that stay unseen."""
    draw = np.random.default_rng(seed)
    first, last = draw.integers(1, 30, rows), draw.integers(0, 3, rows)
    plain, gaps, steps = draw.normal(size=rows), draw.normal(size=rows), draw.integers(-2, 3, rows)
    gaps = np.where(draw.random(rows) < 0.3, np.nan, gaps)
    score = np.sin(first * 2.4) + np.nan_to_num(gaps, nan=-1.0) * (last - 1) + plain / 2 + 0.3 * steps
    matrix = np.stack([plain, first, gaps, last, steps], axis=1).astype(float)
    sizes = (0, 40, 0, 3, 0)
    values = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else score
    return Features(matrix, ("plain", "first", "gaps", "last", "steps"), sizes), Truth(values, classes)


@boosters
@pytest.mark.parametrize("classes", [0, 2, 4])
def test_estimator_arrays_and_onnx_agree_on_hostile_rows(booster, classes):
    table, check = mixed(classes, 1_500, seed=1), mixed(classes, 400, seed=2)
    fitted = fit(booster, table, check)
    assert fitted.notes["rounds"] > 10
    assert len(fitted.arrays["set.member"]) > 10
    assert_all_three_agree(booster, fitted, hostile(table[0], 2_000, seed=3))
    assert_all_three_agree(booster, fitted, at_thresholds(fitted, check[0].matrix, seed=4))


@boosters
def test_hundreds_of_categories_are_read_as_the_library_reads_them(booster):
    draw = np.random.default_rng(0)
    codes = np.minimum(draw.geometric(0.006, 6_000), 599).astype(float)  # some 500 of 600 codes, most of them rare
    features = Features(np.stack([draw.normal(size=6_000), codes], axis=1), ("number", "id"), (0, 600))
    truth = Truth(np.sin(codes * 0.1) + draw.normal(size=6_000) * 0.1)
    fitted = fit(booster, *halves(features, truth))
    rows = np.stack([np.zeros(607), np.arange(-5, 602)], axis=1).astype(float)
    assert len(np.unique(codes)) > 300
    assert_all_three_agree(booster, fitted, rows)
    frequent = rows[:, 1][(rows[:, 1] > 0) & (rows[:, 1] < 100)]
    answer = booster.predict(fitted, rows)[6:105]
    assert np.abs(answer - np.sin(frequent * 0.1)).mean() < 0.2


@boosters
def test_a_missing_number_is_split_on(booster):
    draw = np.random.default_rng(0)
    known = draw.random(800) < 0.5
    features = Features(np.where(known, draw.normal(size=800), np.nan)[:, None], ("age",), (0,))
    fitted = fit(booster, *halves(features, Truth(known.astype(float))))
    assert booster.predict(fitted, np.array([[np.nan], [0.1], [-3.0]])) == pytest.approx([0, 1, 1], abs=0.1)


@boosters
def test_growing_stops_when_the_validation_rows_are_no_longer_answered_better(booster, monkeypatch):
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 500)
    table, noise = planted(0, 300, seed=1), np.random.default_rng(0).normal(size=(2, 300))
    only_noise = Features(noise[:1].T, ("noise",), (0,))
    noisy = halves(only_noise, Truth(noise[1]))
    assert fit(booster, *noisy).notes["rounds"] < 20
    assert fit(booster, table, planted(0, 100, seed=2)).notes["rounds"] > 30


@boosters
def test_more_classes_than_two_get_a_tree_each_in_every_round(booster):
    fitted = fit(booster, mixed(4, 600, seed=1), mixed(4, 200, seed=2))
    assert np.unique(fitted.arrays["tree.target"]).tolist() == [0, 1, 2, 3]


@boosters
def test_the_second_of_two_classes_among_more_gets_the_score(booster):
    features, truth = mixed(2, 600, seed=1)
    table = features, Truth(np.where(truth.values == 1, 3, 1), 5)
    fitted = fit(booster, *halves(*table))
    assert np.unique(fitted.arrays["tree.target"]).tolist() == [3]
    assert_all_three_agree(booster, fitted, hostile(features, 300, seed=2))


@boosters
def test_another_seed_draws_other_columns_or_rows(booster, monkeypatch):
    monkeypatch.setattr(booster, "SETTINGS", (boosting.Setting(0.1, 8, 0.5, 0.5, 1.0),))
    monkeypatch.setattr(boosting, "FEW_COLUMNS", 0)
    table, check = mixed(0, 600, seed=1), mixed(0, 200, seed=2)
    one, other = (fit(booster, table, check, seed=seed).arrays["leaf.value"][:50] for seed in (1, 2))
    assert not np.array_equal(one, other)


def problem_of(classes, rows, columns):
    draw = np.random.default_rng(0)
    features = Features(draw.normal(size=(rows, columns)), tuple(map(str, range(columns))), (0,) * columns)
    truth = Truth(np.arange(rows) % classes if classes else draw.normal(size=rows), classes)
    return boosting.lay_out(features, truth, features, truth)


@pytest.mark.parametrize(
    ("classes", "rows", "columns", "worth"),
    [(2, 8_000, 14, 3), (2, 18_000, 14, 2), (2, 27_000, 14, 1), (26, 14_000, 16, 1)],
)
def test_fewer_settings_are_tried_where_each_takes_long(classes, rows, columns, worth):
    assert len(boosting.settings_for(problem_of(classes, rows, columns), trees.SETTINGS)) == worth


def test_settings_suit_the_number_of_columns_and_classes(monkeypatch):
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 1_000)
    setting = boosting.Setting(learning_rate=0.1, most_leaves=8, columns=0.5, rows=0.8, penalty=1.0)
    (plain,) = boosting.settings_for(problem_of(2, 300, 10), (setting,))
    (few_columns,) = boosting.settings_for(problem_of(0, 300, 3), (setting,))
    (many_classes,) = boosting.settings_for(problem_of(20, 300, 10), (setting,))
    assert plain == setting
    assert few_columns.columns == 1.0
    assert (many_classes.learning_rate, many_classes.penalty) == pytest.approx((0.2, 0.19))
    assert [boosting.least_rows_in_leaf(problem_of(classes, 300, 2)) for classes in (0, 2, 20)] == [15, 15, 2]
