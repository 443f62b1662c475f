"""What a model came from, kept beside it so that it can be renewed for years: settings, files, and the test rows of its fit, frozen.

The frozen rows are copied when a shelf is made, because a table moves on: every later version is held against the same rows, which no version may learn from. Their
SHA-256 stands beside them, so that nobody changes them unnoticed. A measure that moves tells nothing (Breck et al., "The ML Test Score", IEEE Big Data 2017, section II).
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.chapters.sealing import HASHES
from fathom.data.files.folders import is_folder, parted
from fathom.data.files.reading import read
from fathom.data.rows.splitting import OWN_TEST, Hashes
from fathom.data.table import Table
from fathom.errors import BundleError, FathomError, OutputError
from fathom.settings import Settings
from fathom.settings_files import settings_from

NOTE = "origin.json"
SETTINGS = "settings.toml"
FROZEN = "frozen.arrow"


@dataclass(frozen=True)
class Origin:
    """What a model came from: the ``files`` of its table, its ``targets`` and ``settings``, and the ``sealed`` hashes of its test rows.

    ``own_test`` says that the test rows were a file of their own; ``frozen`` are the test rows themselves, ``None`` where they could not be had. ``run`` is the
    run folder of the fit, where looks at its test rows are counted, empty on a shelf that does not know it.
    """

    files: tuple[str, ...]
    targets: tuple[str, ...]
    settings: Settings
    sealed: Hashes = field(repr=False)
    own_test: bool = False
    frozen: Table | None = None
    run: str = ""

    def table(self, lies: str | Path | None = None) -> Table | None:
        """Return the table of the fit as it is today, ``None`` where its files are gone; ``lies`` says where it is now. Raises TableError when it cannot be read."""
        source = self.source(lies)
        return None if source is None else read_as(source, self.settings, self.targets)

    def source(self, lies: str | Path | None = None) -> str | list[str] | None:
        """Return where the table of the fit lies today, ``None`` where its files are gone."""
        if lies is not None:
            return str(lies)
        if not self.files or not all(Path(name).exists() for name in self.files):
            return None
        return self.files[0] if len(self.files) == 1 else list(self.files)

    def notes(self) -> dict[str, bytes]:
        """Return the files that say all this on a shelf."""
        from fathom.settings_files import settings_text

        hashes = io.BytesIO()
        note: dict[str, Any] = {
            "files": self.files,
            "targets": self.targets,
            "own_test": self.own_test,
            "run": self.run,
        }
        np.save(hashes, self.sealed, allow_pickle=False)
        files = {SETTINGS: settings_text(self.settings).encode(), HASHES: hashes.getvalue()}
        if self.frozen is not None:
            files[FROZEN] = table_bytes(self.frozen)
            note["frozen"] = {"rows": self.frozen.rows, "sha256": hashlib.sha256(files[FROZEN]).hexdigest()}
        return {**files, NOTE: (json.dumps(note, indent=1) + "\n").encode()}


def read_as(source: Any, settings: Settings, targets: tuple[str, ...]) -> Table:
    """Read a table as the settings of a fit say that it is written."""
    if is_folder(source):
        source = parted(source, targets[0], None)[0]
    return read(
        source,
        bad_rows=settings.bad_rows,
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        header=settings.header,
    )


def origin_of_run(run: Path) -> Origin:
    """Return what the model of a run folder came from; its test rows are not read yet. Raises OutputError where the folder does not say."""
    try:
        result = json.loads((run / "result.json").read_bytes())
        files = tuple(str(Path(name).resolve()) for name in result["table"]["files"])
        targets = tuple(entry["name"] for entry in result["targets"])
        own_test = _own_test(result["split"])
        settings = Settings.of(settings_from(run / SETTINGS))
        sealed = np.load(run / HASHES, allow_pickle=False)
        return Origin(files, targets, settings, sealed, own_test, run=str(run.resolve()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{run} does not say how its model was fitted ({type(error).__name__}). Name the run folder that fathom fit wrote, with "
            f"result.json, {SETTINGS} and {HASHES} in it, or its bundle inside it.",
            file=str(run),
        ) from None


def _own_test(split: Mapping[str, Any]) -> bool:
    if "own_test" not in split:  # runs from before there was the field told it in the sentence alone
        return OWN_TEST in split["how"]
    if not isinstance(split["own_test"], bool):
        raise ValueError("own_test is true or false")
    return bool(split["own_test"])


def origin_on(shelf: Path) -> Origin:
    """Return what the first model of a shelf came from. Raises BundleError where the shelf does not say, or the frozen rows were changed."""
    try:
        note = json.loads((shelf / NOTE).read_bytes())
        settings = Settings.of(settings_from(shelf / SETTINGS))
        sealed = np.load(shelf / HASHES, allow_pickle=False)
        files, targets, run = tuple(note["files"]), tuple(note["targets"]), str(note.get("run", ""))
        origin = Origin(files, targets, settings, sealed, bool(note["own_test"]), run=run)
        if "frozen" not in note:
            return origin
        content = (shelf / FROZEN).read_bytes()
        if hashlib.sha256(content).hexdigest() != note["frozen"]["sha256"]:
            raise BundleError(
                f"{shelf / FROZEN} was changed: its SHA-256 is not the one in {NOTE}. Versions are judged on these rows; put the file back.",
                file=str(shelf / FROZEN),
            )
        return replace(origin, frozen=table_from(content, "the frozen rows"))
    except FathomError:
        raise
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BundleError(
            f"{shelf} does not say what its first model came from ({type(error).__name__} in {NOTE}). Make the shelf anew: fathom update RUN --shelf FOLDER",
            file=str(shelf / NOTE),
        ) from None


def table_bytes(table: Table) -> bytes:
    """Write a table as Arrow's own file, which keeps every type."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.arrow.schema) as writer:
        writer.write_table(table.arrow)
    return bytes(sink.getvalue())


def table_from(content: bytes, name: str) -> Table:
    """Read what `table_bytes` wrote."""
    return Table(pa.ipc.open_file(pa.py_buffer(content)).read_all().combine_chunks(), name=name)
