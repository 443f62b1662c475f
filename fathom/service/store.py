"""The store of requests and answers: an SQLite file beside the bundle, which a server writes and everyone else reads.

A row of a request is a row of the table ``requests``: what came, what was answered, by which version, when and how fast. What turned out to be true is a row of ``truths``, found by the request's id, the place of the
row in it (from 0) and the target. The order is that of writing, so that a clock that goes back changes nothing. Write-ahead logging lets readers and the one writer work at once
(https://www.sqlite.org/wal.html).
"""

import contextlib
import io
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.files import open_stream
from fathom.data.json_lines import read_json_lines
from fathom.data.table import Table
from fathom.errors import FathomError, StoreError

NAME = "requests.sqlite"
MARK = 0x46544D53  # "FTMS": tells a store from any other SQLite file
FORMAT = 1
WAIT = 5.0  # seconds for another process to finish writing

_TABLES = """
CREATE TABLE IF NOT EXISTS requests(
  number INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, place INTEGER NOT NULL, at REAL NOT NULL, model TEXT NOT NULL,
  version TEXT NOT NULL, row TEXT NOT NULL, answer TEXT NOT NULL, seconds REAL NOT NULL, shadow INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_version ON requests(version, shadow, number);
CREATE INDEX IF NOT EXISTS by_request ON requests(request, place);
CREATE TABLE IF NOT EXISTS truths(
  request TEXT NOT NULL, place INTEGER NOT NULL, target TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY(request, place, target));
CREATE TABLE IF NOT EXISTS notes(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# The latest rows of the id alone, so that a client that gives all its requests one id costs no more than others.
_WRITE = """
INSERT INTO requests(request, place, at, model, version, row, answer, seconds, shadow) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS(
  SELECT 1 FROM (SELECT version, row, shadow FROM requests WHERE request = ?1 AND place = ?2 ORDER BY number DESC LIMIT 4) AS latest
  WHERE latest.version = ?5 AND latest.row = ?6 AND latest.shadow = ?9);
