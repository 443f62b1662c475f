"""The databases that can hold the store of requests and answers: one file each, the same statements for all."""

from fathom.service.records.databases import postgresql, sqlite
from fathom.service.records.databases.contract import Connection, Database

DATABASES: tuple[Database, ...] = (postgresql, sqlite)  # the last takes what no other does: files


def database_of(place: str) -> Database:
    """Return the database that a store's place names: a URL, or a file.

    >>> database_of("postgresql://fathom@db.example/requests").NAME, database_of("runs/late-1/requests.sqlite").NAME
    ('postgresql', 'sqlite')
    """
    return next(database for database in DATABASES if database.takes(place))


def shown(place: str) -> str:
    """Return a store's place as people may see it: without a password.

    >>> shown("postgresql://fathom:secret@db.example/requests?sslmode=require")
    'postgresql://fathom@db.example/requests'
    """
    return database_of(place).shown(place)


__all__ = ["DATABASES", "Connection", "Database", "database_of", "shown"]
