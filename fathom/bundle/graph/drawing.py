"""A second process draws the graph of the network while the first one teaches it.

To load torch's exporter and to trace a network takes four seconds of a processor, whatever the table: a third of a small fit, and half of it is loading. What is traced hangs on the plan of the network alone,
which is known before it learns. So where a core is free, a fresh interpreter (no fork: see `fathom.service.web.workers`) loads the exporter as soon as a fit begins, traces the network as soon as its plan is known, and puts in the
weights when they are sent: the very bytes that `fathom.bundle.graph.exporting.network_onnx` writes. Whatever goes wrong with it, the fit draws the graph itself.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

LENGTH = 8  # bytes, that say how long a message is
IDLE = (
    120.0  # seconds that a process waits for weights before it ends, so that a long training has the memory for itself
)
LONGEST = 60.0  # seconds that a fit waits for the graph before it draws it itself


class Draughtsman:
    """The second process, which is told a plan and then weights."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the fit, which ends this process
        )
        self.teller = ThreadPoolExecutor(1)  # a pipe holds less than a plan, and whoever loads torch does not read
        self.plan: Mapping[str, Any] | None = None

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Say the plan of the network, as JSON-able values."""
        self.plan = plan
        self.teller.submit(_write, self.process.stdin, json.dumps(plan).encode())

    def graph(self, plan: Mapping[str, Any], weights: bytes) -> bytes | None:
        """Return the graph of the network of a plan with its weights (safetensors); ``None`` where another plan was begun, or nothing came of it."""
        if plan != self.plan:
            return None
        told: Future[bytes] = self.teller.submit(self._ask, weights)
        with suppress(OSError, TimeoutError):
            return told.result(LONGEST) or None
        return None

    def _ask(self, weights: bytes) -> bytes:
        _write(self.process.stdin, weights)
        return _read(self.process.stdout)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self.teller.shutdown()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


@contextmanager
def beside(cores: int) -> Iterator[Draughtsman | None]:
    """Give a fit that may use so many cores a draughtsman where one is worth it: nothing is loaded yet, as from a terminal, and a core has nothing else to do.

    A process that has torch already, such as one that fits time and again, loads the exporter once and draws in a second thereafter.
    """
    if "torch" in sys.modules or busy() >= cores - 1:
        yield None
        return
    draughtsman = Draughtsman()
    try:
        yield draughtsman
    finally:
        draughtsman.end()


def busy() -> int:
    """Return how many threads of other processes are running or wait for a core at this moment; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 1
    return 0


def _write(pipe: Any, content: bytes) -> None:
    pipe.write(len(content).to_bytes(LENGTH, "big"))
    pipe.write(content)
    pipe.flush()


def _read(pipe: Any) -> bytes:
    """Return the next message; nothing where the other side has ended."""
    content = _exactly(pipe, int.from_bytes(_exactly(pipe, LENGTH), "big"))
    return bytes(content)


def _exactly(pipe: Any, count: int) -> bytearray:
    """Return so many bytes of a pipe, which gives as many at a time as it holds; none where it ends before."""
    content = bytearray()
    while len(content) < count:
        if not (piece := pipe.read(count - len(content))):
            return bytearray()
        content += piece
    return content


def main(source: BinaryIO, answers: BinaryIO) -> None:
    """Be the second process: load, read a plan, trace, read weights, answer with the graph."""
    import torch
    from safetensors.torch import load

    from fathom.bundle.graph.exporting import drawn, traced
    from fathom.networks.committee import built
    from fathom.networks.network import Network, NetworkPlan

    torch.set_num_threads(1)
    import onnxscript  # noqa: F401  (while there is nothing to trace yet)
    import torch._dynamo
    import torch.onnx

    if not (told := _read(source)):
        return
    plan = NetworkPlan.from_json(json.loads(told))
    model = traced(Network(replace(plan, networks=1)))
    if not select.select([source], [], [], IDLE)[0] or not (told := _read(source)):
        return
    network = built(plan)
    network.load_state_dict(load(told))
    _write(answers, drawn(model, network))


if __name__ == "__main__":
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no part of an answer
    main(os.fdopen(0, "rb", buffering=0), answering)
