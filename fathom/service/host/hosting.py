"""The models that a server has open, and which version of each answers a request."""

import asyncio
import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.answers.inference import Answers, cores
from fathom.bundle.answers.quick import shown
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.errors import BundleError, FathomError, suggestion
from fathom.model import Model
from fathom.service.contract import Answered, Observer
from fathom.service.host.admission import Admission
from fathom.service.host.asking import Form
from fathom.service.host.batching import Batcher, Job
from fathom.service.host.logs import Log
from fathom.service.host.metrics import Metrics
from fathom.service.host.noting import Note, told_together
from fathom.service.refusing import Limits, Refused
from fathom.service.shelf.versions import Shelf, is_shelf, open_shelf
from fathom.shapes import Arrays

NOTES_AT_ONCE = 64  # answers of which the observers are told together
TELLING = 0.015  # seconds that this may take every tenth of a second: about a thousand rows a second are noted, and beyond that answers go before notes
MOST_NOTES = 1_000  # answers that wait for the observers
MOST_NAMED = 20  # models that a refusal names
WARMED = 3  # answers before a version is served: ONNX Runtime plans its memory on the first


@dataclass(eq=False)
class Opened:
    """One version, open: its model, what it asks for, and the queue in front of it."""

    version: str
    model: Model
    form: Form
    batcher: Batcher


@dataclass(eq=False)
class Hosted:
    """One model under its name: the version that answers, and those on trial beside it."""

    name: str
    path: Path
    shelf: Shelf | None
    live: Opened
    canary: Opened | None = None
    share: float = 0.0
    shadow: Opened | None = None
    refused: dict[str, str] = field(default_factory=dict)  # versions that could not be opened, and why

    def choose(self, request: str) -> Opened:
        """Return the version that answers a request: always the same for the same id, so that who asks twice hears one voice."""
        if self.canary is not None and zlib.crc32(request.encode()) / 2**32 < self.share:
            return self.canary
        return self.live

    def opened(self) -> dict[str, Opened]:
        """Return the open versions by name, the live one first."""
        return {one.version: one for one in (self.live, self.canary, self.shadow) if one is not None}


