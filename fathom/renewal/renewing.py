"""The old rows of a model and new ones become one table, parted so that no sealed row is ever learned from.

Old rows are parted as they were when the model was fitted, and new ones by a hash of what they hold or of their group, so that a row stays in its part however often a model is
renewed; where time parts rows, the latest of the new ones are sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.chapters.larger import SHARE_OF_MEMORY, in_words, memory
from fathom.chapters.learned_rows import hashes_as_seen
from fathom.chapters.prepared import Prepared
from fathom.chapters.preparing import join, moments_in, prepare
from fathom.data.cells.values import is_number, is_text, plain, words_of
from fathom.data.encoding import Column, gather
from fathom.data.files.reading import joined
from fathom.data.files.streaming import FileStream, Stream, larger_than
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import without_unusable
from fathom.data.rows.hashing import hash_values
from fathom.data.rows.splitting import (
    SMALL_TABLE,
    TEST,
    TRAIN,
    VALIDATION,
    Hashes,
    Split,
    by_rank,
    by_time,
    by_value,
    fingerprint,
    none_empty,
    row_hashes,
    time_words,
)
from fathom.data.table import Table
from fathom.errors import OptionError, TableError, suggestion
from fathom.progress import Silent
from fathom.renewal.origins import Origin
from fathom.settings import Settings

AS_SEALED = "the test rows are those of the fit"
ALONE = 0.95  # of the rows have inputs that no other row has: then equal inputs are the same thing met again

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Renewal:
    """Old and new rows side by side. ``old (row,)`` marks those of the old table, ``newest (row,)`` those that came last; ``notes`` say what was done, for people."""

    table: Table
    split: Split
    old: Mask
    newest: Mask
    folds: npt.NDArray[np.int64] | None
    notes: tuple[str, ...]

    def latest(self, fewest: int) -> Table:
        """Return those of the newest rows that no model learns from, or, where they are fewer, those of all new rows."""
        sealed = self.split.part == TEST
        rows = np.flatnonzero(self.newest & sealed)
        return self.table.take(rows if len(rows) >= fewest else np.flatnonzero(~self.old & sealed))


def base_of(origin: Origin, table: Table, modalities: Sequence[Modality]) -> Prepared:
    """Part the old table as the fit did; rows that were sealed then are sealed now, whatever has become of the others."""
    settings, told = origin.settings, Silent()
    base = prepare(table, origin.targets, None, settings, modalities, told, folded=True)
    sealed = np.isin(row_hashes(base.table), origin.sealed)
    if origin.own_test and sealed.any() and not sealed.all():
        rows = base.table
        test = rows.take(np.flatnonzero(sealed))
        base = prepare(
            rows.take(np.flatnonzero(~sealed)), origin.targets, test, settings, modalities, told, folded=True
        )
        sealed = np.isin(row_hashes(base.table), origin.sealed)
    part = np.where(sealed, TEST, np.where(base.split.part == TEST, TRAIN, base.split.part)).astype(np.int8)
    if (part == base.split.part).all():
        return base
    how = f"{AS_SEALED}; the others {base.split.how}"
    if settings.time is not None and not sealed.all():  # the table has changed: no row may teach what came before it
        moments = moments_in(base.table, settings, modalities)
        part[~sealed] = by_time(moments[~sealed], own_test=True)
        how = f"{AS_SEALED}; {time_words(settings.time, own_test=True)}"
    folds = base.folds
    if folds is not None:  # rows that are training rows by now join a fold by their hash
        every = fold_numbers(row_hashes(base.table), int(folds.max()) + 1)
        every[base.split.part == TRAIN] = folds
        folds = every[part == TRAIN]
    parts = replace(base.split, part=part, how=how)
    if settings.time is not None and sealed.any():
        none_empty(parts, settings.time)
    return replace(base, split=parts, folds=folds)


def frozen_rows(base: Prepared) -> Table | None:
    """Return the sealed rows of the old table, ``None`` where there are none."""
    rows = np.flatnonzero(base.split.part == TEST)
    return base.table.take(rows) if len(rows) else None


def frozen_among(opened: Stream | FileStream, origin: Origin) -> Table | None:
    """Return the sealed rows of an old table larger than memory, which is read block by block; ``None`` where there are none."""
    found = []
    for block in opened.blocks():
        rows = block.select([name for name in block.names if name != origin.settings.weight])
        sealed = np.flatnonzero(np.isin(row_hashes(rows), origin.sealed))
        if len(sealed):
            found.append(rows.take(sealed))
    return joined(found) if found else None


def join_rows(
    origin: Origin,
    base: Prepared | None,
    new: Sequence[Table],
    columns: Sequence[Column],
    modalities: Sequence[Modality],
    networks: int = 1,
) -> Renewal:
    """Lay old rows and new ones end to end, and part the new ones by their hash, or by their time where time parts rows.

    Without old rows, new ones are folded where the model is a committee of several ``networks``.

    Raises TableError when new rows lack a column, or hold another type than the old ones.
    """
    settings = origin.settings
    names = base.table.names if base else tuple(column.name for column in columns)
    needed = {column.name for column in columns if column.role != "left_out"}
    kept = [_aligned(_usable(gather(columns, table), origin, modalities), names, needed, base) for table in new]
    fresh = kept[0]
    for table in kept[1:]:
        fresh = join(fresh, table)
    notes = []
    known = origin.sealed if base is None else np.union1d(origin.sealed, row_hashes(base.table))
    again = np.isin(row_hashes(fresh), known)
    if again.any():
        notes.append(f"{again.sum():,} of the new rows stand in the old table cell for cell and were left out.")
    if origin.frozen is not None:
        met = _met_again(origin, fresh, columns) & ~again
        if met.any():
            notes.append(
                f"{met.sum():,} new rows have the inputs of a sealed row and were left out: what is sealed is never learned from."
            )
        again |= met
    newest = (np.arange(fresh.rows) >= fresh.rows - kept[-1].rows)[~again]
    fresh = fresh.take(np.flatnonzero(~again))
    if not newest.any():
        raise TableError("None of the new rows is new: all of them stand in the table that the model was fitted on.")
    keys = _keys(fresh, settings)
    part = _parts(fresh, keys, base, settings, modalities)
    count = base.fold_count if base else networks
    folds = None
    if count > 1:
        part = np.where(part == VALIDATION, TRAIN, part).astype(np.int8)
        folds = _new_folds(keys, base, count, settings)[part == TRAIN]
    if base is None:
        split = Split(part, _how(settings, folds, None), fingerprint(row_hashes(fresh)[part == TEST]))
        return Renewal(fresh, split, np.zeros(fresh.rows, np.bool_), newest, folds, tuple(notes))
    if base.folds is not None and folds is not None:
        folds = np.concatenate([base.folds, folds])
    table = join(base.table, fresh)
    whole = np.concatenate([base.split.part, part])
    hashes = row_hashes(table)
    groups = None if base.split.groups is None else np.concatenate([base.split.groups, keys])
    split = Split(whole, _how(settings, folds, base), fingerprint(hashes[whole == TEST]), groups, base.split.own_test)
    old = np.arange(table.rows) < base.table.rows
    return Renewal(
        table, split, old, np.concatenate([np.zeros(base.table.rows, np.bool_), newest]), folds, tuple(notes)
    )


def _how(settings: Settings, folds: npt.NDArray[np.int64] | None, base: Prepared | None) -> str:
    """Say how old rows and new ones were parted, or, without old ones, the new ones alone."""
    if settings.time is not None:
        how = f"the latest of the new rows by {settings.time!r} are test rows, those before them validation"
    elif settings.group is not None and base is not None:
        how = f"new rows of a known {settings.group!r} as its old rows, the others by a hash of {settings.group!r}"
    elif settings.group is not None:
        how = f"by a hash of {settings.group!r}, so that its groups stay together"
    else:
        how = "new rows by a hash of each" if base is not None else "by a hash of each new row"
    if base is not None:
        return f"{base.split.how}; {how}"
    if folds is None:
        return how
    return f"{how}; all others are in {int(folds.max(initial=0)) + 1} folds, each of which checks the models that learn from the rest"


def fold_numbers(keys: Hashes, count: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row by a further hash of its key, ``(row,)`` from 0.

    >>> sorted(set(fold_numbers(np.arange(100, dtype=np.uint64), 5).tolist()))
    [0, 1, 2, 3, 4]
    """
    return (hash_values(pa.array(keys.view(np.int64)), 2) % np.uint64(count)).astype(np.int64)


