"""Work done in forked children, which can be killed at any moment without harm to the tests."""

import contextlib
import hashlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training.batching import Batch
from fathom.training.checkpointing import Checkpoints, run_name
from fathom.training.loop import TrainingPlan, train
from fathom.training.objectives import predict
from fathom.training.state import Epoch

PARTS = tuple(Part(f"x{i}", "value", "scalar", knots=(-2.0, -0.5, 0.0, 0.5, 2.0)) for i in range(3))
TARGET = Part("y", "value", "scalar", knots=(0.0, 1.0))
PLAN = TrainingPlan(epochs=4, batch_rows=32, learning_rate=1e-2, patience=4, averaging=0.9)


def rows(count: int, seed: int) -> Batch:
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return Batch({"scalar": x}, {"y": x[:, 0] - x[:, 1].abs() + 0.1 * x[:, 2]})


def learn(
    folder: Path | None,
    *,
    seconds: float = 0.0,
    pause: float = 0.0,
    begun: Path | None = None,
    plan: TrainingPlan = PLAN,
) -> str:
    """Train a small network, on from what lies in ``folder``; return the SHA-256 of its weights and its log.

    A checkpoint is written ``seconds`` after the last; each epoch takes ``pause`` longer than it must; ``begun`` is made after the first.
    """

    def on_epoch(epoch: Epoch, epochs: int) -> None:
        if begun:
            begun.touch()
        time.sleep(pause)

    torch.set_num_threads(1)
    torch.manual_seed(7)
    network = Network(NetworkPlan(PARTS, (TARGET,), "tabm", 8, {"width": 16}))
    known = rows(256, 0)
    checkpoints = Checkpoints(folder, run_name(network.plan, plan, known), seconds) if folder else None
    history = train(network, known, rows(128, 1), plan, predict, on_epoch, checkpoints)
    digest = hashlib.sha256()
    for name, weight in network.state_dict().items():
        digest.update(name.encode() + weight.numpy().tobytes())
    log = [(e.epoch, e.train_loss, e.validation_loss, e.learning_rate) for e in history.epochs]
    digest.update(repr((log, history.best_epoch, history.stopped)).encode())
    return digest.hexdigest()


def start(work: Callable[[], object], output: Path) -> int:
    """Do ``work`` in a child; what it returns, or the error it ends with, is written to ``output``. Returns the child's number."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output.write_text(str(work()))
        code = 0
    except KeyboardInterrupt:
        code = 130
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:
        output.write_text(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    finally:
        os._exit(code)


def wait_for(path: Path, seconds: float = 60.0) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} has not come in {seconds} s"
        time.sleep(0.005)


def end_of(child: int, seconds: float = 60.0) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it. Kills it and fails after ``seconds``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"The child did not end within {seconds} s.")
