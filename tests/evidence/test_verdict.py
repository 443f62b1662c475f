"""The verdict: right or open on planted contests, with error rates that are counted; and every sentence in full."""

from collections import Counter

import numpy as np
import pytest

from fathom.evidence.verdict import CLEAR, MARGIN, Contender, Contest, Gap, Verdict, judge
from fathom.resampling import Resamples
from fathom.scoring import find_metric

RMSE = find_metric("rmse", "regression")
LOG_LOSS = find_metric("log_loss", "classification")
ACCURACY = find_metric("accuracy", "classification")
NETWORK = Contender("network", fit_seconds=60, predict_seconds_per_row=2e-5, bytes=400_000)
TREES = Contender("LightGBM", fit_seconds=2, predict_seconds_per_row=1e-5, bytes=100_000)


def planted(rows: int, gain: float, seed: int, *, agree: float = 0.9, spread: float = 2.0) -> Contest:
    """Numbers on which the network's true RMSE is smaller than the baseline's by ``gain``, as a share of it.

    The errors of the two correlate by ``agree``, as those of good models do; the truth spreads ``spread`` times as
    wide.
    """
    generator = np.random.default_rng([rows, seed])
    error, other = generator.normal(size=(2, rows))
    truth = spread * generator.normal(size=rows)
    network = truth - (1 - gain) * (agree * error + np.sqrt(1 - agree**2) * other)
    return Contest("price", RMSE, truth, network, truth - error, np.zeros(rows))


def planted_classes(rows: int, signal: float, baseline_signal: float, seed: int) -> Contest:
    """Two classes; network and baseline know more or less of what decides between them."""
    generator = np.random.default_rng([rows, seed])
    seen, hidden = generator.normal(size=(2, rows))
    truth = (generator.random(rows) < 1 / (1 + np.exp(-(baseline_signal * seen + signal * hidden)))).astype(int)

    def chance(logit: np.ndarray) -> np.ndarray:
        one = 1 / (1 + np.exp(-logit))
        return np.stack([1 - one, one], axis=1)

    noise = 0.1 * generator.normal(size=rows)
    network = chance(baseline_signal * seen + signal * hidden + noise)
    return Contest("churn", LOG_LOSS, truth, network, chance(baseline_signal * seen), chance(np.zeros(rows)))


def decide(contest: Contest, *, draws: int = 150, seed: int = 0, table_rows: int | None = None) -> Verdict:
    resamples = Resamples.draw(len(contest.truth), count=draws, seed=seed)
    return judge([contest], network=NETWORK, baseline=TREES, resamples=resamples, table_rows=table_rows)


def shares(rows: int, gain: float, times: int = 60, **how: float) -> dict[str, float]:
    """The share of each answer over contests of one kind."""
    counts = Counter(decide(planted(rows, gain, seed, **how), seed=seed).answer for seed in range(times))
    return {answer: counts[answer] / times for answer in ("worth it", "not worth it", "cannot tell yet")}


@pytest.mark.parametrize("rows", [40, 300, 1000])
@pytest.mark.parametrize("gain", [-0.05, 0.0])
def test_a_network_that_is_no_better_is_hardly_ever_called_worth_it(rows: int, gain: float) -> None:
    assert shares(rows, gain, times=120)["worth it"] <= 0.05  # 2.5 of 100 are expected, plus the luck of 120


@pytest.mark.parametrize("rows", [40, 300, 1000])
@pytest.mark.parametrize("gain", [0.05, 0.2])
def test_a_network_that_is_clearly_better_is_hardly_ever_called_not_worth_it(rows: int, gain: float) -> None:
    assert shares(rows, gain, times=120)["not worth it"] <= 0.05


def test_a_clear_winner_and_a_clear_loser_are_called_on_300_rows() -> None:
    assert shares(300, 0.2)["worth it"] >= 0.97
    assert shares(300, -0.1)["not worth it"] >= 0.97


def test_a_tie_is_called_not_worth_it_on_1500_rows_and_the_sentence_is_not_an_evasion() -> None:
    tie = shares(1500, 0.0)
    assert tie["not worth it"] >= 0.8
    assert tie["worth it"] + tie["cannot tell yet"] <= 0.2


