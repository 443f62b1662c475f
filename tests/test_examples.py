"""The examples run, and what they say of themselves is checked by their own assertions."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("example", ["deep.py"])
def test_an_example_runs(example):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / example],
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "gradient of trunk.layers.149.layer" in done.stdout
