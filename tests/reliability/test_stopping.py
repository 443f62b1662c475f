"""Training that is stopped at any moment goes on to the same bits: kills, signals, and the whole command."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fathom.errors import CheckpointError
from fathom.training import checkpointing
from fathom.training.checkpointing import Checkpoints
from fathom.training.loop import TrainingPlan
from tests.conftest import FLIGHTS
from tests.reliability.children import PLAN, end_of, learn, start, wait_for


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights and the log of a training that nobody stopped, and how long it takes with and without checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    started = time.monotonic()
    child = start(lambda: learn(folder / "checkpoints"), folder / "output")
    assert end_of(child) == 0
    return (folder / "output").read_text(), time.monotonic() - started


def test_checkpoints_change_nothing(whole, tmp_path):
    assert end_of(start(lambda: learn(None), tmp_path / "output")) == 0
    assert (tmp_path / "output").read_text() == whole[0]


def test_a_run_that_is_killed_again_and_again_goes_on_to_the_same_bits(whole, tmp_path, times, chance):
    kills = 0
    while kills < times(20, 200):
        folder = tmp_path / str(kills)
        for _ in range(100):
            child = start(lambda folder=folder: learn(folder / "checkpoints"), tmp_path / "output")
            time.sleep(chance.uniform(0, whole[1]))
            os.kill(child, signal.SIGKILL)
            kills += 1
            if end_of(child) == 0:  # it was quicker
                break
        else:
            assert end_of(start(lambda folder=folder: learn(folder / "checkpoints"), tmp_path / "output")) == 0
        assert (tmp_path / "output").read_text() == whole[0]


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "unlink", "close"])
def test_a_kill_inside_the_writing_of_a_checkpoint_does_no_harm(whole, tmp_path, call, times, chance):
    for round_ in range(times(2, 10)):
        fatal = chance.randrange(1, 28)  # there are 32 checkpoints in all

        def work(fatal=fatal, folder=tmp_path / f"{call}{round_}"):
            real, count = getattr(os, call), 0

            def dying(*arguments, **options):
                nonlocal count
                count += 1
                if count == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            setattr(os, call, dying)
            return learn(folder / "checkpoints")

        assert end_of(start(work, tmp_path / "output")) == -signal.SIGKILL
        folder = tmp_path / f"{call}{round_}" / "checkpoints"
        assert end_of(start(lambda folder=folder: learn(folder), tmp_path / "output")) == 0
        assert (tmp_path / "output").read_text() == whole[0]
        assert not [*folder.glob("*.part")]
        assert len([*folder.iterdir()]) == checkpointing.KEPT


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_training_writes_a_checkpoint_and_ends_the_process(whole, tmp_path, number, code, times, chance):
    for round_ in range(times(5, 50)):
        folder = tmp_path / f"{number}-{round_}"
        begun = tmp_path / f"{number}-{round_}-begun"
        child = start(
            lambda folder=folder, begun=begun: learn(folder, seconds=1e9, pause=0.5, begun=begun), tmp_path / "output"
        )
        wait_for(begun)
        time.sleep(chance.uniform(0, 1.2))
        asked = time.monotonic()
        os.kill(child, number)
        assert end_of(child) == code
        assert time.monotonic() - asked < 10
        assert len([*folder.iterdir()]) == 1
        assert end_of(start(lambda folder=folder: learn(folder), tmp_path / "output")) == 0
        assert (tmp_path / "output").read_text() == whole[0]


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    child = start(
        lambda: learn(tmp_path / "checkpoints", seconds=1e9, pause=30.0, begun=tmp_path / "begun"), tmp_path / "output"
    )
    wait_for(tmp_path / "begun")
    os.kill(child, signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    os.kill(child, signal.SIGINT)
    assert end_of(child) == 130
    assert time.monotonic() - asked < 1


def test_what_is_trained_otherwise_is_not_gone_on_with(tmp_path):
    assert end_of(start(lambda: learn(tmp_path / "run" / "checkpoints"), tmp_path / "output")) == 0
    other = TrainingPlan(**{**PLAN.__dict__, "learning_rate": 0.5})
    assert end_of(start(lambda: learn(tmp_path / "run" / "checkpoints", plan=other), tmp_path / "output")) == 1
    assert (tmp_path / "output").read_text().startswith(
        f"CheckpointError: {tmp_path / 'run'} was begun with other settings or other rows, and going on would mix the two. Give the settings that it was "
        "begun with, or leave out --resume to begin anew.\n"
    )  # fmt: skip


def test_checkpoints_may_be_used_outside_the_main_thread(tmp_path):
    import threading

    def work():
        with Checkpoints(tmp_path, "run").listening():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with pytest.raises(CheckpointError):
        checkpointing.from_bytes(b"")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = fit(folder, "run")
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    return folder / "run"


def fit(folder, out, *options):
    command = [
        sys.executable,
        "-m",
        "fathom.cli",
        "fit",
        str(FLIGHTS),
        "-t",
        "late",
        "--effort",
        "quick",
        "--epochs",
        "4",
    ]
    command += ["--keep", "network", "--threads", "1", "--checkpoint-seconds", "0.2", "--out", out, *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def without_times(value):
    """Leave out of a result what no two runs share: when it was, how long it took, how much memory it had."""
    if isinstance(value, dict):
        left_out = ("created", "command", "when", "peak_bytes", "machine")
        return {
            key: without_times(inner) for key, inner in value.items() if key not in left_out and "second" not in key
        }
    if isinstance(value, list):  # what a year costs follows from the times
        return [
            without_times(inner) for inner in value if not (isinstance(inner, dict) and inner.get("name") == "cost")
        ]
    return value


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_fit_that_is_stopped_goes_on_to_the_same_bundle_and_result(uninterrupted, tmp_path, number, times, chance):
    process = fit(tmp_path, "run")
    for round_ in range(times(1, 5)):
        checkpoints = tmp_path / ".run.unfinished" / "checkpoints"
        until = time.monotonic() + 120
        while time.monotonic() < until and not [*checkpoints.glob("*.checkpoint")]:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 1))
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        if number == signal.SIGTERM and not (round_ and process.returncode == -number):
            assert process.returncode == 143  # later rounds may strike before Python has started to listen
            assert "fathom: stopped. What was learned so far is kept. Go on with:  fathom fit" in said
        process = fit(tmp_path, "run", "--resume")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "Going on from epoch" in said
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in uninterrupted.iterdir())
    for name in ("weights.safetensors", "network.onnx", "model.json", "samples.json"):
        assert (run / "bundle" / name).read_bytes() == (uninterrupted / "bundle" / name).read_bytes(), name
    ours, theirs = (without_times(json.loads((path / "result.json").read_text())) for path in (run, uninterrupted))
    assert ours == theirs