def test_a_few_rows_leave_a_small_difference_open() -> None:
    assert shares(60, 0.02)["cannot tell yet"] >= 0.7


def test_classes_are_judged_as_numbers_are() -> None:
    better = Counter(decide(planted_classes(400, 1.0, 1.0, seed), seed=seed).answer for seed in range(60))
    no_better = Counter(decide(planted_classes(400, 0.0, 1.0, seed), seed=seed).answer for seed in range(60))
    assert better["worth it"] >= 55 and better["not worth it"] == 0
    assert no_better["not worth it"] >= 50 and no_better["worth it"] <= 1


def test_where_there_is_nothing_to_learn_no_network_is_worth_it_and_the_sentence_says_so() -> None:
    answers, sentences = Counter(), []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        truth, network, baseline = generator.normal(size=(3, 300))
        verdict = decide(Contest("price", RMSE, truth, 0.1 * network, 0.1 * baseline, np.zeros(300)), seed=seed)
        answers[verdict.answer] += 1
        sentences.append(verdict.sentence)
    assert answers["worth it"] == 0 and answers["not worth it"] >= 50
    assert sum("othing here predicts price better than a constant" in sentence for sentence in sentences) >= 55


def test_so_many_more_rows_settle_it_more_often_than_not() -> None:
    settled = []
    for seed in range(60):
        verdict = decide(planted(150, 0.06, seed), seed=seed)
        if verdict.rows_to_settle is not None and verdict.rows_to_settle < 2000:
            again = decide(planted(150 + verdict.rows_to_settle, 0.06, seed + 1000), seed=seed)
            settled.append(again.answer != "cannot tell yet")
    assert len(settled) >= 15 and np.mean(settled) >= 0.5


def test_the_answer_and_its_bounds_follow_the_three_lines() -> None:
    assert Gap(1.0, 0.1, 2.0, margin=1.0).answer == "worth it"
    assert Gap(0.9, 0.1, 2.0, margin=1.0).answer == "not worth it"  # surely better, but not by enough
    assert Gap(0.9, -3.0, 5.0, margin=1.0).answer == "cannot tell yet"  # may be better by five margins
    assert Gap(-2.0, -4.0, 4.9, margin=1.0).answer == "not worth it"
    assert Gap(2.0, -0.1, 4.0, margin=1.0).answer == "cannot tell yet"  # better by enough, but not proven
    assert Gap(0.0, 0.0, 0.0, margin=0.0).answer == "not worth it"  # the simpler model makes no error
    assert Gap(3.0, np.nan, np.nan, margin=1.0).answer == "cannot tell yet"
    assert CLEAR / MARGIN == 5


def test_the_same_answers_get_the_same_verdict_and_costs_are_ratios() -> None:
    verdict = decide(planted(300, 0.2, 1))
    assert verdict == decide(planted(300, 0.2, 1))
    assert verdict.ratios == {"fit_seconds": 30.0, "predict_seconds_per_row": 2.0, "bytes": 4.0}
    assert (verdict.metric, verdict.better, verdict.network, verdict.baseline) == (
        "rmse",
        "lower",
        "network",
        "LightGBM",
    )
    assert 0 < verdict.low < verdict.difference < verdict.high and verdict.rows_to_settle is None
    assert 0.1 < verdict.relative < 0.3
    assert list(verdict.as_json()) == [
        "answer", "metric", "better", "network", "baseline", "difference", "low", "high", "relative", "ratios",
        "rows_to_settle", "sentence",
    ]  # fmt: skip


def numbers(network: float, baseline: float, *, noise: float, rows: int = 400, spread: float = 3000.0) -> Contest:
    """Truths of which the network is off by ``network`` and the baseline by ``baseline``, more or less by ``noise``."""
    generator = np.random.default_rng(0)
    truth = spread * np.linspace(-1, 1, rows)
    sign, wobble = np.where(np.arange(rows) % 2, 1, -1), noise * generator.normal(size=(2, rows))
    return Contest(
        "price", RMSE, truth, truth + sign * (network + wobble[0]), truth + sign * (baseline + wobble[1]), truth * 0
    )


