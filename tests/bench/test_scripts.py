"""The benchmarks judge rightly, their plain network learns, and the example table is what its page says."""

import csv
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from bench import scale, small, tables, verdict
from bench.data import fetch, frame_of
from bench.plain_mlp import fit_predict

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "data"


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def a_fit(*, network, trees, shipped="network"):
    return {
        "models": [
            {"name": "network", "kind": "network", "scores": {"rmse": network}},
            {"name": "trees", "kind": "baseline", "scores": {"rmse": trees}},
            {"name": "constant", "kind": "baseline", "scores": {"rmse": interval(4000, 3900, 4100)}},
        ],
        "metrics": {"rmse": {"better": "lower", "summary": ""}},
        "verdict": {"metric": "rmse", "answer": "worth it"},
        "shipped": shipped,
    }


def test_a_shipped_model_may_lose_within_its_interval_but_not_beyond():
    plain = {"scores": {"rmse": interval(560, 540, 580)}}
    close = tables.claims("other", a_fit(network=interval(550, 530, 570), trees=interval(540, 520, 560)), plain)
    far = tables.claims("other", a_fit(network=interval(590, 570, 610), trees=interval(540, 520, 560)), plain)
    assert [holds for holds, _ in close.values()] == [True, True]
    assert [holds for holds, _ in far.values()] == [False, False]
    assert far["network is not worse than a plain network"][1] == "rmse 590 (570 to 610) against 560 (540 to 580)"


def test_diamonds_has_a_goal_of_its_own():
    plain = {"scores": {"rmse": interval(560, 540, 580)}}
    good = tables.claims("diamonds", a_fit(network=interval(559.9, 530, 570), trees=interval(540, 520, 560)), plain)
    bad = tables.claims("diamonds", a_fit(network=interval(560.1, 530, 570), trees=interval(540, 520, 560)), plain)
    assert good["network's RMSE <= 560"][0]
    assert not bad["network's RMSE <= 560"][0]


def a_row(kind, answer, right, index=0):
    return {
        "kind": kind, "index": index, "answer": answer, "right": right, "truth": "", "rows": 1, "sentence": "", "seconds": 1.0,
    }  # fmt: skip


def test_cannot_tell_yet_is_not_wrong_but_not_right_either(capsys):
    assert verdict.report([a_row("network", "worth it", "worth it")], [])
    assert not verdict.report([a_row("network", "cannot tell yet", "worth it")], [])
    assert "FAIL  network: at least 90% right" in capsys.readouterr().out
    assert not verdict.is_wrong(a_row("nothing", "cannot tell yet", "not worth it"))
    assert verdict.is_wrong(a_row("nothing", "worth it", "not worth it"))


def test_a_table_that_could_not_be_judged_fails_the_claim():
    assert not verdict.report([a_row("network", "worth it", "worth it")], ["trees 3: MemoryError: "])


def test_a_step_that_grows_faster_than_its_rows_fails():
    def report(seconds, rows):
        return {"seconds": seconds, "rows": rows, "arrow_bytes": 1_000_000, "peak_bytes": 300_000_000}

    found = {(step, rows): report(rows / 1e6, rows) for step in scale.STEPS for rows in (1_000, 10_000)}
    assert all(scale.claims(found, [1_000, 10_000]).values())
    found["read", 10_000] = report(0.016, 10_000)
    failed = [claim for claim, holds in scale.claims(found, [1_000, 10_000]).items() if not holds]
    assert failed == ["read: time per row at 10,000 rows is 1.60 times that of the size before (at most 1.5)"]


def test_a_network_of_a_small_table_may_err_a_little_more_by_chance_but_not_every_time():
    def split(network, linear=1.0):
        return {"network": network, "linear": linear}

    assert all(small.claims({"diabetes": [split(1.02), split(1.03)]}, None).values())
    assert not any(small.claims({"diabetes": [split(1.02), split(1.05)]}, None).values())
    assert all(small.claims({"breast_cancer": [split(1.3), split(0.9), split(1.1)]}, 11.9).values())
    worse = small.claims({"breast_cancer": [split(1.1), split(1.12), split(1.11)]}, 12.1)
    assert [*worse.values()] == [False, False]
    assert [*small.claims({"wine": [split(0.5)], "juice": [split(1.5)]}, None).values()] == [True]


def test_the_file_for_scale_has_twenty_columns_whatever_its_length(tmp_path):
    scale.write_csv(tmp_path / "few.csv", 50)
    lines = (tmp_path / "few.csv").read_text().splitlines()
    assert len(lines) == 51
    assert {len(row) for row in csv.reader(lines)} == {20}


def test_the_plain_network_learns_numbers_categories_and_copes_with_gaps(monkeypatch):
    monkeypatch.setattr("bench.plain_mlp.LEAST_STEPS", 200)  # enough for a straight line
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    x = random.normal(size=900)
    kind = random.choice(["a", "b", "c"], 900)
    y = 3 * x + np.where(kind == "a", 5.0, 0.0) + 100
    table = pa.table({"x": pa.array(x, mask=random.random(900) < 0.02), "kind": kind, "y": y})
    answer = fit_predict(table[:600], table[600:750], table[750:], "y", "regression")
    assert np.sqrt(np.mean((answer.prediction - y[750:]) ** 2)) < 0.4 * y.std()
    labels = pa.table({"x": x, "kind": kind, "y": np.where(y > 102, "high", "low")})
    answer = fit_predict(labels[:600], labels[600:750], labels[750:], "y", "classification")
    right = np.asarray(answer.classes)[answer.prediction.argmax(1)] == labels["y"][750:].to_numpy(zero_copy_only=False)
    assert answer.classes == ("high", "low")
    assert right.mean() > 0.95


def test_question_marks_become_empty_cells():
    pytest.importorskip("pandas")
    frame = frame_of(("age", "job"), [" 39, ?", " 50, nurse", ""])
    assert frame.to_numpy().tolist() == [["39", ""], ["50", "nurse"]]


def test_an_unknown_table_is_refused_with_the_names_there_are():
    with pytest.raises(SystemExit) as refusal:
        fetch("homes")
    assert str(refusal.value) == (
        "There is no table 'homes'. The tables are: adult, diamonds, ames, flights, wa_churn, credit_cards, letter, magic."
    )


@pytest.mark.parametrize("script", ["data", "tables", "verdict", "scale", "planted_truth"])
def test_every_script_states_its_claim(script):
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{script}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "usage:" in done.stdout
    assert len(done.stdout.splitlines()) > 10


def test_the_example_table_is_what_its_page_says():
    page = (EXAMPLE / "README.md").read_text()
    content = (EXAMPLE / "flights.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in page
    assert len(content) < 2_000_000
    rows = list(csv.reader(content.decode().splitlines()))
    assert rows[0] == re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(rows) == 10_001
    assert {row[-1] for row in rows[1:]} == {"yes", "no"}
