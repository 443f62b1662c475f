"""How many cores a training step should take: timed at the start and again when steps turn slow, never assumed.

Why it exists: on a quiet machine two threads can halve a step; beside a busy neighbour they wait for each other at every layer, and a step of 3 ms has been
seen to take 250 ms, where one thread took 6 ms (docs/log.md, 2026-11-21). OpenMP, which torch and scikit-learn share their work with, spins at barriers: a thread that
the system has put aside holds up all the others.

More threads are taken only where they give the same bits, checked on the network's own gradients, so that a fit's result is the same whatever was chosen and whenever.
"""

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Protocol

import torch
from torch import Tensor

from fathom.networks.network import Network
from fathom.training.batching import Batch
from fathom.training.objectives.contract import Objective

Bits = tuple[Tensor, ...]

TIMED_STEPS = 5
SECONDS_A_COUNT = 0.1  # for timing one number of threads; a step that takes longer is timed once
WORTH = 0.9  # more threads are taken only where a step takes less than this share of the time
HOPELESS = 3.0  # times the best so far: a first step that slow is not timed again
SLOWER = 5.0  # times the usual step: then the cores are no longer ours
USUAL_STEPS = 20  # after a choice, whose median is the usual step
SLOW_STEPS = 2  # in a row; a single one may have waited for a checkpoint or for the validation rows
SECONDS_BETWEEN = 30.0  # after which threads are timed anew in any case: neighbours also leave


class Rehearsal(Protocol):
    """A training step that leaves nothing behind: to be timed, and to be compared bit by bit."""

    def step(self) -> Bits:
        """Do one step forward and backward; return what it computed."""
        ...

    def bits(self) -> Bits:
        """Return everything that training computes from the weights: gradients and validation loss."""
        ...


@dataclass(frozen=True)
class Choice:
    """How many threads were taken, and the ``milliseconds`` of a step for each number that was timed.

    ``why`` is ``"quickest"``, ``"same bits"`` when more threads would have been quicker but give other bits, or ``"told"``; ``after`` so many steps of this
    process it was made.
    """

    threads: int
    milliseconds: dict[int, float]
    why: Literal["quickest", "same bits", "told"]
    after: int = 0


def quickest(rehearsal: Rehearsal, most: int) -> Choice:
    """Time a step with 1, 2, 4, … and ``most`` threads, set torch to the quickest that gives the bits of one thread, and return the choice.

    Takes about half a second at most, where a step takes less than 50 ms on one thread.
    """
    seconds: dict[int, float] = {}
    for count in counts(most):
        torch.set_num_threads(count)
        best = min(seconds.values(), default=float("inf"))
        seconds[count] = _timed(rehearsal, best)
        if seconds[count] > best / WORTH:  # waiting grows with the number of those who wait
            break
    chosen = min(seconds, key=lambda count: seconds[count])
    if seconds[chosen] > WORTH * seconds[1]:
        chosen = 1
    why: Literal["quickest", "same bits"] = "quickest"
    if chosen > 1 and not _same_bits(rehearsal, chosen):
        chosen, why = 1, "same bits"
    torch.set_num_threads(chosen)
    return Choice(chosen, {count: 1e3 * took for count, took in seconds.items()}, why)


def counts(most: int) -> Sequence[int]:
    """Return the numbers of threads that are timed.

    >>> counts(1), counts(2), counts(12)
    ([1], [1, 2], [1, 2, 4, 8, 12])
    """
    return sorted({1, most} | {2**power for power in range(1, most.bit_length()) if 2**power < most})


def _timed(rehearsal: Rehearsal, best: float) -> float:
    """Return the median seconds of a step with the threads that are set."""
    started = time.perf_counter()
    rehearsal.step()
    first = time.perf_counter() - started
    if first > max(HOPELESS * best, SECONDS_A_COUNT):
        return first
    times: list[float] = []
    while len(times) < TIMED_STEPS and (not times or time.perf_counter() - started < SECONDS_A_COUNT):
        before = time.perf_counter()
        rehearsal.step()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def _same_bits(rehearsal: Rehearsal, count: int) -> bool:
    found = []
    for threads in (count, 1):
        torch.set_num_threads(threads)
        found.append(rehearsal.bits())
    return all(torch.equal(one, other) for one, other in zip(*found, strict=True))


