"""The test rows are sealed: every opening is written down in the run folder, and runs beside it are asked for theirs.

Each look at the test rows makes them a little less unseen, because the next choice is made knowing what they said. Source: Dwork et al., "The
reusable holdout", Science 349, 2015. A fit opens them once. Fitting the same table again with other settings, or scoring predictions of rows that
were test rows, is a further look.
"""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fathom.data.rows.splitting import Hashes, row_hashes
from fathom.data.table import Table

LOOKS = "looks.json"
HASHES = "test_rows.npy"

Look = dict[str, str]


def look(what: str) -> Look:
    """Return the note of an opening, with the time in UTC."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"when": now, "what": what}


def earlier_looks(run: Path, fingerprint: str) -> list[Look]:
    """Return the openings of the same test rows by other runs in the folder that holds ``run``, oldest first."""
    found: list[Look] = []
    if not run.parent.is_dir():
        return found
    for folder in sorted(path for path in run.parent.iterdir() if path.is_dir() and path.name != run.name):
        note = _read(folder)
        if note.get("fingerprint") == fingerprint:
            found += [{**entry, "what": f"{folder.name}: {entry['what']}"} for entry in note.get("own", [])]
    return sorted(found, key=lambda entry: entry["when"])


def files(fingerprint: str, sealed: Table, own: list[Look]) -> dict[str, bytes]:
    """Return the files of a run folder that count its looks and know its test rows again."""
    import io

    hashes = io.BytesIO()
    np.save(hashes, np.sort(row_hashes(sealed)), allow_pickle=False)
    return {LOOKS: _dump({"fingerprint": fingerprint, "own": own}), HASHES: hashes.getvalue()}


def count_look(run: Path, table: Table, what: str) -> int:
    """Write down a further look when rows of ``table`` are test rows of the run; return how many are.

    Any trouble in reading or writing the note is the caller's to tell: OSError.
    """
    if not (run / HASHES).is_file():
        return 0
    known: Hashes = np.load(run / HASHES, allow_pickle=False)
    met = int(np.isin(row_hashes(table), known).sum())
    if met:
        note = _read(run)
        note["own"] = [*note.get("own", []), look(f"{what} ({met:,} of the test rows)")]
        staging = run / f".{LOOKS}"
        staging.write_bytes(_dump(note))
        staging.replace(run / LOOKS)
    return met


def seals(run: Path, sealed: Hashes) -> bool:
    """Say whether the test rows of a run folder are those of these hashes, in order; ``False`` where its note cannot be read."""
    try:
        return bool(np.array_equal(np.load(run / HASHES, allow_pickle=False), sealed))
    except (OSError, ValueError):
        return False


def looks_of(run: Path) -> list[Look]:
    """Return the run's own openings."""
    return list(_read(run).get("own", []))


def _read(folder: Path) -> dict[str, Any]:
    try:
        note = json.loads((folder / LOOKS).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _dump(note: Mapping[str, Any]) -> bytes:
    return (json.dumps(note, indent=1, ensure_ascii=False) + "\n").encode()
