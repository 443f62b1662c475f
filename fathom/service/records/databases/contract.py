"""What a database must do to hold a store: open it, run statements, and say in a lesson what went wrong.

Statements are those that SQLite and PostgreSQL have in common; a question mark stands for a value.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

FORMAT = 1
WAIT = 5.0  # seconds for a connection, and for another process to finish writing


class Connection(Protocol):
    """An open store. Each thread opens its own."""

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        ...

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes something; returns how many rows it changed."""
        ...

    def append(self, statement: str, values: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each of many values; returns how many rows it changed in all."""
        ...

    def whole(self) -> AbstractContextManager[Any]:
        """Within it, all changes are made or none."""
        ...

    def recorded(self) -> int:
        """Return how many rows were ever written."""
        ...

    def tidy(self) -> None:
        """Give back the room of what was forgotten, where that does not happen by itself."""
        ...

    def lost(self) -> bool:
        """Say whether what it was connected to is no longer there, so that it must be opened anew."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Database(Protocol):
    """A kind of database: a module of this folder."""

    NAME: str

    def takes(self, place: str) -> bool:
        """Say whether a store's place is of this kind."""
        ...

    def check(self, place: str) -> None:
        """Raise OptionError where a place names no store, and ExtraError where what connects to it is not installed; nothing is opened."""
        ...

    def check_possible(self, place: str) -> None:
        """Raise OptionError where a store can neither be nor be made at a place, for the person who names it; a server that runs already goes on without."""
        ...

    def shown(self, place: str) -> str:
        """Return the place as people may see it."""
        ...

    def absent(self, place: str) -> bool:
        """Say whether there is no store, as far as that can be told without a connection."""
        ...

    def connect(self, place: str, *, write: bool) -> Connection:
        """Open a store; ``write`` makes one where there is none. Raises StoreError where it is none of ours, and whatever the library raises."""
        ...

    def advice(self, error: BaseException) -> str | None:
        """Say what to do about what the library raised; ``None`` for an error that is not of this database."""
        ...
