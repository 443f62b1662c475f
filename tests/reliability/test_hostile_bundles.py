"""Rows C1 to C8: a hostile bundle executes nothing, touches nothing, and is refused with a reason before ONNX Runtime sees it."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.conftest import ROOT
from tests.reliability.watched import MEMORY, SECONDS


@pytest.fixture(scope="module")
def found(request, tmp_path_factory):
    seed = request.config.getoption("--seed") or 1
    out = tmp_path_factory.mktemp("watched") / "out.json"
    full = "full" if request.config.getoption("--full") else "few"
    command = [sys.executable, "-m", "tests.reliability.watched", str(seed), full, str(out)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=2_000)
    print(f"--seed {seed}")
    return json.loads(out.read_text())


def test_every_hostile_bundle_is_refused_with_a_reason(found):
    rows = Counter(case["row"] for case in found)
    assert min(rows[row] for row in ("C2", "C3", "C4", "C5", "C6", "C7", "C8")) >= 30
    assert sum(rows.values()) >= 500
    let_in = [f"{case['row']}: {case['name']}: {case['outcome']} {case['message']}" for case in found
              if case["outcome"] != "refused" and case["row"] != "C8 free"]  # fmt: skip
    assert let_in == []
    assert all(
        case["message"].endswith((".", "FILE")) and len(case["message"]) > 40
        for case in found
        if case["message"] and len(case["message"]) < 400
    )


def test_words_of_the_users_own_table_are_let_in_or_refused_and_never_more(found):
    assert {case["outcome"] for case in found if case["row"] == "C8 free"} <= {"loaded", "refused"}


def test_nothing_is_executed_imported_connected_or_opened_elsewhere(found):
    assert [(case["name"], case["events"]) for case in found if case["events"]] == []


def test_no_file_is_made_changed_or_removed(found):
    assert [case["name"] for case in found if case["changed"]] == []


def test_none_of_them_reaches_onnx_runtime(found):
    assert [case["name"] for case in found if case["asked"] and case["outcome"] != "loaded"] == []


def test_none_takes_long_or_much_memory(found):
    assert [(case["name"], case["seconds"]) for case in found if case["seconds"] > SECONDS] == []
    assert [(case["name"], case["megabytes"]) for case in found if case["megabytes"] > MEMORY / 2**20] == []


def test_the_watch_sees_what_it_should(tmp_path):
    code = (
        "import sys, os; sys.argv=['x']; from tests.reliability import watched as w; from pathlib import Path;"
        "sys.addaudithook(w.hook); w.watching = Path('/nowhere'); open(os.devnull).close();"
        "eval('1'); import colorsys; w.watching = None; print(len(w.events), [e.split()[0] for e in w.events])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert all(name in done.stdout for name in ("open", "compile", "exec", "import"))
