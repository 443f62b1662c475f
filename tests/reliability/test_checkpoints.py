"""A checkpoint is whole or it is not there: failing disks, full disks, damage, and two fits in one folder."""

import errno
import os
import random
import re
import resource
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest
import torch

from fathom.chapters.running import RunFolder
from fathom.errors import CheckpointError, OutputError
from fathom.training.checkpointing import Checkpoints, from_bytes, to_bytes
from tests.reliability.children import end_of, start, wait_for

CALLS = ("open", "write", "fsync", "replace", "unlink", "close")


def tensors(number: int) -> dict[str, torch.Tensor]:
    return {"weights": torch.full((300,), float(number)), "random": torch.arange(64, dtype=torch.uint8)}


def failing(monkeypatch, nth, error):
    """Let the n-th file call fail, or write half of what it should; returns how many calls there were."""
    count = [0]
    for name in CALLS:
        real = getattr(os, name)

        def call(*arguments, real=real, name=name, **options):
            count[0] += 1
            if count[0] == nth:
                if error is None:  # a short write
                    return (
                        real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                        if name == "write"
                        else real(*arguments, **options)
                    )
                raise OSError(error, os.strerror(error))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)
    return count


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, None])
def test_whatever_file_call_fails_a_checkpoint_before_it_loads(tmp_path, monkeypatch, error):
    for nth in range(1, 100):
        folder = tmp_path / str(nth)
        checkpoints = Checkpoints(folder, "run")
        for number in (1, 2, 3):
            checkpoints.write(tensors(number), {"number": number})
        said = ""
        with monkeypatch.context() as patched:
            calls = failing(patched, nth, error)
            try:
                checkpoints.write(tensors(4), {"number": 4})
            except OutputError as raised:
                said = str(raised)
        assert bool(said) == (error is not None and nth <= calls[0])
        if said:
            assert re.fullmatch(
                rf"{folder}/\d+\.checkpoint cannot be written \(error {error}: {os.strerror(error)}\); 0\.0 MB are needed, [\d,.]+ MB are free\. "
                r"Training stopped, and the checkpoint before it is whole\. Make room, then give the same command with --resume\.",
                said,
            )
        saved, notes = checkpoints.read()
        assert notes["number"] in ((3, 4) if said else (4,))
        assert torch.equal(saved["weights"], tensors(notes["number"])["weights"])
        Checkpoints(folder, "run").write(tensors(5), {"number": 5})
        assert len([*folder.iterdir()]) == 2
        if nth > calls[0]:
            break
    assert 8 <= nth < 99


def test_every_changed_byte_is_noticed():
    content = to_bytes(tensors(1), {"epoch": 3})
    length = 100 + int.from_bytes(content.partition(b"\n")[2][:8], "little")
    places = [*range(min(length, len(content))), *random.Random(0).sample(range(len(content)), 1_000)]
    for place in places:
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << (place % 8)
        with pytest.raises(CheckpointError):
            from_bytes(bytes(spoiled))
    for share in range(100):
        with pytest.raises(CheckpointError):
            from_bytes(content[: len(content) * share // 100])
    assert from_bytes(content)[1] == {"epoch": 3}


def test_a_damaged_checkpoint_is_passed_over_with_a_word(tmp_path):
    said = []
    checkpoints = Checkpoints(tmp_path, "run", told=said.append)
    checkpoints.write(tensors(1), {"number": 1})
    checkpoints.write(tensors(2), {"number": 2})
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    assert checkpoints.read()[1]["number"] == 1
    assert said == [
        "00000002.checkpoint is damaged: its content does not agree with its SHA-256; the one before it is taken."
    ]


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of 8 MiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this process may not mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_training_and_the_checkpoint_before_loads(small_disk):
    large = {"weights": torch.ones(500_000)}  # 2 MB; three do not fit beside what fills the disk
    checkpoints = Checkpoints(small_disk / "checkpoints", "run")
    for number in range(10):
        checkpoints.write(large, {"number": number})
        filler = small_disk / "filler"
        with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 65_536)
                file.flush()
        with pytest.raises(
            OutputError,
            match=r"cannot be written \(error 28: No space left on device\); 2\.0 MB are needed, 0\.0 MB are free\. ",
        ):
            checkpoints.write(large, {"number": -1})
        assert checkpoints.read()[1]["number"] == number
        filler.unlink()


def test_a_limit_of_the_system_is_a_full_disk_too(tmp_path):
    checkpoints = Checkpoints(tmp_path, "run")
    checkpoints.write(tensors(1), {"number": 1})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))
    try:
        with pytest.raises(OutputError, match=r"error 27: File too large"):
            checkpoints.write(tensors(2), {"number": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert checkpoints.read()[1]["number"] == 1
    assert len([*tmp_path.iterdir()]) == 1


def hold(place: Path) -> str:
    """Wait for the gate, reserve the folder, and work in it until told to end; errors are what the others are told."""
    wait_for(place / "gate")
    with RunFolder.reserve(place / "run") as run:
        with (place / "owner").open("a") as file:
            file.write(f"{os.getpid()}\n")
        (place / "held").touch()
        wait_for(place / "end")
        run.write({"result.json": str(os.getpid()).encode()})
    return "done"


@pytest.mark.parametrize("count", [2, 8])
def test_of_many_fits_in_one_folder_one_proceeds_and_the_others_name_it(tmp_path, count, times):
    """The others leave while the one still works: they do not wait for it."""
    for round_ in range(times(5, 50)):
        place = tmp_path / str(round_)
        place.mkdir()
        outputs = {start(partial(hold, place), place / f"output{number}"): number for number in range(count)}
        (place / "gate").touch()
        wait_for(place / "held")
        owner = int((place / "owner").read_text())
        for child, number in outputs.items():
            if child != owner:
                assert end_of(child) == 1
                said = (place / f"output{number}").read_text()
                assert said.startswith(f"OutputError: {place / 'run'} is being written by another fit (")
        (place / "end").touch()
        assert end_of(owner) == 0
        assert (place / "owner").read_text() == f"{owner}\n"
        assert (place / "run" / "result.json").read_text() == str(owner)
        assert not (place / ".run.unfinished").exists()


def test_the_lock_of_a_fit_that_was_killed_is_taken_over(tmp_path):
    (tmp_path / "gate").touch()
    work = partial(hold, tmp_path)
    child = start(work, tmp_path / "output")
    wait_for(tmp_path / "held")
    other = start(work, tmp_path / "refused")
    assert end_of(other) == 1
    assert f"(process {child} on {socket.gethostname()})" in (tmp_path / "refused").read_text()
    os.kill(child, signal.SIGKILL)
    assert end_of(child) == -signal.SIGKILL
    (tmp_path / "end").touch()
    assert end_of(start(work, tmp_path / "output")) == 0
    assert (tmp_path / "run" / "result.json").exists()
