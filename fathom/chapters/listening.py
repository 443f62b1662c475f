"""Who is told of a fit, and where it puts what does not fit in memory."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fathom.chapters.running import RunFolder
from fathom.errors import OptionError, check_installed
from fathom.progress import Progress, Several, Silent
from fathom.settings import Settings
from fathom.tensorboard import FOLDER, scalars


def check_log(settings: Settings, out: str | Path | None) -> None:
    """Raise ExtraError or OptionError where the log that was asked for cannot be written."""
    if settings.log is None:
        return
    check_installed(("tensorboard",), "tensorboard")
    if out is None:
        raise OptionError("log='tensorboard' is written into the run folder, and none is named. Give out=FOLDER.")


@contextmanager
def listeners(run: RunFolder | None, progress: Progress | None, settings: Settings) -> Iterator[Progress]:
    """Yield who is told of the fit. Raises OptionError for one that does not listen to everything."""
    told = progress or Silent()
    if not isinstance(told, Progress):
        raise OptionError(
            f"progress is a {type(told).__name__}, which lacks a method: it needs begin, advance, measure, end and say (fathom.progress.Progress)."
        )
    if settings.log is None or run is None:
        yield told
        return
    with scalars(run.staging / FOLDER) as log:
        yield Several(told, log)


@contextmanager
def room(run: RunFolder | None) -> Iterator[Path]:
    """Return the folder for what does not fit in memory; nothing is left of it but by a run that may go on."""
    if run is not None:
        yield run.encoded
        return
    with tempfile.TemporaryDirectory(prefix="fathom-") as folder:
        yield Path(folder)
