"""Arrays on the disk, written row after row and read by ranges, with a journal that says up to where they are whole.

Each array is a ``.npy`` file, so that ``numpy.load(..., mmap_mode="r")`` opens it. Here it is read, not mapped: the pages of a mapped file count as memory of
the process until the system wants them back.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fathom.data.files.writing import cannot_write
from fathom.errors import OutputError

JOURNAL = "journal.json"


@dataclass(frozen=True)
class Layout:
    """The type of an array and how many numbers a row has; a width of 0 is one number, without an axis of its own."""

    kind: str
    width: int

    @property
    def row_bytes(self) -> int:
        """The bytes of a row."""
        return int(np.dtype(self.kind).itemsize * max(self.width, 1))

    def header(self, rows: int) -> bytes:
        """Return the beginning of the ``.npy`` file; NumPy leaves room for rows to come, so that its length does not change."""
        shape = (rows, self.width) if self.width else (rows,)
        held = io.BytesIO()
        np.lib.format.write_array_header_1_0(held, {"descr": self.kind, "fortran_order": False, "shape": shape})
        return held.getvalue()


@dataclass(frozen=True)
class StoredArrays:
    """Arrays of ``rows`` rows in a folder, by name."""

    folder: Path
    layouts: Mapping[str, Layout]
    rows: int

    @property
    def row_bytes(self) -> int:
        """The bytes of a row of all arrays."""
        return sum(layout.row_bytes for layout in self.layouts.values())

    def read(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return a range of rows of every array, in memory."""
        found = {}
        for name, layout in self.layouts.items():
            array = np.empty((stop - start, layout.width) if layout.width else stop - start, layout.kind)
            with (self.folder / f"{name}.npy").open("rb", buffering=0) as file:
                file.seek(len(layout.header(self.rows)) + start * layout.row_bytes)
                rest = memoryview(array.reshape(-1).view(np.uint8).data)
                while rest:
                    got = file.readinto(rest)
                    if not got:
                        raise OutputError(
                            f"{file.name} is cut short: something has changed it during the fit.", file=str(file.name)
                        )
                    rest = rest[got:]
            found[name] = array
        return found


class Writer:
    """Appends rows to the arrays of a folder, going on where a journal of the same ``fingerprint`` ends.

    Raises OutputError when the disk does not take the rows.
    """

    def __init__(self, folder: Path, layouts: Mapping[str, Layout], fingerprint: str) -> None:
        self.folder, self.layouts, self.fingerprint = folder, layouts, fingerprint
        found = _journal(folder, fingerprint)
        self._state: tuple[int, int, dict[str, Any]] = (
            found.get("read", 0),
            found.get("written", 0),
            found.get("notes", {}),
        )
        self.files: dict[str, BinaryIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, layout in layouts.items():
                path = folder / f"{name}.npy"
                file = self.files[name] = path.open("r+b" if self.written and path.exists() else "wb")
                if file.seek(0, os.SEEK_END) < self._end(layout):  # not what the journal says: begin anew
                    self._state = 0, 0, {}
            for name, layout in layouts.items():
                self.files[name].truncate(self._end(layout))
                self.files[name].seek(0)
                self.files[name].write(layout.header(self.written))
                self.files[name].seek(self._end(layout))
        except OSError as error:
            raise self._cannot(error) from None

    @property
    def read(self) -> int:
        """How many rows of the source are dealt with."""
        return self._state[0]

    @property
    def written(self) -> int:
        """How many rows the arrays hold."""
        return self._state[1]

    @property
    def notes(self) -> dict[str, Any]:
        """What the caller noted with the last rows."""
        return self._state[2]

    def append(self, arrays: Mapping[str, npt.NDArray[Any]], read: int, notes: Mapping[str, Any]) -> None:
        """Append as many rows to every array, now that ``read`` rows of the source are dealt with."""
        try:
            for name, layout in self.layouts.items():
                self.files[name].write(np.ascontiguousarray(arrays[name], layout.kind).data)
        except OSError as error:
            raise self._cannot(error) from None
        # At once, so that an interruption never finds rows that are written and not counted.
        self._state = read, self.written + len(next(iter(arrays.values()))), dict(notes)

    def note(self) -> None:
        """Force the rows to the disk, and write into the journal that they are there."""
        read, written, notes = self._state
        journal = {"fingerprint": self.fingerprint, "read": read, "written": written, "notes": notes}
        try:
            for file in self.files.values():
                file.flush()
                os.fsync(file.fileno())
            beside = self.folder / f".{JOURNAL}"
            beside.write_text(json.dumps(journal))
            beside.replace(self.folder / JOURNAL)
        except OSError as error:
            raise self._cannot(error) from None

    def close(self) -> StoredArrays:
        """Write how many rows there are into every file, and return the arrays."""
        try:
            for name, layout in self.layouts.items():
                self.files[name].seek(0)
                self.files[name].write(layout.header(self.written))
                self.files[name].close()
        except OSError as error:
            raise self._cannot(error) from None
        return StoredArrays(self.folder, self.layouts, self.written)

    def release(self) -> None:
        """Close the files as they are."""
        for file in self.files.values():
            with contextlib.suppress(OSError):  # what could not be written has been told
                file.close()

    def _end(self, layout: Layout) -> int:
        return len(layout.header(self.written)) + self.written * layout.row_bytes

    def _cannot(self, error: OSError) -> OutputError:
        return cannot_write(self.folder, error)


def check_room(folder: Path, needed: int) -> None:
    """Raise OutputError when a disk has not so many bytes left."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise OutputError(
            f"{folder} needs room for about {needed / 1e9:.1f} GB of encoded rows, and {free / 1e9:.1f} GB are free. Make room, or name a place with "
            "more of it with --out.",
            file=str(folder),
        )


def _journal(folder: Path, fingerprint: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / JOURNAL).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("fingerprint") == fingerprint else {}
