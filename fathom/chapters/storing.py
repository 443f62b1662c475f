"""The second pass over a table larger than memory: every training row is encoded into arrays on the disk; an interrupted pass goes on."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.description import Description
from fathom.chapters.larger import Larger, in_words
from fathom.chapters.prepared import Prepared
from fathom.chapters.preparing import decode_column
from fathom.data.encoding import Column, encode_inputs, encode_targets, input_parts, inputs_of, of_role, target_classes
from fathom.data.recognising import check_block
from fathom.data.rows.splitting import PARTS, TEST, TRAIN
from fathom.data.rows.weighing import row_weights
from fathom.data.stored import Layout, Writer, check_room
from fathom.data.table import Table
from fathom.progress import Progress
from fathom.settings import Settings
from fathom.shapes import KINDS, Arrays, arrays_of, row_size

SECONDS_BETWEEN = 10.0  # two notes in the journal: at most this much work is lost
WEIGHT = "weight"

Notes = dict[str, Any]


def encode_rows(prepared: Prepared, folder: Path, progress: Progress) -> Prepared:
    """Check every row, and encode the training rows into ``folder``, going on where an interrupted pass over the same rows ended.

    Raises TableError for the first cell that its column cannot hold, OutputError when the disk has no room.
    """
    larger = prepared.larger
    assert larger is not None
    layouts = _layouts(prepared.columns)
    row_bytes = sum(layout.row_bytes for layout in layouts.values())
    writer = Writer(folder, layouts, _fingerprint(prepared))
    try:
        check_room(folder, (larger.total - writer.read) * row_bytes)
        progress.begin("Encoding", larger.total)
        if writer.read:
            progress.say(f"Going on with the encoding after row {writer.read:,}.")
        if writer.read < larger.total:
            _encode(prepared, larger, writer, progress)
        stored = writer.close()
    finally:
        writer.release()
    counts = dict(zip(PARTS, writer.notes["parts"], strict=True))
    counts[PARTS[TEST]] += larger.own_test
    progress.end(f"{stored.rows:,} rows, {in_words(stored.rows * stored.row_bytes)}")
    seen = {"classes_seen": writer.notes["classes"], "weights_seen": writer.notes["weights"]}
    warnings = tuple(
        f"{count:,} cells of {name!r} in all rows could not be decoded, and were taken as missing."
        for name, count in writer.notes["undecoded"].items()
        if count
    )
    return replace(
        prepared,
        larger=replace(larger, counts=counts, stored=stored, **seen),
        warnings=(*prepared.warnings, *warnings),
    )


def batch_reader(prepared: Prepared, settings: Settings) -> Callable[[int, int], Any]:
    """Return what reads a range of the stored training rows as a batch."""
    from fathom.training.batching import as_batch

    larger = prepared.larger
    assert larger is not None and larger.stored is not None
    stored = larger.stored
    counts = _class_weights(prepared, larger) if settings.class_weights else {}
    means = _mean_weights(prepared, larger, counts) if settings.weight else {}
    sizes = {name: row_size(parts) for name, parts in arrays_of(input_parts(prepared.columns)).items()}

    def read(start: int, stop: int) -> Any:
        arrays = stored.read(start, stop)
        truth = {column.name: arrays[f"target_{index}"] for index, column in enumerate(prepared.targets)}
        inputs: Arrays = {name: arrays[name].reshape(len(arrays[name]), *size) for name, size in sizes.items()}
        weights = {name: counted[truth[name]] for name, counted in counts.items()}
        weights |= {name: arrays[WEIGHT] * weights.get(name, 1.0) / mean for name, mean in means.items()}
        return as_batch(inputs, truth, weights)

    return read


def _class_weights(prepared: Prepared, larger: Larger) -> dict[str, npt.NDArray[np.float64]]:
    """Return what a row of each class counts, so that every class counts alike in sum, a target."""
    weights = {}
    for column in prepared.targets:
        if target_classes(column):
            rows = np.array(larger.classes_seen[column.name])
            weights[column.name] = rows.sum() / (max(int((rows > 0).sum()), 1) * np.maximum(rows, 1))
    return weights


def _mean_weights(prepared: Prepared, larger: Larger, counts: dict[str, npt.NDArray[np.float64]]) -> dict[str, float]:
    """Return the mean, over all training rows, of a row's own weight times its class's, a target."""
    assert larger.stored is not None
    rows = larger.stored.rows
    return {
        column.name: float((np.array(larger.weights_seen[column.name]) * counts.get(column.name, 1.0)).sum()) / rows
        for column in prepared.targets
    }


def _encode(prepared: Prepared, larger: Larger, writer: Writer, progress: Progress) -> None:
    """Go through the rows that the journal does not hold yet."""
    columns = prepared.columns
    targets = of_role(columns, "target")
    read, noted = 0, time.monotonic()
    weight = larger.reading.settings.weight
    notes: Notes = writer.notes or {
        "parts": [0] * len(PARTS),
        "classes": {column.name: [0] * max(target_classes(column), 1) for column in targets},
        "weights": {column.name: [0.0] * max(target_classes(column), 1) for column in targets},
        "undecoded": {},
    }
    try:
        for block in larger.reading.blocks():
            read += block.rows
            if read <= writer.read:
                continue
            fresh = block.take(np.arange(max(0, block.rows - (read - writer.read)), block.rows))
            check_block(fresh, columns, larger.reading.settings.columns)
            part = larger.parts(fresh)  # by the cells as they stand in the table
            fresh, undecoded = _decoded(fresh, columns, larger.reading.settings)
            train = np.flatnonzero(part == TRAIN)
            encoded = _arrays(columns, fresh.take(train))
            if weight is not None:
                encoded[WEIGHT] = row_weights(fresh, weight, fresh.rows)[train]
            notes = _counted(notes, targets, part, encoded, undecoded)
            writer.append(encoded, read, notes)
            if time.monotonic() - noted > SECONDS_BETWEEN:
                writer.note()
                noted = time.monotonic()
            progress.advance(read, "")
    finally:  # also when it is interrupted
        writer.note()


def _arrays(columns: Sequence[Column], rows: Table) -> dict[str, Any]:
    truth = encode_targets(columns, rows)
    inputs = {
        name: array.reshape(len(array), prod(array.shape[1:])) for name, array in encode_inputs(columns, rows).items()
    }
    return {**inputs, **{f"target_{index}": array for index, array in enumerate(truth.values())}}


def _decoded(block: Table, columns: Sequence[Column], settings: Settings) -> tuple[Table, dict[str, int]]:
    """Return the rows with what takes long decoded once, and how many cells of each such column could not be."""
    undecoded = {}
    for column in inputs_of(columns):
        if hasattr(column.kind, "settle"):
            block, marks = decode_column(block, column, settings, lambda done: None)
            undecoded[column.name] = int(marks.sum())
    return block, undecoded


def _counted(
    notes: Notes,
    targets: Sequence[Column],
    part: npt.NDArray[np.int8],
    encoded: dict[str, Any],
    undecoded: dict[str, int],
) -> Notes:
    """Return the notes with the rows of a block counted."""
    found: Notes = {"parts": (np.array(notes["parts"]) + np.bincount(part, minlength=len(PARTS))).tolist()}
    found |= {"classes": {}, "weights": {}}
    found["undecoded"] = {name: notes["undecoded"].get(name, 0) + count for name, count in undecoded.items()}
    for index, column in enumerate(targets):
        size = target_classes(column)
        truth = encoded[f"target_{index}"] if size else np.zeros(len(encoded[f"target_{index}"]), np.int64)
        for name, weights in (("classes", None), ("weights", encoded.get(WEIGHT))):
            before = np.array(notes[name][column.name])
            found[name][column.name] = (before + np.bincount(truth, weights, minlength=max(size, 1))).tolist()
    return found


def _layouts(columns: Sequence[Column]) -> dict[str, Layout]:
    layouts = {
        name: Layout(KINDS[parts[0].shape], prod(row_size(parts)))
        for name, parts in arrays_of(input_parts(columns)).items()
    }
    targets = {
        f"target_{index}": Layout("<i4" if target_classes(column) else "<f4", 0)
        for index, column in enumerate(of_role(columns, "target"))
    }
    weights = {WEIGHT: Layout("<f4", 0)} if any(column.role == "weight" for column in columns) else {}
    return layouts | targets | weights


def _fingerprint(prepared: Prepared) -> str:
    """Return what identifies the rows and how they are encoded."""
    larger = prepared.larger
    assert larger is not None
    told = (larger.reading.stream.fingerprint, prepared.split.fingerprint, larger.total, larger.parting.cuts)
    columns = Description("network", "network", prepared.columns).to_bytes()
    return hashlib.sha256(repr(told).encode() + columns).hexdigest()
