"""The store in a PostgreSQL database, by a URL: one store for many servers and many machines (extra ``postgresql``).

All of it lies in a schema of its own, ``fathom``, beside whatever else the database holds. A connection waits five seconds at most, and so does every statement: who records is told that the store is broken, and
tries again. Source of the URL's form and of the settings: https://www.postgresql.org/docs/current/libpq-connect.html; the driver is psycopg 3 (LGPL-3.0, https://www.psycopg.org/psycopg3/docs/).
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fathom.errors import OptionError, StoreError, require
from fathom.service.records.databases import contract
from fathom.service.records.databases.contract import FORMAT

NAME = "postgresql"
SCHEMES = ("postgresql", "postgres")
MARK = 0x46544D53  # "FTMS": the lock under which one process at a time makes the tables
SQL = {"full": "53100", "locked": "57014", "read_only": "25006", "no_rights": "42501"}  # PostgreSQL's own codes

_TABLES = """
CREATE SCHEMA IF NOT EXISTS fathom;
SET search_path TO fathom;
CREATE TABLE IF NOT EXISTS requests(
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request TEXT NOT NULL, place INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL, model TEXT NOT NULL,
  version TEXT NOT NULL, row TEXT NOT NULL, answer TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL, shadow SMALLINT NOT NULL);
CREATE INDEX IF NOT EXISTS by_version ON requests(version, shadow, number);
CREATE INDEX IF NOT EXISTS by_request ON requests(request, place);
CREATE TABLE IF NOT EXISTS truths(
  request TEXT NOT NULL, place INTEGER NOT NULL, target TEXT NOT NULL, value TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, PRIMARY KEY(request, place, target));
CREATE TABLE IF NOT EXISTS notes(name TEXT PRIMARY KEY, value TEXT NOT NULL);
COMMENT ON TABLE requests IS '%s';
"""
TOLD = f"requests and answers that Fathom recorded, format {FORMAT}"


def takes(place: str) -> bool:
    """Say whether a store's place is a URL; of the schemes other than PostgreSQL's, `check` says that there is no such database."""
    return "://" in place


def check(place: str) -> None:
    """Raise OptionError for a URL that is none of PostgreSQL's, ExtraError without psycopg."""
    scheme = place.partition("://")[0]
    if scheme not in SCHEMES:
        raise OptionError(f"There is no store of the kind {scheme!r}. Name a file, or postgresql://USER@HOST/DATABASE.")
    require("psycopg", "postgresql")


def check_possible(place: str) -> None:
    """Let a server that does not answer yet do so later; the recorder waits for it and says so."""


def shown(place: str) -> str:
    """Return the URL without its password and its settings, which may hold one."""
    try:
        parts = urlsplit(place)
        user = f"{parts.username}@" if parts.username else ""
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{place.partition(':')[0]}://…"
    return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, "", ""))


def absent(place: str) -> bool:
    """Only a connection tells whether a database has a store."""
    return False


def advice(error: BaseException) -> str | None:
    """Say what to do about what PostgreSQL raised."""
    library = require("psycopg", "postgresql")
    if isinstance(error, ValueError | TypeError):
        return "This row cannot be written down as text."
    if not isinstance(error, library.Error | OSError):
        return None
    code = getattr(error, "sqlstate", None)
    if code == SQL["full"]:
        return "Its disk is full. Make room, or record less: --record-share, --record-rows, --record-days."
    if code == SQL["locked"]:
        return f"It did not answer within {contract.WAIT:g} seconds; another process may be at work there."
    if code in (SQL["read_only"], SQL["no_rights"]):
        return "This user may not write there. Let it make the schema fathom: GRANT CREATE ON DATABASE … TO …"
    return "See that PostgreSQL runs there, that the database is there, and that the user may connect (a password may stand in PGPASSWORD or ~/.pgpass)."


def connect(place: str, *, write: bool) -> "Server":
    """Open a store, or make one. Raises StoreError when there is none, what `check` raises, and psycopg.Error."""
    check(place)
    library = require("psycopg", "postgresql")
    wait = round(1000 * contract.WAIT)
    connection = library.connect(
        place,
        connect_timeout=max(2, round(contract.WAIT)),
        tcp_user_timeout=wait,
        keepalives_idle=10,
        application_name="fathom",
        autocommit=True,
    )
    try:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(f"SET {name} = {wait}")
        _prepare(place, connection, write)
    except BaseException:
        connection.close()
        raise
    return Server(connection)


def _prepare(place: str, connection: Any, write: bool) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MARK,))
        found = {
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'fathom'"
            ).fetchall()
        }
        ours = found >= {"requests", "truths", "notes"}
        if not ours and not write:
            raise StoreError(
                f"There is no store in {shown(place)}. fathom serve makes one: --record {shown(place)}",
                file=shown(place),
            )
        if not ours and found:
            raise StoreError(
                f"{shown(place)} has a schema fathom that is no store of Fathom. Name another database.",
                file=shown(place),
            )
        if not ours:
            connection.execute(_TABLES % TOLD)
        (told,) = connection.execute("SELECT obj_description('fathom.requests'::regclass)").fetchone()
        if told != TOLD:
            raise StoreError(
                f"{shown(place)} has a store that says {told!r}, and this Fathom reads one that says {TOLD!r}. Use the Fathom that wrote it.",
                file=shown(place),
            )
    connection.execute("SET search_path TO fathom")


class Server:
    """A connection to a PostgreSQL server."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        found: list[tuple[Any, ...]] = self.connection.execute(_asked(statement), values).fetchall()
        return found

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes something; returns how many rows it changed."""
        return max(int(self.connection.execute(_asked(statement), values).rowcount), 0)

    def append(self, statement: str, values: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each of many values, without waiting for the answer to each; returns how many rows it changed in all."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_asked(statement), values)
            return max(int(cursor.rowcount), 0)

    def whole(self) -> AbstractContextManager[Any]:
        """Within it, all changes are made or none."""
        entered: AbstractContextManager[Any] = self.connection.transaction()
        return entered

    def recorded(self) -> int:
        """Return how many rows were ever written, those among them that were undone as they were written."""
        found = self.rows("SELECT last_value, is_called FROM requests_number_seq")
        return int(found[0][0]) if found[0][1] else 0

    def tidy(self) -> None:
        """Nothing: PostgreSQL gives room back by itself."""

    def lost(self) -> bool:
        """Say whether the connection was closed."""
        return bool(self.connection.closed)

    def close(self) -> None:
        """Close it."""
        self.connection.close()


def _asked(statement: str) -> str:
    return statement.replace("?", "%s")
