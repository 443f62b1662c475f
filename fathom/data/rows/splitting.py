"""Rows are parted into train, validation and test by a hash of what they hold, so a row never moves between runs.

The parts are 70 / 15 / 15 per cent. Equal rows have equal hashes and stay together, whatever the order of rows or columns, so a copied row can
never be learned from and tested on. Rare classes and small tables are parted by the *rank* of the hash instead of its value, which keeps the
shares exact. Source of the hashing rule: Breck et al., "The ML Test Score", IEEE Big Data 2017 (split by a stable key, not by chance).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.rows.hashing import hash_values
from fathom.data.table import Rows, Table
from fathom.errors import TableError

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
TEST_SHARE = VALIDATION_SHARE = 0.15
SMALL_TABLE = 1_000  # rows; below, chance alone would move the shares by more than a tenth of themselves
RARE_CLASS = 200  # rows; the same for a class
FEWEST_ROWS = 20  # a table with fewer cannot have three parts that say anything

OWN_TEST = "the test rows are the file that was given"

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Split:
    """``part (row,)`` is 0, 1 or 2 for train, validation or test; ``how`` says in a sentence how the rows were parted.

    ``fingerprint`` identifies the set of test rows, wherever and in whatever order they are met again.
    ``groups (row,)`` are the hashes of the group column where rows were parted by groups; ``own_test`` says that the test rows are the user's own.
    """

    part: npt.NDArray[np.int8]
    how: str
    fingerprint: str
    groups: Hashes | None = None
    own_test: bool = False

    def rows(self, part: int) -> Rows:
        """Return the positions of the rows of one part."""
        return np.flatnonzero(self.part == part)

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows in each part, by its name."""
        return {name: int((self.part == index).sum()) for index, name in enumerate(PARTS)}


def row_hashes(table: Table) -> Hashes:
    """Return one hash a row of all its cells, the same for any order of the columns."""
    total = np.zeros(table.rows, np.uint64)
    for name in table.names:
        salt = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        total += hash_values(table.column(name), salt)
    return total


def drawn(table: Table, most: int | None = None) -> Rows:
    """Return the positions of at most ``most`` rows, or of all, drawn and ordered by what they hold, so that no order of a table's rows moves what is said of them.

    >>> table = Table.of({"x": [3, 1, 2]})
    >>> [one.take(drawn(one, 2)).column("x").to_pylist() for one in (table, table.take([2, 0, 1]))]
    [[3, 2], [3, 2]]
    """
    return np.argsort(row_hashes(table), kind="stable")[:most]


def by_value(hashes: Hashes) -> npt.NDArray[np.int8]:
    """Part rows by their hash's value; adding rows to a table moves none of those that were there."""
    return _part(hashes.astype(np.float64) / 2.0**64)


def by_rank(hashes: Hashes) -> npt.NDArray[np.int8]:
    """Part rows by their hash's rank; shares are exact, equal hashes stay together, and train is never empty.

    >>> np.bincount(by_rank(np.arange(100, dtype=np.uint64))).tolist()
    [70, 15, 15]
    """
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / max(len(hashes), 1)
    return _part(middle[inverse])


