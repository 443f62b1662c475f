"""The tests of drift against SciPy's, and against what chance does."""

import numpy as np
import pytest
from scipy import stats

from fathom.bundle.answers.reference import sketch_numbers, sketch_words
from fathom.service.watch import chances
from fathom.service.watch.drifting import compare


@pytest.mark.parametrize(
    ("statistic", "freedom"), [(0.3, 1), (3.0, 1), (50.0, 30), (20.0, 30), (200.0, 99), (500.0, 20)]
)
def test_chi_square_is_that_of_scipy(statistic, freedom):
    assert chances.chi_square(statistic, freedom) == pytest.approx(stats.chi2.sf(statistic, freedom), rel=1e-11)


@pytest.mark.parametrize(("statistic", "freedom"), [(0.3, 1.5), (3.0, 10.0), (-2.0, 50.5), (8.0, 300.0), (0.01, 5.0)])
def test_student_is_that_of_scipy(statistic, freedom):
    assert chances.student(statistic, freedom) == pytest.approx(2 * stats.t.sf(abs(statistic), freedom), rel=1e-10)


@pytest.mark.parametrize(
    "table", [(8, 10, 1, 10), (30, 1_000, 80, 5_000), (0, 50, 3, 2_000), (5, 5, 0, 7), (2, 9, 2, 9)]
)
def test_fisher_is_that_of_scipy(table):
    hits, rows, other, others = table
    expected = stats.fisher_exact([[hits, rows - hits], [other, others - other]])[1]
    assert chances.fisher(*table) == pytest.approx(expected, rel=1e-8)


def test_welch_and_counts_are_those_of_scipy():
    generator = np.random.default_rng(0)
    one, two = generator.normal(size=60), generator.normal(0.3, 2.0, size=40)
    sides = [(len(x), float(x.mean()), float(x.std(ddof=1))) for x in (one, two)]
    assert chances.welch(*sides) == pytest.approx(stats.ttest_ind(one, two, equal_var=False).pvalue, rel=1e-10)
    counts = np.array([[30, 70, 50], [50, 50, 19]])
    assert chances.homogeneous(*counts) == pytest.approx(stats.chi2_contingency(counts)[1], rel=1e-10)


def test_holm_is_never_below_what_it_corrects_and_keeps_the_order():
    generator = np.random.default_rng(1)
    raw = generator.random(20) ** 3
    corrected = np.array(chances.holm(raw.tolist()))
    assert (corrected >= raw).all()
    assert (np.diff(corrected[np.argsort(raw)]) >= 0).all()
    assert corrected.min() == pytest.approx(min(1.0, 20 * raw.min()))


def test_kuiper_agrees_with_chance_itself():
    """Where nothing differs, a chance below 5 % comes in 5 of 100, and the distance found by rearranging rows is as likely as it says."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(400):
        one = compare(
            "x",
            "column",
            {"values": sketch_numbers(generator.normal(size=400))},
            {"values": generator.normal(size=300)},
            draws=0,
        )
        found.append(one[0].chance)
    below = np.mean(np.array(found) < 0.05)
    assert 0.02 <= below <= 0.075


@pytest.mark.parametrize(("shift", "spread", "true"), [(0.4, 1.0, 0.159), (0.0, 1.5, 0.194), (0.0, 1.0, 0.0)])
def test_the_interval_holds_the_share_of_rows_that_moved(shift, spread, true):
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(40):
        sketch = sketch_numbers(generator.normal(size=2_000))
        one = compare("x", "column", {"values": sketch}, {"values": generator.normal(shift, spread, 1_000)})[0]
        held += one.low - 1e-9 <= true <= one.high
    assert held >= 33  # of 40; 38 are expected


def test_words_that_moved_are_measured_without_what_chance_adds():
    generator = np.random.default_rng(4)
    sizes = np.ones(30) / 30
    moved = 0.85 * sizes + 0.15 * np.eye(30)[0]
    names = {code: str(code) for code in range(2, 32)}
    effects = {True: [], False: []}
    for _ in range(40):
        sketch = sketch_words(generator.choice(30, 2_000, p=sizes) + 2, names)
        for changed in effects:
            cells = generator.choice(30, 1_000, p=moved if changed else sizes) + 2
            effects[changed].append(compare("x", "column", {"words": sketch}, {"words": cells}, draws=0)[0].effect)
    assert np.mean(effects[False]) < 0.03  # the plain distance would be 0.075
    assert np.mean(effects[True]) == pytest.approx(0.145, abs=0.012)
