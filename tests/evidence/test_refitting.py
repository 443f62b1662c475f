"""Models are fitted again within a bound that is reckoned: on a fast clock and on a slow one checks find the same; only ``--minutes`` goes by the clock."""

import time
from dataclasses import replace

import numpy as np
import pytest

from fathom.baselines import BASELINES
from fathom.chapters import allotting, refitting
from fathom.chapters.prepared import prepared_sizes
from fathom.chapters.preparing import prepare
from fathom.data.modalities import MODALITIES
from fathom.evidence import affording, scaling
from fathom.evidence.affording import Bound
from fathom.evidence.contract import affords_fits
from fathom.progress import Silent
from fathom.settings import Settings
from tests.evidence.planted import nearest, regression_case

ROWS = np.arange(200)


@pytest.fixture(scope="module")
def refit(flights):
    settings = Settings(effort="standard", trunk="mlp")
    prepared = prepare(flights, "late", None, settings, MODALITIES, Silent())
    size = replace(prepared_sizes(prepared, settings), folds=1)
    return refitting.refit_of(prepared, settings, size, MODALITIES, BASELINES, prepared.targets[0])


def clocked(monkeypatch, pace):
    """Let every clock run so many times as fast."""
    for name in ("perf_counter", "monotonic"):
        real = getattr(time, name)
        monkeypatch.setattr(time, name, lambda real=real: pace * real())


def test_a_fast_clock_and_a_slow_one_fit_the_same(refit, monkeypatch):
    asked = refit.train.take(np.arange(300, 400))
    answers = []
    for pace in (1e-4, 10_000.0):
        with monkeypatch.context() as patched:
            clocked(patched, pace)
            answers.append(
                [
                    refit.fit(name, ROWS, None, Bound(0.01))(asked)
                    for name in ("network", "linear")
                    if name in refit.names
                ]
            )
    for other in answers[1:]:
        for one, two in zip(answers[0], other, strict=True):
            assert np.array_equal(one, two)


def test_a_network_learns_for_as_many_epochs_as_its_bound_pays_for(refit, monkeypatch):
    seen, real = [], refitting.train_network

    def told(prepared, settings, size, modalities, seconds, *more):
        seen.append((size.epochs, prepared.validation.rows, seconds))
        return real(prepared, settings, replace(size, epochs=1), modalities, seconds, *more)

    monkeypatch.setattr(refitting, "train_network", told)
    for work, seconds in ((0.05, None), (0.1, None), (9.0, 30.0)):
        refit.fit("network", ROWS, None, Bound(work, seconds))
    (few, checked, _), (more, _, _), (most, _, seconds) = seen
    assert 1 <= few < more < most and seconds == 30.0 and checked <= refitting.FEWEST_CHECKED


def test_how_long_training_took_says_nothing_without_minutes_and_all_with_them():
    free, hurried = Settings(effort="standard"), Settings(effort="standard", minutes=3)
    assert allotting.refitting(free, 0.01, None) == allotting.refitting(free, 1e5, None) == Bound(0.5)
    assert allotting.refitting(hurried, 30.0, 100.0) == Bound(0.5, 15.0)
    bound = allotting.refitting(hurried, 300.0, 100.0)
    assert sum(bound.share(part).seconds for part in affording.REFITS.values()) <= 100.0 + 1e-9, "all together in time"
    assert (
        allotting.refitting(hurried, 30.0, 1.0)
        == allotting.refitting(Settings(effort="quick"), 30.0, None)
        == Bound(0.0)
    )


def test_no_seconds_of_a_model_move_what_is_fitted_again():
    random = np.random.default_rng(0)
    columns = {name: random.uniform(size=1_500) for name in "ab"}
    case = regression_case(
        columns,
        np.sin(9 * columns["a"]) + columns["b"],
        1_000,
        nearest,
        names=("nearest", "other", "third"),
        refits=Bound(0.5),
    )
    slow = replace(case, costs=[replace(cost, fit_seconds=1e5) for cost in case.costs])
    found = scaling.run(case)
    assert found.rows == scaling.run(slow).rows and found.sentence == scaling.run(slow).sentence
    assert {row["model"] for row in found.rows} == {
        "nearest",
        "other",
    }  # the one that is shipped, and the best of the others
    assert affords_fits(case, 1, 0.6) and affords_fits(slow, 1, 0.6)
    assert not affords_fits(replace(slow, refits=Bound(0.5, 10.0)), 1, 0.6)
    assert not affords_fits(replace(case, refits=Bound(0.001)), 1, 0.6)


def test_models_are_judged_on_so_many_test_rows_and_no_more():
    random = np.random.default_rng(0)
    columns = {"a": random.uniform(size=9_600)}
    case = regression_case(
        columns, columns["a"] ** 2, 600, lambda name, x, y, weights=None: lambda asked: asked[:, 0], names=("line",)
    )
    asked = []

    def fit(name, rows, weights, within):
        return lambda table: asked.append(table.rows) or case.refit.fit(name, rows, weights, within)(table)

    scaling.run(replace(case, refit=replace(case.refit, fit=fit)))
    assert case.sealed.table.rows > scaling.MOST_JUDGED and set(asked) == {scaling.MOST_JUDGED}
