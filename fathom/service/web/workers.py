"""One of several processes that answer on one socket: what it is told, how it waits to be called, and its whole life.

The processes are fresh interpreters: forked ones would inherit the threads of Arrow and ONNX Runtime by name only, and hang when they end. What they are told comes through their standard
input, what they count goes to shared memory. `fathom.service.web.team` watches over them.
"""

import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from fathom.errors import FathomError
from fathom.service.host.hosting import Host
from fathom.service.host.logs import Log, Which
from fathom.service.host.memory import give_back, leave_pandas_out
from fathom.service.host.metrics import Metrics
from fathom.service.refusing import Limits
from fathom.service.web.access import Access

ANSWERS = b"."  # what a process says when it answers; else it says why it cannot
LONGEST = 4_096  # bytes of that
LOOK = 1.0  # seconds between two looks of a waiting process at what it is to serve


@dataclass(frozen=True)
class Task:
    """What every worker does."""

    sources: Mapping[str, str]
    limits: Limits
    threads: int
    log: Which
    access: Access
    record: str = ""

    def to_json(self) -> str:
        """Write it for a worker, on one line."""
        access = {
            "asking": [one.hex() for one in self.access.asking],
            "administration": [one.hex() for one in self.access.administration],
            "loopback": self.access.loopback,
        }
        told = {"sources": dict(self.sources), "limits": asdict(self.limits), "threads": self.threads, "log": self.log}
        return json.dumps({**told, "access": access, "record": self.record})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Task":
        """Read it in a worker."""
        told = json.loads(text)
        access = told["access"]
        digests = [tuple(bytes.fromhex(one) for one in access[kind]) for kind in ("asking", "administration")]
        return cls(
            told["sources"],
            Limits(**told["limits"]),
            told["threads"],
            told["log"],
            Access(digests[0], digests[1], access["loopback"]),
            told["record"],
        )


def counters(task: Task, count: int, own: int, shared: int) -> Metrics:
    """Return the counters that ``count`` workers share with the process that watches over them, whose own are the last."""
    return Metrics.of(tuple(task.sources), count + 1, own, shared)


def work(task: Task, inlet: FileIO, count: int, listening: socket.socket, shared: int) -> None:
    """Open the models, wait to be called by a number, and answer until told to stop."""
    from fathom.service.host.monitoring import attach
    from fathom.service.records.recording import Recording
    from fathom.service.web.serving import server

    sources = {name: Path(path) for name, path in task.sources.items()}
    host = Host(sources, task.limits, threads=task.threads, log=Log(task.log))
    number = _called(host, inlet)
    if number is None:
        return
    host.metrics = counters(task, count, number, shared)
    host.metrics.set("up", 1)
    monitor = attach(host, Recording.from_json(task.record)) if task.record else None
    running = server(host, task.access)

    def left_alone() -> None:
        inlet.read()  # ends when the process that watches has ended, however that came
        running.stop()

    threading.Thread(target=left_alone, daemon=True).start()
    os.write(1, ANSWERS)
    try:
        running.run([listening])
    finally:
        if monitor is not None:
            monitor.close()


def _called(host: Host, inlet: FileIO) -> int | None:
    """Wait for a number, following the shelves meanwhile; ``None`` when nobody will ever call."""
    while not select.select([inlet], [], [], LOOK)[0]:
        _follow(host)
    said = inlet.readline()
    if not said:
        return None
    _follow(host)
    return int(said)


def _follow(host: Host) -> None:
    for hosted in host.models.values():
        host.follow(hosted)


def main() -> None:
    """Begin a worker: how many there are, and the handles of socket and counters; the task is the first line of standard input, its number the second."""
    count, handle, shared = map(int, sys.argv[1:4])
    inlet = FileIO(0)
    task = Task.from_json(inlet.readline())
    give_back()
    leave_pandas_out()
    signal.signal(signal.SIGTERM, lambda *asked: os._exit(0))  # before the server listens to it nothing is lost
    try:
        work(task, inlet, count, socket.socket(fileno=handle), shared)
    except FathomError as error:
        os.write(1, str(error).encode()[:LONGEST])
        sys.exit(2)


if __name__ == "__main__":
    main()
