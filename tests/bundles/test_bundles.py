"""Bundles of every format that there was are read, and answer as they did."""

import json
from pathlib import Path

import pytest

import fathom
from fathom.bundle import manifest

HERE = Path(__file__).parent
KEPT = sorted(path for path in HERE.glob("format-*/*") if path.is_dir())


def test_there_is_one_of_every_format():
    assert {path.parent.name for path in KEPT} == {f"format-{number}" for number in manifest.FORMATS}


@pytest.mark.parametrize("bundle", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_bundle_of_the_past_answers_as_it_did(bundle):
    kept = json.loads(bundle.with_suffix(".json").read_text())
    answers = fathom.load(bundle).predict(kept["rows"]).to_pylist()
    for answer, before in zip(answers, kept["answers"], strict=True):
        assert answer.keys() == before.keys()
        for name, value in before.items():
            assert answer[name] == (pytest.approx(value, abs=1e-6, rel=1e-6) if isinstance(value, float) else value)
