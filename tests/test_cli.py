"""The command line as a person meets it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.chapters import sealing
from fathom.commands import COMMANDS
from fathom.data.files.writing import write
from fathom.data.rows.splitting import row_hashes
from tests.conftest import FLIGHTS, ROOT

PYTHON = [sys.executable, "-m", "fathom"]
VERBS = [one.NAME for one in COMMANDS]


def test_a_fit_prints_what_it_found_and_leaves_a_run(flights, command, tmp_path):
    write(flights, tmp_path / "some.csv")
    outcome = command("fit", "some.csv", "-t", "late", "--effort", "quick", "--epochs", 2, "--keep", "network")
    assert outcome.code == 0
    run = tmp_path / "runs" / "some-1"
    assert {path.name for path in run.iterdir()} == {
        "result.json",
        "report.html",
        "card.md",
        "findings.json",
        "bundle",
        "learned_rows.npy",
        "looks.json",
        "settings.toml",
        "test_rows.npy",
    }
    result = json.loads((run / "result.json").read_text())
    said = " ".join(outcome.out.split())
    assert result["verdict"]["sentence"] in said
    for model in result["models"]:
        assert model["name"] in said
    for column in result["columns"]:
        assert column["name"] in said
    assert "fathom predict runs/some-1/bundle NEW_ROWS.csv -o predictions.csv" in said
    assert outcome.err.splitlines()[0].startswith("Reading: 1,500 rows, 18 columns (")
    assert result["command"] == "fathom fit some.csv -t late --effort quick --epochs 2 --keep network"
    assert "\x1b[" not in outcome.out + outcome.err


def test_predict_reads_and_writes_every_format_and_the_pipe(late_run, flights, command, tmp_path):
    rows = flights.take(range(20))
    expected = fathom.load(late_run).predict(rows).to_pylist()
    for ending in ("csv", "tsv", "parquet", "arrow", "jsonl"):
        write(rows, tmp_path / f"rows.{ending}")
        outcome = command("predict", late_run, f"rows.{ending}", "-o", f"out.{ending}")
        assert outcome.code == 0, outcome.err
        found = fathom.read(tmp_path / f"out.{ending}").to_pylist()
        assert [row["late"] for row in found] == [row["late"] for row in expected]
        assert float(found[3]["late=yes"]) == pytest.approx(expected[3]["late=yes"])
    with (tmp_path / "rows.csv").open("rb") as piped:
        done = subprocess.run(
            [*PYTHON, "predict", late_run, "-"], stdin=piped, capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.splitlines()[0] == '"late","late_probability","late=no","late=yes"'
    assert len(done.stdout.splitlines()) == 21


@pytest.mark.parametrize("verb", ["predict", "explain", "label"])
def test_no_command_writes_over_the_rows_that_it_reads(verb, late_run, flights, command, tmp_path):
    write(flights.take(range(20)), tmp_path / "rows.csv")
    (tmp_path / "link.csv").symlink_to("rows.csv")
    before = (tmp_path / "rows.csv").read_bytes()
    bundle = ["--bundle", late_run] if verb == "label" else [late_run]
    for name in ("rows.csv", tmp_path / "rows.csv", "link.csv"):
        outcome = command(verb, *bundle, "row*.csv", "-o", name)
        assert outcome.code == 2
        assert outcome.err.splitlines()[-1] == (
            f"fathom: {name} is the file that the rows are read from, and writing there would destroy it. Name another file."
        )
    assert (tmp_path / "rows.csv").read_bytes() == before


def test_a_column_that_is_lacking_is_not_taken_for_one_that_is_asked_for_too(late_run, flights, command, tmp_path):
    rows = flights.take(range(5)).to_pandas()
    rows.rename(columns={"airline": "airlin"}).to_csv(tmp_path / "slip.csv", index=False)
    said = command("predict", late_run, "slip.csv").err
    assert "has no column 'airline', which the model reads. Did you mean 'airlin'? It needs" in said
    rows.drop(columns="wind_speed_mph").to_csv(tmp_path / "less.csv", index=False)  # wind_gust_mph is there
    said = command("predict", late_run, "less.csv").err
    assert "has no column 'wind_speed_mph', which the model reads. It needs" in said


def test_a_bundle_is_shown_in_words(late_run, command):
    said = command("inspect", late_run).out
    (line,) = [line for line in said.splitlines() if line.startswith("Simpler models:")]
    assert "{" not in said and line.startswith("Simpler models: late ")


def test_predicting_no_rows_writes_the_header_of_some(late_run, flights, command, tmp_path):
    (tmp_path / "none.csv").write_text(",".join(flights.names) + "\n")
    done = command("predict", str(late_run), str(tmp_path / "none.csv"))
    assert (done.code, done.out) == (0, '"late","late_probability","late=no","late=yes"\n')


def test_predicting_rows_with_their_truth_scores_them_and_counts_the_look(late_run, command):
    before = len(sealing.looks_of(late_run))
    outcome = command("predict", late_run, FLIGHTS, "-o", "out.csv")
    assert "These rows hold 'late': log loss 0." in outcome.err
    assert re.search(r"on 8,7\d\d rows", outcome.err)  # of 10,000; the others taught or chose the model
    assert "of these rows are sealed test rows" in outcome.err
    assert len(sealing.looks_of(late_run)) == before + 1
    command("report", late_run, "-o", "page.html")
    from pathlib import Path

    assert "scored by predict" in Path("page.html").read_text()


def test_predict_scores_no_row_that_the_model_has_learned_from_or_was_chosen_by(late_run, flights, command, tmp_path):
    sealed = np.isin(row_hashes(flights), np.load(late_run / "test_rows.npy"))
    result = json.loads((late_run / "result.json").read_text())
    shipped = next(model for model in result["models"] if model["name"] == result["shipped"])
    write(flights, tmp_path / "all.csv")
    said = command("predict", late_run, "all.csv", "-o", "out.csv").err
    assert f"log loss {shipped['scores']['log_loss']['value']:.4g} on {sealed.sum():,} rows" in said
    assert f"{(~sealed).sum():,} other rows that hold it were left out of the score" in said
    before = len(sealing.looks_of(late_run))
    degrees = [float(cell) if cell else None for cell in flights.column("temperature_f").to_pylist()]
    learned = flights.with_column("temperature_f", pa.array(degrees)).take(np.flatnonzero(~sealed))  # numbers, not text
    write(learned, tmp_path / "learned.parquet")
    said = command("predict", late_run, "learned.parquet", "-o", "out.csv").err
    assert f"there is no score: the model has learned from all {(~sealed).sum():,} of them, or was chosen by" in said
    assert "log loss" not in said and len(sealing.looks_of(late_run)) == before


def test_predict_says_where_it_cannot_tell_whether_rows_were_learned_from(late_run, flights, command, tmp_path):
    write(flights.take(np.arange(200)), tmp_path / "rows.csv")
    shutil.copytree(late_run / "bundle", tmp_path / "elsewhere")
    older = shutil.copytree(late_run, tmp_path / "older")
    (older / "learned_rows.npy").unlink()
    for bundle in ("elsewhere", "older"):
        said = command("predict", bundle, "rows.csv", "-o", "out.csv").err
        assert " on 200 rows" in said
        assert "Whether the model has learned from these rows cannot be told" in said and "learned_rows.npy" in said
    assert "cannot be told" not in command("predict", late_run, "rows.csv", "-o", "out.csv").err


@pytest.mark.parametrize(
    ("asked", "page", "done"),
    [
        (("check", "--only", "slices,abstaining", "--json", "found.json"), "found.json", "checked"),
        (("explain", "--out", "found.html"), "found.html", "explained"),
    ],
    ids=["check", "explain"],
)
def test_no_row_that_the_model_has_met_is_judged_on_and_a_look_at_sealed_rows_is_counted(
    asked, page, done, late_run, flights, command, tmp_path
):
    verb, *options = asked
    sealed = np.isin(row_hashes(flights), np.load(late_run / "test_rows.npy"))
    told, seen = [], []
    for rows in (flights, flights.take(np.flatnonzero(sealed)))[: 2 if verb == "check" else 1]:
        write(rows, tmp_path / "rows.csv")
        before = len(sealing.looks_of(late_run))
        told.append(command(verb, late_run, "rows.csv", *options).err)
        seen.append((tmp_path / page).read_text())
        (look,) = sealing.looks_of(late_run)[before:]
        assert look["what"] == f"{done} ({sealed.sum():,} of the test rows)"
    left_out = f"{(~sealed).sum():,} other rows were left out: the model has learned from them, or was chosen by them."
    assert left_out in told[0] and "of these rows are sealed test rows" in told[0]
    if verb == "check":
        assert seen[0] == seen[1] and left_out not in told[1]
    else:
        assert left_out in seen[0] and "importance" in seen[0]
    write(flights.take(np.flatnonzero(~sealed)), tmp_path / "rows.csv")
    (tmp_path / page).unlink()
    outcome = command(verb, late_run, "rows.csv", *options)
    assert outcome.code == 2 and f"The model has learned from all {(~sealed).sum():,} rows of rows" in outcome.err
    assert not (tmp_path / page).exists() and sealing.looks_of(late_run)[-1] == look
    shutil.copytree(late_run / "bundle", tmp_path / "elsewhere")
    assert "has learned from these rows cannot be told" in command(verb, "elsewhere", "rows.csv", *options).err


def test_rows_without_a_truth_judge_nothing(late_run, flights, command, tmp_path):
    write(flights.take(np.arange(5)).with_column("late", pa.nulls(5, pa.string())), tmp_path / "new.csv")
    outcome = command("check", late_run, "new.csv")
    assert outcome.code == 2 and "Column 'late' of new is empty, and rows judge a model by their truth." in outcome.err


def test_the_report_of_a_run_is_built_again(late_run, command, tmp_path):
    outcome = command("report", late_run, "-o", "again.html")
    assert (outcome.code, outcome.out) == (0, "again.html\n")
    page = (tmp_path / "again.html").read_text()
    verdict = json.loads((late_run / "result.json").read_text())["verdict"]["sentence"]
    import html

    assert verdict in html.unescape(page)
    first = (late_run / "report.html").read_text()
    heads = [[text.split("</table>")[0] for text in one.split("<thead")[1:]] for one in (page, first)]
    assert len(heads[0]) > 5 and heads[0] == heads[1]  # every table has its columns where they were
    outcome = command("report", "nowhere")
    assert (outcome.code, outcome.err) == (
        2,
        "fathom: There is no nowhere/result.json. Name a folder that fathom fit wrote, for example runs/homes-1.\n",
    )


def test_explain_ranks_the_columns_of_a_bundle_on_rows_with_their_truth(late_run, flights, command, tmp_path):
    page = tmp_path / "why.html"
    write(flights, tmp_path / "rows.csv")
    done = command("explain", late_run, "rows.csv", "--out", page)
    assert done.code == 0, done.err
    assert "How much worse the answers get" in done.out
    assert "Columns that matter" in page.read_text()
    done = command("explain", late_run, "rows.csv", "--layers")
    assert done.code == 2
    assert "--layers looks into a network that reads text, pictures, sound or series" in done.err


def test_a_trace_follows_one_row_through_the_real_stations(command):
    outcome = command("trace", FLIGHTS, "-t", "late", "--row", 7)
    assert outcome.code == 0
    with FLIGHTS.open() as file:
        cells = file.read().splitlines()[7].split(",")
    for station in (
        "reading",
        "splitting",
        "encoding",
        "baselines",
        "network",
        "trunks/tabm",
        "heads/category",
        "training",
    ):
        assert station in outcome.out
    assert f"airline = '{cells[1]}'" in outcome.out
    outcome = command("trace", FLIGHTS, "-t", "late", "--row", 20_000)
    assert (outcome.code, outcome.err) == (2, "fathom: There is no row 20000: the table has rows 1 to 10,000.\n")


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example_that_its_own_options_can_read(verb, command):
    """Of every option in an example, and of none that is not there."""
    outcome = command(verb, "--help")
    example = COMMANDS[VERBS.index(verb)].EXAMPLE
    assert outcome.code == 0
    assert example.split()[:2] == ["fathom", verb]
    assert "".join(example.split()) in "".join(outcome.out.split())
    assert {word for word in example.split() if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", outcome.out))


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_is_refused_with_the_one_that_was_meant(verb, command):
    outcome = command(verb, "--hlep")
    assert outcome.code == 2
    assert "--hlep" in outcome.err and "--help" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_version_is_told(command):
    assert command("--version").out == f"fathom {fathom.__version__}\n"


def test_every_setting_is_an_option_of_fit():
    from dataclasses import fields

    from fathom.settings import Settings

    shown = subprocess.run(
        [*PYTHON, "fit", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200"},
    )
    for entry in fields(Settings):
        assert f"--{entry.name.replace('_', '-')}" in shown.stdout, entry.name


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path):
    fit = subprocess.Popen(
        [*PYTHON, "fit", FLIGHTS, "-t", "late", "--effort", "thorough", "--out", tmp_path / "run"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert fit.stderr is not None
    for line in fit.stderr:
        if line.startswith("Fitting simpler models"):
            break
    time.sleep(1)
    fit.send_signal(signal.SIGINT)
    out, err = fit.communicate(timeout=60)
    # Python ends itself by the signal where it came while a library had it run code of its own: of that, a shell says 130 too.
    assert fit.returncode in (130, -signal.SIGINT)
    assert err.splitlines()[-1] == (
        "fathom: stopped. Nothing was left half-written; the same command starts again with the same split of the rows."
    )
    assert "Traceback" not in err and out == ""
    assert [*tmp_path.iterdir()] == []


def test_help_is_quick():
    """The claim is 0.3 s on a quiet machine; processor time is what a busy one still tells."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PYTHON, "--help"], capture_output=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.0
