"""Which versions of a model a shelf serves: the state, and the file that holds it, written whole or not at all."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fathom.data.files.writing import cannot_write, sync_folder
from fathom.errors import BundleError

FORMAT = 1
NAME = "state.json"
Step = Literal["promote", "canary"]  # what may have to wait for someone's word: both change what is served


@dataclass(frozen=True)
class Canary:
    """A version that answers a ``share`` (0 to 1) of the requests in place of the live one."""

    version: str
    share: float


@dataclass(frozen=True)
class Waiting:
    """A step that was asked for and waits until someone approves it: ``what`` is to happen to ``version``, and who asked, when and why."""

    what: Step
    version: str
    who: str
    when: str
    why: str
    share: float | None = None


@dataclass(frozen=True)
class State:
    """What a shelf serves. ``live`` answers; ``shadow`` answers too, for comparison, and is not heard; ``canary`` answers a share.

    ``before`` are the versions that were live, newest last; with ``approval`` a promotion or a canary waits in ``waiting`` until
    someone approves it; ``change`` counts the changes, and is the number of the latest one's line in the log.
    """

    live: str
    shadow: str | None = None
    canary: Canary | None = None
    before: tuple[str, ...] = ()
    waiting: Waiting | None = None
    approval: bool = False
    change: int = 0

    def to_bytes(self) -> bytes:
        """Write `state.json`."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def at_rest(self) -> "State":
        """The same without a trial: no shadow, no canary, nothing waiting."""
        return replace(self, shadow=None, canary=None, waiting=None)

    @property
    def in_use(self) -> set[str]:
        """The versions that a server must have open."""
        return (
            {self.live} | ({self.shadow} if self.shadow else set()) | ({self.canary.version} if self.canary else set())
        )


def read_state(path: Path) -> State:
    """Read `state.json`. Raises BundleError when it is not there, or is not what `State.to_bytes` writes."""
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise BundleError(
                f"{path} has format {values['format']!r}, and this Fathom reads format {FORMAT}. Use the Fathom that wrote it.",
                file=str(path),
            )
        return _state(values)
    except OSError:
        raise BundleError(
            f"{path.parent} is not a shelf: it has no {NAME}. Name the folder that fathom update wrote, or make one: "
            "fathom update RUN --shelf FOLDER",
            file=str(path),
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"{path} is not the state of a shelf ({type(error).__name__}). What it said last stands in log.jsonl beside it; "
            "put the file back from a copy.",
            file=str(path),
        ) from None


def write_state(path: Path, state: State) -> None:
    """Put a state in the place of the one before: written beside it, forced to the disk, renamed. Raises OutputError."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            file.write(state.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None


def _state(values: Mapping[str, Any]) -> State:
    canary, waiting = values.get("canary"), values.get("waiting")
    state = State(
        values["live"],
        values.get("shadow"),
        Canary(canary["version"], float(canary["share"])) if canary else None,
        tuple(values.get("before", ())),
        Waiting(**waiting) if waiting else None,
        bool(values.get("approval", False)),
        int(values.get("change", 0)),
    )
    named = [state.live, *state.before, *state.in_use, *([state.waiting.version] if state.waiting else [])]
    if not all(isinstance(name, str) and name.isalnum() for name in named):  # a name becomes a path
        raise ValueError("a version is no name")
    if state.canary and not 0 <= state.canary.share <= 1:
        raise ValueError("a share lies outside 0 to 1")
    return state