@pytest.mark.parametrize(
    ("contest", "table_rows", "sentence"),
    [
        (
            numbers(545, 561, noise=70),
            None,
            "Deep learning is worth it here: the network's RMSE on 400 test rows is 547, against 564 for the "
            "best simpler model (LightGBM), better by 17 (95 % interval 8 to 27); it took 30 times as long to train.",
        ),
        (
            numbers(600, 561, noise=70),
            None,
            "Deep learning is not worth it here: the network's RMSE on 400 test rows is 601, against 564 for the "
            "best simpler model (LightGBM), worse by 37 (95 % interval 27 to 46), "
            "so the simpler model is what you should use.",
        ),
        (
            numbers(561, 562, noise=70),
            None,
            "Deep learning is not worth it here: the network's RMSE on 400 test rows is 562.8, against 565.3 for the "
            "best simpler model (LightGBM), better by 2.5 (95 % interval 6.8 worse to 12.5 better), too little to pay "
            "for a second model, so the simpler model is what you should use.",
        ),
        (
            numbers(561, 561, noise=300),
            2000,
            "Cannot tell yet: the network's RMSE on 400 test rows is 625.8, against 632.8 for the best simpler model "
            "(LightGBM), better by 7.0 (95 % interval 31.8 worse to 46.9 better); "
            "about 60,000 more rows would settle it.",
        ),
    ],
)
def test_the_sentence_says_what_was_found(contest: Contest, table_rows: int | None, sentence: str) -> None:
    assert decide(contest, draws=500, table_rows=table_rows).sentence == sentence


def test_nothing_to_learn_has_a_sentence_of_its_own() -> None:
    truth = np.linspace(-1, 1, 400)
    wave = 0.2 * np.sin(np.arange(400))
    contest = Contest("price", RMSE, truth, wave, -0.5 * wave, np.zeros(400))
    assert decide(contest).sentence == (
        "Nothing here predicts price better than a constant, so deep learning is not worth it: the network's RMSE on "
        "400 test rows is 0.596, against 0.583 for the best simpler model (LightGBM), worse by 0.013 "
        "(95 % interval 0.034 worse to 0.010 better)."
    )


def test_a_metric_that_is_not_defined_leaves_the_verdict_open_and_says_why() -> None:
    answer = np.full((30, 2), 0.5)
    area = find_metric("roc_auc", "classification")
    verdict = decide(Contest("churn", area, np.ones(30, int), answer, answer, answer))
    assert (verdict.answer, verdict.difference, verdict.low, verdict.relative) == ("cannot tell yet", None, None, None)
    assert verdict.sentence == (
        "Cannot tell yet: the network's area under the ROC curve on 30 test rows is not defined: "
        "all rows are of one class, so there is no pair to rank."
    )


def test_a_network_that_answers_nan_has_lost() -> None:
    contest = planted(30, 0.2, 0)
    broken = Contest("price", RMSE, contest.truth, np.full(30, np.nan), contest.baseline, contest.constant)
    verdict = decide(broken)
    assert verdict.answer == "not worth it"
    assert verdict.sentence == (
        "Deep learning is not worth it here: the network's RMSE on 30 test rows is not defined: "
        "30 of 30 answers are not finite numbers."
    )


def test_one_test_row_decides_nothing() -> None:
    verdict = decide(Contest("price", RMSE, np.array([2.0]), np.array([2.1]), np.array([1.0]), np.array([0.0])))
    assert (verdict.answer, verdict.low, verdict.rows_to_settle) == ("cannot tell yet", None, None)
    assert verdict.sentence == (
        "Cannot tell yet: the network's RMSE on 1 test row is 0.10, against 1.00 for the best simpler model "
        "(LightGBM), better by 0.90 (too few test rows for an interval)."
    )


def test_five_rows_prove_nothing_whatever_they_say_and_nor_do_five_groups() -> None:
    few, enough = planted(5, 0.5, 0), planted(6, 0.9, 0)
    assert decide(few).sentence.endswith(" (too few test rows for an interval).")
    assert (decide(few).answer, decide(few).low, decide(enough).low is None) == ("cannot tell yet", None, False)
    contest = planted(200, 0.5, 0)
    grouped = Resamples.draw(200, groups=np.arange(200) % 5)
    verdict = judge([contest], network=NETWORK, baseline=TREES, resamples=grouped)
    assert verdict.answer == "cannot tell yet"
    assert verdict.sentence.endswith(" (too few groups of test rows for an interval).")


