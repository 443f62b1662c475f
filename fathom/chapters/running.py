"""A run folder is written whole or not at all, by one fit at a time."""

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fathom.data.files.writing import cannot_write, sync_folder
from fathom.errors import OutputError, require

LOCK = "lock"
OWNER = "owner.json"
CHECKPOINTS = "checkpoints"
ENCODED = "encoded"
READINGS = "readings"


def next_folder(table: str, runs: Path = Path("runs")) -> Path:
    """Return the first folder ``runs/<table>-<n>`` that is not there yet.

    >>> next_folder("my homes!").as_posix()
    'runs/my-homes-1'
    """
    name = re.sub(r"[^\w.]+", "-", table).strip("-.") or "table"
    number = 1
    while (runs / f"{name}-{number}").exists() or _staging(runs / f"{name}-{number}").exists():
        number += 1
    return runs / f"{name}-{number}"


def unfinished_folder(table: str, runs: Path = Path("runs")) -> Path | None:
    """Return the folder ``runs/<table>-<n>`` of the newest run that left checkpoints and no result, or ``None``."""
    name = re.sub(r"[^\w.]+", "-", table).strip("-.") or "table"
    left = [path for path in runs.glob(f".{name}-*.unfinished") if has_checkpoints(path)]
    if not left:
        return None
    newest = max(left, key=_last_change)
    return newest.with_name(newest.name.removeprefix(".").removesuffix(".unfinished"))


def has_checkpoints(staging: Path) -> bool:
    """Say whether there is something to go on from: what a network has learned, rows that are encoded, or what a reader that was taught elsewhere has made of rows."""
    left = ((CHECKPOINTS, "*.checkpoint"), (ENCODED, "journal.json"), (READINGS, "*.npz"))
    return any(any((staging / name).glob(files)) for name, files in left)


def _last_change(staging: Path) -> int:
    return max(
        path.stat().st_mtime_ns for name in (CHECKPOINTS, ENCODED, READINGS) if (path := staging / name).is_dir()
    )


def can_go_on(path: Path) -> bool:
    """Say whether the unfinished run of a folder left checkpoints."""
    return has_checkpoints(_staging(path))


def _staging(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


class RunFolder:
    """The folder of a run while it is being made: everything goes to a folder beside it, which is renamed at the end."""

    def __init__(self, path: Path, staging: Path) -> None:
        self.path = path
        self.staging = staging

    @classmethod
    @contextmanager
    def reserve(cls, out: str | Path | None, resume: bool = False) -> Iterator["RunFolder | None"]:
        """Reserve a folder for a fit, and put it in place when the fit has ended well; ``None`` writes nothing.

        What a fit that was stopped has left is kept with ``resume``, and cleared away without. When this fit is stopped, its checkpoints stay.
        Raises OutputError when the folder is there already, another fit is writing it, or the disk does not take it.
        """
        if out is None:
            yield None
            return
        path = Path(out)
        _check_free(path)
        staging = _staging(path)
        lock = _take(path, staging)
        try:
            _check_free(path)  # another fit may have ended since
            if not resume:
                _clear(staging, path)
            _sign(staging, path)
            yield cls(path, staging)
            _put_in_place(path, staging)
        finally:
            if not has_checkpoints(staging):
                shutil.rmtree(staging, ignore_errors=True)
            lock.release()

    @property
    def checkpoints(self) -> Path:
        """The folder for checkpoints, which goes when the run is put in place."""
        return self.staging / CHECKPOINTS

    @property
    def encoded(self) -> Path:
        """The folder for the rows of a table larger than memory, which goes when the run is put in place."""
        return self.staging / ENCODED

    @property
    def readings(self) -> Path:
        """The folder for what readers that were taught elsewhere have made of rows, which goes when the run is put in place."""
        return self.staging / READINGS

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files, by their place in the folder. Raises OutputError when the disk does not take them."""
        try:
            for name, content in files.items():
                target = self.staging / name
                target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error, sum(map(len, files.values()))) from None


def _check_free(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(
            f"{path} is there already, and a run never writes over another. Name a new folder with --out, or remove it.",
            file=str(path),
        )


def _take(path: Path, staging: Path) -> Any:
    """Make the staging folder ours: its lock goes with the process that holds it, however that ends."""
    filelock = require("filelock", "train")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir(mode=0o755, exist_ok=True)
        lock = filelock.FileLock(staging / LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise OutputError(
            f"{path} is being written by another fit ({_owner(staging)}). Wait for it, or name another folder with --out.",
            file=str(path),
        ) from None
    except OSError as error:
        raise cannot_write(path, error) from None
    return lock


def _clear(staging: Path, path: Path) -> None:
    """Remove what a fit that is gone has left, but for the lock, which is ours by now."""
    try:
        for left in staging.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()
    except OSError as error:
        raise cannot_write(path, error) from None


def _sign(staging: Path, path: Path) -> None:
    try:
        (staging / OWNER).write_text(json.dumps({"process": os.getpid(), "machine": socket.gethostname()}))
    except OSError as error:
        raise cannot_write(path, error) from None


def _owner(staging: Path) -> str:
    """Say which process on which machine is writing."""
    try:
        owner = json.loads((staging / OWNER).read_text())
        return f"process {owner['process']} on {owner['machine']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has just begun"


def _put_in_place(path: Path, staging: Path) -> None:
    """Rename the folder, which then holds nothing but the run; the lock's file goes last, while we still hold it."""
    try:
        for passing in (CHECKPOINTS, ENCODED, READINGS):
            shutil.rmtree(staging / passing, ignore_errors=True)
        (staging / OWNER).unlink()
        (staging / LOCK).unlink()
        if path.exists():
            path.rmdir()
        staging.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
