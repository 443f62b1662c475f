"""The store as an SQLite file beside the bundle: nothing to install, nothing to run.

Write-ahead logging lets readers and the one writer work at once (https://www.sqlite.org/wal.html).
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from fathom.errors import OptionError, StoreError
from fathom.service.records.databases import contract
from fathom.service.records.databases.contract import FORMAT

NAME = "sqlite"
MARK = 0x46544D53  # "FTMS": tells a store from any other SQLite file

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


def takes(place: str) -> bool:
    """Say whether a store's place is a file: whatever is no URL."""
    return "://" not in place


def check(place: str) -> None:
    """Take any name of a file."""


def check_possible(place: str) -> None:
    """Raise OptionError where the folder is not there or may not be written, or where a folder has the file's name: it would be noticed by nobody until the rows are missed."""
    path = Path(place)
    if path.is_dir():
        raise OptionError(f"--record {place} is a folder. Name a file in it: --record {path / 'requests.sqlite'}")
    if not path.parent.is_dir():
        raise OptionError(
            f"--record {place}: there is no folder {path.parent}. Make it (mkdir -p {path.parent}), or name a file in another."
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OptionError(f"--record {place} may not be written. Name a file in another folder, or allow it.")


def shown(place: str) -> str:
    """Return the file's name."""
    return place


def absent(place: str) -> bool:
    """Say whether there is no such file."""
    return not Path(place).is_file()


def advice(error: BaseException) -> str | None:
    """Say what to do about what SQLite raised."""
    if not isinstance(error, sqlite3.Error | OSError | ValueError | TypeError):
        return None
    said = str(error)
    if "full" in said or "No space" in said:
        return "The disk is full. Make room, or record less: --record-share, --record-rows, --record-days."
    if "not a database" in said or "malformed" in said:
        return "The file is damaged. Move it away, and a new one is begun."
    if "locked" in said:
        return "Another process is writing to it. Try again."
    return "See that the folder is there and can be written."


def connect(place: str, *, write: bool) -> "File":
    """Open a store, or make one. Raises StoreError when there is none or the file is something else, and sqlite3.Error."""
    path = Path(place)
    if not write and not path.is_file():
        raise StoreError(
            f"There is no store {path}. fathom serve writes one beside its bundle, unless it was given --record off.",
            file=place,
        )
    connection = sqlite3.connect(
        path if write else f"{path.resolve().as_uri()}?mode=rw",
        uri=not write,
        timeout=contract.WAIT,
        check_same_thread=False,
    )
    try:
        _prepare(path, connection, write)
    except BaseException:
        connection.close()
        raise
    return File(path, connection)


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


class File:
    """An open SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self.connection = path, connection

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        return self.connection.execute(statement, values).fetchall()

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes something; returns how many rows it changed."""
        return max(self.connection.execute(statement, values).rowcount, 0)

    def append(self, statement: str, values: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each of many values; returns how many rows it changed in all."""
        return max(self.connection.executemany(statement, values).rowcount, 0)

    def whole(self) -> AbstractContextManager[Any]:
        """Within it, all changes are made or none."""
        return self.connection

    def recorded(self) -> int:
        """Return how many rows were ever written."""
        found = self.rows("SELECT seq FROM sqlite_sequence WHERE name = 'requests'")
        return int(found[0][0]) if found else 0

    def tidy(self) -> None:
        """Give back the room of what was forgotten."""
        self.rows("PRAGMA incremental_vacuum")

    def lost(self) -> bool:
        """Say whether the file was moved away."""
        return not self.path.exists()

    def close(self) -> None:
        """Close it."""
        self.connection.close()
