"""The store of requests and answers, which a server writes and everyone else reads: an SQLite file beside the bundle, or a PostgreSQL database by its URL.

A row of a request is a row of the table ``requests``: what came, what was answered, by which version, when and how fast. What turned out to be true is a row of ``truths``, found by the request's id, the place of the
row in it (from 0) and the target. The order is that of writing, so that a clock that goes back changes nothing. What differs between the databases is in `fathom.service.records.databases`.
"""

import contextlib
import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.files.finding import open_stream
from fathom.data.files.json_lines import read_json_lines
from fathom.data.table import Table
from fathom.errors import FathomError, StoreError
from fathom.service.records.databases import Connection, database_of, shown

NAME = "requests.sqlite"

# The latest rows of the id alone, so that a client that gives all its requests one id costs no more than others.
_WRITE = """
INSERT INTO requests(request, place, at, model, version, row, answer, seconds, shadow) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS(
  SELECT 1 FROM (SELECT version, row, shadow FROM requests WHERE request = ? AND place = ? ORDER BY number DESC LIMIT 4) AS latest
  WHERE latest.version = ? AND latest.row = ? AND latest.shadow = ?)
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
    1
    >>> store.learn([("a1", 0, "price", 8.0)]), store.learn([("b2", 0, "price", 8.0)])
    (1, 0)
    >>> window = store.window(labelled=True)
    >>> window.rows.to_pylist(), window.answers.to_pylist(), window.truths
    ([{'rooms': 3}], [{'price': 7.5}], {'price': [8.0]})
    >>> store.close()
    """

    def __init__(self, place: str, connection: Connection) -> None:
        self.place = place
        self.connection = connection

    def write(self, entries: Iterable[Entry]) -> int:
        """Append rows, all or none; returns how many. What the same request asked the same version a moment ago is there already: an answer sent again, or asked for once more with its reasons. Raises StoreError."""
        values = [
            (one.request, one.place, one.at, one.model, one.version, one.row, one.answer, one.seconds, int(one.shadow))
            for one in entries
        ]
        with _told(self.place), self.connection.whole():
            return self.connection.append(_WRITE, ((*one, one[0], one[1], one[4], one[5], one[8]) for one in values))

    def learn(self, truths: Iterable[tuple[str, int, str, Any]], now: float | None = None) -> int:
        """Write what turned out to be true: request, place, target, value. Returns how many belong to a row that is in the store; the others are left out.

        A later truth takes the place of an earlier one. Raises StoreError.
        """
        now = time.time() if now is None else now
        kept = 0
        with _told(self.place), self.connection.whole():
            for request, place, target, value in truths:
                kept += self.connection.change(
                    "INSERT INTO truths(request, place, target, value, at) SELECT request, place, ?, ?, ? FROM requests "
                    "WHERE request = ? AND place = ? LIMIT 1 "
                    "ON CONFLICT(request, place, target) DO UPDATE SET value = excluded.value, at = excluded.at",
                    (target, json.dumps(value, ensure_ascii=False), now, request, place),
                )
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
        where: list[str] = ["shadow = ?"]
        values: list[str | float] = [int(shadow)]
        if version is not None:
            where, values = ["version = ?", *where], [version, *values]
        if since is not None:
            where, values = [*where, "at >= ?"], [*values, since]
        if labelled:
            where.append(
                "EXISTS(SELECT 1 FROM truths t WHERE t.request = requests.request AND t.place = requests.place)"
            )
        chosen = f"FROM requests WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?"
        with _told(self.place):
            found = self.connection.rows(f"SELECT request, place, at, seconds, row, answer {chosen}", [*values, last])[
                ::-1
            ]
            truths = self._truths(found, chosen, [*values, last]) if labelled else {}
        return Window(
            tuple(one[0] for one in found),
            tuple(one[1] for one in found),
            np.array([one[2] for one in found], np.float64),
            np.array([one[3] for one in found], np.float64),
            _table([one[4] for one in found], self.place),
            _table([one[5] for one in found], self.place),
            truths,
        )

    def trials(self, version: str, last: int) -> dict[str, tuple[Table | None, Table | None]]:
        """Return by version on trial what the live ``version`` answered, and what that one answered in its shadow, to the latest rows that both did. Raises StoreError."""
        with _told(self.place):
            found = self.connection.rows(
                "SELECT s.version, l.answer, s.answer FROM requests s JOIN requests l ON l.request = s.request AND l.place = s.place "
                "WHERE s.shadow = 1 AND l.shadow = 0 AND l.version = ? ORDER BY s.number DESC LIMIT ?",
                (version, last),
            )
        kept: dict[str, tuple[list[str], list[str]]] = {}
        for other, live, shadow in found:
            pair = kept.setdefault(other, ([], []))
            pair[0].append(live)
            pair[1].append(shadow)
        return {other: (_table(pair[0], self.place), _table(pair[1], self.place)) for other, pair in kept.items()}

    def _truths(self, found: Sequence[Any], chosen: str, values: Sequence[Any]) -> dict[str, list[Any]]:
        numbers: dict[tuple[str, int], list[int]] = {}
        for number, one in enumerate(found):
            numbers.setdefault((one[0], one[1]), []).append(number)
        known: dict[str, list[Any]] = {}
        for request, place, target, value in self.connection.rows(
            f"SELECT request, place, target, value FROM truths WHERE (request, place) IN (SELECT request, place {chosen})",
            values,
        ):
            for number in numbers.get((request, place), ()):
                known.setdefault(target, [None] * len(found))[number] = json.loads(value)
        return known

    def counts(self) -> dict[str, int]:
        """Return how many rows, and how many truths, are in the store. Raises StoreError."""
        with _told(self.place):
            return {
                name: int(self.connection.rows(f"SELECT COUNT(*) FROM {name}")[0][0]) for name in ("requests", "truths")
            }

    def recorded(self) -> int:
        """Return how many rows were ever written, those among them that are forgotten by now. Raises StoreError."""
        with _told(self.place):
            return self.connection.recorded()

    def pace(self, since: float, steps: int, until: float) -> list[dict[str, Any]]:
        """Return for each of ``steps`` equal stretches of time how many rows were recorded, and the median and 95th percentile of the seconds they took. Raises StoreError."""
        with _told(self.place):
            found = self.connection.rows(
                "SELECT at, seconds FROM requests WHERE number > (SELECT COALESCE(MAX(number), 0) - 50000 FROM requests) AND shadow = 0 AND at >= ? AND at < ?",
                (since, until),
            )
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
        with _told(self.place), self.connection.whole():
            last = self.connection.rows("SELECT COALESCE(MAX(number), 0) FROM requests")[0][0]
            done = self.connection.change(
                "DELETE FROM requests WHERE number <= ? OR at < ?", (last - rows, now - days * 86_400)
            )
            if done:
                self.connection.change(
                    "DELETE FROM truths WHERE NOT EXISTS(SELECT 1 FROM requests r WHERE r.request = truths.request AND r.place = truths.place)"
                )
        with _told(self.place):
            self.connection.tidy()
        return done

    def note(self, name: str, value: Any) -> None:
        """Write down a fact about the store, such as which columns are left out. Raises StoreError."""
        with _told(self.place), self.connection.whole():
            self.connection.change(
                "INSERT INTO notes(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(value)),
            )

    def notes(self) -> dict[str, Any]:
        """Return the facts. Raises StoreError."""
        with _told(self.place):
            return {name: json.loads(value) for name, value in self.connection.rows("SELECT name, value FROM notes")}

    def lost(self) -> bool:
        """Say whether the file was moved away, or the connection closed: the store must be opened anew."""
        return self.connection.lost()

    def close(self) -> None:
        """Close the store."""
        self.connection.close()


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    """Turn what a database says into a lesson."""
    try:
        yield
    except FathomError:
        raise
    except Exception as error:
        if (advice := database_of(place).advice(error)) is None:
            raise
        said = " ".join(str(error).replace(place, shown(place)).split())
        raise StoreError(f"The store {shown(place)} cannot be used ({said}). {advice}", file=shown(place)) from None


