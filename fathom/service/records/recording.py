"""Takes note of every request and answer without ever slowing or failing one: a bounded queue, and one thread that writes it to the store.

What cannot be noted is dropped and counted, and the recorder says that it is broken and why: a full disk, a damaged store, a folder that is gone, a database that does not answer. It tries again by itself, ever more rarely, at most every half minute. A
thread of the server that reports an answer does no more than look at two numbers and append to a list.
"""

import base64
import json
import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fathom.errors import FathomError, OptionError
from fathom.service.contract import Answered
from fathom.service.records.databases import database_of
from fathom.service.records.store import Entry, Store, open_store

WAITING_ROWS = 20_000  # at most; beyond, rows are dropped
WAITING_BYTES = 64 << 20
ROWS_AT_ONCE = 2_000  # written together
KEEPING_EVERY = 5_000  # rows, and once at the start, what is old is forgotten
BACKWARDS = 60.0  # seconds that a clock may go back before it is told
LONGEST_PAUSE = 30.0  # seconds between two tries to use a store that is broken
OFF = "off"


@dataclass(frozen=True)
class Recording:
    """What is recorded: a ``share`` of the requests, of each row all columns but those ``left_out``; and for how long: the latest ``rows``, at most ``days``.

    A row with a cell larger than ``cell_bytes`` is not recorded, and counted. ``store`` names a file or the URL of a database; without, it lies beside the bundle.
    """

    store: str = ""
    share: float = 1.0
    left_out: tuple[str, ...] = ()
    rows: int = 200_000
    days: float = 30.0
    cell_bytes: int = 1 << 20

    def check_place(self) -> None:
        """Raise OptionError where nothing can be recorded at the place that was named."""
        if self.store:
            database_of(self.store).check_possible(self.store)

    def to_json(self) -> str:
        """Write it for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Recording":
        """Read it there."""
        told = json.loads(text)
        return cls(**{**told, "left_out": tuple(told["left_out"])})

    def __post_init__(self) -> None:
        if self.store:
            database_of(self.store).check(self.store)
        if not 0 < self.share <= 1:
            raise OptionError(
                f"The share of requests that are recorded is {self.share}, and must be above 0 and at most 1."
            )
        if self.rows < 1 or not self.days > 0:
            raise OptionError(
                f"A store keeps at least one row and some time, not {self.rows} rows for {self.days} days."
            )


@dataclass(frozen=True)
class Health:
    """How a recorder fares: rows ``written``, ``dropped`` (of which ``too_large``) and ``waiting``; ``broken`` says what is wrong, or nothing."""

    written: int = 0
    dropped: int = 0
    too_large: int = 0
    waiting: int = 0
    broken: str = ""


class Recorder:
    """An observer (`fathom.service.contract.Observer`) that writes to a store. Never raises once it is made, whatever becomes of the store.

    >>> import tempfile
    >>> from fathom.data.table import Table
    >>> recorder = Recorder(Path(tempfile.mkdtemp()) / "requests.sqlite")
    >>> recorder.seen(Answered("a1", "homes", "c0ffee", Table.of({"rooms": [3, 4]}), Table.of({"price": [7.5, 8.0]}), 0.0, 0.001))
    >>> recorder.close()
    >>> recorder.health.written
    2
    """

    def __init__(
        self,
        place: str | Path,
        recording: Recording | None = None,
        *,
        clock: Callable[[], float] = time.time,
        lost: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self.place = str(place)
        self.recording = recording or Recording()
        self._clock = clock
        self._lost = lost  # is told how many rows were dropped
        self._waiting: deque[Answered] = deque()
        self._rows = self._bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._idle = threading.Event()
        self._health = Health()
        self._last = 0.0
        self._store: Store | None = None
        self._since_keeping = KEEPING_EVERY
        self._thread = threading.Thread(target=self._run, name="fathom-recorder", daemon=True)
        self._thread.start()

    def seen(self, answered: Answered) -> None:
        """Take note of an answer. Never raises, never waits."""
        try:
            rows = answered.rows.rows
            share = self.recording.share
            if share < 1.0 and zlib.crc32(answered.request.encode("utf-8", "replace")) >= share * 2**32:
                return  # by the id, so that a shadow's answer is taken where the answer it is compared with is
            size = int(answered.rows.arrow.nbytes + answered.answers.arrow.nbytes)
            with self._lock:
                fits = self._rows + rows <= WAITING_ROWS and (self._bytes + size <= WAITING_BYTES or not self._waiting)
                if self._closed or not fits:
                    self._health = replace(self._health, dropped=self._health.dropped + rows)
                    self._lost(rows)
                    return
                self._rows, self._bytes = self._rows + rows, self._bytes + size
                self._waiting.append(answered)
                self._idle.clear()
            self._wake.set()
        except Exception as error:  # whatever it is, the answer has been given and stands
            self._broke(f"An answer could not be noted ({type(error).__name__}: {error}).", 0)

    @property
    def health(self) -> Health:
        """How it fares now."""
        with self._lock:
            return replace(self._health, waiting=self._rows)

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that was seen is written or dropped; says whether it is."""
        self._wake.set()
        return self._idle.wait(seconds)

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, for so many seconds at most, and stop. What is left then is dropped and counted."""
        with self._lock:
            self._closed = True
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = 0.0
        while True:
            self._wake.wait(1.0)
            self._wake.clear()
            batch = self._taken()
            while batch:
                rows = sum(one.rows.rows for one in batch)
                try:
                    self._write(batch)
                    pause = 0.0
                except Exception as error:
                    said = str(error) if isinstance(error, FathomError) else f"{type(error).__name__}: {error}"
                    self._broke(said, rows)
                    self._shut()
                    pause = min(max(2 * pause, 0.5), LONGEST_PAUSE)
                    if not self._closed:
                        self._sleep(pause)
                batch = self._taken()
            if not self._waiting:
                self._idle.set()
            if self._closed and not self._waiting:
                self._shut()
                return

    def _sleep(self, seconds: float) -> None:
        """Let time pass between two tries; whoever closes the recorder does not wait for it."""
        until = time.monotonic() + seconds
        while not self._closed and time.monotonic() < until:
            if not self._waiting:
                self._idle.set()
            time.sleep(min(0.05, seconds))

    def _taken(self) -> list[Answered]:
        batch: list[Answered] = []
        rows = 0
        with self._lock:
            while self._waiting and rows < ROWS_AT_ONCE:
                one = self._waiting.popleft()
                batch.append(one)
                rows += one.rows.rows
                self._rows -= one.rows.rows
                self._bytes -= int(one.rows.arrow.nbytes + one.answers.arrow.nbytes)
        return batch

    def _write(self, batch: Sequence[Answered]) -> None:
        store = self._opened()
        entries, too_large, wrong = [], 0, ""
        for one in batch:
            if one.when < self._last - BACKWARDS:
                wrong = f"The clock has gone back by {self._last - one.when:,.0f} s; what is older than a moment is no longer certain."
            self._last = max(self._last, one.when) if not wrong else one.when
            made, large = entries_of(one, self.recording)
            entries += made
            too_large += large
        written = store.write(entries)
        self._since_keeping += len(entries)
        if self._since_keeping >= KEEPING_EVERY:
            store.keep(rows=self.recording.rows, days=self.recording.days, now=self._clock())
            self._since_keeping = 0
        if too_large:
            self._lost(too_large)
        with self._lock:
            known = self._health
            self._health = replace(
                known,
                written=known.written + written,
                dropped=known.dropped + too_large,
                too_large=known.too_large + too_large,
                broken=wrong,
            )

    def _opened(self) -> Store:
        if self._store is not None and self._store.lost():  # moved away: a new one is begun
            self._shut()
        if self._store is None:
            self._store = open_store(self.place, write=True)
            self._store.note("left_out", list(self.recording.left_out))
            self._store.note("share", self.recording.share)
        return self._store

    def _shut(self) -> None:
        if self._store is not None:
            try:
                self._store.close()
            except Exception as error:
                self._broke(f"{type(error).__name__}: {error}", 0)
            self._store = None

    def _broke(self, said: str, rows: int) -> None:
        if rows:
            self._lost(rows)
        with self._lock:
            self._health = replace(self._health, dropped=self._health.dropped + rows, broken=said)


def entries_of(answered: Answered, recording: Recording) -> tuple[list[Entry], int]:
    """Return the rows of a request as they are written, and how many are too large for that."""
    rows = answered.rows.arrow.drop_columns([name for name in answered.rows.names if name in recording.left_out])
    entries = []
    answers = answered.answers.arrow.to_pylist()
    answers += [{}] * (answered.rows.rows - len(answers))  # where rows were gathered, they are more than the answers
    for place, (row, answer) in enumerate(zip(rows.to_pylist(), answers, strict=True)):
        if any(isinstance(cell, str | bytes) and len(cell) > recording.cell_bytes for cell in row.values()):
            continue
        entries.append(
            Entry(
                answered.request,
                place,
                answered.when,
                answered.model,
                answered.version,
                _written(row),
                _written(answer),
                answered.seconds,
                answered.shadow,
            )
        )
    return entries, answered.rows.rows - len(entries)


def _written(row: dict[str, Any]) -> str:
    """Return a row as a JSON object: bytes as a ``data:`` URL, which the kinds of column that take bytes read as well; what is not finite is null."""
    plain = {name: _plain(cell) for name, cell in row.items()}
    return json.dumps(plain, ensure_ascii=False, default=str, allow_nan=False)


def _plain(cell: Any) -> Any:
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, bytes):
        return "data:;base64," + base64.b64encode(cell).decode()
    if isinstance(cell, list):
        return [_plain(item) for item in cell]
    if isinstance(cell, dict):
        return {name: _plain(item) for name, item in cell.items()}
    return cell


__all__ = ["OFF", "Health", "Recorder", "Recording", "entries_of"]