def _usable(table: Table, origin: Origin, modalities: Sequence[Modality]) -> Table:
    for name in origin.targets:
        if name not in table.names:
            raise TableError(
                f"{table.name} has no column {name!r}, which is to be predicted: new rows must hold the truth.{suggestion(name, table.names)}",
                column=name,
            )
    settings = origin.settings
    return without_unusable(table, origin.targets, settings.bad_rows, settings.columns, modalities)


def _aligned(table: Table, names: Sequence[str], needed: set[str], base: Prepared | None) -> Table:
    """Return new rows in the columns of the old table and their types; a column that was left out may be missing."""
    arrow = table.arrow
    for name in names:
        if name not in table.names:
            if name in needed:
                raise TableError(
                    f"{table.name} has no column {name!r}, which the model reads.{suggestion(name, table.names)} Give the new rows the columns of the old.",
                    column=name,
                )
            arrow = arrow.append_column(name, pa.nulls(table.rows))
    arrow = arrow.select(list(names))
    if base is not None:
        columns = [
            _typed_as(arrow.column(name).combine_chunks(), base.table.column(name), name, table.name) for name in names
        ]
        arrow = pa.table(columns, names=list(names))
    return replace(table, arrow=arrow, _cache={})


def _typed_as(values: pa.Array, old: pa.Array, name: str, where: str) -> pa.Array:
    """Return cells in the type of the old ones, so that equal cells have equal hashes. Raises TableError when they cannot be."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if values.type == old.type or pa.types.is_null(old.type) or pa.types.is_null(values.type):
        return values
    flat, known = plain(values), plain(old)
    if is_number(flat) and is_number(known):
        return values
    try:
        return words_of(values).cast(old.type) if is_text(known) else values.cast(old.type)
    except pa.ArrowException:
        raise TableError(
            f"Column {name!r} of {where} holds {values.type}, where the table of the fit has {old.type}. Give the new rows the types of the old.",
            column=name,
        ) from None


def _keys(table: Table, settings: Settings) -> Hashes:
    """Return what rows are parted by: the hash of their group, or of all their cells but the weight."""
    if settings.group:
        return hash_values(table.column(settings.group), 0)
    return row_hashes(table.select([name for name in table.names if name != settings.weight]))


def _parts(
    table: Table, keys: Hashes, base: Prepared | None, settings: Settings, modalities: Sequence[Modality]
) -> npt.NDArray[np.int8]:
    if settings.time is not None:
        return by_time(moments_in(table, settings, modalities))
    part = by_value(keys)
    if base is None and len(np.unique(keys)) < SMALL_TABLE:
        return by_rank(keys)
    if base is not None and settings.group:  # a group that is known stays where it is
        groups = hash_values(base.table.column(settings.group), 0)
        known, first = np.unique(groups, return_index=True)
        place = np.clip(np.searchsorted(known, keys), 0, len(known) - 1)
        part = np.where(known[place] == keys, base.split.part[first[place]], part).astype(np.int8)
    return part


def _new_folds(keys: Hashes, base: Prepared | None, count: int, settings: Settings) -> npt.NDArray[np.int64]:
    """Return the folds of new rows; those of a known group share its fold."""
    folds = fold_numbers(keys, count)
    if settings.group and base is not None:
        assert base.folds is not None
        groups = hash_values(base.train.column(settings.group), 0)
        known, first = np.unique(groups, return_index=True)
        place = np.clip(np.searchsorted(known, keys), 0, len(known) - 1)
        folds = np.where(known[place] == keys, base.folds[first[place]], folds)
    return folds


def _met_again(origin: Origin, fresh: Table, columns: Sequence[Column]) -> Mask:
    """Mark new rows whose inputs are those of a sealed row, where inputs tell rows apart: the same thing, under another label or written another way."""
    assert origin.frozen is not None
    sealed = hashes_as_seen(columns, origin.frozen)
    if len(np.unique(sealed)) < ALONE * len(sealed):
        return np.zeros(fresh.rows, np.bool_)
    return np.isin(hashes_as_seen(columns, fresh), sealed)


def check_size(settings: Settings, source: Any, what: str, shelf: Path) -> None:
    """Raise OptionError when the files of a table are too large to be renewed in memory; ``what`` names them, and ``shelf`` is where another bundle can be put before the gate."""
    limit = SHARE_OF_MEMORY * memory(settings)
    needed = larger_than(source, limit)
    if needed is not None:
        raise OptionError(
            f"{what} would take about {in_words(needed)} of memory, and {in_words(limit)} are for it: an update reads old and new rows whole. Give it more where there is more (a line "
            f"memory = GB in a file for --settings), or fit anew on old and new files, which reads them in blocks, and put that before the gate: fathom update {shelf} --candidate RUN"
        )
