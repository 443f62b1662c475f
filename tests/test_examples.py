"""The examples run, and what they say of themselves is checked by their own assertions."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SAYS = {"deep": "gradient of trunk.layers.149.layer"}


@pytest.mark.slow
@pytest.mark.timeout(1_900)
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example):
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{example}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert SAYS.get(example, "") in done.stdout


def test_every_example_says_how_to_run_it():
    for example in EXAMPLES:
        said = (ROOT / "examples" / f"{example}.py").read_text()
        assert f"python -m examples.{example}" in said or f"python examples/{example}.py" in said