class Exercise:
    """A step of no network: a few matrices as wide as a hidden layer, for what runs before there is a network."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.rows = torch.randn(512, 256, generator=generator)
        self.weight = torch.randn(256, 256, generator=generator) / 16

    def step(self) -> Bits:
        """Multiply and bend ten times."""
        rows = self.rows
        for _ in range(10):
            rows = torch.relu(rows @ self.weight)
        return (rows,)

    bits = step


class NetworkRehearsal:
    """A step of this network on these rows, done on a copy of its weights; it draws from no generator that training draws from."""

    def __init__(
        self, network: Network, train_rows: Batch, validation_rows: Batch, objective: Objective, batch_rows: int
    ) -> None:
        self.network = copy.deepcopy(network).train()
        self.batch = train_rows.take(torch.arange(min(batch_rows, train_rows.rows)))
        self.asked = validation_rows.take(torch.arange(min(4096, validation_rows.rows)))
        self.objective = objective

    def step(self) -> Bits:
        """Go forward and backward; return the loss, the length of the gradient and the gradient."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.network.zero_grad()
            loss, _ = self.objective.loss(self.network, self.batch, torch.Generator().manual_seed(0))
            loss.backward()  # type: ignore[no-untyped-call]
        gradients = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
        return loss.detach(), torch.nn.utils.get_total_norm(gradients), *(one.clone() for one in gradients)

    def bits(self) -> Bits:
        """Return what a step computes, and the loss of up to 4,096 validation rows."""
        self.network.eval()
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            loss, _ = self.objective.loss(self.network, self.asked, torch.Generator().manual_seed(0))
        self.network.train()
        return loss.clone(), *self.step()


class Pace:
    """Keeps torch at the number of threads that is quickest while a network learns, and puts the old number back afterwards.

    ``rehearse`` makes a rehearsal from the weights as they are now; ``threads`` is the number that the user told, which is then kept, or ``None``. Call
    ``tick`` after every step. ``choices`` holds every choice that changed the number.
    """

    def __init__(self, rehearse: Callable[[], Rehearsal], threads: int | None = None) -> None:
        self.rehearse, self.told = rehearse, threads
        self.most = torch.get_num_threads()
        self.choices: list[Choice] = []
        self.steps = self.slow = 0
        self.times: list[float] = []
        self.limit = float("inf")
        self.last = self.chosen_at = 0.0

    def __enter__(self) -> "Pace":
        if self.told is not None:
            torch.set_num_threads(self.told)
            self.choices.append(Choice(self.told, {}, "told"))
        elif self.most > 1:
            self._choose()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_num_threads(self.most)

    def tick(self) -> None:
        """Note how long the step took that has just ended, and choose anew when the cores seem to be taken, or after a while."""
        self.steps += 1
        if self.told is not None or self.most == 1:
            return
        now = time.perf_counter()
        took, self.last = now - self.last, now
        if len(self.times) < USUAL_STEPS:
            self.times.append(took)
            if len(self.times) == USUAL_STEPS:
                self.limit = SLOWER * statistics.median(self.times)
        self.slow = self.slow + 1 if took > self.limit else 0
        if self.slow >= SLOW_STEPS or now - self.chosen_at > SECONDS_BETWEEN:
            self._choose()

    def _choose(self) -> None:
        choice = quickest(self.rehearse(), self.most)
        if not self.choices or choice.threads != self.choices[-1].threads:
            self.choices.append(replace(choice, after=self.steps))
        self.times, self.slow, self.limit = [], 0, float("inf")
        self.last = self.chosen_at = time.perf_counter()
