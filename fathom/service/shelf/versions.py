"""A shelf: the versions of one model side by side, which of them is served, and every change of that, atomic and logged.

A folder ``SHELF`` holds ``versions/VERSION/`` (bundles, never changed), ``gates/VERSION.json`` (what the gate said of a renewed one), ``state.json`` (which of them
answers, `fathom.service.shelf.states`) and ``log.jsonl`` (who changed that, to what, when and why). A change is first written to the log with its number, then the state that
carries the same number takes the place of the one before by a rename. A process that is killed in between leaves a line whose number
is above the state's: the change did not happen, and the next change says so in the log. So at every moment one whole version is live.

Sources: write-ahead logging, Mohan et al., "ARIES", ACM TODS 17(1), 1992, section 1; shadow and canary releases, Breck et al., "The ML Test
Score", IEEE Big Data 2017, section IV, tests 6 and 7 (canary before serving, roll-back to a version before).
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.saving import write_folder
from fathom.data.files.writing import cannot_write, sync_folder
from fathom.errors import BundleError, OptionError, suggestion
from fathom.service.shelf import journal, states
from fathom.service.shelf.states import Canary, State, Step, Waiting

NAME = "shelf"  # of the folder in a run, where no other is named
VERSIONS = "versions"
GATES = "gates"
LOG = "log.jsonl"
LOCK = "lock"


class Shelf:
    """The versions of one model in a folder. Made by `open_shelf` and `make_shelf`; safe to use from several processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, int, int], State] | None = None

    def state(self) -> State:
        """Return what is served now; the file is read only when it is another one than last time.

        Raises BundleError when it is gone or damaged; whoever serves goes on with what it had.
        """
        path = self.path / states.NAME
        try:
            found = path.stat()
        except OSError:
            return states.read_state(path)  # which says what is wrong
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if self._known is None or self._known[0] != mark:
            self._known = (mark, states.read_state(path))
        return self._known[1]

    def folder(self, version: str) -> Path:
        """Return where a version's bundle lies. Raises BundleError when the shelf does not have it."""
        folder = self.path / VERSIONS / version
        if version not in (known := self.versions()):
            raise BundleError(
                f"{self.path} has no version {version!r}.{suggestion(version, known)} It has: {', '.join(known) or 'none'}."
            )
        return folder

    def versions(self) -> list[str]:
        """Return the versions on the shelf, in the order in which they came."""
        folder = self.path / VERSIONS
        found = {path.name for path in folder.iterdir() if path.name.isalnum()} if folder.is_dir() else set()
        came = [entry.get("version") for entry in self.log() if entry.get("what") == "add"]
        return sorted(found, key=lambda name: (came.index(name) if name in came else len(came), name))

    def named(self, word: str) -> str:
        """Return the version that a word names: itself, or, for ``newest``, the one that came last."""
        return self.versions()[-1] if word == "newest" else word

    def log(self) -> list[journal.Entry]:
        """Return every change, oldest first: its ``number``, ``when`` (UTC), ``who``, ``what``, ``version`` and ``why``."""
        return journal.entries(self.path / LOG)

    def gate(self, version: str) -> dict[str, Any] | None:
        """Return what the gate said of a version, ``None`` where it was not asked. Raises BundleError when that cannot be read."""
        path = self.path / GATES / f"{version}.json"
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            return {**found, "passed": bool(found["passed"])}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(
                f"{path} cannot be read as what a gate said ({type(error).__name__}). Ask it again: fathom update {self.path} --candidate "
                f"{self.path / VERSIONS / version}",
                file=str(path),
            ) from None

    def add(
        self,
        bundle: str | Path | Mapping[str, bytes],
        *,
        who: str,
        why: str = "",
        gate: Mapping[str, Any] | None = None,
    ) -> str:
        """Put a copy of a bundle, or of its files, on the shelf, checked and whole or not at all, and return its version. It serves nothing yet.

        ``gate`` is what the gate said of it: it is there before the version is. One that is refused now, and was a canary or waits for approval, is neither any more. Raises BundleError when the bundle is damaged, OutputError when the disk does not take it.
        """
        files = dict(bundle) if isinstance(bundle, Mapping) else manifest.read(bundle)
        version = manifest.version(files)
        with journal.locked(self.path / LOCK):
            if gate is not None:
                _keep(self.path / GATES / f"{version}.json", manifest.dump(dict(gate)))
            if version not in self.versions():
                state = states.read_state(self.path / states.NAME)
                _put(self.path, version, files)
                self._change(state, "add", version, who, why)
            if gate is not None:
                what = "gate passed" if gate["passed"] else "gate refused"
                reasons = " ".join(gate.get("reasons", ()))
                state = states.read_state(self.path / states.NAME)
                refused = not gate["passed"] and version not in state.before
                self._change(_without(state, version) if refused else state, what, version, who, reasons)
        return version

    def keep(self, name: str, content: bytes) -> None:
        """Write a file of the shelf beside the versions, whole or not at all, forced to the disk. Raises OutputError."""
        with journal.locked(self.path / LOCK):
            _keep(self.path / name, content)

    def promote(self, version: str, *, who: str, why: str = "") -> State:
        """Let a version answer from now on; a shadow or a canary ends. Where the shelf asks for approval, the step waits.

        Raises BundleError when the shelf does not have the version or it is damaged, OptionError when it is live already.
        """
        return self._serve("promote", version, None, who, why)

    def canary(self, version: str, share: float, *, who: str, why: str = "") -> State:
        """Let a version answer a share of the requests, above 0 and below 1. Where the shelf asks for approval, the step waits.

        Raises OptionError for another share, and what `promote` raises.
        """
        if not 0 < share < 1:
            raise OptionError(
                f"The canary's share is {share}, and must lie above 0 and below 1, for example 0.1. To end a canary, undo it."
            )
        return self._serve("canary", version, share, who, why)

    def shadow(self, version: str, *, who: str, why: str = "") -> State:
        """Let a version answer every request too, for comparison; what it says is recorded and never returned, so no approval is needed.

        Raises what `promote` raises.
        """
        with journal.locked(self.path / LOCK):
            state = self._ready(version)
            return self._change(replace(state, shadow=version), "shadow", version, who, why)

    def undo(self, *, who: str, why: str = "") -> State:
        """Take the latest step back: end what is on trial or waits, or else let the version that was live before answer again.

        Never waits for approval. Raises OptionError when there is nothing to take back, BundleError when the version before is damaged.
        """
        with journal.locked(self.path / LOCK):
            state = states.read_state(self.path / states.NAME)
            if state != state.at_rest:
                return self._change(state.at_rest, "end", _on_trial(state), who, why)
            if not state.before:
                raise OptionError(f"{self.path} has had no version but {state.live}: there is nothing to undo.")
            earlier = state.before[-1]
            self._check(earlier)
            return self._change(replace(state, live=earlier, before=state.before[:-1]), "undo", earlier, who, why)

    def approve(self, *, who: str, why: str = "") -> State:
        """Let the step that waits happen. Raises OptionError when none waits or the gate has refused its version, BundleError when that is damaged by now."""
        with journal.locked(self.path / LOCK):
            state = states.read_state(self.path / states.NAME)
            asked = state.waiting
            if asked is None:
                raise OptionError(f"Nothing waits for approval on {self.path}.")
            self._let_pass(self._ready(asked.version), asked.version)
            return self._change(
                _done(state, asked.what, asked.version, asked.share), "approve", asked.version, who, why
            )

    def require_approval(self, required: bool, *, who: str, why: str = "") -> State:
        """Say whether a promotion or a canary must wait until someone approves it."""
        with journal.locked(self.path / LOCK):
            state = replace(states.read_state(self.path / states.NAME), approval=required)
            what = "require approval" if required else "require no approval"
            return self._change(state, what, state.live, who, why)

    def _serve(self, what: Step, version: str, share: float | None, who: str, why: str) -> State:
        with journal.locked(self.path / LOCK):
            state = self._ready(version)
            self._let_pass(state, version)
            if state.approval:
                waiting = Waiting(what, version, who, journal.now(), why, share)
                return self._change(replace(state, waiting=waiting), f"ask to {what}", version, who, why)
            return self._change(_done(state, what, version, share), what, version, who, why)

    def _let_pass(self, state: State, version: str) -> None:
        """Raise OptionError where the gate refused a version, unless it has been live before."""
        gate = self.gate(version)
        if gate is not None and not gate["passed"] and version not in state.before:
            reason = next(iter(gate.get("reasons", ())), "")
            raise OptionError(f"The gate refused {version}, so it answers nobody: {reason} It may run as a shadow.")

    def _ready(self, version: str) -> State:
        """Return the state in which a version may be given something to do."""
        state = states.read_state(self.path / states.NAME)
        self._check(version)
        if version == state.live:
            raise OptionError(f"{version} is live on {self.path} already.")
        return state

    def _check(self, version: str) -> None:
        """Raise BundleError unless a version is there, whole, and the one that its name says."""
        files = manifest.read(folder := self.folder(version))
        if manifest.version(files) != version:
            raise BundleError(f"{folder} holds version {manifest.version(files)}. Copy the bundle again, whole.")

    def _change(self, state: State, what: str, version: str | None, who: str, why: str) -> State:
        """Log a change, then let it happen; the caller holds the lock."""
        if not who.strip():
            raise OptionError("A change needs the name of who makes it. Give it with --who.")
        before = states.read_state(self.path / states.NAME)
        number = before.change
        for entry in self.log():
            number = max(number, int(entry.get("number", 0)))
        if number > before.change:  # the process that wrote this line ended before it could keep its word
            lost = {
                "number": number + 1,
                "when": journal.now(),
                "who": who,
                "what": "not done",
                "why": f"change {number} was cut off",
            }
            journal.append(self.path / LOG, lost)
            number += 1
        state = replace(state, change=number + 1)
        line = {"number": state.change, "when": journal.now(), "who": who, "what": what, "version": version, "why": why}
        told = {name: value for name, value in asdict(state).items() if name not in ("change", "before")}
        journal.append(self.path / LOG, {**line, "state": told})
        states.write_state(self.path / states.NAME, state)
        return state