def is_store(place: str | Path) -> bool:
    """Say whether a name is that of a store: the URL of a database, or a file as `fathom serve` names it.

    >>> is_store("postgresql://db.example/requests"), is_store("runs/late-1/requests.sqlite"), is_store("new.csv")
    (True, True, False)
    """
    return str(place).startswith(("postgresql://", "postgres://")) or str(place).endswith(NAME)


def is_absent(place: str | Path) -> bool:
    """Say whether there is no store yet, as far as that can be told at once."""
    return database_of(str(place)).absent(str(place))


def open_store(place: str | Path, *, write: bool = False) -> Store:
    """Open a store, a file or the URL of a database; ``write`` makes one where there is none.

    Raises StoreError when there is none, when it is damaged, or when it is something else; ExtraError where the driver of a database is not installed.
    """
    named = str(place)
    with _told(named):
        return Store(named, database_of(named).connect(named, write=write))


def _table(lines: Sequence[str], place: str) -> Table | None:
    """Return JSON objects as a table; ``None`` of no row, or of rows without a column."""
    if not lines or all(line.strip() == "{}" for line in lines):
        return None
    try:
        return read_json_lines(open_stream(io.BytesIO("\n".join(lines).encode() + b"\n")))
    except FathomError as error:
        raise StoreError(
            f"The store {shown(place)} holds rows that cannot be read: {error}", file=shown(place)
        ) from None
