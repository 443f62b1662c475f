"""A network that was taught against attacks is taught so again when it is renewed or made smaller, and what became of that is said."""

import json

import numpy as np
import pytest

import fathom
from fathom.baselines import constant
from fathom.compression.compressing import compress
from fathom.compression.pricing import Budget
from fathom.data.files.writing import write
from fathom.data.table import Table
from fathom.renewal.updating import update
from fathom.training import loop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a little network that was pushed while it learned, the table of the fit and new rows beside it."""
    folder = tmp_path_factory.mktemp("runs") / "few"
    a, b = np.random.default_rng(0).normal(size=(2, 600))
    rows = Table.of({"a": a.tolist(), "b": b.tolist(), "y": (a - 2 * b).tolist()})
    write(rows.take(np.arange(500)), folder.parent / "few.parquet")
    write(rows.take(np.arange(500, 600)), folder.parent / "new.parquet")
    fathom.fit(
        str(folder.parent / "few.parquet"),
        "y",
        adversarial="number=0.3",
        keep="network",
        effort="quick",
        epochs=1,
        trunk="mlp",
        baselines=(constant,),
        out=folder,
        threads=1,
    )
    return folder


@pytest.fixture
def pushes(monkeypatch):
    """How far each batch was pushed, by array."""
    seen = []

    def pushed(network, batch, plan, objective, seed):
        seen.append({name: own["reach"] for name, own in plan.items()})
        return as_it_is(network, batch, plan, objective, seed)

    as_it_is = loop.pushed
    monkeypatch.setattr(loop, "pushed", pushed)
    return seen


def test_an_update_pushes_rows_as_the_fit_did(run, pushes):
    done = update(run, run.parent / "new.parquet", who="ada", why="a new month")
    assert done.how == "from the old weights"
    assert pushes and all(reach == {"scalar": 0.3} for reach in pushes)


def test_a_smaller_network_is_pushed_while_it_learns_and_what_holds_is_told_before_and_after(run, pushes):
    found = compress(run, ways=("prune",), epochs=1, budget=Budget(max_mb=10.0))
    assert "pruned" in {price.name for price in found.prices}
    assert pushes and all(reach == {"scalar": 0.3} for reach in pushes)
    told = json.loads(found.files["compression.json"])["judged"]["findings"]
    assert [one["name"] for one in told].count("adversarial") == 1
    (attacked,) = [one for one in told if one["name"] == "adversarial"]
    assert "number columns changed by at most" in attacked["sentence"]
    assert "of the rows hold before it was compressed, and" in attacked["sentence"]
