"""What a fit tells while it runs, to a listener of one's own and to TensorBoard."""

import subprocess
import sys

import pytest

import fathom
from fathom.errors import ExtraError, OptionError
from fathom.progress import Several, Silent
from tests.conftest import QUICK

TABLE = {"x": [row / 8 for row in range(200)], "y": [3.0 * (row % 7) + row / 4 for row in range(200)]}


class Diary:
    """Writes down everything that it is told."""

    def __init__(self):
        self.events = []

    def begin(self, stage, total=None):
        self.events.append(("begin", stage, total))

    def advance(self, done, note=""):
        self.events.append(("advance", done, note))

    def measure(self, step, values):
        self.events.append(("measure", step, values))

    def end(self, note=""):
        self.events.append(("end", note))

    def say(self, sentence):
        self.events.append(("say", sentence))


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A fit that was watched and logged."""
    diary, run = Diary(), tmp_path_factory.mktemp("runs") / "logged"
    model = fathom.fit(
        TABLE, "y", **{**QUICK, "epochs": 3}, out=run, progress=Several(Silent(), diary), log="tensorboard"
    )
    return model, diary, run


def test_stages_begin_and_end_and_training_measures_every_epoch(logged):
    model, diary, _ = logged
    kinds = [event[0] for event in diary.events if event[0] in ("begin", "end")]
    assert kinds == ["begin", "end"] * (len(kinds) // 2) and len(kinds) > 8
    start = diary.events.index(("begin", "Training the network", 3))
    told = diary.events[start + 1 : start + 7]
    assert [event[0] for event in told] == ["advance", "measure"] * 3
    epochs = model.result["training"]["epochs"]
    assert [event[1] for event in told[1::2]] == [epoch["epoch"] for epoch in epochs]
    for event, epoch in zip(told[1::2], epochs, strict=True):
        assert set(event[2]) == {"train_loss", "validation_loss", "learning_rate", "seconds"}
        assert all(event[2][name] == pytest.approx(epoch[name]) for name in ("validation_loss", "learning_rate"))


def test_tensorboard_reads_what_was_measured(logged):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    model, _, run = logged
    (file,) = (run / "tensorboard").iterdir()
    read = {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            read.setdefault(value.tag, {})[event.step] = float(tensor_util.make_ndarray(value.tensor))
    assert set(read) == {"train_loss", "validation_loss", "learning_rate", "seconds"}
    for epoch in model.result["training"]["epochs"]:
        assert read["validation_loss"][epoch["epoch"]] == pytest.approx(epoch["validation_loss"], rel=1e-6)
    assert 'log = "tensorboard"' in (run / "settings.toml").read_text()


def test_a_log_changes_no_bit_and_needs_no_tensorflow(logged):
    model, _, _ = logged
    plain = fathom.fit(TABLE, "y", **{**QUICK, "epochs": 3})
    assert plain.files["weights.safetensors"] == model.files["weights.safetensors"]
    code = "import fathom.tensorboard, sys, pathlib, tempfile\nwith fathom.tensorboard.scalars(pathlib.Path(tempfile.mkdtemp())) as log: log.measure(1, {'a': 1.0})\nprint({'torch', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_what_cannot_be_logged_is_said_before_anything_is_done(monkeypatch, tmp_path):
    with pytest.raises(
        OptionError, match=r"^log='tensorboard' is written into the run folder, and none is named\. Give out=FOLDER\.$"
    ):
        fathom.fit("not-there.csv", "y", log="tensorboard")
    with pytest.raises(
        OptionError, match=r"^--log is 'tensorbord'\. Did you mean 'tensorboard'\? It can be: tensorboard\.$"
    ):
        fathom.fit("not-there.csv", "y", log="tensorbord")
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name))
    lesson = (
        r"^This needs the library 'tensorboard', which is not installed\. "
        r'Install it with: pip install "fathom-learn\[tensorboard\]"$'
    )
    with pytest.raises(ExtraError, match=lesson):
        fathom.fit("not-there.csv", "y", log="tensorboard", out=tmp_path / "run")
    assert not any(tmp_path.iterdir())


def test_a_listener_that_lacks_a_method_is_refused_at_once():
    class Deaf:
        def begin(self, stage, total=None): ...

    with pytest.raises(
        OptionError, match=r"^progress is a Deaf, which lacks a method: it needs begin, advance, measure, end and say"
    ):
        fathom.fit("not-there.csv", "y", progress=Deaf())
