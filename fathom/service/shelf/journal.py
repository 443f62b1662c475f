"""A log that says who did what, when and why, one line a change, forced to the disk; and the lock under which changes are made."""

import contextlib
import datetime
import getpass
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fathom.data.files.writing import cannot_write
from fathom.errors import OutputError

PATIENCE_SECONDS = 10.0  # that a change waits for another to end
Entry = dict[str, Any]

if sys.platform == "win32":
    import msvcrt

    def _hold(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _hold(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def who_is_here() -> str:
    """Return the name of the user who runs this, for a log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a user's name
        return "unknown"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file while a change is made; it goes with the process that holds it, however that ends.

    Raises OutputError when another process does not give it up within ten seconds, or the file cannot be written.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise cannot_write(path, error) from None
    with file:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                _hold(file)
                break
            except OSError:
                if time.monotonic() > until:
                    raise OutputError(
                        f"{path.parent} is being changed by another process. Wait for it to end, then try again.",
                        file=str(path),
                    ) from None
                time.sleep(0.02)
        yield


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Write one line to the end of a log and force it to the disk. Raises OutputError when the disk does not take it.

    A line that a power cut left half-written is ended first, so that it costs no other.
    """
    line = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with path.open("ab+") as file:
            if file.tell() and _last_byte(file) != b"\n":
                line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from None


def entries(path: Path) -> list[Entry]:
    """Return the lines of a log, oldest first; one that was left half-written is passed over."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    found.append(entry)
    return found


def _last_byte(file: IO[bytes]) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