"""


@dataclass(frozen=True)
class Entry:
    """A row of a request as it is written: ``row`` and ``answer`` are JSON objects."""

    request: str
    place: int
    at: float
    model: str
    version: str
    row: str
    answer: str
    seconds: float
    shadow: bool


@dataclass(frozen=True)
class Window:
    """Rows in the order in which they were written, oldest first, with their answers and, where asked for, their truth.

    ``rows`` and ``answers`` are ``None`` where there is no row. ``truths`` holds a list a target, ``None`` where the truth is not known.
    """

    requests: tuple[str, ...]
    places: tuple[int, ...]
    at: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    rows: Table | None
    answers: Table | None
    truths: Mapping[str, Sequence[Any]]

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.requests)


class Store:
    """An open store. Each thread opens its own.

    >>> import tempfile
    >>> store = open_store(Path(tempfile.mkdtemp()) / "requests.sqlite", write=True)
    >>> store.write([Entry("a1", 0, 0.0, "homes", "c0ffee", '{"rooms": 3}', '{"price": 7.5}', 0.001, False)])
    >>> store.learn([("a1", 0, "price", 8.0)]), store.learn([("b2", 0, "price", 8.0)])
    (1, 0)
    >>> window = store.window(labelled=True)
    >>> window.rows.to_pylist(), window.answers.to_pylist(), window.truths
    ([{'rooms': 3}], [{'price': 7.5}], {'price': [8.0]})
    >>> store.close()
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def write(self, entries: Iterable[Entry]) -> int:
        """Append rows, all or none; returns how many. What the same request asked the same version a moment ago is there already: an answer sent again, or asked for once more with its reasons. Raises StoreError."""
        values = [
            (one.request, one.place, one.at, one.model, one.version, one.row, one.answer, one.seconds, int(one.shadow))
            for one in entries
        ]
        with _told(self.path), self.connection:
            return max(self.connection.executemany(_WRITE, values).rowcount, 0)

    def learn(self, truths: Iterable[tuple[str, int, str, Any]], now: float | None = None) -> int:
        """Write what turned out to be true: request, place, target, value. Returns how many belong to a row that is in the store; the others are left out.

        A later truth takes the place of an earlier one. Raises StoreError.
        """
        now = time.time() if now is None else now
        kept = 0
        with _told(self.path), self.connection:
            for request, place, target, value in truths:
                done = self.connection.execute(
                    "INSERT OR REPLACE INTO truths(request, place, target, value, at) SELECT ?, ?, ?, ?, ? "
                    "WHERE EXISTS(SELECT 1 FROM requests WHERE request = ? AND place = ?)",
                    (request, place, target, json.dumps(value, ensure_ascii=False), now, request, place),
                )
                kept += max(done.rowcount, 0)
        return kept

    def window(
        self,
        *,
        version: str | None = None,
        last: int = 1_000,
        since: float | None = None,
        shadow: bool = False,
        labelled: bool = False,
    ) -> Window:
        """Return the latest rows, of one version or of all; ``since`` in seconds since 1970; ``labelled`` those alone whose truth is known.

        Raises StoreError.
        """
        where, values = ["shadow = ?"], [int(shadow)]
        if version is not None:
            where, values = ["version = ?", *where], [version, *values]  # type: ignore[list-item]
        if since is not None:
            where, values = [*where, "at >= ?"], [*values, since]  # type: ignore[list-item]
        if labelled:
            where.append(
                "EXISTS(SELECT 1 FROM truths t WHERE t.request = requests.request AND t.place = requests.place)"
            )
        with _told(self.path):
            found = self.connection.execute(
                f"SELECT request, place, at, seconds, row, answer FROM requests WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
                [*values, last],
            ).fetchall()[::-1]
            truths = self._truths(found) if labelled else {}
        return Window(
            tuple(one[0] for one in found),
            tuple(one[1] for one in found),
            np.array([one[2] for one in found], np.float64),
            np.array([one[3] for one in found], np.float64),
            _table([one[4] for one in found], self.path),
            _table([one[5] for one in found], self.path),
            truths,
        )

    def trials(self, version: str, last: int) -> dict[str, tuple[Table | None, Table | None]]:
        """Return by version on trial what the live ``version`` answered, and what that one answered in its shadow, to the latest rows that both did. Raises StoreError."""
        with _told(self.path):
            found = self.connection.execute(
                "SELECT s.version, l.answer, s.answer FROM requests s JOIN requests l ON l.request = s.request AND l.place = s.place "
                "WHERE s.shadow = 1 AND l.shadow = 0 AND l.version = ? ORDER BY s.number DESC LIMIT ?",
                (version, last),
            ).fetchall()
        kept: dict[str, tuple[list[str], list[str]]] = {}
        for other, live, shadow in found:
            pair = kept.setdefault(other, ([], []))
            pair[0].append(live)
            pair[1].append(shadow)
        return {other: (_table(pair[0], self.path), _table(pair[1], self.path)) for other, pair in kept.items()}

    def _truths(self, found: Sequence[Any]) -> dict[str, list[Any]]:
        known: dict[str, list[Any]] = {}
        for number, one in enumerate(found):
            for target, value in self.connection.execute(
                "SELECT target, value FROM truths WHERE request = ? AND place = ?", (one[0], one[1])
            ):
                known.setdefault(target, [None] * len(found))[number] = json.loads(value)
        return known

    def counts(self) -> dict[str, int]:
        """Return how many rows, and how many truths, are in the store. Raises StoreError."""
        with _told(self.path):
            return {
                name: int(self.connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0])
                for name in ("requests", "truths")
            }

    def recorded(self) -> int:
        """Return how many rows were ever written, those among them that are forgotten by now. Raises StoreError."""
        with _told(self.path):
            found = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'requests'").fetchone()
        return int(found[0]) if found else 0

    def pace(self, since: float, steps: int, until: float) -> list[dict[str, Any]]:
        """Return for each of ``steps`` equal stretches of time how many rows were recorded, and the median and 95th percentile of the seconds they took. Raises StoreError."""
        with _told(self.path):
            found = self.connection.execute(
                "SELECT at, seconds FROM requests WHERE number > (SELECT COALESCE(MAX(number), 0) - 50000 FROM requests) AND shadow = 0 AND at >= ? AND at < ?",
                (since, until),
            ).fetchall()
        at, seconds = np.array(found, np.float64).reshape(-1, 2).T
        place = np.clip(((at - since) / (until - since) * steps).astype(np.int64), 0, steps - 1)
        rows = []
        for step in range(steps):
            own = seconds[place == step]
            middle, slow = (float(value) for value in np.quantile(own, [0.5, 0.95])) if len(own) else (None, None)
            rows.append(
                {"at": since + (step + 0.5) * (until - since) / steps, "rows": len(own), "median": middle, "slow": slow}
            )
        return rows

    def keep(self, *, rows: int, days: float, now: float | None = None) -> int:
        """Forget all but the latest ``rows`` rows, and those older than ``days``, with their truths; returns how many. Raises StoreError."""
        now = time.time() if now is None else now
        with _told(self.path), self.connection:
            last = self.connection.execute("SELECT COALESCE(MAX(number), 0) FROM requests").fetchone()[0]
            done = self.connection.execute(
                "DELETE FROM requests WHERE number <= ? OR at < ?", (last - rows, now - days * 86_400)
            ).rowcount
            if done > 0:
                self.connection.execute(
                    "DELETE FROM truths WHERE NOT EXISTS(SELECT 1 FROM requests r WHERE r.request = truths.request AND r.place = truths.place)"
                )
        with _told(self.path):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
        return max(int(done), 0)

    def note(self, name: str, value: Any) -> None:
        """Write down a fact about the store, such as which columns are left out. Raises StoreError."""
        with _told(self.path), self.connection:
            self.connection.execute("INSERT OR REPLACE INTO notes(name, value) VALUES(?, ?)", (name, json.dumps(value)))

    def notes(self) -> dict[str, Any]:
        """Return the facts. Raises StoreError."""
        with _told(self.path):
            found = self.connection.execute("SELECT name, value FROM notes").fetchall()
            return {name: json.loads(value) for name, value in found}

    def close(self) -> None:
        """Close the store."""
        self.connection.close()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a lesson."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        raise _lesson(path, error) from None