def _part(place: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    test, validation = place < TEST_SHARE, place < TEST_SHARE + VALIDATION_SHARE
    return np.where(test, TEST, np.where(validation, VALIDATION, TRAIN)).astype(np.int8)


def split(
    table: Table,
    *,
    classes: pa.Array | None = None,
    group: str | None = None,
    time: npt.NDArray[np.float64] | None = None,
    time_column: str = "",
    test_rows: int = 0,
) -> Split:
    """Part a table's rows.

    ``classes (row,)`` are the values of a target that is a category, so that rare ones reach every part; ``group`` names the column whose
    equal values stay together; ``time (row,)`` puts the latest rows into test and those before them into validation. The last ``test_rows``
    rows are the user's own test rows and stay so; the others are then parted into train and validation alone.

    Raises TableError when the table is too small, or when a part would be empty.
    """
    own = table.rows - test_rows
    check_enough_rows(own, table.name)
    hashes = row_hashes(table)
    groups = hash_values(table.column(group), 0) if group else None
    keys = hashes if groups is None else groups
    if time is not None:
        part, how = by_time(time[:own], own_test=test_rows > 0), time_words(time_column, own_test=test_rows > 0)
    elif group is not None:
        part, how = _fair(keys[:own]), f"by a hash of {group!r}, so that its groups stay together"
    elif classes is not None:
        part, how = _stratified(keys[:own], classes.slice(0, own)), "by a hash of each row, rare classes shared out"
    else:
        part, how = _fair(keys[:own]), "by a hash of each row"
    if test_rows:
        if time is None:
            part = np.where(part == TEST, spare(keys[:own]), part).astype(np.int8)  # rows that need not be test rows
        part = np.concatenate([part, np.full(test_rows, TEST, np.int8)])
        how += f"; {OWN_TEST}"
    result = Split(part, how, fingerprint(hashes[part == TEST]), groups, own_test=test_rows > 0)
    none_empty(result, group or time_column)
    return result


def check_enough_rows(rows: int, name: str) -> None:
    """Raise TableError when there are fewer rows than can be parted."""
    if rows < FEWEST_ROWS:
        raise TableError(
            f"{name} has {rows} row{'s' if rows != 1 else ''} to learn from, and {FEWEST_ROWS} is the fewest that can be parted into "
            "train, validation and test. Add rows."
        )


def seen_before(table: Table, parts: Split) -> int:
    """Count the test rows that stand, cell for cell, among the other rows (possible only with the user's own test rows)."""
    hashes = row_hashes(table)
    test = parts.part == TEST
    return int(np.isin(hashes[test], hashes[~test]).sum())


def _fair(keys: Hashes) -> npt.NDArray[np.int8]:
    return by_rank(keys) if len(np.unique(keys)) < SMALL_TABLE else by_value(keys)


def spare(keys: Hashes) -> npt.NDArray[np.int8]:
    """Part what would have been test rows into validation and train as the others are."""
    fresh = hash_values(pa.array(keys.view(np.int64)), 1).astype(np.float64) / 2.0**64
    return np.where(fresh < VALIDATION_SHARE, VALIDATION, TRAIN).astype(np.int8)


def _stratified(keys: Hashes, classes: pa.Array) -> npt.NDArray[np.int8]:
    codes = classes.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    part = _fair(keys)
    values, counts = np.unique(codes, return_counts=True)
    for value in values[counts < RARE_CLASS] if len(keys) >= SMALL_TABLE else values:
        rows = np.flatnonzero(codes == value)
        part[rows] = by_rank(keys[rows])
    return part


def by_time(time: npt.NDArray[np.float64], *, own_test: bool = False) -> npt.NDArray[np.int8]:
    """Part rows by their time, the latest into test and those before them into validation; where the test rows are the user's own, the latest into validation.

    Cut between different times only: rows of one moment stay together.

    >>> np.bincount(by_time(np.arange(100.0))).tolist(), np.bincount(by_time(np.arange(100.0), own_test=True)).tolist()
    ([70, 15, 15], [85, 15])
    """
    ordered = np.sort(time)
    return parts_from(time, [float(ordered[place]) for place in cut_places(len(time), own_test=own_test)])


def cut_places(rows: int, *, own_test: bool) -> list[int]:
    """Return at which places of the rows, ordered by time, validation begins and then test; where the test rows are the user's own, validation alone.

    >>> cut_places(100, own_test=False), cut_places(100, own_test=True)
    ([70, 85], [85])
    """
    shares = (VALIDATION_SHARE,) if own_test else (TEST_SHARE + VALIDATION_SHARE, TEST_SHARE)
    return [int(rows * (1 - share)) for share in shares]


def parts_from(time: npt.NDArray[np.float64], cuts: Sequence[float]) -> npt.NDArray[np.int8]:
    """Part rows by the moments from which on they are validation rows and, where there is a second, test rows."""
    part = np.where(time >= cuts[0], VALIDATION, TRAIN)
    return (part if len(cuts) == 1 else np.where(time >= cuts[1], TEST, part)).astype(np.int8)


def time_words(column: str, *, own_test: bool) -> str:
    """Say how rows are parted by a column of time."""
    if own_test:
        return f"the latest rows by {column!r} that are no test rows are validation"
    return f"the latest rows by {column!r} are the test rows, those before them validation"


def fingerprint(hashes: Hashes) -> str:
    """Return what identifies a set of rows in any order."""
    return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()[:16]


def none_empty(result: Split, column: str) -> None:
    """Raise TableError when a part has no rows."""
    for name, count in result.counts.items():
        if count == 0:
            because = f" Column {column!r} has too few different values to part rows by." if column else ""
            raise TableError(
                f"No rows are left for {name}.{because} Part the rows another way, or add rows.", column=column or None
            )


__all__ = ["PARTS", "TEST", "TRAIN", "VALIDATION", "Split", "drawn", "row_hashes", "seen_before", "split"]
