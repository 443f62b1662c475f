"""The documents tell the truth: every command and every line of Python in them runs, and every link leads somewhere."""

import re
import shlex
import shutil

import pytest

from tests.conftest import ROOT

DOCUMENTS = ["README.md", "docs/guide.md", "CONTRIBUTING.md"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(?:#[^)]*)?\)")


def blocks(document, language):
    return [code for kind, code in FENCE.findall((ROOT / document).read_text()) if kind == language]


@pytest.fixture
def beginner(tmp_path, command):
    """Put the example table where the documents expect it, and a table and a modality of the reader's own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    rooms = [(number * 7) % 6 + 1 for number in range(200)]
    rows = [f"{count},{50_000 + 40_000 * count + 17 * (number % 13)}" for number, count in enumerate(rooms)]
    (tmp_path / "homes.csv").write_text("\n".join(["rooms,price", *rows, ""]))
    identifier = (ROOT / "fathom" / "data" / "modalities" / "identifier.py").read_text()
    (tmp_path / "my_modality.py").write_text(identifier.replace('NAME = "id"', 'NAME = "my_modality"'))
    return command


@pytest.mark.parametrize("document", ["README.md", "docs/guide.md"])
def test_commands_and_python_run_in_the_order_in_which_they_stand(document, beginner, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    lines = [line for block in blocks(document, "console") for line in block.splitlines()]
    assert lines
    assert all(line.startswith("$ fathom ") for line in lines)
    for line in lines:
        outcome = beginner(*shlex.split(line)[2:])
        assert outcome.code == 0, (line, outcome.err)
    scripts = blocks(document, "python")
    assert scripts
    for script in scripts:
        exec(compile(script, document, "exec"), {})


def test_every_command_of_make_that_a_document_names_is_there():
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    named = {
        goal for run in re.findall(r"(?:`|^)make ([a-z-]+(?: [a-z-]+)*)", text, re.MULTILINE) for goal in run.split()
    }
    assert {"demo", "test", "check"} <= named
    assert named <= goals


@pytest.mark.parametrize(
    "document", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
)
def test_every_link_leads_somewhere(document):
    path = ROOT / document
    missing = [target for target in LINK.findall(path.read_text()) if not (path.parent / target).exists()]
    assert missing == []
