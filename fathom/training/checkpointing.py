"""Training stops at any moment and goes on bit for bit: everything that changes while a network learns, as one file.

A checkpoint is a line with the SHA-256 of all that follows, then safetensors: weights, the optimiser's memory, the running mean, the states of
the random numbers, the losses so far, and a note in JSON. It is written beside, forced to the disk and renamed, so that there is always a whole
one; two are kept, and a damaged one is passed over with a word. Never unpickled, never executed.

Why two, and why the folder is forced to the disk too: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, section 4: a rename may reach the
disk before the data, or not at all.
"""

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from fathom.data.files.writing import sync_folder
from fathom.errors import CheckpointError, OutputError
from fathom.networks.network import NetworkPlan
from fathom.training.batching import Batch

KEPT = 2
MAGIC = "fathom checkpoint 1 "
SUFFIX = ".checkpoint"

Tensors = dict[str, torch.Tensor]
Notes = dict[str, Any]


def to_bytes(tensors: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> bytes:
    """Return a checkpoint's bytes.

    >>> from_bytes(to_bytes({"a": torch.ones(2)}, {"epoch": 3}))
    ({'a': tensor([1., 1.])}, {'epoch': 3})
    """
    from safetensors.torch import save

    content = save(dict(tensors), {"notes": json.dumps(notes)})
    return f"{MAGIC}{hashlib.sha256(content).hexdigest()}\n".encode() + content


def from_bytes(content: bytes) -> tuple[Tensors, Notes]:
    """Read what `to_bytes` wrote. Raises CheckpointError when a byte is not what it was."""
    from safetensors.torch import load

    line, _, rest = content.partition(b"\n")
    if line != f"{MAGIC}{hashlib.sha256(rest).hexdigest()}".encode():
        raise CheckpointError("is damaged: its content does not agree with its SHA-256")
    length = int.from_bytes(rest[:8], "little")
    return load(rest), json.loads(json.loads(rest[8 : 8 + length])["__metadata__"]["notes"])


def run_name(network: NetworkPlan, training: Any, rows: Batch) -> str:
    """Return a name for what is trained, and how, and on what: the same for a fit and for the one that goes on with it.

    ``training`` is the plan of the training; how many seconds it may take is no part of the name.
    """
    told = {"network": network.to_json(), "training": {**asdict(training), "seconds": training.seconds is not None}}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for arrays in (rows.inputs, rows.truth, rows.weights):
        for name, values in arrays.items():
            digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
            digest.update(values.numpy().data)
    return digest.hexdigest()


@dataclass
class Checkpoints:
    """The checkpoints of one fit, in a folder of its own.

    ``run`` says what is trained (settings, rows, plan): a checkpoint of anything else is refused. ``seconds`` lie between two. ``told`` hears in a
    sentence when a damaged one is passed over.
    """

    folder: Path
    run: str
    seconds: float = 30.0
    told: Callable[[str], None] = lambda sentence: None
    stop: int | None = None
    _written: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Say whether one is to be written now: the time has passed, or somebody wants the fit to stop."""
        return self.stop is not None or time.monotonic() - self._written >= self.seconds

    def write(self, tensors: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> None:
        """Write a checkpoint and remove all but the newest two. Raises OutputError when the disk does not take it.

        Afterwards the process ends if somebody wants it to: KeyboardInterrupt after Ctrl-C, SystemExit after SIGTERM.
        """
        content = to_bytes(tensors, {**notes, "run": self.run})
        newest = self._found()
        number = _number(newest[0]) + 1 if newest else 1
        path = self.folder / f"{number:08d}{SUFFIX}"
        beside = path.with_suffix(".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(beside, content)
            beside.replace(path)
            sync_folder(self.folder)
            for old in self._found()[KEPT:]:
                old.unlink()
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise OutputError(_cannot_keep(path, error, len(content)), file=str(path)) from None
        self._written = time.monotonic()
        if self.stop == signal.SIGINT:
            raise KeyboardInterrupt
        if self.stop is not None:
            raise SystemExit(128 + self.stop)

    def read(self) -> tuple[Tensors, Notes] | None:
        """Return the newest checkpoint that is whole, or ``None``. Raises CheckpointError for one of another fit."""
        for path in self._found():
            try:
                tensors, notes = from_bytes(path.read_bytes())
            except (CheckpointError, OSError) as error:
                self.told(f"{path.name} {error}; the one before it is taken.")
                continue
            if notes["run"] != self.run:
                raise CheckpointError(
                    f"{self.folder.parent} was begun with other settings or other rows, and going on would mix the two. Give the settings that "
                    "it was begun with, or leave out --resume to begin anew."
                )
            return tensors, notes
        return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM ask for a checkpoint while training; a second one ends the process at once.

        Only Python's main thread may listen; in any other nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: object) -> None:
            if self.stop is not None:
                os._exit(128 + number)
            self.stop = number

        try:
            for number in before:
                signal.signal(number, ask)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _found(self) -> list[Path]:
        """Return the checkpoints in the folder, newest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), key=_number, reverse=True)


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else -1


def _write(path: Path, content: bytes) -> None:
    """Write a file and force it to the disk; an interrupted or short write goes on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_keep(path: Path, error: OSError, needed: int) -> str:
    import shutil

    try:
        free = f"{shutil.disk_usage(path.parent).free / 1e6:,.1f} MB are free"
    except OSError:
        free = "how much is free is not known"
    return (
        f"{path} cannot be written (error {error.errno}: {error.strerror}); {needed / 1e6:,.1f} MB are needed, {free}. Training stopped, and the checkpoint "
        "before it is whole. Make room, then give the same command with --resume."
    )