@dataclass
class Host:
    """Everything that a server knows. ``sources`` are bundles, runs or shelves, by the name under which each is served."""

    sources: Mapping[str, Path]
    limits: Limits = field(default_factory=Limits)
    observers: Sequence[Observer] = ()
    modalities: Sequence[Modality] = MODALITIES
    threads: int = 0
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)
    models: dict[str, Hosted] = field(default_factory=dict)
    more_metrics: list[Callable[[], Iterable[str]]] = field(default_factory=list)  # lines of others for /metrics
    draining: bool = False
    admission: Admission = field(default_factory=Admission)
    active: int = 0  # requests that are being answered
    notes: deque[Note] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.threads = self.threads or cores()
        self._telling = threading.Lock()
        self.executor: Executor = ThreadPoolExecutor(self.threads, "answers")
        self.others: Executor = ThreadPoolExecutor(2, "others")  # what must not stand in the way of answers
        for name, path in self.sources.items():
            self.models[name] = self.open_source(name, Path(path))
        if self.metrics.models != tuple(self.models):
            self.metrics = Metrics.of(tuple(self.models))
        self.metrics.set("up", 1)

    @property
    def ready(self) -> bool:
        """Say whether requests should be sent here: not while the server stops, and not while its processes die too often."""
        return not self.draining and not self.metrics.told("faltering")

    def open_source(self, name: str, path: Path) -> Hosted:
        """Open a bundle, a run folder or a shelf. Raises BundleError when it is none, or is damaged."""
        shelf = open_shelf(path) if is_shelf(path) else None
        if shelf is None:
            return Hosted(name, path, None, self.open_version(path))
        state = shelf.state()
        hosted = Hosted(name, path, shelf, self.open_version(shelf.folder(state.live)))
        self.follow(hosted)
        return hosted

    def open_version(self, folder: Path) -> Opened:
        """Open a bundle and let it answer once. Raises BundleError."""
        files = manifest.read(folder)
        model = Model.of(files, modalities=self.modalities, threads=1)
        run = model.inference.run
        form = Form(model)
        batcher = Batcher(run, model.inference.rows_a_run, self.limits, self.executor, self.threads)
        opened = Opened(manifest.version(files), model, form, batcher)
        _warm(opened)
        return opened

    def model(self, name: str | None) -> Hosted:
        """Return a model by its name, or the only one. Raises Refused, which names the models that there are."""
        known = f"There are: {', '.join(list(self.models)[:MOST_NAMED])}."
        if name is None:
            if len(self.models) > 1:
                raise Refused(404, f"several models are served, and the address must name one. {known}", "model")
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Refused(404, f"{shown(name)} is not served here.{suggestion(name, self.models)} {known}", "model")
        return self.models[name]

    def follow(self, hosted: Hosted) -> bool:
        """Look at a shelf and take what it serves now; say whether anything changed. What cannot be opened is refused, and the version before goes on.

        Called from a thread: a version is opened beside the others, and only then takes a place with one assignment.
        """
        if hosted.shelf is None:
            return False
        try:
            state = hosted.shelf.state()
        except FathomError as error:
            self._refuse(hosted, "state", error)
            return False
        hosted.refused.pop("state", None)
        wanted = {
            version: None for version in (state.live, state.canary and state.canary.version, state.shadow) if version
        }
        opened = hosted.opened()
        for version in list(hosted.refused):
            if version not in wanted:
                del hosted.refused[version]
        for version in wanted:
            if version in opened or version in hosted.refused:
                continue
            try:
                opened[version] = self.open_version(hosted.shelf.folder(version))
                if opened[version].version != version:
                    raise BundleError(f"The bundle on the shelf as {version} is {opened.pop(version).version}.")
            except FathomError as error:
                opened.pop(version, None)
                self._refuse(hosted, version, error)
        before = (hosted.live, hosted.canary, hosted.share, hosted.shadow)
        hosted.live = opened.get(state.live, hosted.live)
        hosted.share = state.canary.share if state.canary else 0.0
        hosted.canary = opened.get(state.canary.version) if state.canary else None
        hosted.shadow = opened.get(state.shadow) if state.shadow else None
        after = (hosted.live, hosted.canary, hosted.share, hosted.shadow)
        if before == after:
            return False
        self.log.event(
            "versions",
            model=hosted.name,
            live=hosted.live.version,
            canary=hosted.canary and hosted.canary.version,
            share=hosted.share,
            shadow=hosted.shadow and hosted.shadow.version,
        )
        return True

    def _refuse(self, hosted: Hosted, version: str, error: FathomError) -> None:
        if version not in hosted.refused:
            words = str(error).replace(str(hosted.path), hosted.name)
            self.log.event("refused", model=hosted.name, version=version, error=words)
        hosted.refused[version] = str(error)

    async def answer(
        self, hosted: Hosted, opened: Opened, arrays: Arrays, rows: int, deadline: float, gone: Callable[[], bool]
    ) -> Answers:
        """Return the answers of encoded rows. Raises `fathom.service.refusing.Refused`."""
        return await opened.batcher.answer(Job(arrays, rows, deadline, gone))

    def note(
        self, hosted: Hosted, opened: Opened, request: str, rows: Any, answers: Answers, ids: Any, started: float
    ) -> None:
        """Tell the observers of an answer, and let the shadow answer too; both later, on a thread of their own."""
        if not self.observers:
            return
        if len(self.notes) >= MOST_NOTES:  # an observer that is slower than the clients never slows them down
            self.metrics.count("unnoted")
            return
        when, seconds = time.time(), time.monotonic() - started
        self.notes.append(Note(hosted.name, opened, request, rows, answers, ids, when, seconds))
        shadow = hosted.shadow
        if shadow is not None and shadow is not opened:
            self.notes.append(Note(hosted.name, shadow, request, rows, None, None, when, seconds, True))

    def tell(self, seconds: float = math.inf) -> None:
        """Tell the observers of what was noted since the last time, for about so many seconds at most; on a thread. What goes wrong for them is counted and never reaches a client."""
        until = time.monotonic() + seconds
        with self._telling:
            while self.notes and time.monotonic() < until:
                waiting = [self.notes[place] for place in range(min(len(self.notes), NOTES_AT_ONCE))]
                groups: dict[Any, list[Note]] = {}
                for note in waiting:
                    groups.setdefault((id(note.opened), note.shadow, note.alone), []).append(note)
                for group in groups.values():
                    self._tell(group)
                for _ in waiting:  # only now: whoever finds no notes may be sure that all observers know
                    self.notes.popleft()

    def _tell(self, group: list[Note]) -> None:
        for answered in self._answered(group):
            for observer in self.observers:
                try:
                    observer.seen(answered)
                except Exception as error:  # an observer's own mistake
                    self._unnoted(error)

    def _answered(self, notes: list[Note]) -> list[Answered]:
        """Return what several requests to one version were told; made together, because that costs hardly more than one. Where they cannot be, one by one."""
        try:
            return told_together(notes)
        except Exception as error:  # rows that the shadow does not take
            if len(notes) == 1:
                self._unnoted(error)
                return []
            return [answered for note in notes for answered in self._answered([note])]

    def _unnoted(self, error: Exception) -> None:
        self.metrics.count("unnoted")
        self.log.event("unnoted", error=type(error).__name__)

    async def keep(self, every: float = 1.0) -> None:
        """Follow the shelves and tell the observers, until cancelled."""
        loop = asyncio.get_running_loop()
        looked = 0.0
        while True:
            await asyncio.sleep(min(every, 0.1))
            if self.notes:
                await loop.run_in_executor(self.others, self.tell, TELLING)
            if time.monotonic() - looked >= every:
                for hosted in self.models.values():
                    if hosted.shelf is not None and await loop.run_in_executor(self.others, self.follow, hosted):
                        self.metrics.count("swaps")
                looked = time.monotonic()


def _warm(opened: Opened) -> None:
    """Answer rows of nothing, so that the first request does not wait for what happens only once."""
    form = opened.form
    if form.quick is None:
        return
    rows: list[dict[str, Any]] = [{field.name: None for field in form.fields}]
    for _ in range(WARMED):
        arrays, count, _ids = form.encode(rows)
        start = time.perf_counter()
        answers = opened.model.inference.run(arrays)
        seconds = time.perf_counter() - start
        form.rows_of(answers)
    opened.batcher.seconds_a_row, opened.batcher.seconds_a_batch = seconds / count, seconds