def is_shelf(path: str | Path) -> bool:
    """Say whether a folder is a shelf."""
    return (Path(path) / states.NAME).is_file() and (Path(path) / VERSIONS).is_dir()


def open_shelf(path: str | Path) -> Shelf:
    """Return the shelf in a folder. Raises BundleError when it is none, or its state is damaged."""
    shelf = Shelf(Path(path))
    shelf.state()
    return shelf


def shelf_at(path: str | Path) -> Shelf | None:
    """Return the shelf that a path names: the shelf itself, or that in a run, or in the run around a bundle; ``None`` where there is none yet."""
    path = Path(path)
    found = next((place for place in (path, path / NAME, path.parent / NAME) if is_shelf(place)), None)
    return None if found is None else open_shelf(found)


def make_shelf(
    path: str | Path, bundle: str | Path, *, who: str, why: str = "", files: Mapping[str, bytes] | None = None
) -> Shelf:
    """Make a shelf on which this bundle is live, or go on with one that was cut off while it was made; ``files`` lie beside it from the start.

    Raises BundleError when the bundle is damaged, OptionError when something else stands there, OutputError when it cannot be written.
    """
    path, beside = Path(path), dict(files or {})
    content = manifest.read(bundle)
    version = manifest.version(content)
    if is_shelf(path):
        raise OptionError(f"{path} is a shelf already. Leave the bundle out: fathom update {path} …")
    own = {
        VERSIONS,
        LOG,
        LOCK,
        *beside,
        *(f".{name}.part" for name in (states.NAME, *beside)),
    }  # an attempt that was cut off
    if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - own):
        raise OptionError(f"{path} holds something else already. Name a new folder for the shelf.")
    try:
        (path / VERSIONS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
    with journal.locked(path / LOCK):
        if is_shelf(path):
            raise OptionError(
                f"{path} has just been made by another process. Leave the bundle out: fathom update {path} …"
            )
        for name, kept in beside.items():
            _keep(path / name, kept)
        _put(path, version, content)
        line = {"number": 1, "when": journal.now(), "who": who, "what": "add", "version": version, "why": why}
        journal.append(path / LOG, line)
        states.write_state(path / states.NAME, State(version, change=1))
    return Shelf(path)


def _put(path: Path, version: str, files: dict[str, bytes]) -> None:
    """Write a version's folder; what an earlier attempt left half-written goes. The caller holds the lock."""
    folder = path / VERSIONS
    for left in folder.glob(".*"):
        shutil.rmtree(left, ignore_errors=True)
    if not (folder / version).is_dir():
        write_folder(files, folder / version)
        sync_folder(folder)


def _keep(path: Path, content: bytes) -> None:
    """Put a file in the place of the one before. The caller holds the lock."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error, len(content)) from None


def _without(state: State, version: str) -> State:
    """Return the state in which a version is no canary and does not wait to be anything; as a shadow it may go on."""
    canary = None if state.canary and state.canary.version == version else state.canary
    waiting = None if state.waiting and state.waiting.version == version else state.waiting
    return replace(state, canary=canary, waiting=waiting)


def _done(state: State, what: Step, version: str, share: float | None) -> State:
    """Return the state in which a step has happened."""
    if what == "canary":
        assert share is not None
        return replace(state, canary=Canary(version, share), waiting=None)
    return replace(state.at_rest, live=version, before=(*state.before, state.live))


def _on_trial(state: State) -> str | None:
    """Return the version that is tried or waits."""
    if state.waiting is not None:
        return state.waiting.version
    return state.canary.version if state.canary is not None else state.shadow
