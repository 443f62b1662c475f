"""A column of weights: what it changes, what it leaves alone, and what it refuses."""

import numpy as np
import pytest

import fathom
from fathom.baselines import BASELINES
from fathom.chapters.candidates import class_weights, training_weights
from fathom.chapters.preparing import prepare
from fathom.chapters.rivals import fit_baselines
from fathom.data.encoding import encode_targets
from fathom.data.modalities import MODALITIES
from fathom.data.table import Table
from fathom.errors import OptionError, TableError
from fathom.progress import Silent
from fathom.settings import Settings
from tests.conftest import QUICK


def torn(favoured: str) -> Table:
    """Every row stands twice, with answers that contradict each other; those of ``favoured`` weigh more."""
    x = np.repeat(np.random.default_rng(0).normal(size=300), 2)
    answer = np.tile(["yes", "no"], 300)
    heavy = np.where(answer == favoured, 3.0, 0.1)
    number = np.where(answer == "yes", 2.0, -2.0) + 0.01 * x
    return Table.of({"x": x, "answer": answer, "number": number, "how_sure": heavy}, name="torn.csv")


@pytest.fixture(scope="module")
def believers():
    """Networks of both targets, one for each answer that weighs more."""
    return {
        favoured: fathom.fit(
            torn(favoured), target=["answer", "number"], weight="how_sure", keep="network", **{**QUICK, "epochs": 8}
        )
        for favoured in ("yes", "no")
    }


@pytest.mark.parametrize("favoured", ["yes", "no"])
def test_the_network_believes_what_weighs_more(believers, favoured):
    answers = believers[favoured].predict({"x": [-1.0, 0.0, 1.0]}).to_pandas()
    assert set(answers["answer"]) == {favoured}
    assert (np.sign(answers["number"]) == (1 if favoured == "yes" else -1)).all()


def test_every_simpler_model_believes_what_weighs_more():
    for favoured, code in (("yes", 1), ("no", 0)):
        settings = Settings.of({"weight": "how_sure"})
        prepared = prepare(torn(favoured), ["answer", "number"], None, settings, MODALITIES, Silent())
        for candidate in fit_baselines(prepared, settings, BASELINES, MODALITIES, None, Silent()):
            assert (candidate.answers["answer"].argmax(axis=1) == code).mean() > 0.95, candidate.name
            assert (np.sign(candidate.answers["number"]) == 2 * code - 1).mean() > 0.95, candidate.name


def test_weights_are_no_input_and_move_no_row(believers):
    first, second = (believers[favoured].result for favoured in ("yes", "no"))
    assert first["split"]["fingerprint"] == second["split"]["fingerprint"]
    column = next(column for column in first["columns"] if column["name"] == "how_sure")
    assert column["role"] == "weight"
    assert column["reason"] == (
        "says how much each row counts in training; it is no input, and scores count every row alike"
    )
    assert [row["column"] for row in first["importance"]] == ["x"]
    # Half of the rows contradict the other half, whatever they weigh.
    assert 0.3 < first["models"][0]["scores"]["accuracy"]["value"] < 0.7


def test_weights_and_class_weights_are_multiplied():
    table = Table.of(
        {
            "x": np.sqrt(np.arange(400)),
            "y": np.where(np.arange(400) % 10 == 0, "rare", "usual"),
            "w": np.arange(400) % 3,
        }
    )
    settings = Settings.of({"weight": "w", "class_weights": True})
    prepared = prepare(table, "y", None, settings, MODALITIES, Silent())
    known = encode_targets(prepared.columns, prepared.train)
    product = class_weights(prepared.targets, known)["y"] * (prepared.train.column("w").to_numpy())
    np.testing.assert_allclose(training_weights(prepared, settings, known)["y"], product / product.mean())
    assert prepared.validation_weights.mean() == pytest.approx(1.0)


def test_the_command_and_the_report_show_the_weight(command, tmp_path):
    rows = torn("yes").arrow.to_pydict()
    lines = ["x,answer,how_sure", *(f"{x:.4f},{a},{w}" for x, a, w in zip(rows["x"], rows["answer"], rows["how_sure"], strict=True))]  # fmt: skip
    (tmp_path / "torn.csv").write_text("\n".join(lines))
    done = command(
        "fit", "torn.csv", "-t", "answer", "--weight", "how_sure", "--effort", "quick", "--epochs", 1, "--out", "run"
    )
    assert done.code == 0
    assert "says how much each row counts in training" in " ".join(done.out.split())
    page = (tmp_path / "run" / "report.html").read_text()
    assert '<span class="tag ">weight</span>' in page
    assert "scores count every row alike" in page


CELLS = {
    "missing": ("", "is missing, and must be a number, 0 or more"),
    "negative": ("-1", "is '-1', and must be a number, 0 or more"),
    "infinite": ("inf", "is 'inf', and must be a number, 0 or more"),
    "word": ("much", "is 'much', and must be a number, 0 or more"),
}


@pytest.mark.parametrize(("cell", "lesson"), [*CELLS.values()], ids=[*CELLS])
def test_a_weight_that_is_none_is_named_by_file_line_and_column(tmp_path, cell, lesson):
    lines = ["x,y,w", *(f"{row},{row % 5}.5,{cell if row == 30 else 1}" for row in range(60))]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(TableError) as caught:
        fathom.fit(path, target="y", weight="w", **QUICK)
    assert str(caught.value) == (
        f"{path}, line 32: the weight 'w' {lesson}. Correct the cell; 0 leaves a row out of training."
    )
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 32, "w")


def test_weights_that_leave_nothing_are_refused():
    table = {"x": range(100), "y": np.arange(100) % 7 * 1.5, "w": [0] * 100, "g": np.arange(100) % 9}
    with pytest.raises(
        TableError, match=r"^The weight 'w' is 0 on all 70 training rows: there is nothing to learn from\. Give"
    ):
        fathom.fit(table, target="y", weight="w", **QUICK)
    with pytest.raises(
        TableError, match=r"the weight 'w' is 'no', and must be a number, 0 or more \(100 such cells\)\."
    ):
        fathom.fit({**table, "w": ["no"] * 100}, target="y", weight="w", **QUICK)
    with pytest.raises(
        OptionError, match=r"^Column 'g' cannot both weigh and part the rows\. Name another for --weight\.$"
    ):
        fathom.fit(table, target="y", weight="g", group="g", **QUICK)
    with pytest.raises(OptionError, match=r"^Column 'y' is the target and cannot part or weigh the rows too\."):
        fathom.fit(table, target="y", weight="y", **QUICK)
