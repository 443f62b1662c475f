"""The recipe of an update: a shelf, the model fitted again on old and new rows, the gate, and a line in the log; nothing is served until someone promotes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.bundle import manifest
from fathom.chapters import sealing
from fathom.chapters.shipping import bundle_files
from fathom.chapters.surveying import open_larger
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.errors import BundleError, OptionError, OutputError, TableError, check_installed
from fathom.model import Model, load
from fathom.progress import Progress, Silent
from fathom.renewal.continuing import fit_again, prepared_of, why_not_warm
from fathom.renewal.gating import FEWEST_LATEST, MARGIN, Gate, judge_update
from fathom.renewal.origins import Origin, origin_of_run, origin_on, read_as, table_bytes, table_from
from fathom.renewal.renewing import base_of, check_size, frozen_among, frozen_rows, join_rows
from fathom.report.gate import render_gate
from fathom.service.records.databases import shown
from fathom.service.records.store import is_store, open_store
from fathom.service.shelf.journal import now, who_is_here
from fathom.service.shelf.versions import GATES, NAME, Shelf, is_shelf, make_shelf, shelf_at
from fathom.settings import Settings

MOST_REQUESTS = 1_000_000  # of a store, the latest whose truth is known
ROWS = "rows"
PARTING = ("group", "time", "weight", "series", "columns")  # settings by which rows and columns are what they are
NETWORK = ("trunk", "layers", "skip", "encoder")  # settings with which old weights do not fit any more


@dataclass(frozen=True)
class Updated:
    """What an update came to: the shelf, the new version on it, what the gate said and where its page is, how the model was fitted, and notes for people."""

    shelf: Shelf
    version: str
    gate: Gate
    page: Path
    how: str
    notes: tuple[str, ...]


def shelf_of(
    path: str | Path, shelf: str | Path | None = None, table: str | Path | None = None, *, who: str = ""
) -> tuple[Shelf, tuple[str, ...]]:
    """Return the shelf of a path: the shelf itself, or that of a bundle or a run, which is made where there is none yet; and what there is to say of it.

    The test rows of the fit are frozen on a new shelf; ``table`` says where the table of the fit lies, if not where it was. Raises OutputError or BundleError for a path that is neither.
    """
    path = Path(path)
    known = shelf_at(path if shelf is None or is_shelf(path) else shelf)
    if known is not None:
        return known, ()
    run = path if (path / "result.json").is_file() else path.parent
    place = Path(shelf) if shelf is not None else run / NAME
    manifest.read(path)  # what is no bundle says so first
    origin, notes = origin_of_run(run), []
    lies = origin.source(table)
    if lies is None:
        notes.append(
            f"The table of the fit is not there any more ({', '.join(origin.files[:3])}), so no rows could be frozen. Say where it lies: --table FILE"
        )
    else:
        opened = open_larger(lies, origin.settings, Silent())
        frozen = (
            frozen_among(opened, origin)
            if opened is not None
            else frozen_rows(base_of(origin, read_as(lies, origin.settings, origin.targets), MODALITIES))
        )
        if frozen is None or frozen.rows < len(origin.sealed):
            found = 0 if frozen is None else frozen.rows
            notes.append(
                f"{found:,} of the {len(origin.sealed):,} test rows of the fit were found in its table: it has changed since."
            )
        origin = replace(
            origin, frozen=frozen, files=(str(Path(table).resolve()),) if table is not None else origin.files
        )
        if frozen is not None:
            notes.append(
                f"{frozen.rows:,} test rows of the fit were frozen on {place}: every version is judged on them."
            )
    who = who or who_is_here()
    return make_shelf(place, path, who=who, why="the first version", files=origin.notes()), tuple(notes)


def update(
    path: str | Path,
    new: Any,
    *,
    shelf: str | Path | None = None,
    table: str | Path | None = None,
    anew: bool = False,
    settings: Mapping[str, Any] | None = None,
    margin: float = MARGIN,
    who: str = "",
    why: str = "",
    progress: Progress | None = None,
    modalities: Sequence[Modality] = MODALITIES,
) -> Updated:
    """Fit the live model of a shelf again on its old rows and ``new`` ones, and let the gate judge it; it is put on the shelf and serves nothing yet.

    ``path`` is a shelf, a run or its bundle; ``new`` anything that `fathom.read` takes, with the truth in it, or the store of a server (``requests.sqlite``, or the URL of a database), whose truths have come. A network goes on from its weights, or starts ``anew``; a simpler model is
    fitted anew. ``settings`` by name take the place of those of the fit, ``margin`` is how much more the new model may err on the frozen rows at the end of the interval, as a share.

    Raises TableError, OptionError, OutputError, BundleError, TrainingError or ExtraError, each saying what to do; the shelf then serves what it served.
    """
    check_installed(("torch", "sklearn", "safetensors", "onnx", "onnxscript", "jinja2"), "train")
    check_margin(margin)
    told, who = progress or Silent(), who or who_is_here()
    place, notes = shelf_of(path, shelf, table, who=who)
    origin, changed = _with_settings(origin_on(place.path), settings or {})
    live = place.state().live
    old = load(place.folder(live), modalities=modalities)
    told.begin("Reading old and new rows")
    check_size(origin.settings, origin.source(table), "The table of the fit", place.path)
    if not _is_recorded(new):
        check_size(origin.settings, new, "The table of new rows", place.path)
    rows = origin.table(table)
    fresh = _new_rows(new, origin)
    earlier = _earlier(place, live)
    base = base_of(origin, rows, modalities) if rows is not None else None
    if base is None:
        notes += (
            "The table of the fit is not there any more: the new model learns from new rows alone. Say where it lies: --table FILE",
        )
    networks = (old.description.plan or {}).get("networks", 1)
    renewal = join_rows(origin, base, [*earlier.values(), fresh], old.columns, modalities, networks)
    notes += renewal.notes
    why_anew = changed or why_not_warm(old.description, renewal)
    if manifest.WEIGHTS not in old.files:
        why_anew = why_anew or "a compressed bundle has no weights to go on from"
    warm = not anew and not why_anew
    told.end(f"{renewal.table.rows:,} rows, {renewal.newest.sum():,} of them new")
    prepared = prepared_of(renewal, origin, old.columns, warm, modalities, told)
    how = "from the old weights" if warm else "anew" if anew else f"anew, because {why_anew}"
    candidate = fit_again(old, prepared, origin.settings, warm, modalities, told)
    files = bundle_files(prepared, candidate, modalities)
    version = manifest.version(files)
    if version in place.versions():
        raise OptionError(
            f"The new model is version {version}, byte for byte, which is on {place.path} already: these rows were learned from before."
        )
    told.begin("Asking the gate")
    notes += _look_counted(place, origin, "an update was judged")
    latest = renewal.latest(FEWEST_LATEST)
    gate = judge_update(
        old,
        Model.of(files, modalities=modalities),
        origin.frozen,
        latest if latest.rows else None,
        origin.settings,
        margin=margin,
        names=(live, version),
        trainers=candidate.trainers,
        modalities=modalities,
    )
    told.end("passed" if gate.passed else "refused")
    content = table_bytes(fresh)
    name = sha256(content).hexdigest()[:12]
    if name not in earlier:
        place.keep(f"{ROWS}/{name}.arrow", content)
    known = {"rows": [*earlier, name], "how": how, "model": candidate.name, "counts": prepared.counts, "notes": notes}
    page = put(place, files, gate, known, who, why)
    return Updated(place, version, gate, page, how, notes)


def consider(path: str | Path, bundle: str | Path, *, margin: float = MARGIN, who: str = "", why: str = "") -> Updated:
    """Let the gate judge a bundle that was fitted elsewhere, on the frozen rows alone, and put it on the shelf.

    Raises BundleError when the bundle is damaged, OptionError when ``path`` is no shelf.
    """
    check_margin(margin)
    place, notes = shelf_of(path, who=who)
    origin, live = origin_on(place.path), place.state().live
    files = manifest.read(bundle)
    version = manifest.version(files)
    if version == live:
        raise OptionError(f"{bundle} is version {version}, which is live on {place.path}.")
    notes += _look_counted(place, origin, "a bundle from elsewhere was judged for the shelf")
    gate = judge_update(
        load(place.folder(live)),
        Model.of(files),
        origin.frozen,
        None,
        origin.settings,
        margin=margin,
        names=(live, version),
    )
    notes += (
        "Whether the bundle has learned from the frozen rows cannot be seen; fit it on the same table, and they stay sealed.",
    )
    known = {
        "rows": [],
        "how": f"given as {bundle}",
        "model": Model.of(files).description.name,
        "counts": {},
        "notes": notes,
    }
    return Updated(
        place, version, gate, put(place, files, gate, known, who or who_is_here(), why), "given as a bundle", notes
    )


def put(place: Shelf, files: Mapping[str, bytes], gate: Gate, known: Mapping[str, Any], who: str, why: str) -> Path:
    """Put a version on the shelf with what the gate said of it, as JSON and as a page; return the page."""
    said = {**gate.as_json(), **known, "reasons": gate.refusals, "when": now(), "who": who, "why": why}
    page = place.path / GATES / f"{gate.new}.html"
    place.keep(f"{GATES}/{gate.new}.html", render_gate(said).encode())
    place.add(files, who=who, why=why, gate=said)
    return page


def _look_counted(place: Shelf, origin: Origin, what: str) -> tuple[str, ...]:
    """Write the look at the frozen rows down in the run of the fit, or on the shelf where that is not there any more; return what there is to say of it."""
    if origin.frozen is None:
        return ()
    runs = [Path(origin.run)] if origin.run else []
    folder = next((run for run in (place.path.parent, *runs) if sealing.seals(run, origin.sealed)), place.path)
    try:
        met = sealing.count_look(folder, origin.frozen, what)
    except OSError as error:
        return (f"The look at the frozen rows could not be written down in {folder} ({error.strerror}).",)
    return (f"This look at the {met:,} frozen rows was written down in {folder / sealing.LOOKS}.",) if met else ()


def check_margin(margin: float) -> None:
    """Raise OptionError for a margin that is none."""
    if not 0 < margin < 1:
        raise OptionError(
            f"--margin is {margin}, and must lie above 0 and below 1, for example {MARGIN}: the share by which the error may have grown."
        )


def _with_settings(origin: Origin, given: Mapping[str, Any]) -> tuple[Origin, str]:
    """Return the origin with other settings, and why old weights do not fit them, if so. Raises OptionError for those by which rows are parted."""
    settings = Settings.of({**origin.settings.to_json(), **given})
    for name in PARTING:
        if getattr(settings, name) != getattr(origin.settings, name):
            raise OptionError(
                f"The setting {name!r} says what rows and columns are, and versions of one model must agree on that. Leave it out, or fit anew with fathom fit."
            )
    other = [name for name in NETWORK if getattr(settings, name) != getattr(origin.settings, name)]
    return replace(origin, settings=settings), f"the setting {other[0]!r} makes another network" if other else ""


def _is_recorded(new: Any) -> bool:
    """Say whether new rows are those that a server has recorded."""
    return isinstance(new, (str, Path)) and is_store(new)


def _new_rows(new: Any, origin: Origin) -> Table:
    """Read new rows: a table, or those of a store of requests whose truth has become known."""
    if not _is_recorded(new):
        return read_as(str(new) if isinstance(new, Path) else new, origin.settings, origin.targets)
    store = open_store(new)
    try:
        window = store.window(labelled=True, last=MOST_REQUESTS)
    finally:
        store.close()
    truths = [window.truths.get(name, [None] * window.count) for name in origin.targets]
    known = [row for row, values in enumerate(zip(*truths, strict=True)) if None not in values]
    if window.rows is None or not known:
        raise TableError(
            f"{shown(str(new))} has no request whose truth is known. Give truths to the server (POST /feedback), or to fathom watch."
        )
    rows = window.rows.take(np.array(known))
    arrow = rows.arrow.drop_columns([name for name in origin.targets if name in rows.names])
    for name, values in zip(origin.targets, truths, strict=True):
        arrow = arrow.append_column(name, pa.array([values[row] for row in known]))
    return Table(arrow, name=shown(str(new)))


def _earlier(place: Shelf, live: str) -> dict[str, Table]:
    """Return the new rows of earlier updates that the live version has learned from, oldest first."""
    found = {}
    for name in (place.gate(live) or {}).get("rows", []):
        path = place.path / ROWS / f"{name}.arrow"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OutputError(
                f"{path} cannot be read ({error.strerror}): the live version has learned from these rows.",
                file=str(path),
            ) from None
        if sha256(content).hexdigest()[:12] != name:
            raise BundleError(
                f"{path} was changed: its SHA-256 does not begin with its name. Put the file back.", file=str(path)
            )
        found[name] = table_from(content, f"{ROWS}/{name}")
    return found
