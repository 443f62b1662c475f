"""What stands on both sides of the parting: copies of rows, texts and pictures, groups that share the target, and times."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column, inputs_of
from fathom.data.rows.hashing import hash_values
from fathom.data.table import Table
from fathom.evidence.near_copies import pictures_met, texts_met
from fathom.evidence.telling import Floats, Rows, Sides, errors, numbers_of, shared, smooth, some
from fathom.shapes import FLAT

COPIES = 0.05  # share of judged rows that stand, almost unchanged, among the training rows
SHARED = (0.15, 0.08)  # skill of a row's group, or of its neighbours in time, that is warned of: of a number, a class
GAP = 0.05  # of the time from the first row to the last: rows longer ago are no neighbours
FEWEST_GROUPS = 20
MANY_GROUPS = 0.02  # of the rows: as many different ids make groups
MOST_OF_A_GROUP = 0.2  # of the rows
DIGITS = 3  # significant, to which numbers are cut before rows are compared


def copies(columns: Sequence[Column], train: Table, check: Table) -> list[dict[str, Any]]:
    """Look for rows that are the same on both sides but for their last digits; a table of few different rows has such by chance and is not looked at."""
    inputs = [column for column in inputs_of(columns) if column.kind is not None and column.kind.SHAPE in FLAT]
    if not any(column.kind is not None and column.kind.NAME == "number" for column in inputs) and len(inputs) < len(
        inputs_of(columns)
    ):
        return []
    one, other = _outlines(inputs, train), _outlines(inputs, check)
    within = 1.0 - len(np.unique(one)) / max(len(one), 1)  # repeated among the training rows themselves
    share = float(np.isin(other, one).mean()) if len(other) else 0.0
    if share < COPIES or within > 0.5 or len(inputs) < 2:
        return []
    sentence = f"{100 * share:.1f} % of the rows that choices are made by stand, up to the {DIGITS}rd digit, among the training rows."
    return [{"leak": "copies", "column": "", "skill": share, "sentence": sentence, "stops": False}]


def deep_copies(columns: Sequence[Column], train: Table, check: Table) -> list[dict[str, Any]]:
    """Look for texts and pictures that stand on both sides, and are not the same in most rows anyway."""
    found = []
    one, other = train.take(some(train.rows)), check.take(some(check.rows))
    for column in inputs_of(columns):
        sides = one.column(column.name), other.column(column.name)
        if column.modality == "text":
            met = texts_met(*sides)
        elif column.modality == "image":
            met = pictures_met(column, *sides)
        else:
            continue
        share = float(met.mean()) if len(met) else 0.0
        if COPIES <= share <= 0.9:
            sentence = f"In {100 * share:.1f} % of the rows that choices are made by, {column.name!r} stands almost unchanged among the training rows."
            found.append(
                {"leak": "copies", "column": column.name, "skill": share, "sentence": sentence, "stops": False}
            )
    return found


def _outlines(columns: Sequence[Column], table: Table) -> npt.NDArray[np.uint64]:
    """Return a hash of each row in which numbers count by their first digits only."""
    total = np.zeros(table.rows, np.uint64)
    for salt, column in enumerate(columns):
        assert column.kind is not None
        values = table.column(column.name)
        if column.kind.SHAPE == "scalar":
            matrix = column.kind.features(column.state, values).matrix
            for feature in matrix.T:
                total += hash_values(pa.array(_cut(feature)), 31 * salt + 1)
        else:
            total += hash_values(values, 31 * salt + 1)
    return total


def _cut(numbers: Floats) -> Floats:
    """Return numbers rounded to their first digits; NaN stays."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(numbers))))
        return np.where((numbers == 0) | ~np.isfinite(power), numbers, np.round(numbers * power) / power)


