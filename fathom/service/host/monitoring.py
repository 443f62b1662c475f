"""What a server knows of its own requests: a recorder for each model, and the latest look at what it recorded."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from fathom.bundle.manifest import version as version_of
from fathom.data.table import Table
from fathom.errors import OptionError, suggestion
from fathom.model import Model
from fathom.service.contract import Answered
from fathom.service.records.recording import Health, Recorder, Recording
from fathom.service.records.store import is_absent, open_store
from fathom.service.records.truths import learn
from fathom.service.shelf.places import store_of
from fathom.service.watch.alerting import metrics_text
from fathom.service.watch.watching import LAST, Look, broken_look, look

if TYPE_CHECKING:
    from fathom.service.host.hosting import Host

STALE = 15.0  # seconds after which a look is taken anew


@dataclass
class Monitor:
    """An observer (`fathom.service.contract.Observer`) with a recorder by name of model. Looks are taken when someone asks, at most every ``stale`` seconds, on the thread of who asks."""

    recorders: Mapping[str, Recorder]
    last: int = LAST
    expected: Mapping[str, Collection[str]] = field(default_factory=dict)
    stale: float = STALE
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._looks: dict[str, tuple[float, Look]] = {}
        self._locks = {name: threading.Lock() for name in self.recorders}

    def seen(self, answered: Answered) -> None:
        """Take note of an answer. Never raises, never waits."""
        recorder = self.recorders.get(answered.model)
        if recorder is not None:
            recorder.seen(answered)

    def health(self) -> dict[str, Health]:
        """How each recorder fares."""
        return {name: recorder.health for name, recorder in self.recorders.items()}

    def look(self, name: str, model: Model) -> Look:
        """Return the latest look at a model's requests. Never raises: a monitor that cannot see says so."""
        version = version_of(model.files)
        with self._locks[name]:
            when, known = self._looks.get(name, (0.0, None))
            if known is not None and known.version == version and self.clock() - when < self.stale:
                return known
            taken = self._taken(name, model, version)
            self._looks[name] = (self.clock(), taken)
            return taken

    def _taken(self, name: str, model: Model, version: str) -> Look:
        recorder = self.recorders[name]
        broken = [said] if (said := recorder.health.broken) else []
        if not broken and is_absent(recorder.place):
            return Look(name, version, time.time(), "too few rows", "No request has been recorded yet.")
        try:
            store = open_store(recorder.place)
        except Exception as error:
            return broken_look(name, version, [*broken, str(error)])
        try:
            return look(store, model, name=name, last=self.last, expected=self.expected.get(name, ()), broken=broken)
        finally:
            store.close()

    def learn(self, name: str, model: Model, truths: Table) -> tuple[int, int]:
        """Write what turned out to be true; returns how many truths were matched to recorded rows, and how many were not. Raises TableError or StoreError."""
        recorder = self.recorders[name]
        recorder.flush(1.0)
        store = open_store(recorder.place, write=True)
        try:
            matched = learn(store, model, truths)
        finally:
            store.close()
        with self._locks[name]:
            self._looks.pop(name, None)
        return matched

    def lines(self, models: Mapping[str, Model], threads: Executor) -> list[str]:
        """Return the latest looks, and how the recorders fare, as lines for Prometheus, at once; looks that are old by now are taken anew on ``threads``, for the next time."""
        known = []
        for name, model in models.items():
            if name not in self.recorders:
                continue
            when, taken = self._looks.get(name, (0.0, None))
            if taken is not None and taken.version == version_of(model.files):
                known.append(taken)
            if (taken is None or self.clock() - when >= self.stale) and not self._locks[name].locked():
                threads.submit(self.look, name, model)
        return metrics_text(known, self.health()).splitlines()

    def close(self) -> None:
        """Write what waits, and stop."""
        for recorder in self.recorders.values():
            recorder.close()


def attach(host: "Host", recording: Recording) -> Monitor:
    """Let a monitor take note of what a host answers, and tell `/metrics` of it. The stores lie beside the models, or all in the one that ``recording`` names.

    Raises OptionError for a column to leave out that no model asks for.
    """
    asked = list(dict.fromkeys(field.name for one in host.models.values() for field in one.live.form.fields))
    for name in recording.left_out:
        if name not in asked:
            raise OptionError(f"--leave-out: no model asks for a column {name!r}.{suggestion(name, asked)}")
    places = {name: recording.store or store_of(path) for name, path in host.sources.items()}
    lost = partial(host.metrics.count, "unnoted")
    monitor = Monitor({name: Recorder(place, recording, lost=lost) for name, place in places.items()})
    host.observers = (*host.observers, monitor)
    host.more_metrics.append(
        lambda: monitor.lines({name: one.live.model for name, one in host.models.items()}, host.others)
    )
    return monitor
