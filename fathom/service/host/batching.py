"""Requests that come together are answered together: a bounded queue, deadlines, and no work for those who have left.

A batch is whatever waits when the graph is free, so a lone request never waits for company, and under load batches grow by themselves (Crankshaw et al., "Clipper",
NSDI 2017, section 4.3, calls it adaptive batching). Rows are encoded before they join: what is wrong with one request is found before it can touch another.
Should the graph itself fail at one, its batch is run again in halves, and the half that fails in halves (Dorfman, "The detection of defective members of large populations", Annals of Mathematical Statistics 14(4), 1943), always on a
thread: the request fails alone, and nobody else waits for the search.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from fathom.bundle.answers.inference import Answers
from fathom.service.refusing import Limits, Refused
from fathom.shapes import Arrays

AT_ONCE = 0.002  # seconds; a batch that takes less is answered where it stands, because a thread would cost more
LOOK = 0.05  # seconds between two looks for requests whose time is over
CAUTION = 1.2  # a request is refused where the queue before it is expected to take its time over this

Run = Callable[[Arrays], Answers]


def _never() -> bool:
    return False


@dataclass(eq=False)
class Job:
    """Rows of one request that wait for their answers; ``deadline`` on the clock of `time.monotonic`, ``gone`` says whether the client has left."""

    arrays: Arrays
    rows: int
    deadline: float
    gone: Callable[[], bool] = _never
    future: "asyncio.Future[Answers]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class Counts:
    """What a batcher has done, in requests but for ``batches`` and ``rows``."""

    batches: int = 0
    rows: int = 0
    late: int = 0
    left: int = 0
    refused: int = 0


class Batcher:
    """The queue in front of one graph. Belongs to one event loop."""

    def __init__(self, run: Run, most_rows: int, limits: Limits, threads: Executor, lanes: int = 1) -> None:
        self.run = run
        self.most_rows = most_rows
        self.limits = limits
        self.threads = threads
        self.lanes = lanes
        self.waiting: deque[Job] = deque()
        self.waiting_rows = 0
        self.busy = 0
        self.running: set[Job] = set()  # taken from the queue and not answered yet
        self.halves: deque[list[Job]] = deque()  # of batches that failed, to be run again
        self.counts = Counts()
        self.seconds_a_row = 0.0  # of the latest batches
        self.seconds_a_batch = 0.0
        self._asked = False
        self._sweeping = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self.waiting and not self.busy and not self.halves

    def expected(self, rows: int = 0) -> float:
        """Return the seconds until ``rows`` more would be answered, judged by the latest batches."""
        return (self.waiting_rows + rows) * self.seconds_a_row / self.lanes + self.seconds_a_batch * min(self.busy, 1)

    def check(self, rows: int, deadline: float) -> None:
        """Raise Refused with 429 when the queue is full, or would not answer in time."""
        expected = self.expected(rows)
        full = self.waiting_rows + rows > self.limits.waiting and self.waiting_rows > 0
        if full or (self.waiting and expected * CAUTION > deadline - time.monotonic()):
            self.counts.refused += 1
            raise Refused(
                429,
                f"{self.waiting_rows:,} rows wait already. Ask again later, or let another server answer.",
                retry_after=min(max(expected, 1.0), 60.0),
            )

    async def answer(self, job: Job) -> Answers:
        """Return the answers of a job. Raises Refused: 429 when the queue is full, 504 when its time is over, 499 when the client has left."""
        self.check(job.rows, job.deadline)
        self.waiting.append(job)
        self.waiting_rows += job.rows
        if not self._asked and self.busy < self.lanes:
            self._asked = True
            job.future.get_loop().call_soon(self._begin)  # after everything that has arrived by now
        if not self._sweeping:
            self._sweeping = True
            job.future.get_loop().call_later(LOOK, self._sweep)
        return await job.future

    def _begin(self) -> None:
        self._asked = False
        while self.busy < self.lanes and (self.halves or self.waiting):
            again = bool(self.halves)
            jobs = self._half() if again else self._next()
            if not jobs:
                continue
            rows = sum(job.rows for job in jobs)
            if not again and self.seconds_a_batch and rows * self.seconds_a_row < AT_ONCE and rows <= self.most_rows:
                self._finish(jobs, *_timed(self.run, _together(jobs)))
            else:
                self._send(jobs)

    def _send(self, jobs: list[Job]) -> None:
        """Run a batch on a thread."""
        self.busy += 1
        self.running.update(jobs)
        done = jobs[0].future.get_loop().run_in_executor(self.threads, _timed, self.run, _together(jobs))
        done.add_done_callback(partial(self._returned, jobs))

    def _half(self) -> list[Job]:
        """Take the next half of a batch that failed: those that are still wanted."""
        half, now = self.halves.popleft(), time.monotonic()
        self.running.difference_update(half)
        return [job for job in half if self._wanted(job, now)]

    def _next(self) -> list[Job]:
        """Take from the queue what goes together: those that are still wanted, in the order of their arrival."""
        jobs: list[Job] = []
        rows, now = 0, time.monotonic()
        while self.waiting and (not jobs or rows + self.waiting[0].rows <= self.most_rows):
            job = self.waiting.popleft()
            self.waiting_rows -= job.rows
            if self._wanted(job, now):
                jobs.append(job)
                rows += job.rows
        return jobs

    def _wanted(self, job: Job, now: float) -> bool:
        if job.future.done():
            return False
        if job.gone():
            self.counts.left += 1
            job.future.set_exception(Refused(499, "The client has left."))
            return False
        if now >= job.deadline:
            self._too_late(job)
            return False
        return True

    def _too_late(self, job: Job) -> None:
        self.counts.late += 1
        job.future.set_exception(
            Refused(504, "The time for this request is over. Ask again later, or allow more time.", retry_after=1.0)
        )

    def _returned(self, jobs: list[Job], found: "asyncio.Future[tuple[Answers | Exception, float]]") -> None:
        self.busy -= 1
        self.running.difference_update(jobs)
        self._finish(jobs, *found.result())
        self._begin()

    def _finish(self, jobs: list[Job], answers: Answers | Exception, seconds: float) -> None:
        """Hand every job its own rows of the answers. Where the graph failed at one of several, none is answered yet: their halves are to be run again."""
        if isinstance(answers, Exception) and len(jobs) > 1:
            self.running.update(jobs)
            middle = len(jobs) // 2
            self.halves.extend((jobs[:middle], jobs[middle:]))
            return
        rows = sum(job.rows for job in jobs)
        self.counts.batches += 1
        self.counts.rows += rows
        share = 0.2 if self.seconds_a_batch else 1.0
        self.seconds_a_batch += share * (seconds - self.seconds_a_batch)
        self.seconds_a_row += share * (seconds / max(rows, 1) - self.seconds_a_row)
        start = 0
        for job in jobs:
            if not job.future.done():
                self._give(job, answers, start)
            start += job.rows

    def _give(self, job: Job, answers: Answers | Exception, start: int) -> None:
        if isinstance(answers, Exception):
            job.future.set_exception(answers)
        else:
            job.future.set_result({name: answer[start : start + job.rows] for name, answer in answers.items()})

    def _sweep(self) -> None:
        """Tell those whose time is over, also while a batch runs."""
        now = time.monotonic()
        kept: deque[Job] = deque()
        for job in self.waiting:
            if self._wanted(job, now):
                kept.append(job)
        self.waiting = kept
        self.waiting_rows = sum(job.rows for job in kept)
        for job in self.running:
            if not job.future.done() and now >= job.deadline:
                self._too_late(job)
        self._sweeping = bool(self.waiting or self.running)
        if self._sweeping:
            asyncio.get_running_loop().call_later(LOOK, self._sweep)


def _together(jobs: list[Job]) -> Arrays:
    if len(jobs) == 1:
        return jobs[0].arrays
    return {name: np.concatenate([job.arrays[name] for job in jobs]) for name in jobs[0].arrays}


def _timed(run: Run, arrays: Arrays) -> tuple[Answers | Exception, float]:
    start = time.perf_counter()
    try:
        return run(arrays), time.perf_counter() - start
    except Exception as error:  # whatever it is, it belongs to those who asked
        return error, time.perf_counter() - start
