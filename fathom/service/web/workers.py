"""Several processes that answer on one socket, and one that watches over them: a dead one is started again, unless they die too often.

The processes are fresh interpreters, so that nothing of a running ONNX Runtime is copied. What they are told comes through their standard input, what they count goes to shared memory.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fathom.errors import BundleError, FathomError
from fathom.service.host.hosting import Host
from fathom.service.host.logs import Log, Which
from fathom.service.host.metrics import Metrics, size_of
from fathom.service.refusing import Limits
from fathom.service.web.access import Access

MOST_DEATHS = 5  # of all workers together
WITHIN = 60.0  # seconds
PAUSE = 5.0  # seconds before another try, once there were so many deaths
STARTING = 120.0  # seconds that a process may take until it answers
ANSWERS = b"."  # what a process says when it answers; else it says why it cannot
LONGEST = 4_096  # bytes of that


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
        """Write it for a worker."""
        access = {
            "asking": [one.hex() for one in self.access.asking],
            "administration": [one.hex() for one in self.access.administration],
            "loopback": self.access.loopback,
        }
        told = {"sources": dict(self.sources), "limits": asdict(self.limits), "threads": self.threads, "log": self.log}
        return json.dumps({**told, "access": access, "record": self.record})

    @classmethod
    def from_json(cls, text: str) -> "Task":
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


@dataclass
class Team:
    """The processes, by their number, and when the latest of them died."""

    task: Task
    listening: socket.socket
    count: int
    shared: Any = field(default_factory=tempfile.TemporaryFile)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_DEATHS))
    asked: int = 0
    log: Log = field(default_factory=Log)

    def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Start the processes, call ``started`` once they answer, and watch over them until asked to stop; return the exit code.

        Raises BundleError, in its own words, when one of the first cannot start.
        """
        self.shared.truncate(size_of(len(self.task.sources), self.count))
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._asked)
        for number in range(self.count):
            self._start(number)
        self._wait_until_started()
        self.log.event("workers started", workers=self.count)
        self.log.flush()
        if not self.asked:
            started()
        while not self.asked:
            self._listen()
            self._look()
        self.log.flush()
        return self._end()

    def _asked(self, number: int, frame: Any) -> None:
        self.asked += 1
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def _start(self, number: int) -> None:
        handles = (self.listening.fileno(), self.shared.fileno())
        process = subprocess.Popen(
            [sys.executable, "-m", "fathom.service.web.workers", str(number), str(self.count), *map(str, handles)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=handles,
            start_new_session=True,  # Ctrl-C reaches this process alone, which hands it on in order
        )
        assert process.stdin is not None
        process.stdin.write(self.task.to_json().encode())
        process.stdin.close()
        self.processes[number] = process

    def _wait_until_started(self) -> None:
        end = time.monotonic() + STARTING
        for process in self.processes.values():
            assert process.stdout is not None
            found, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            said = os.read(process.stdout.fileno(), LONGEST) if found else b""
            if said != ANSWERS and not self.asked:
                self._asked(0, None)
                raise BundleError(
                    said.decode()
                    or "A process that answers could not be started. See whether there is memory for all of them."
                )

    def _listen(self, seconds: float = 0.2) -> None:
        """Wait until a process says something or ends, which closes its pipe, so that it is missed at once."""
        pipes = {
            one.stdout.fileno(): number
            for number, one in self.processes.items()
            if one.stdout is not None and one.poll() is None
        }
        for pipe in select.select(list(pipes), [], [], seconds)[0]:
            said = os.read(pipe, LONGEST)
            if not said:
                continue
            words = said.decode()
            for name, path in self.task.sources.items():
                words = words.replace(path, name)
            told = {} if said == ANSWERS else {"error": words}
            self.log.event("worker failed" if told else "worker answers", worker=pipes[pipe], **told)
            self.log.flush()

    def _look(self) -> None:
        """Start those again that have died; after too many deaths, slowly."""
        for number, process in list(self.processes.items()):
            if process.poll() is None:
                continue
            now = time.monotonic()
            often = len(self.deaths) == MOST_DEATHS and now - self.deaths[0] < WITHIN
            if often and now - self.deaths[-1] < PAUSE:
                continue
            self.deaths.append(now)
            self.log.event("worker died", worker=number, code=process.returncode, slowly=often)
            self.log.flush()
            np_row = Metrics.of(tuple(self.task.sources), self.count, number, self.shared.fileno())
            for what in ("up", "active"):
                np_row.set(what, 0)
            if not self.asked:
                self._start(number)

    def _end(self) -> int:
        end = time.monotonic() + self.task.limits.grace + self.task.limits.linger + 5.0
        worst = 0
        for process in self.processes.values():
            try:
                code = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            forced = self.asked > 1 and code == -signal.SIGTERM  # asked a second time after it had ended its work
            worst = max(worst, 0 if code == 0 or forced else 1)
        return worst


def work(task: Task, number: int, count: int, listening: socket.socket, shared: int) -> None:
    """Answer until told to stop; a worker's whole life."""
    from fathom.service.host.monitoring import attach
    from fathom.service.records.recording import Recording
    from fathom.service.web.serving import server

    sources = {name: Path(path) for name, path in task.sources.items()}
    metrics = Metrics.of(tuple(sources), count, number, shared)
    host = Host(sources, task.limits, threads=task.threads, log=Log(task.log), metrics=metrics)
    monitor = attach(host, Recording.from_json(task.record)) if task.record else None
    running = server(host, task.access)
    os.write(1, ANSWERS)
    try:
        running.run([listening])
    finally:
        if monitor is not None:
            monitor.close()


def main() -> None:
    """Begin a worker: its number, how many there are, and the handles of socket and counters; the task is on standard input."""
    number, count, handle, shared = map(int, sys.argv[1:5])
    task = Task.from_json(sys.stdin.read())
    signal.signal(signal.SIGTERM, lambda *asked: os._exit(0))  # before the server listens to it nothing is lost
    try:
        work(task, number, count, socket.socket(fileno=handle), shared)
    except FathomError as error:
        os.write(1, str(error).encode()[:LONGEST])
        sys.exit(2)


if __name__ == "__main__":
    main()
