"""What several test files share: real rows, fits of them, and the command line."""

import functools
import json
import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import fathom
from fathom.baselines import constant, linear
from fathom.data.files.writing import write
from fathom.data.table import Table

pytest_plugins = ["tests.serving"]

ROOT = Path(__file__).resolve().parent.parent
FLIGHTS = ROOT / "examples" / "data" / "flights.csv"
# Two epochs and two rivals: for tests that ask how, not how well.
QUICK = {"effort": "quick", "epochs": 2, "baselines": (constant, linear)}

# A small table and how it is cross-fitted, two epochs a fold.
FEW = {"effort": "standard", "epochs": 2, "baselines": (constant, linear), "keep": "network", "threads": 1}
CHANCE = np.random.default_rng(5)
X = CHANCE.normal(size=(200, 3))
FEW_ROWS = Table.of(
    {
        "a": X[:, 0],
        "b": X[:, 1],
        "kind": np.where(X[:, 2] > 0, "up", "down"),
        "y": X[:, 0] - 2 * X[:, 1] + (X[:, 2] > 0) + 0.1 * CHANCE.normal(size=200),
    },
    name="few.csv",
)


@pytest.fixture(scope="session", autouse=True)
def operators_read_once():
    """Keep the exporter's list of operators, which it makes anew from its source code for every network: a quarter of a small network's export."""
    from onnxscript._framework_apis import torch_2_11 as exporter

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "get_torchlib_ops", functools.cache(exporter.get_torchlib_ops))
        yield


@pytest.fixture(scope="session")
def flights() -> Table:
    """1,500 flights, spread over the year."""
    table = fathom.read(FLIGHTS)
    return table.take(np.linspace(0, table.rows - 1, 1_500).astype(np.int64))


@pytest.fixture(scope="session")
def late_network(flights):
    """A network that says whether a flight is late, against every rival."""
    return fathom.fit(flights, target="late", keep="network", effort="quick", epochs=2)


@pytest.fixture(scope="session")
def two_targets(flights):
    """A network of two targets, a number and a category."""
    return fathom.fit(flights, target=["temperature_f", "origin"], keep="network", bad_rows="skip", **QUICK)


@pytest.fixture(scope="session")
def late_run(flights, tmp_path_factory):
    """A run folder, whose bundle holds the best simpler model."""
    folder = tmp_path_factory.mktemp("runs") / "late"
    fathom.fit(flights, target="late", keep="baseline", out=folder, **QUICK)
    return folder


@pytest.fixture(scope="session")
def few_run(tmp_path_factory):
    """A run folder of a small table, ``few.parquet`` beside it, whose bundle is the mean of five networks."""
    folder = tmp_path_factory.mktemp("runs") / "few"
    write(FEW_ROWS, folder.parent / "few.parquet")
    fathom.fit(str(folder.parent / "few.parquet"), target="y", out=folder, **FEW)
    return folder


@pytest.fixture(scope="session")
def few(few_run):
    """The model of ``few_run``, with its result."""
    return replace(fathom.load(few_run), result=json.loads((few_run / "result.json").read_text()))


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run ``fathom ARGUMENTS`` in this process, in an empty folder; returns its exit code and what it printed."""
    from fathom import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fathom", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return Outcome(0 if code is None else int(code), captured.out, captured.err)

    return run


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="try each random fault as often as a release needs, not a tenth of it"
    )
    parser.addoption("--seed", type=int, default=None, help="where chance starts in the tests of faults")


@pytest.fixture
def times(request):
    """How often a random fault is tried: ``times(in every run, before a release)``."""
    return lambda few, many: many if request.config.getoption("--full") else few


@pytest.fixture
def chance(request):
    """Where and when faults strike; the seed is printed when a test fails."""
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"--seed {seed}")
    return random.Random(seed)


def python(code: str, *, executable: str = sys.executable, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run([executable, "-c", code], capture_output=True, text=True, timeout=timeout, check=False)
