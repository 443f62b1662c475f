"""What the Tab key offers, asked as a shell asks."""

import subprocess
import time

import numpy as np
import pytest

from fathom.completing import HEAD_BYTES, column_names
from fathom.data.files.writing import write
from tests.conftest import FLIGHTS, python


@pytest.fixture
def tab(command, monkeypatch):
    """Ask what may follow ``fathom WORDS``, of which the last is begun."""

    def offered(*words):
        monkeypatch.setenv("_FATHOM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["fathom", *map(str, words)]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        outcome = command()
        assert outcome.err == "" and outcome.code == 0
        return outcome.out.split("\n")[:-1] if outcome.out.strip() else []

    return offered


CHOICES = {
    "--effort": ["quick", "standard", "thorough"],
    "--trunk": ["tabm", "mlp", "transformer"],
    "--optimizer": ["adamw", "sgd"],
    "--keep": ["network", "baseline"],
    "--bad-rows": ["error", "skip"],
    "--log": ["tensorboard"],
}


@pytest.mark.parametrize(("option", "words"), [*CHOICES.items()], ids=[*CHOICES])
def test_the_words_of_an_option_are_offered_and_are_taken(tab, option, words):
    from fathom.settings import Settings

    assert tab("fit", "x.csv", option, "") == words
    assert tab("fit", "x.csv", option, words[-1][0]) == [word for word in words if word.startswith(words[-1][0])]
    for word in words:
        Settings.of({option[2:].replace("-", "_"): word})


def test_verbs_and_metrics_are_offered(tab):
    assert tab("fi") == ["fit"]
    assert tab("fit", "x.csv", "--metric", "r") == ["recall", "roc_auc", "rmse", "r2"]


@pytest.mark.parametrize("option", ["--target", "-t", "--group", "--time", "--weight"])
def test_the_columns_of_the_named_file_are_offered(tab, option):
    assert tab("fit", FLIGHTS, option, "wind_") == ["wind_direction_degrees", "wind_speed_mph", "wind_gust_mph"]
    assert "late" in tab("fit", "--effort", "quick", FLIGHTS, "-t", "late", option, "")
    assert tab("fit", "not-there.csv", option, "") == []


def test_a_columns_kind_is_offered_after_its_name(tab):
    assert tab("fit", FLIGHTS, "--columns", "orig") == ["origin="]
    assert tab("fit", FLIGHTS, "--columns", "origin=d") == ["origin=date"]
    assert {"origin=number", "origin=skip"} <= set(tab("fit", FLIGHTS, "--columns", "origin="))


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "arrow"])
def test_names_come_from_the_beginning_of_a_file_of_any_kind(flights, tmp_path, ending):
    rows = flights.take(np.arange(20_000) % flights.rows)
    path = tmp_path / f"rows.{ending}"
    write(rows, path)
    assert path.stat().st_size > HEAD_BYTES or ending in ("parquet", "arrow")
    started = time.perf_counter()
    assert column_names(path) == flights.names
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("content", [b"", b"PAR1", b"ARROW1", b"\x89PNG\r\n", b"\0" * 10], ids=range(5))
def test_what_cannot_be_read_offers_nothing(tab, tmp_path, content):
    (tmp_path / "odd").write_bytes(content)
    assert tab("fit", "odd", "--target", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell):
    code = f"import os, sys; os.environ['_FATHOM_COMPLETE'] = 'source_{shell}'; sys.argv = ['fathom']; from fathom.cli import main; main()"
    done = python(code)
    assert done.returncode == 0 and "_FATHOM_COMPLETE" in done.stdout


def test_bash_itself_completes(tmp_path):
    script = python(
        "import os, sys; os.environ['_FATHOM_COMPLETE'] = 'source_bash'; sys.argv = ['fathom']; from fathom.cli import main; main()"
    )
    (tmp_path / "complete.sh").write_text(script.stdout)
    done = subprocess.run(
        ["bash", "-n", tmp_path / "complete.sh"], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
