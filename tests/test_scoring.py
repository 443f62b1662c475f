"""Metrics against scikit-learn's, resampled metrics against scoring the repeated rows, and what is not defined."""

import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn import metrics as oracle

from fathom.errors import OptionError
from fathom.scoring import (
    METRICS,
    Resamples,
    find_metric,
    metrics_for,
    primary,
    row_losses,
    score,
)


def guesses(rows: int, classes: int, seed: int = 0, decimals: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Codes and probabilities that know something of them; few decimals make ties."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), truth] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if classes == 2:  # two classes: round one and take the other from it, so that rows still sum to 1
        first = probabilities[:, 0].round(decimals).clip(1e-6, 1 - 1e-6)
        return truth, np.stack([first, 1 - first], axis=1)
    return truth, probabilities


def class_oracle(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    called = probabilities.argmax(axis=1)
    two = probabilities.shape[1] == 2
    average = {"average": "binary" if two else "macro", "zero_division": 0}
    area = (
        oracle.roc_auc_score(truth, probabilities[:, 1])
        if two
        else oracle.roc_auc_score(truth, probabilities, multi_class="ovr")
    )
    return {
        "log_loss": oracle.log_loss(truth, probabilities, labels=range(probabilities.shape[1])),
        "accuracy": oracle.accuracy_score(truth, called),
        "balanced_accuracy": oracle.balanced_accuracy_score(truth, called),
        "precision": oracle.precision_score(truth, called, **average),
        "recall": oracle.recall_score(truth, called, **average),
        "f1": oracle.f1_score(truth, called, **average),
        "roc_auc": area,
    }


def number_oracle(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    return {
        "rmse": oracle.root_mean_squared_error(truth, answer),
        "mae": oracle.mean_absolute_error(truth, answer),
        "median_error": oracle.median_absolute_error(truth, answer),
        "mse": oracle.mean_squared_error(truth, answer),
        "r2": oracle.r2_score(truth, answer),
    }


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("decimals", [1, 9])
def test_scores_of_classes_equal_scikit_learns_ties_included(classes: int, decimals: int) -> None:
    truth, probabilities = guesses(400, classes, seed=classes, decimals=decimals)
    found = {name: interval.value for name, interval in score(truth, probabilities).items()}
    assert found == pytest.approx(class_oracle(truth, probabilities), rel=1e-9)


def test_scores_of_numbers_equal_scikit_learns() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(1e6, 10, size=301)
    answer = truth + generator.standard_t(3, size=301)
    found = {name: interval.value for name, interval in score(truth, answer).items()}
    assert found == pytest.approx(number_oracle(truth, answer), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_resampled_score_is_the_score_of_the_rows_drawn(classes: int, grouped: bool) -> None:
    truth, probabilities = guesses(150, classes, decimals=1)
    groups = np.arange(150) // 4 if grouped else None
    resamples = Resamples.draw(150, count=12, groups=groups)
    scores = score(truth, probabilities, resamples=resamples)
    for resample in range(1, 13):
        times = resamples.counts[resample] if groups is None else resamples.counts[resample][groups]
        rows = np.repeat(np.arange(150), times)
        found = {name: interval.draws[resample] for name, interval in scores.items()}
        assert found == pytest.approx(class_oracle(truth[rows], probabilities[rows]), rel=1e-9)


@pytest.mark.parametrize("rows", [40, 41])
def test_a_resampled_score_of_numbers_is_the_score_of_the_rows_drawn(rows: int) -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(size=rows)
    answer = truth + generator.normal(size=rows).round(1)
    resamples = Resamples.draw(rows, count=20, groups=np.arange(rows) // 3)
    scores = score(truth, answer, resamples=resamples)
    for resample in range(1, 21):
        drawn = np.repeat(np.arange(rows), resamples.counts[resample][np.arange(rows) // 3])
        found = {name: interval.draws[resample] for name, interval in scores.items()}
        assert found == pytest.approx(number_oracle(truth[drawn], answer[drawn]), rel=1e-9)


def test_every_class_keeps_its_own_count_whether_counted_row_by_row_or_through_a_table() -> None:
    truth, probabilities = guesses(300, 70)  # more keys than the table takes
    groups = np.arange(300)  # every row its own group: the same units as without groups
    alone, grouped = Resamples.draw(300, count=30), Resamples.draw(300, count=30, groups=groups)
    for names in (["balanced_accuracy", "f1"], ["accuracy"]):
        one = score(truth, probabilities, names=names, resamples=alone)
        other = score(truth, probabilities, names=names, resamples=grouped)
        for name in names:
            np.testing.assert_array_equal(one[name].draws, other[name].draws)


def test_an_interval_holds_the_truth_95_times_of_100() -> None:
    inside = dict.fromkeys((12, 200), 0)
    for rows in inside:
        for trial in range(200):
            error = np.random.default_rng(trial).normal(size=rows)
            interval = score(
                np.zeros(rows), error, names=["mse"], resamples=Resamples.draw(rows, count=400, seed=trial)
            )["mse"]
            inside[rows] += interval.low <= 1.0 <= interval.high
    assert inside[200] / 200 > 0.91
    assert inside[12] / 200 > 0.8  # squares of 12 numbers are skewed: no percentile interval does much better


def test_few_units_widen_the_interval() -> None:
    from scipy import stats

    from fathom.resampling import expanded_tail

    for units in (8, 20, 200):
        wanted = stats.norm.cdf(-np.sqrt(units / (units - 1)) * stats.t.ppf(0.975, units - 1))
        assert expanded_tail(units) == pytest.approx(wanted, rel=0.06)


def test_rows_of_a_group_are_drawn_together_so_that_copies_do_not_narrow_the_interval() -> None:
    error = np.random.default_rng(3).normal(size=100)
    once = score(np.zeros(100), error, names=["mae"], resamples=Resamples.draw(100))["mae"]
    copies, groups = np.repeat(error, 9), np.repeat(np.arange(100), 9)
    naive = score(np.zeros(900), copies, names=["mae"], resamples=Resamples.draw(900))["mae"]
    grouped = score(np.zeros(900), copies, names=["mae"], resamples=Resamples.draw(900, groups=groups))["mae"]
    assert grouped.low == pytest.approx(once.low) and grouped.high == pytest.approx(once.high)
    assert naive.high - naive.low < 0.5 * (grouped.high - grouped.low)


def test_the_same_seed_draws_the_same_and_two_models_share_the_draws() -> None:
    truth = np.random.default_rng(4).normal(size=80)
    answer = truth + np.random.default_rng(5).normal(size=80)
    resamples = Resamples.draw(80, seed=7)
    np.testing.assert_array_equal(resamples.counts, Resamples.draw(80, seed=7).counts)
    assert (resamples.counts != Resamples.draw(80, seed=8).counts).any()
    one = score(truth, answer, names=["mae"], resamples=resamples)["mae"]
    other = score(truth, truth + 2 * (answer - truth), names=["mae"], resamples=resamples)["mae"]
    np.testing.assert_allclose(other.draws, 2 * one.draws, rtol=1e-9)


def test_a_class_never_seen_in_training_counts_as_wrong() -> None:
    truth = np.array([0, 1, -1, -1])
    answer = np.array([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0], [1.0, 0.0]])
    scores = score(truth, answer)
    assert scores["accuracy"].value == 0.5
    assert scores["balanced_accuracy"].value == pytest.approx(2 / 3)  # the unseen class is a third class, never found
    assert scores["precision"].value == 0.5
    assert scores["recall"].value == 1.0
    assert row_losses(truth, answer)[2:].tolist() == pytest.approx([16.118, 16.118], abs=1e-3)


def test_a_probability_of_zero_costs_16_nats_and_not_infinity() -> None:
    assert score(np.array([0]), np.array([[0.0, 1.0]]))["log_loss"].value == pytest.approx(-np.log(1e-7))


def test_without_resamples_there_are_values_and_no_limits() -> None:
    accuracy = score(*guesses(30, 2), names=["accuracy"])["accuracy"]
    assert accuracy.value > 0 and np.isnan(accuracy.low) and np.isnan(accuracy.high)
    assert accuracy.as_json() == {"value": accuracy.value, "low": None, "high": None}


@pytest.mark.parametrize(
    ("name", "truth", "answer", "reason"),
    [
        ("roc_auc", [1, 1], [[0.4, 0.6], [0.3, 0.7]], "All rows are of one class, so there is no pair to rank."),
        ("recall", [0, 0], [[0.4, 0.6], [0.3, 0.7]], "No row is of class 1."),
        ("accuracy", [0, 1], [[np.nan, np.nan], [0.3, 0.7]], "1 of 2 answers are not finite numbers."),
        ("r2", [3.0, 3.0], [1.0, 2.0], "Every row has the same true value, so there is no variance to explain."),
        ("mse", [0.0, 3.0], [1e200, 2.0], "The errors are too large for a number of 64 bits."),
        ("mae", [0.0, np.nan], [1.0, 2.0], "1 of 2 true values are not finite numbers."),
        ("rmse", [0.0, 1.0], [np.inf, 2.0], "1 of 2 answers are not finite numbers."),
    ],
)
def test_a_metric_that_is_not_defined_says_why(name: str, truth: list, answer: list, reason: str) -> None:
    interval = score(np.array(truth), np.array(answer), names=[name], resamples=Resamples.draw(2, count=10))[name]
    assert interval.as_json() == {"value": None, "low": None, "high": None, "reason": reason}


def test_no_rows_have_no_scores() -> None:
    scores = score(np.empty(0), np.empty(0), resamples=Resamples.draw(0))
    assert {interval.reason for interval in scores.values()} == {"There are no rows to score."}


def test_one_row_has_a_value_but_no_interval() -> None:
    interval = score(np.array([1.0]), np.array([3.0]), names=["mae"], resamples=Resamples.draw(1))["mae"]
    assert interval.as_json() == {"value": 2.0, "low": None, "high": None}


def test_a_metric_is_found_by_name_and_a_slip_gets_a_suggestion() -> None:
    assert find_metric("mae", "regression") is METRICS["mae"]
    assert find_metric(None, "classification").name == primary("classification")
    with pytest.raises(OptionError) as error:
        find_metric("rmsee", "regression")
    assert str(error.value) == (
        "There is no metric 'rmsee'. Did you mean 'rmse'? Choose one of: rmse, mae, median_error, mse, r2."
    )


def test_a_metric_of_the_other_task_is_refused() -> None:
    with pytest.raises(OptionError) as error:
        find_metric("accuracy", "regression")
    assert str(error.value) == (
        "The metric 'accuracy' judges classes, but the target is numbers. "
        "Choose one of: rmse, mae, median_error, mse, r2."
    )


def test_every_metric_is_scored_and_better_answers_score_better() -> None:
    truth, poor = guesses(200, 3)
    fine = 0.5 * poor + 0.5 * np.eye(3)[truth]
    number, spread = np.arange(200.0), np.random.default_rng(0).normal(size=200)
    cases = {"classification": (truth, poor, fine), "regression": (number, number + spread, number + spread / 2)}
    for metric in METRICS.values():
        known, worse, better = cases[metric.task]
        low, high = (score(known, answer, names=[metric.name])[metric.name].value for answer in (worse, better))
        assert (high > low) == (metric.better == "higher"), metric.name
    assert set(metrics_for("classification")) | set(metrics_for("regression")) == set(METRICS)


@pytest.mark.parametrize("rows", [60_000, 150_000])
def test_many_rows_are_drawn_in_blocks_and_the_interval_stays_the_same(rows: int) -> None:
    error = np.random.default_rng(6).normal(size=rows)
    resamples = Resamples.draw(rows, count=200)
    assert resamples.units == 50_000 and resamples.counts.nbytes < 11e6
    scores = score(np.zeros(rows), error, names=["mae", "median_error"], resamples=resamples)
    standard_error = error.std() * np.sqrt(1 - 2 / np.pi) / np.sqrt(rows)
    width = scores["mae"].high - scores["mae"].low
    assert width == pytest.approx(2 * 1.96 * standard_error, rel=0.25)
    assert scores["median_error"].low < 0.6745 < scores["median_error"].high


def test_fifty_thousand_rows_take_seconds_not_minutes() -> None:
    truth, answer = guesses(50_000, 2)
    start = time.process_time()
    scores = score(truth, answer, resamples=Resamples.draw(50_000))
    assert time.process_time() - start < 10  # about 1 s on one core of 2024; the limit only catches another order
    assert all(interval.low < interval.value < interval.high for interval in scores.values())


def test_scoring_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, fathom.scoring, fathom.evidence.verdict; print({'torch', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
