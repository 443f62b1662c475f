"""Rows that a model has learned from, or was chosen by, are known again when they are met, so that they are never taken for evidence.

A run folder keeps one 64-bit hash a training and validation row, of what the model sees of the row and of its truth: ``46`` and ``46.0`` are one, and a column that the
model does not read is not asked for. They lie beside the bundle and not in it: a bundle stays as small as it is, and whoever is given one cannot ask it whether a row was
learned from. A score on training rows says how well a model remembers (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, section 7.2).
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.bundle import manifest
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, inputs_of
from fathom.data.rows.splitting import TEST, Hashes, row_hashes
from fathom.data.table import Table
from fathom.model import Model
from fathom.shapes import DEEP

LEARNED = "learned_rows.npy"


def hashes_as_seen(columns: Sequence[Column], table: Table) -> Hashes:
    """Return a hash a row, ``(row,)``, of what a model sees of it, so that ``46`` and ``46.0`` are one; of deep columns, of the cells as they stand."""
    told = {}
    for column in inputs_of(columns):
        assert column.kind is not None
        values = table.column(column.name)
        if column.kind.SHAPE in DEEP:
            told[column.name] = values
        else:
            matrix = column.kind.features(column.state, values).matrix
            told |= {f"{column.name}/{place}": pa.array(matrix[:, place]) for place in range(matrix.shape[1])}
    return row_hashes(Table(pa.table(told)))


def learned_files(prepared: Prepared) -> dict[str, bytes]:
    """Return the file of a run folder by which training and validation rows are known again; none for a table larger than memory, whose rows are not all there."""
    if prepared.larger is not None:
        return {}
    rows = prepared.table.take(np.flatnonzero(prepared.split.part != TEST))
    seen = hashes_as_seen(prepared.columns, rows)
    hashes = [seen + _truths(target, rows) for target in prepared.targets]
    content = io.BytesIO()
    np.save(content, np.unique(np.concatenate(hashes)), allow_pickle=False)
    return {LEARNED: content.getvalue()}


def learned_from(run: Path, model: Model, table: Table, target: Column) -> npt.NDArray[np.bool_] | None:
    """Mark the rows ``(row,)``, all with their truth, that a model has learned from or was chosen by; ``None`` where it cannot be told.

    It can where ``run`` is the run folder of the fit that made this very bundle.
    """
    try:
        if (run / "bundle" / manifest.NAME).read_bytes() != model.files[manifest.NAME]:
            return None
        known: Hashes = np.load(run / LEARNED, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return np.isin(hashes_as_seen(model.columns, table) + _truths(target, table), known)


def _truths(target: Column, table: Table) -> Hashes:
    assert target.kind is not None
    values = table.column(target.name)
    if target.kind.SHAPE in DEEP:
        return row_hashes(Table(pa.table({target.name: values})))
    encoded = target.kind.encode(target.state, values)
    flat = encoded.reshape(len(encoded), -1)
    columns = {f"{target.name}/truth {place}": pa.array(flat[:, place]) for place in range(flat.shape[1])}
    return row_hashes(Table(pa.table(columns)))
