"""The comparison with other networks ranks, shares and times fairly, and the benches of time judge rightly."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import frontier, minutes, ranking, step
from bench.frontier_tables import MOST_ROWS, TABLES, table_named

ROOT = Path(__file__).parents[2]


def table(name, used_for="confirming"):
    return SimpleNamespace(name=name, used_for=used_for, rows=100, note="")


def fits(**errors):
    """Fits of seed 0 by table and model: an RMSE (which is also the CPU seconds), or a sentence for what failed."""
    found = {}
    for where, models in errors.items():
        for model, value in models.items():
            one = (
                {"failed": value}
                if isinstance(value, str)
                else {"scores": {"rmse": value}, "cpu_seconds": value, "wall_seconds": value}
            )
            found[where, model, 0] = one
    return found  # fmt: skip


def test_the_lowest_error_has_the_first_rank_and_an_unfinished_network_the_last():
    found = fits(
        a={"constant": 10.0, "fathom": 1.0, "realmlp": 2.0, "tabm": "too slow"},
        b={"constant": 10.0, "fathom": 2.0, "realmlp": 1.0, "tabm": 3.0},
    )
    assert ranking.mean_ranks(found, [table("a"), table("b")]) == ({"fathom": 1.5, "realmlp": 1.5, "tabm": 3.0}, 2)


def test_a_table_that_a_network_has_not_tried_is_not_ranked():
    found = fits(a={"constant": 10.0, "fathom": 1.0, "realmlp": 2.0})
    assert ranking.mean_ranks(found, [table("a")]) == ({}, 0)


def test_relative_scores_are_shares_of_what_the_best_model_of_all_removes():
    found = fits(a={"constant": 10.0, "fathom": 4.0, "realmlp": 6.0, "lightgbm": 2.0})
    both = ranking.pair(found, [table("a")], "realmlp")
    assert (both.relative, both.other_relative) == (0.75, 0.5)
    assert (both.seconds, both.other_seconds, both.tables) == (4.0, 6.0, 1)


def test_only_seeds_that_both_have_finished_are_compared():
    found = fits(a={"constant": 10.0, "fathom": 4.0, "realmlp": 4.0})
    found["a", "fathom", 1] = {"scores": {"rmse": 100.0}, "cpu_seconds": 500.0}
    found["a", "realmlp", 1] = {"failed": "too slow"}
    both = ranking.pair(found, [table("a")], "realmlp")
    assert (both.relative, both.other_relative, both.seconds) == (1.0, 1.0, 4.0)
    assert ranking.pair(found, [table("a")], "tabm") is None


def test_claims_fail_until_there_is_something_to_compare():
    assert not any(ranking.claims({}, [table("a")]).values())


def test_claims_hold_for_a_network_that_is_better_in_half_the_time_and_fail_otherwise():
    better = fits(a={"constant": 10.0, "fathom": 1.0, "realmlp": 2.0, "tabm": 3.0})
    assert all(ranking.claims(better, [table("a")]).values())
    slower = fits(a={"constant": 10.0, "fathom": 1.1, "realmlp": 2.0, "tabm": 3.0})
    failed = [claim for claim, holds in ranking.claims(slower, [table("a")]).items() if not holds]
    assert failed == ["all tables (1 of 1): at most half the time of realmlp: 0.55 of 2 CPU seconds (at most 0.5)"]
    worse = fits(a={"constant": 10.0, "fathom": 2.5, "realmlp": 2.0, "tabm": 3.0})
    assert sum(not holds for holds in ranking.claims(worse, [table("a")]).values()) == 6


def test_the_log_loss_decides_where_there_are_classes():
    assert ranking.error({"scores": {"log_loss": 0.3, "roc_auc": 0.9, "accuracy": 0.8}}) == 0.3


def test_of_two_results_the_later_counts_and_those_of_other_rows_are_left_out(tmp_path):
    lines = [
        {"table": "a", "model": "fathom", "seed": 0, "parts": "p", "scores": {"rmse": 1.0}},
        {"table": "a", "model": "fathom", "seed": 0, "parts": "p", "scores": {"rmse": 2.0}},
        {"table": "a", "model": "fathom", "seed": 1, "parts": "older", "scores": {"rmse": 3.0}},
    ]
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = ranking.latest(file, {"a": "p"})
    assert {key: fit["scores"]["rmse"] for key, fit in found.items()} == {("a", "fathom", 0): 2.0}
    assert ranking.latest(tmp_path / "none.jsonl", {}) == {}


def test_the_watch_counts_recognising_and_training_and_nothing_else():
    watch = frontier.Watch()
    for stage in ("Reading", "Recognising columns", "Training the network", "Exporting the network"):
        watch.begin(stage)
        before = watch.cpu
        sum(range(200_000))
        watch.end()
        assert (watch.cpu > before) == (stage in watch.COUNTED)


def test_a_fit_that_takes_too_long_or_breaks_is_written_down_as_such(tmp_path):
    def run(code, limit=30):
        return frontier.in_own_process([sys.executable, "-c", code], limit, str(tmp_path))

    assert run("pass") is None
    assert run("raise ValueError('odd')") == {"failed": "ended with 1: ValueError: odd"}
    assert run("while True: pass", limit=1) == {"failed": "too slow", "limit": 1}


def test_half_of_the_tables_are_for_confirming_and_all_tasks_and_sizes_occur():
    uses = [one.used_for for one in TABLES]
    assert uses.count("defaults") == 6
    assert uses.count("confirming") >= 6
    assert {one.task for one in TABLES} == {"regression", "classification"}
    assert max(one.rows for one in TABLES) <= MOST_ROWS
    assert [one.rows for one in TABLES] == sorted(one.rows for one in TABLES)
    with pytest.raises(SystemExit, match=r"^There is no table 'homes'\. The tables are: cells, ames, "):
        table_named("homes")


def test_unknown_names_are_refused():
    with pytest.raises(SystemExit, match=r"^There is no model 'resnet'\. There are: fathom, "):
        frontier.chosen("resnet", frontier.MODELS, "model")
    assert frontier.chosen("tabm,fathom", frontier.MODELS, "model") == ["fathom", "tabm"]


def test_a_step_may_take_a_twentieth_more_than_the_bare_loop_and_no_more():
    def compared(ratio):
        return [{"trunk": "mlp", "batch": 256, "ratios": {"fathom": ratio}, "milliseconds": {"bare": 2.0}}]

    assert all(step.claims(compared(1.05), []).values())
    assert step.claims(compared(1.051), []) == {
        "mlp, batch 256: a step takes 1.051 times the bare loop's 2.00 ms (at most 1.05)": False
    }
    beside = [{"trunk": "mlp", "batch": 256, "ratio": 2.6, "milliseconds": {"idle": 2.0}}]
    assert not any(step.claims([], beside).values())


def test_the_loops_that_are_compared_run_and_the_products_are_counted():
    assert step.fathom_step("mlp", 32, 2, 0.9)[1] == 1
    assert step.bare_step("mlp", 32, 2) > 0
    assert step.arithmetic_step("mlp", 32, 2) > 0


def test_a_limit_may_be_passed_by_a_tenth_or_five_seconds():
    def fit(given, seconds):
        return {"table": "adult", "minutes": given, "seconds": seconds}

    assert minutes.claims([fit(0.5, 34.9)]) == {"adult, 0.5 minutes: 34.9 s (at most 35)": True}
    assert minutes.claims([fit(0.5, 35.1)]) == {"adult, 0.5 minutes: 35.1 s (at most 35)": False}
    assert all(minutes.claims([fit(2, 131.9)]).values())
    assert not any(minutes.claims([{**fit(1, 3.0), "failed": "ended with 2: no"}]).values())


@pytest.mark.parametrize("script", ["frontier", "step", "minutes"])
def test_every_script_states_its_claim(script):
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{script}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "claim" in done.stdout
    assert len(done.stdout.splitlines()) > 10


def test_the_clock_of_a_fit_hears_whatever_a_fit_tells():
    from bench.frontier import Watch
    from fathom.progress import Silent

    told = [name for name in vars(Silent) if not name.startswith("_")]
    assert len(told) >= 5
    assert all(callable(getattr(Watch(), name, None)) for name in told)