def _lesson(path: Path, error: BaseException) -> StoreError:
    said = str(error)
    if "full" in said or "No space" in said:
        advice = "The disk is full. Make room, or record less: --record-share, --record-rows, --record-days."
    elif "not a database" in said or "malformed" in said:
        advice = "The file is damaged. Move it away, and a new one is begun."
    elif "locked" in said:
        advice = "Another process is writing to it. Try again."
    else:
        advice = "See that the folder is there and can be written."
    return StoreError(f"The store {path} cannot be used ({said}). {advice}", file=str(path))


def open_store(path: str | Path, *, write: bool = False) -> Store:
    """Open a store; ``write`` makes one where there is none.

    Raises StoreError when there is none, when it is damaged, or when the file is something else.
    """
    path = Path(path)
    if not write and not path.is_file():
        raise StoreError(
            f"There is no store {path}. fathom serve writes one beside its bundle, unless it was given --record off.",
            file=str(path),
        )
    with _told(path):
        connection = sqlite3.connect(
            path if write else f"{path.resolve().as_uri()}?mode=rw",
            uri=not write,
            timeout=WAIT,
            check_same_thread=False,
        )
        try:
            _prepare(path, connection, write)
        except BaseException:
            connection.close()
            raise
    return Store(path, connection)


def _prepare(path: Path, connection: sqlite3.Connection, write: bool) -> None:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if mark != MARK and not (empty and write):
        raise StoreError(f"{path} is an SQLite file and no store of Fathom. Name another file.", file=str(path))
    known = connection.execute("PRAGMA user_version").fetchone()[0]
    if known not in (0, FORMAT):
        raise StoreError(
            f"{path} is a store of format {known}, and this Fathom reads format {FORMAT}. Use the Fathom that wrote it.",
            file=str(path),
        )
    if empty and write:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if write:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA application_id = {MARK}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.commit()


def _table(lines: Sequence[str], path: Path) -> Table | None:
    """Return JSON objects as a table; ``None`` of no row, or of rows without a column."""
    if not lines or all(line.strip() == "{}" for line in lines):
        return None
    try:
        return read_json_lines(open_stream(io.BytesIO("\n".join(lines).encode() + b"\n")))
    except FathomError as error:
        raise StoreError(f"The store {path} holds rows that cannot be read: {error}", file=str(path)) from None
