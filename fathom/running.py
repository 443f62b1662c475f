"""A run folder is written whole or not at all, by one fit at a time."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fathom.data.writing import cannot_write
from fathom.errors import OutputError

OWNER = "owner"


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


def _staging(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


class RunFolder:
    """The folder of a run while it is being made: everything goes to a folder beside it, which is renamed at the end."""

    def __init__(self, path: Path, staging: Path) -> None:
        self.path = path
        self.staging = staging

    @classmethod
    @contextmanager
    def reserve(cls, out: str | Path | None) -> Iterator["RunFolder | None"]:
        """Reserve a folder for a fit, and put it in place when the fit has ended well; ``None`` writes nothing.

        Raises OutputError when the folder is there already, another fit is writing it, or the disk does not take it.
        """
        if out is None:
            yield None
            return
        path = Path(out)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(
                f"{path} is there already, and a run never writes over another. Name a new folder with --out, or remove it.",
                file=str(path),
            )
        staging = _staging(path)
        _take(path, staging)
        try:
            yield cls(path, staging)
            _put_in_place(path, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files, by their place in the folder. Raises OutputError when the disk does not take them."""
        try:
            for name, content in files.items():
                target = self.staging / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error, sum(map(len, files.values()))) from None


def _take(path: Path, staging: Path) -> None:
    """Make the staging folder ours; one that was left by a fit that is gone is taken over."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            staging.mkdir()
        except FileExistsError:
            owner = _owner(staging)
            if owner is not None:
                raise OutputError(
                    f"{path} is being written by another fit (process {owner}). Wait for it, or name another folder with --out.",
                    file=str(path),
                ) from None
            shutil.rmtree(staging)
            staging.mkdir()
        (staging / OWNER).write_text(str(os.getpid()))
    except OSError as error:
        raise cannot_write(path, error) from None


def _put_in_place(path: Path, staging: Path) -> None:
    try:
        (staging / OWNER).unlink()
        if path.exists():
            path.rmdir()
        staging.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from None


def _owner(staging: Path) -> int | None:
    """Return the process that is writing, or ``None`` when it is gone."""
    try:
        process = int((staging / OWNER).read_text())
        os.kill(process, 0)
    except PermissionError:
        return process
    except (OSError, ValueError):
        return None
    return process
