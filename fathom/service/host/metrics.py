"""Counters of a server, in Prometheus's text format; several worker processes share one block of memory, so that any of them tells the sum.

Format: https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. The counters are few and known when the server starts, so that they are a NumPy array and counting is an addition.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

STATUSES = (200, 400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 415, 421, 422, 429, 499, 500, 503, 504)
EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds
TOTALS = ("rows", "batches", "late", "left", "waiting", "active", "swaps", "unnoted", "up", "deaths", "faltering")
# What each counter of `TOTALS` is called and means; the last two words say of what kind it is and whether it is told for each model.
TOLD = {
    "rows": ("fathom_rows_total", "rows that were answered", "counter", True),
    "batches": ("fathom_batches_total", "runs of the graph", "counter", True),
    "late": ("fathom_late_total", "requests whose time was over before they were answered", "counter", True),
    "left": ("fathom_left_total", "requests that were dropped because the client had left", "counter", True),
    "waiting": ("fathom_waiting_rows", "rows that wait for their turn", "gauge", True),
    "active": ("fathom_active_requests", "requests that are being answered", "gauge", False),
    "swaps": ("fathom_swaps_total", "changes of the versions that are served", "counter", False),
    "unnoted": ("fathom_unnoted_total", "answers that no observer took note of", "counter", False),
    "up": ("fathom_workers", "processes that answer", "gauge", False),
    "deaths": ("fathom_deaths_total", "processes that died while they answered", "counter", False),
    "faltering": ("fathom_faltering", "1 while processes die too often for the server to be ready", "gauge", False),
}

Numbers = npt.NDArray[np.float64]


@dataclass
class Metrics:
    """The counters: ``numbers (worker, model + 1, counter)``, of which this process writes those of ``own``; the last model stands for requests that name none."""

    models: tuple[str, ...] = ()
    numbers: Numbers = field(default_factory=lambda: np.zeros((1, 1, width())))
    own: int = 0

    @classmethod
    def of(cls, models: Sequence[str], workers: int = 1, own: int = 0, shared: int | None = None) -> "Metrics":
        """Return counters at zero; ``shared`` is an open file that all workers map."""
        shape = (workers, len(models) + 1, width())
        if shared is None:
            return cls(tuple(models), np.zeros(shape), own)
        block = mmap.mmap(shared, size_of(len(models), workers))
        return cls(tuple(models), np.frombuffer(block, np.float64).reshape(shape), own)

    @property
    def mine(self) -> Numbers:
        """The counters of this process ``(model + 1, counter)``."""
        own: Numbers = self.numbers[self.own]
        return own

    def place(self, model: str | None) -> int:
        """Return where the counters of a model stand."""
        return self.models.index(model) if model in self.models else len(self.models)

    def answered(self, model: str | None, status: int, seconds: float) -> None:
        """Count a request."""
        row = self.mine[self.place(model)]
        row[STATUSES.index(status) if status in STATUSES else STATUSES.index(500)] += 1
        start = len(STATUSES)
        row[start + int(np.searchsorted(EDGES, seconds))] += 1
        row[start + len(EDGES) + 1] += seconds

    def count(self, what: str, amount: float = 1.0, model: str | None = None) -> None:
        """Add to one of `TOTALS`."""
        self.mine[self.place(model), _first_total() + TOTALS.index(what)] += amount

    def set(self, what: str, value: float, model: str | None = None) -> None:
        """Set one of `TOTALS`."""
        self.mine[self.place(model), _first_total() + TOTALS.index(what)] = value

    def told(self, what: str, model: str | None = None) -> float:
        """Return one of `TOTALS`, summed over the workers."""
        return float(self.numbers[:, self.place(model), _first_total() + TOTALS.index(what)].sum())

    def lines(self, versions: Sequence[tuple[str, str, str]] = (), more: Sequence[str] = ()) -> str:
        """Write everything in Prometheus's format; ``versions`` are model, version and role."""
        return "\n".join([*self._lines(versions), *more, ""])

    def _lines(self, versions: Sequence[tuple[str, str, str]]) -> Iterator[str]:
        every = self.numbers.sum(axis=0)
        names = (*self.models, "")
        yield from _head("fathom_requests_total", "requests by their answer", "counter")
        for name, row in zip(names, every, strict=True):
            for status, count in zip(STATUSES, row, strict=False):
                if count:
                    yield f'fathom_requests_total{{model="{_quoted(name)}",status="{status}"}} {count:.0f}'
        yield from _head("fathom_request_seconds", "seconds from a request's arrival to its answer", "histogram")
        for name, row in zip(names, every, strict=True):
            buckets = np.cumsum(row[len(STATUSES) : len(STATUSES) + len(EDGES) + 1])
            label = f'model="{_quoted(name)}"'
            for edge, count in zip((*map(str, EDGES), "+Inf"), buckets, strict=True):
                yield f'fathom_request_seconds_bucket{{{label},le="{edge}"}} {count:.0f}'
            yield f"fathom_request_seconds_sum{{{label}}} {row[len(STATUSES) + len(EDGES) + 1]:.6f}"
            yield f"fathom_request_seconds_count{{{label}}} {buckets[-1]:.0f}"
        for what, (title, meaning, kind, by_model) in TOLD.items():
            yield from _head(title, meaning, kind)
            for name in self.models if by_model else ("",):
                label = f'{{model="{_quoted(name)}"}}' if by_model else ""
                yield f"{title}{label} {self.told(what, name or None):.0f}"
        yield from _head("fathom_model_info", "the versions that are served, by their role", "gauge")
        for model, version, role in versions:
            yield f'fathom_model_info{{model="{_quoted(model)}",version="{version}",role="{role}"}} 1'
        yield from _head("process_resident_memory_bytes", "memory of the process that tells", "gauge")
        yield f"process_resident_memory_bytes {resident()}"


def width() -> int:
    """Return how many counters there are for each model."""
    return _first_total() + len(TOTALS)


def size_of(models: int, workers: int) -> int:
    """Return the bytes that the counters of so many models and workers take."""
    return workers * (models + 1) * width() * 8


def resident() -> int:
    """Return the bytes of memory that this process has in use; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * mmap.PAGESIZE


def _first_total() -> int:
    return len(STATUSES) + len(EDGES) + 2


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _quoted(text: Any) -> str:
    return str(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
