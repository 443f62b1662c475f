"""Settings as a file: what is read, what wins, what is refused, and that every run leaves a file that fits again alike."""

import json
import re
import tomllib
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as any_of

import fathom
from fathom.data.files.writing import write
from fathom.errors import OptionError
from fathom.settings import Settings
from fathom.settings_files import settings_text
from tests.conftest import QUICK

FILE = """
# a remark
effort = "quick"
epochs = 2
keep = "network"
class_weights = true

[columns]
distance_miles = "category"
origin = "skip"
"""
words = any_of.text(any_of.characters(exclude_categories=["Cs"]))
NAUGHTY = [
    "",
    " ",
    '"',
    "'",
    "\\",
    "a.b",
    "[x]",
    "#",
    "\r\n",
    "\t",
    "\0",
    "\x7f",
    "\x1b[0m",
    "\u2028",
    "😀",
    '"""',
    "=",
    "ß\u0301",
    "\ufeff",
]


@given(
    any_of.builds(
        Settings,
        group=any_of.none() | words,
        columns=any_of.dictionaries(words, words),
        metric=any_of.none() | words,
        minutes=any_of.none() | any_of.floats(min_value=0, exclude_min=True),
        encoder=any_of.dictionaries(words, words),
        learning_rate=any_of.none() | any_of.floats(min_value=0, exclude_min=True),
        epochs=any_of.none() | any_of.integers(min_value=1),
        class_weights=any_of.booleans(),
        delimiter=any_of.none() | words,
        header=any_of.none() | any_of.booleans(),
        seed=any_of.integers(0, 2**63 - 1),
    ),
    words,
)
def test_what_is_written_is_read_again(settings, command):
    assert Settings.of(tomllib.loads(settings_text(settings, command))) == settings


@pytest.mark.parametrize("word", NAUGHTY, ids=range(len(NAUGHTY)))
def test_naughty_words_are_read_again(tmp_path, word):
    settings = Settings(group=word, columns={word: word}, delimiter=word)
    path = tmp_path / "settings.toml"
    path.write_bytes(settings_text(settings, f"fathom fit {word}").encode())
    assert Settings.of(fathom.settings_from(path)) == settings


def test_a_file_settles_a_fit_and_flags_win(flights, command, tmp_path):
    write(flights.take(range(300)), tmp_path / "some.csv")
    (tmp_path / "my.toml").write_text(FILE)
    outcome = command("fit", "some.csv", "-t", "late", "--settings", "my.toml", "--epochs", 1, "--columns", "origin=category", "--out", "a")  # fmt: skip
    assert outcome.code == 0, outcome.err
    first = json.loads((tmp_path / "a" / "result.json").read_text())
    assert {name: first["settings"][name] for name in ("effort", "epochs", "class_weights", "optimizer")} == {
        "effort": "quick", "epochs": 1, "class_weights": True, "optimizer": "adamw"
    }  # fmt: skip
    assert first["settings"]["columns"] == {"distance_miles": "category", "origin": "category"}

    again = command("fit", "some.csv", "-t", "late", "--settings", "a/settings.toml", "--out", "b")
    assert again.code == 0, again.err
    for name in ("bundle/weights.safetensors", "bundle/model.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    texts = [(tmp_path / run / "settings.toml").read_text().splitlines() for run in "ab"]
    assert texts[0][2:] == texts[1][2:]
    assert texts[0][1] == f"# This one was:  {first['command']}"


def test_a_file_serves_python_too(flights, tmp_path):
    (tmp_path / "my.toml").write_text(FILE)
    values = fathom.settings_from(tmp_path / "my.toml")
    model = fathom.fit(flights.take(range(300)), "late", baselines=QUICK["baselines"], **values)
    expected = replace(Settings(), **values)
    assert {**model.result["settings"], "threads": None}.items() >= asdict(expected).items()


NEAR = "There are: group, time, weight, "
MISTAKES = {
    "a name": ('effort = "quick"\nepoch = 3', 2, "There is no setting 'epoch'. Did you mean 'epochs'? There are: "),
    "a table": ('[column]\nage = "number"', 1, "There is no setting 'column'. Did you mean 'columns'? There are: "),
    "a quoted name": ('\n"learning-rate" = 1', 2, "There is no setting 'learning-rate'. Did you mean 'learning_rate'? There are: "),
    "a value": ("seed = 1\n\nepochs = 0\n", 3, "--epochs is 0, and must be more than 0."),
    "a word": ("effort = 'quikc'", 1, "--effort is 'quikc'. Did you mean 'quick'? It can be: quick, standard, thorough."),
    "a word for a number": ("epochs = 'ten'", 1, "--epochs is 'ten', where a whole number is expected."),
    "a fraction": ("epochs = 2.5", 1, "--epochs is 2.5, where a whole number is expected."),
    "a number for a word": ("group = 3", 1, "--group is 3, where a word is expected."),
    "a number for yes": ("class_weights = 1", 1, "--class-weights is 1, where true or false is expected."),
    "yes for a number": ("minutes = true", 1, "--minutes is True, where a number is expected."),
    "a list": ("columns = ['a']", 1, """--columns is ['a'], where names with a word each, for example {"zip": "category"} is expected."""),
    "what is no setting": ('target = "late"', 1, "'target' is no setting: which table is read, what is predicted and where the run goes is said anew for each fit. Name it on the command line with --target, or in Python as fit(..., target=...)."),
    "not TOML": ("effort = quick", 1, "this is not TOML (Invalid value). A setting is a line like  effort = \"quick\""),
    "cut off": ('seed = 1\neffort = "quick', 2, "this is not TOML (Unterminated string). A setting is a line like  effort = \"quick\""),
}  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"trunk": "mlp", "layers": 0},
        {"trunk": "mlp", "layers": 150, "skip": False},
        {"pretrained": {"text": "somewhere"}, "fine_tune": True},
    ],
)
def test_settings_that_go_together_are_read_as_they_were_written(tmp_path, settings):
    (tmp_path / "my.toml").write_text(settings_text(Settings.of(settings)))
    assert fathom.settings_from(tmp_path / "my.toml").items() >= settings.items()


@pytest.mark.parametrize(("text", "line", "lesson"), [*MISTAKES.values()], ids=[*MISTAKES])
def test_a_mistake_is_named_by_file_and_line(tmp_path, text, line, lesson):
    path = tmp_path / "my.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=f"^{re.escape(f'{path}, line {line}: {lesson}')}") as caught:
        fathom.settings_from(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "my.toml"
    with pytest.raises(
        OptionError, match=re.escape(f"{path} cannot be read as settings: No such file or directory. Name")
    ):
        fathom.settings_from(path)
    with pytest.raises(OptionError, match=re.escape(f"{tmp_path} cannot be read as settings: Is a directory. Name")):
        fathom.settings_from(tmp_path)
    path.write_bytes(b"group = '\xff'")
    with pytest.raises(OptionError, match=re.escape(f"{path} is not UTF-8, as TOML is. Save it so in an editor.")):
        fathom.settings_from(path)
    path.write_text("group = 'a'\ntime = 'b'")
    with pytest.raises(OptionError, match=re.escape(f"{path}: --group and --time each part the rows their own way.")):
        fathom.settings_from(path)
    path.write_text("x = " + "[" * 100_000)
    with pytest.raises(OptionError, match=r"this is not TOML"):
        fathom.settings_from(path)