def groups(columns: Sequence[Column], sides: Sides, train: Table, check: Table) -> list[dict[str, Any]]:
    """Look for ids that are met again and whose rows share the target."""
    found = []
    truth = np.concatenate([sides.known, sides.asked])
    for column in inputs_of(columns):
        if column.kind is None or column.kind.SHAPE not in FLAT or column.modality in ("date", "yes_no"):
            continue
        cells = np.concatenate([hash_values(part.column(column.name)) for part in (train, check)])
        kinds, group, counts = np.unique(cells, return_inverse=True, return_counts=True)
        many = len(kinds) >= max(FEWEST_GROUPS, MANY_GROUPS * len(cells)) and counts.max() < MOST_OF_A_GROUP * len(
            cells
        )
        again = counts[group] > 1
        if not many or again.mean() < 0.5:
            continue
        skill, clear = shared(_others_of_group(group, counts, truth, sides.classes)[again], truth[again], sides.classes)
        if column.modality == "number":  # a number whose neighbours tell as much is a number, not a name
            skill -= max(0.0, *(smooth(a, b, sides) for a, b in numbers_of(column, train, check)))
        if clear and skill >= SHARED[sides.classes > 0]:
            sentence = f"Rows of the same {column.name!r} stand on both sides and share {sides.target.name!r}: the others of a row's group tell it with skill {skill:.2f}."
            found.append({"leak": "group", "column": column.name, "skill": skill, "sentence": sentence, "stops": False})
    return found


def _others_of_group(group: Rows, counts: Rows, truth: Floats, classes: int) -> Floats:
    """Return what the other rows of each row's group say: their mean, or their most frequent class."""
    others = np.maximum(counts[group] - 1, 1)
    if not classes:
        return np.asarray((np.bincount(group, weights=truth)[group] - truth) / others)
    votes = np.zeros((len(counts), classes))
    np.add.at(votes, (group, truth.astype(np.int64)), 1.0)
    own = votes[group]
    own[np.arange(len(truth)), truth.astype(np.int64)] -= 1.0
    return np.asarray(own.argmax(axis=1), np.float64)


def neighbours_in_time(columns: Sequence[Column], sides: Sides, train: Table, check: Table) -> list[dict[str, Any]]:
    """Look for dates whose neighbours before and after tell the target, where what came a while before does not."""
    found = []
    truth = np.concatenate([sides.known, sides.asked])
    for column in inputs_of(columns):
        if column.modality != "date" or column.kind is None:
            continue
        when = np.concatenate(
            [column.kind.features(column.state, part.column(column.name)).matrix[:, 0] for part in (train, check)]
        )
        there = np.flatnonzero(~np.isnan(when))
        if len(np.unique(when[there])) < FEWEST_GROUPS:
            continue
        order = there[np.argsort(when[there], kind="stable")]
        moments, values = when[order], truth[order]
        place = np.arange(len(order))
        beside = np.stack([place + step for step in (-2, -1, 1, 2)]).clip(0, len(order) - 1)
        ago = np.searchsorted(moments, moments - GAP * (moments[-1] - moments[0]))
        before = np.stack([ago - step for step in (1, 2, 3, 4)])
        asked = (before >= 0).all(axis=0) & (place >= 2) & (place < len(order) - 2)
        if asked.sum() < FEWEST_GROUPS:
            continue
        close, ago_said = (_said(values[rows[:, asked]], sides.classes) for rows in (beside, before.clip(0)))
        near, clear = shared(close, values[asked], sides.classes)
        far, _ = shared(ago_said, values[asked], sides.classes)
        gain = errors(ago_said, values[asked], sides.classes) - errors(close, values[asked], sides.classes)
        nearer = gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
        if clear and nearer and near - max(far, 0.0) >= SHARED[sides.classes > 0]:
            sentence = f"Rows of the same time stand on both sides: neighbours in {column.name!r} tell {sides.target.name!r} with skill {near:.2f}, and what came a while before with {max(far, 0.0):.2f}."
            found.append({"leak": "time", "column": column.name, "skill": near, "sentence": sentence, "stops": False})
    return found


def _said(values: Floats, classes: int) -> Floats:
    """Return what some rows each ``(neighbour, row)`` say together: their mean, or their most frequent class."""
    if not classes:
        return np.asarray(values.mean(axis=0))
    votes = np.stack([(values == code).sum(axis=0) for code in range(classes)])
    return np.asarray(votes.argmax(axis=0), np.float64)
