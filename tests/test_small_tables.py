"""A small table is cross-fitted: every row teaches, and what judges a row has never seen it."""

import json

import numpy as np
import pytest

import fathom
from fathom.baselines import BASELINES
from fathom.bundle.loading import reload_network
from fathom.chapters.candidates import by_fold
from fathom.chapters.exporting import network_answers
from fathom.chapters.preparing import prepare
from fathom.chapters.rivals import fit_baselines
from fathom.data.modalities import MODALITIES
from fathom.data.table import Table
from fathom.progress import Silent
from fathom.report import render
from fathom.settings import Settings
from fathom.tracing import trace
from tests.conftest import FEW
from tests.conftest import FEW_ROWS as INPUTS

TABLE = Table.of(
    {**INPUTS.arrow.to_pydict(), "day": np.arange(200) * 1.0, "house": np.arange(200) // 4}, name="few.csv"
)


@pytest.fixture(scope="module")
def few():
    """Fitted on a table in memory, as the fits are that it is held against."""
    return fathom.fit(INPUTS, target="y", **FEW)


def prepared(table=INPUTS, target="y", **settings):
    return prepare(table, target, None, Settings.of(settings), MODALITIES, Silent(), folded=True)


def test_every_row_but_the_test_rows_teaches_and_checks(few):
    rows, training = few.result["rows"], few.result["training"]
    assert rows["validation"] == 0 and rows["train"] + rows["test"] == rows["total"] == 200
    assert few.result["split"]["folds"] == len(training["folds"]) == 5
    assert training["folds"][0]["best_epoch"] == training["best_epoch"]
    assert few.result["settings"]["size.folds"] == 5
    json.dumps(few.result, allow_nan=False)


def test_the_bundle_answers_with_the_mean_of_its_networks(few):
    committee = reload_network(few.description, few.files["weights.safetensors"])
    assert len(committee.networks) == few.description.plan["networks"] == 5
    columns = few.description.columns
    each = [network_answers(network, columns, TABLE)["y"] for network in committee.networks]
    assert np.ptp(each, axis=0).max() > 0.01
    np.testing.assert_allclose(network_answers(committee, columns, TABLE)["y"], np.mean(each, axis=0), atol=1e-6)


def test_the_same_seed_gives_the_same_bundle(few):
    assert dict(fathom.fit(INPUTS, target="y", **FEW).files) == dict(few.files)


def test_the_report_says_how_many_networks_answer_and_how_the_rows_were_used(few):
    page = render(few.result)
    assert "5, each without one fold of the rows; their mean answers" in page
    assert "in 5 folds: each is left out by one fit of every model" in page
    assert "First network, best epoch" in page and "validation rows</td>" not in page


def test_no_fit_has_learned_from_the_rows_that_it_checks():
    """Rows whose target is chance: whoever has seen them knows it, and nobody else can."""
    table = Table.of({**INPUTS.arrow.to_pydict(), "y": np.random.default_rng(1).normal(size=200)})
    one = prepared(table)
    for candidate in fit_baselines(one, Settings(), BASELINES, MODALITIES, None, Silent()):
        truth = one.targets[0].kind.encode(one.targets[0].state, one.train.column("y"))[:, 0]
        blind = np.sqrt(np.mean((candidate.answers["y"] - truth) ** 2))
        assert blind > 0.9 * truth.std(), candidate.name
        if candidate.name == "nearest neighbours":  # its mean answer has seen four fifths of what it is asked
            seen = candidate.inference.answer(one.train)["y"]
            assert np.sqrt(np.mean((seen - truth) ** 2)) < 0.98 * blind


def test_every_fit_leaves_out_its_own_fold():
    one = prepared(TABLE, weight="day")
    fits = one.fits()
    assert len(fits) == one.fold_count == 5
    for number, fit in enumerate(fits):
        checked = {*fit.validation.column("a").to_pylist()}
        assert checked == {*np.array(one.train.column("a"))[one.folds == number].tolist()}
        assert not checked & {*fit.train.column("a").to_pylist()}
        assert fit.train.rows + fit.validation.rows == one.train.rows
        assert fit.weights.mean() == pytest.approx(1) and fit.validation_weights.mean() == pytest.approx(1)


def prepared_rows_of(one, name):
    return np.array(one.train.column(name).to_pylist())


def test_groups_stay_in_one_fold():
    one = prepared(TABLE, group="house")
    houses = prepared_rows_of(one, "house")
    assert all(len({*one.folds[houses == house].tolist()}) == 1 for house in {*houses.tolist()})


@pytest.mark.parametrize("settings", [{"effort": "quick"}, {"time": "day"}, {"minutes": 1.5}])
def test_a_fit_that_is_quick_short_or_parted_by_time_has_validation_rows(settings):
    one = prepared(TABLE, **settings)
    assert one.folds is None and one.validation.rows > 0 and one.fits() == (one,)


def test_a_thorough_fit_has_more_folds_and_a_large_table_none():
    assert prepared(effort="thorough").fold_count == 10
    many = Table.of({"x": np.arange(2_400) * 1.5, "y": np.sin(np.arange(2_400))})
    assert prepared(many).folds is None


def test_rows_are_answered_in_their_order():
    folds = np.array([2, 0, 1, 0])
    answers = by_fold([lambda rows, n=n: {"y": rows + 10.0 * n} for n in range(3)], folds)
    assert answers["y"].tolist() == [20.0, 1.0, 12.0, 3.0]


class Interrupted(Silent):
    """A listener that ends the fit while the third network learns."""

    def advance(self, done: int, note: str = "") -> None:
        if note.startswith("network 3"):
            raise KeyboardInterrupt


def test_an_interrupted_fit_goes_on_to_the_same_weights(few, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fathom.fit(INPUTS, target="y", out=tmp_path / "run", checkpoint_seconds=1e-6, progress=Interrupted(), **FEW)
    heard = []

    class Listening(Silent):
        def say(self, sentence: str) -> None:
            heard.append(sentence)

    again = fathom.fit(
        INPUTS, target="y", out=tmp_path / "run", resume=True, checkpoint_seconds=1e-6, progress=Listening(), **FEW
    )
    assert dict(again.files) == dict(few.files)
    assert sum(sentence.startswith("Going on from epoch") for sentence in heard) == 3


def test_trace_says_which_network_a_row_checks():
    splitting = next(station for station in trace(INPUTS, "y", row=2) if station.name == "splitting")
    assert splitting.lines[0] == "this row is a test row" or splitting.lines[1].startswith("it checks network ")
    assert "all others are in 5 folds" in splitting.what
