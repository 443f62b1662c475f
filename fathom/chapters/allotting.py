"""How the time and the cores of a fit are shared out among its chapters."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fathom.effort import REFITTING_SHARE
from fathom.evidence.affording import REFITS, Bound
from fathom.settings import Settings

FINISHING_SECONDS = (
    11.0  # of CPU time, that exporting, judging, explaining and saving take after training at most, for `--minutes`
)
LEAVING_OUT_SHARE = 0.5  # of the time that is left when the network has been trained
EXPORTING_SECONDS = 1.5  # of CPU time, that each further network of a small table takes to export
FEWEST_SECONDS = 2.0  # for which fitting again is worth beginning
BASELINE_SHARE = 0.15  # of the time that is left when the simpler models start
OBJECTS_BETWEEN = 50_000  # made before Python looks for cycles among them again; of itself it looks after 700


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for cycles of objects seldom while a fit runs.

    Loading torch and writing a graph leaves a million objects that stay, which Python would look through time and again: an eighth of the time of a small fit.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(OBJECTS_BETWEEN, before[0]) if before[0] else 0, *before[1:])  # 0 is never, as a user may wish
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def arithmetic_on(asked: int | None) -> Iterator[int]:
    """Limit how many cores arithmetic takes while a fit runs; yields the most: ``asked``, or what torch would take.

    Unless they are asked for, OpenMP's threads (torch, scikit-learn's and LightGBM's trees) are as many as are quickest beside whatever else runs: trees
    have the same bits with any number. BLAS, which the linear model needs, has not, so it takes one.
    """
    import sklearn.ensemble  # noqa: F401  (a library that is not loaded yet is not limited)
    import torch
    from threadpoolctl import threadpool_limits

    from fathom.training.threads import Exercise, quickest

    most = asked or torch.get_num_threads()
    with torch_threads(most):
        own = asked or quickest(Exercise(), most).threads
        with threadpool_limits(own, "openmp"), threadpool_limits(1, "blas"):
            yield most


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch take so many threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Clock:
    """What the stages took, in seconds on the clock and of the processor, and what is left of the minutes that were allowed."""

    def __init__(self, minutes: float | None) -> None:
        self.started = self.last = time.perf_counter()
        self.worked = self.last_worked = time.process_time()
        self.limit = None if minutes is None else 60.0 * minutes
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Write down what the stage that has just ended took."""
        now, worked = time.perf_counter(), time.process_time()
        self.seconds[stage], self.processor_seconds[stage] = now - self.last, worked - self.last_worked
        self.last, self.last_worked = now, worked

    def as_json(self) -> dict[str, dict[str, float]]:
        """Return what the stages took so far, by name."""
        return {"seconds": dict(self.seconds), "processor_seconds": dict(self.processor_seconds)}

    def until(self, reserve: float) -> float | None:
        """Return the seconds until as long before the limit as ``reserve`` seconds of work will take, at least one; ``None`` without a limit."""
        if self.limit is None:
            return None
        return max(1.0, self.limit - (time.perf_counter() - self.started) - reserve * self.slowness)

    @property
    def slowness(self) -> float:
        """How many seconds a second of work has taken so far: 1 on a quiet machine, more where others hold the cores."""
        return max(1.0, (time.perf_counter() - self.started) / max(time.process_time() - self.worked, 1e-3))

    def share(self, part: float) -> float | None:
        """Return a share of the seconds that are left; ``None`` without a limit."""
        left = self.until(0.0)
        return None if left is None else part * left


def refitting(settings: Settings, trained: float, left: float | None) -> Bound:
    """Return how much checks may fit again: by the effort, in times of a model's own fit; and under ``--minutes``, where training took ``trained`` seconds and ``left`` are left, by the clock. No work is not at all."""
    work = REFITTING_SHARE[settings.effort]
    if left is None:
        return Bound(work)
    seconds = min(work * max(trained, FEWEST_SECONDS), left / sum(REFITS.values()))
    return Bound(work, seconds) if seconds >= FEWEST_SECONDS else Bound(0.0)
