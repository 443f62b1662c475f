"""Watches over several processes that answer on one socket: a dead one's place is taken by a spare that waits, unless they die too often.

A process takes most of a second of the processor to load what it needs. The spare has loaded it, and has the models open, so that a place is empty for as long as it takes to call a number.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fathom.errors import BundleError
from fathom.service.host.logs import Log
from fathom.service.host.metrics import Metrics, size_of
from fathom.service.web.faltering import PAUSE, Deaths
from fathom.service.web.standing_in import StandIn
from fathom.service.web.workers import ANSWERS, LONGEST, Task, counters

STARTING = 120.0  # seconds that a process may take until it answers

Process = subprocess.Popen[bytes]


@dataclass
class Team:
    """The processes by their number, those of them that answer, the spare, and how often they died lately."""

    task: Task
    listening: socket.socket
    count: int
    shared: Any = field(default_factory=tempfile.TemporaryFile)
    processes: dict[int, Process] = field(default_factory=dict)
    answering: set[int] = field(default_factory=set)
    spare: Process | None = None
    deaths: Deaths = field(default_factory=Deaths)
    whole: float = 0.0  # since when all answer, on the clock of `time.monotonic`
    asked: int = 0
    log: Log = field(default_factory=Log)

    def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Start the processes, call ``started`` once they answer, and watch over them until asked to stop; return the exit code.

        Raises BundleError, in its own words, when one of the first cannot start.
        """
        self.shared.truncate(size_of(len(self.task.sources), self.count + 1))
        self.metrics: Metrics = counters(self.task, self.count, self.count, self.shared.fileno())
        self.stand_in = StandIn(self.listening)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._asked)
        for number in range(self.count):
            self._fill(number)
        self._wait_until_started()
        self._say("workers started", workers=self.count, processes=[one.pid for one in self.processes.values()])
        if not self.asked:
            started()
        while not self.asked:
            self._listen()
            self._look()
        self.stand_in.close()
        self.log.flush()
        return self._end()

    def _asked(self, number: int, frame: Any) -> None:
        self.asked += 1
        for process in self._every():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def _every(self) -> list[Process]:
        return [*self.processes.values(), *([self.spare] if self.spare else [])]

    def _begin(self) -> Process:
        """Start a process that loads everything and waits to be called."""
        handles = (self.listening.fileno(), self.shared.fileno())
        process = subprocess.Popen(
            [sys.executable, "-m", "fathom.service.web.workers", str(self.count), *map(str, handles)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=handles,
            start_new_session=True,  # Ctrl-C reaches this process alone, which hands it on in order
        )
        _tell(process, self.task.to_json())
        return process

    def _fill(self, number: int) -> None:
        """Call the spare, or a new process, to a place."""
        process, self.spare = self.spare or self._begin(), None
        self.processes[number] = process
        _tell(process, str(number))
        if self.asked:  # meanwhile, so that it may not have heard
            process.terminate()

    def _wait_until_started(self) -> None:
        end = time.monotonic() + STARTING
        for number, process in self.processes.items():
            assert process.stdout is not None
            found, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            said = os.read(process.stdout.fileno(), LONGEST) if found else b""
            if said == ANSWERS:
                self.answering.add(number)
            elif not self.asked:
                self._asked(0, None)
                raise BundleError(
                    said.decode()
                    or "A process that answers could not be started. See whether there is memory for all of them."
                )

    def _listen(self, seconds: float = 0.2) -> None:
        """Wait until a process says something or ends, which closes its pipe, so that it is missed at once; answer in place of all where none does."""
        numbers = {process: number for number, process in self.processes.items()}
        pipes = {one.stdout.fileno(): one for one in self._every() if one.stdout is not None and one.poll() is None}
        clients = self.stand_in.handles(accept=self.deaths.faltering and not self.answering)
        ready, _, _ = select.select([*pipes, *clients], [], [], seconds)
        for pipe in pipes.keys() & set(ready):
            if said := os.read(pipe, LONGEST):
                self._heard(numbers.get(pipes[pipe]), said)
        self.stand_in.answer(set(ready) - pipes.keys())

    def _heard(self, number: int | None, said: bytes) -> None:
        if said == ANSWERS and number is not None:
            self.answering.add(number)
            self.whole = time.monotonic()
            self._say("worker answers", worker=number, process=self.processes[number].pid)
            return
        words = said.decode(errors="replace")
        for name, path in self.task.sources.items():
            words = words.replace(path, name)
        self._say("worker failed", worker=number, error=words)

    def _look(self) -> None:
        """Miss the dead, fill their places, and keep a spare; after too many deaths, slowly."""
        now = time.monotonic()
        for number, process in list(self.processes.items()):
            if process.poll() is not None:
                self._miss(number, process, now)
        if self.spare is not None and self.spare.poll() is not None:
            _close(self.spare)
            self.spare = None
            self.deaths.again = max(self.deaths.again, now + PAUSE)
        if not self.asked and now >= self.deaths.again:
            for number in range(self.count):
                if number not in self.processes:
                    self._fill(number)
            self._keep_a_spare()
        if len(self.answering) == self.count and self.deaths.is_over(now, self.whole):
            self.metrics.set("faltering", 0)
            self._say("steady again")

    def _keep_a_spare(self) -> None:
        if self.spare is None and len(self.answering) == self.count:  # who is to answer loads first
            self.spare = self._begin()
            if self.asked:
                self.spare.terminate()

    def _miss(self, number: int, process: Process, now: float) -> None:
        del self.processes[number]
        self.answering.discard(number)
        _close(process)
        if self.asked:
            return
        begins = self.deaths.another(now)
        self._say("worker died", worker=number, process=process.pid, code=process.returncode, pause=self.deaths.pause)
        own = replace(self.metrics, own=number)
        own.set("up", 0)
        own.set("active", 0)
        for name in self.task.sources:
            own.set("waiting", 0, name)
        self.metrics.count("deaths")
        self.stand_in.retry_after = self.deaths.pause
        if begins:
            self.metrics.set("faltering", 1)
            self._say("faltering", deaths=len(self.deaths.times), seconds=round(now - self.deaths.times[0], 1))

    def _say(self, what: str, **said: Any) -> None:
        self.log.event(what, **said)
        self.log.flush()

    def _end(self) -> int:
        end = time.monotonic() + self.task.limits.grace + self.task.limits.linger + 5.0
        worst, answering = 0, [self.processes[number] for number in self.answering]
        for process in self._every():
            try:
                code = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            # By the signal itself ends who was asked a second time after all work, and who had not begun any.
            harmless = code == -signal.SIGTERM and (self.asked > 1 or process not in answering)
            worst = max(worst, 0 if code == 0 or harmless else 1)
        return worst


def _tell(process: Process, line: str) -> None:
    """Tell a process something. One that is dead already is missed at the next look."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()


def _close(process: Process) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
