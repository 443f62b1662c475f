"""The few ways a run can fail, drawn as a tree; each error is a short lesson.

::

    FathomError            something the user can mend; the command line exits with 2
    ├── TableError         a file, a column or a cell cannot be used
    ├── OptionError        a setting is unknown, or cannot be honoured
    ├── OutputError        a result cannot be written (disk full, folder in use)
    ├── BundleError        a bundle is damaged, or does not fit the rows it is given
    ├── StoreError         the store of requests and answers is damaged, or is not there
    ├── CheckpointError    a fit cannot be taken up again
    ├── TrainingError      a network cannot be taught: its numbers leave the range that a computer holds
    └── ExtraError         a library is needed that is not installed

A message says what was found and where, what was expected, and what to do next.
Mistakes of Fathom itself are plain ``AssertionError`` or ``RuntimeError``.
"""

import difflib
from collections.abc import Iterable
from types import ModuleType


class FathomError(Exception):
    """The root of every error that a user can mend.

    ``file``, ``line`` (counted from 1, the header included) and ``column`` repeat, as fields, what the
    message says in words, for programs that show errors their own way.

    >>> error = TableError("Column 'age', line 7: 'x' is not a number.", column="age", line=7)
    >>> error.column, error.line
    ('age', 7)
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.column = column


class TableError(FathomError):
    """A file, a column or a cell cannot be used."""


class LeakageError(TableError):
    """A column gives the target away, so that what is learned would be worth nothing."""


class OptionError(FathomError):
    """A setting is unknown, or cannot be honoured."""


class OutputError(FathomError):
    """A result cannot be written."""


class BundleError(FathomError):
    """A bundle is damaged, or does not fit the rows it is given."""


class StoreError(FathomError):
    """The store of requests and answers cannot be opened, read or written."""


class CheckpointError(FathomError):
    """A fit cannot be taken up again from what it left."""


class TrainingError(FathomError):
    """A network cannot be taught, and lowering the learning rate did not help."""


class ExtraError(FathomError):
    """A library is needed that is not installed."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with the nearest known name, or an empty string.

    >>> suggestion("prise", ["price", "rooms"])
    " Did you mean 'price'?"
    >>> suggestion("zzz", ["price"]), suggestion("age", ["target"])
    ('', '')
    """
    choices = list(known)
    near = [other for other in difflib.get_close_matches(name, choices, cutoff=0.6) if _like(name, other)]
    if not near:  # the same letters in another case are near as well
        near = [choice for choice in choices if choice.casefold() == name.casefold()][:1]
    return f" Did you mean {near[0]!r}?" if near else ""


def _like(name: str, other: str) -> bool:
    """Say whether one name may be a slip for the other: most letters in order, one within the other, or the same letters."""
    near = difflib.SequenceMatcher(None, other, name).ratio() >= 0.7
    letters, others = (sorted(filter(str.isalnum, word)) for word in (name, other))
    return near or name in other or other in name or letters == others


def check_installed(modules: Iterable[str], extra: str) -> None:
    """Say which extra brings a library that is not installed, without importing any.

    Raises ExtraError.

    >>> check_installed(["json"], "train")
    """
    import importlib.util

    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ExtraError(_lacking(module, extra))


def require(module: str, extra: str) -> ModuleType:
    """Import and return ``module``, or say which extra brings it.

    Raises ExtraError when the library is not installed.

    >>> require("json", "train").__name__
    'json'
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise ExtraError(_lacking(error.name, extra)) from None


def _lacking(library: str, extra: str) -> str:
    return f"This needs the library '{library}', which is not installed. Install it with: pip install \"fathom-learn[{extra}]\""