def test_beating_a_bad_baseline_is_not_enough_a_network_must_beat_a_constant_too() -> None:
    contest = planted(400, 0.2, 0)
    worse = Contest("price", RMSE, contest.truth, 3 * contest.network, 9 * contest.baseline, contest.constant)
    verdict = decide(worse)
    assert verdict.low > 0 and verdict.answer == "not worth it"
    assert verdict.sentence.startswith(
        "Nothing here predicts price better than a constant, so deep learning is not worth it: "
    )


def test_a_higher_score_is_better_and_the_margin_is_a_share_of_what_is_left() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 2000)

    def sure(right: float) -> np.ndarray:
        guess = np.where(generator.random(2000) < right, truth, 1 - truth)
        return np.eye(2)[guess]

    verdict = decide(Contest("churn", ACCURACY, truth, sure(0.95), sure(0.9), sure(0.5)))
    assert (verdict.answer, verdict.better) == ("worth it", "higher")
    assert verdict.difference == pytest.approx(0.05, abs=0.02) and verdict.relative == pytest.approx(0.5, abs=0.15)


def test_several_targets_are_averaged_as_shares_of_a_constants_error() -> None:
    first, second = planted(400, 0.3, 1, spread=2.0), planted(400, 0.1, 2, spread=4.0)
    large = Contest(
        "tax", RMSE, *(1e6 * one for one in (second.truth, second.network, second.baseline, second.constant))
    )
    resamples = Resamples.draw(400, count=300)
    verdict = judge([first, large], network=NETWORK, baseline=TREES, resamples=resamples)

    def error(answer: np.ndarray, contest: Contest) -> float:
        return float(np.sqrt(np.mean((answer - contest.truth) ** 2)))

    shares = [(error(c.baseline, c) - error(c.network, c)) / error(c.constant, c) for c in (first, large)]
    assert verdict.difference == pytest.approx(np.mean(shares))
    assert (verdict.answer, verdict.metric, verdict.better) == ("worth it", "error against a constant", "lower")
    assert verdict.sentence == (
        "Deep learning is worth it here: the network's mean error over 2 targets, where a constant has 1, on 400 "
        "test rows is 0.286, against 0.363 for the best simpler model (LightGBM), better by 0.077 "
        "(95 % interval 0.065 to 0.090); it took 30 times as long to train."
    )


def test_a_target_that_a_constant_gets_right_does_not_decide() -> None:
    contest, still = planted(400, 0.3, 1), np.full(400, 7.0)
    flat = Contest("flat", RMSE, still, still, still, still)
    resamples = Resamples.draw(400, count=300)
    both = judge([contest, flat], network=NETWORK, baseline=TREES, resamples=resamples)
    assert both.answer == "worth it"
    none = judge([flat, flat], network=NETWORK, baseline=TREES, resamples=resamples)
    assert none.sentence == "Cannot tell yet: a constant makes no error on 400 test rows."


def test_rows_of_a_group_count_as_one_so_that_copies_prove_nothing() -> None:
    contest = planted(40, 0.08, 3)
    copies = Contest(
        "price", RMSE, *(np.repeat(a, 50) for a in (contest.truth, contest.network, contest.baseline, contest.constant))
    )
    grouped = Resamples.draw(2000, count=300, groups=np.repeat(np.arange(40), 50))
    alone = Resamples.draw(2000, count=300)
    assert judge([copies], network=NETWORK, baseline=TREES, resamples=grouped).answer == "cannot tell yet"
    assert judge([copies], network=NETWORK, baseline=TREES, resamples=alone).answer != "cannot tell yet"


def test_a_gain_on_next_to_nothing_is_no_gain() -> None:
    contest = planted(5000, 0.5, 0, spread=1e4)  # the baseline's error is a ten thousandth of a constant's
    verdict = decide(contest)
    assert verdict.low > 0 and verdict.answer == "not worth it"
