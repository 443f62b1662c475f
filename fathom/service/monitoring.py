"""What a server knows of its own requests: a recorder for each model, and the latest look at what it recorded."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from fathom.bundle.manifest import version as version_of
from fathom.data.table import Table
from fathom.model import Model
from fathom.service.alerting import metrics_text
from fathom.service.contract import Answered
from fathom.service.recording import Health, Recorder
from fathom.service.store import open_store
from fathom.service.truths import learn
from fathom.service.watching import LAST, Look, broken_look, look

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
        if not broken and not recorder.path.exists():
            return Look(name, version, time.time(), "too few rows", "No request has been recorded yet.")
        try:
            store = open_store(recorder.path)
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
        store = open_store(recorder.path, write=True)
        try:
            matched = learn(store, model, truths)
        finally:
            store.close()
        with self._locks[name]:
            self._looks.pop(name, None)
        return matched

    def metrics(self, models: Mapping[str, Model]) -> str:
        """Return the looks at these models, and how the recorders fare, as Prometheus reads them."""
        return metrics_text(
            [self.look(name, model) for name, model in models.items() if name in self.recorders], self.health()
        )

    def as_json(self, name: str, model: Model) -> dict[str, Any]:
        """Return the look with how the recorder fares, for the page."""
        health = self.recorders[name].health
        return {
            **self.look(name, model).as_json(),
            "recorder": {"written": health.written, "dropped": health.dropped, "broken": health.broken},
        }

    def close(self) -> None:
        """Write what waits, and stop."""
        for recorder in self.recorders.values():
            recorder.close()
