"""A few training rows that stand in for a column that is taken away when an answer is explained; without them a server could not explain.

They are 64 at most, drawn by a hash of what they hold, with the flat columns alone: no text, no picture, no recording. Who must not hand on any training row leaves the file
`background.json` out of the bundle (and the eight rows of `samples.json`, which prove parity).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fathom.bundle import manifest
from fathom.data.encoding import Column, inputs_of
from fathom.data.files.reading import read
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.errors import BundleError
from fathom.shapes import FLAT

NAME = "background.json"
MOST_ROWS = 64


def make(columns: Sequence[Column], train: Table) -> bytes:
    """Return the file: rows of training, drawn by what they hold, so that no order of them matters."""
    names = flat_names(columns)
    flat = train.select(names)
    chosen = drawn(flat, MOST_ROWS) if names else np.zeros(0, np.int64)
    return manifest.dump({"rows": [_plain(row) for row in flat.take(chosen).to_pylist()]})


def flat_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the inputs whose cells are one number or one word."""
    return [column.name for column in inputs_of(columns) if column.kind and column.kind.SHAPE in FLAT]


def rows_of(files: Mapping[str, bytes], columns: Sequence[Column]) -> Table:
    """Return the rows in a bundle, those of its samples where it has no others, as a table of the flat columns; without rows where it has none.

    Raises BundleError when the file is not what `make` writes.
    """
    names = flat_names(columns)
    try:
        if NAME in files:
            rows = json.loads(files[NAME])["rows"]
        else:
            rows = [sample["row"] for sample in json.loads(files["samples.json"])]
        found = {name: [row[name] for row in rows] for name in names}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"{NAME} is not what this Fathom writes ({type(error).__name__}: {error}). Copy the bundle again, whole.",
            file=NAME,
        ) from None
    return read(found) if names and rows else Table.of({name: [] for name in names})


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None or isinstance(value, bool | int | str) else _number_or_text(value)
        for name, value in row.items()
    }


def _number_or_text(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value)
