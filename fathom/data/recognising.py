"""Each column is taken for what it most likely is, with a reason that the user sees; columns that teach nothing are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import media
from fathom.data.cells.values import is_heavy
from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.data.modalities.contract import Claim, Modality, Role
from fathom.data.table import Rows, SkippedRow, Table
from fathom.errors import OptionError, TableError
from fathom.shapes import DEEP

LEAST_CONFIDENCE = 0.3  # below, nobody's claim is believed
MOST_CLASSES_OF_WHOLE_NUMBERS = 10  # a target of at most so many different whole numbers is read as classes
LONG_EXAMPLE = 40  # characters; of cells so long, one is example enough
SKIP = "skip"  # what the user writes for a column to be left out


def check_names(table: Table, targets: Sequence[str], overrides: Mapping[str, str], others: Sequence[str]) -> None:
    """Raise TableError or OptionError for columns that do not exist or are named twice."""
    if not targets:
        raise OptionError("Name the column to predict: --target NAME.")
    for name in [*targets, *overrides, *others]:
        table.column(name)  # raises with the nearest name
    for name in targets:
        if targets.count(name) > 1:
            raise OptionError(f"The target {name!r} is named twice. Name each target once.")
        if overrides.get(name) == SKIP:
            raise OptionError(f"Column {name!r} cannot be both predicted and skipped. Leave it out of --columns.")
    for name in others:
        if name in targets:
            raise OptionError(
                f"Column {name!r} is the target and cannot part or weigh the rows too. Name another column."
            )


def recognise_target(
    table: Table, name: str, overrides: Mapping[str, str], modalities: Sequence[Modality], also: pa.Array | None = None
) -> Column:
    """Take a target for a kind that can be predicted. All rows are looked at: which classes there are is part of the question.

    Where ``table`` is but a sample, ``also`` holds classes that other rows have, each twice.
    Raises TableError when the target is constant, cannot be predicted, or has a class with a single row.
    """
    values = table.column(name)
    if is_heavy(values.type) and name not in overrides:
        raise TableError(
            f"Column {name!r} holds cells of type {values.type}, which cannot be predicted. Choose another target: a number, or a column of classes.",
            column=name,
        )
    if name in overrides:
        kind, claim = by_name(overrides[name], modalities), Claim(1.0, "you said so")
    else:
        kind, claim = _best(values, [modality for modality in modalities if modality.PREDICTABLE])
        distinct = _distinct(values)
        category = next((modality for modality in modalities if modality.NAME == "category"), kind)
        if kind.NAME == "number" and _whole(kind, values) and distinct <= MOST_CLASSES_OF_WHOLE_NUMBERS:
            kind = category
            claim = Claim(
                0.6,
                f"only {distinct} different whole numbers, so each is a class; --columns {name}=number predicts a number",
            )
        elif claim.confidence < LEAST_CONFIDENCE:
            likely, why = _best(values, modalities)
            raise TableError(
                f"Column {name!r} looks like {_article(likely.NAME)} ({why.reason}), which cannot be predicted. "
                f"Choose another target, or say what it is with --columns {name}=number or {name}=category.",
                column=name,
            )
    if not kind.PREDICTABLE:
        able = ", ".join(modality.NAME for modality in modalities if modality.PREDICTABLE)
        raise OptionError(
            f"Column {name!r} cannot be predicted as {_article(kind.NAME)}. Kinds that can be: {able}.", column=name
        )
    _check_target_cells(table, name, kind)
    classes = kind.SHAPE == "code" and also is not None and len(also) > 0
    state = kind.learn(pa.concat_arrays([values, also]) if classes else values, "target")
    column = Column(
        name,
        "target",
        kind,
        claim.confidence,
        claim.reason,
        state,
        distinct=_distinct(values),
        examples=_examples(values),
    )
    _check_classes(table, column, also if classes else None)
    return column


def recognise_inputs(
    table: Table,
    train: Rows,
    names: Sequence[str],
    roles: Mapping[str, str],
    overrides: Mapping[str, str],
    modalities: Sequence[Modality],
) -> tuple[Column, ...]:
    """Take every other column for what it most likely is, learning from the training rows only.

    ``roles`` says which column parts the rows by ``group`` or ``time``, and which is their ``weight``. Raises TableError for a column whose cells are neither one thing nor another.
    """
    learned_from = table.take(train)
    return tuple(
        _recognise_input(
            table, learned_from.column(name), name, roles.get(name, "input"), overrides.get(name), modalities
        )
        for name in names
    )


def _recognise_input(
    table: Table, values: pa.Array, name: str, role: str, override: str | None, modalities: Sequence[Modality]
) -> Column:
    distinct, examples = _distinct(values), _examples(values)
    left_out = Column(name, "left_out", None, 1.0, "you said so", distinct=distinct, examples=examples)
    if role == "group":
        return replace(
            left_out, role="group", reason="parts the rows; a group's name teaches nothing about other groups"
        )
    if role == "weight":
        reason = "says how much each row counts in training; it is no input, and scores count every row alike"
        return replace(left_out, role="weight", reason=reason)
    if override == SKIP:
        return left_out
    if is_heavy(values.type):
        modalities = [modality for modality in modalities if modality.SHAPE in DEEP]
        if not override and _best(values, modalities)[1].confidence < LEAST_CONFIDENCE:
            return replace(left_out, reason=f"no kind of column reads cells of type {values.type} that look like these")
    kind, claim = (by_name(override, modalities), Claim(1.0, "you said so")) if override else _best(values, modalities)
    nothing = kind.missing(values)
    left_out = replace(left_out, missing=float(nothing.mean()) if len(nothing) else 1.0)
    known = int((~nothing).sum())
    if not known:
        return replace(left_out, reason="empty: no training row has a value")
    if distinct == 1 and not is_heavy(values.type):
        return replace(left_out, reason=f"constant: {str(values[0].as_py())[:60]!r} on every training row")
    if claim.confidence < LEAST_CONFIDENCE:
        reason = f"unclear: {distinct:,} different values on {len(values):,} training rows, which look like no kind of column; the likeliest is {kind.NAME} ({claim.reason})"
        return replace(left_out, confidence=1 - claim.confidence, reason=reason)
    if kind.NAME == "id" and distinct - bool(left_out.missing) >= known:
        return replace(left_out, confidence=claim.confidence, reason=f"id: {claim.reason}")
    column = replace(
        left_out,
        role="time" if role == "time" else "input",
        kind=kind,
        confidence=claim.confidence,
        reason=claim.reason,
        state=_learn(kind, values, "input", name),
    )
    if (not override or kind.NAME == "number") and not hasattr(
        kind, "settle"
    ):  # what settles is looked at when it does
        check_readable(table, column, override, kind.unreadable(column.state, table.column(name)))
    return column


def without_unusable(
    table: Table, targets: Sequence[str], bad_rows: str, overrides: Mapping[str, str], modalities: Sequence[Modality]
) -> Table:
    """Return the table without the rows whose target is missing, or raise TableError naming the first, as ``bad_rows`` says."""
    for name, kind in likely_kinds(table, targets, overrides, modalities).items():
        marks = kind.missing(table.column(name))
        if not marks.any():
            continue
        first = int(np.flatnonzero(marks)[0])
        if bad_rows == "error":
            path, line = table.place(first)
            raise TableError(
                f"{table.where(first)}: the target {name!r} is missing, as on {marks.sum():,} of {table.rows:,} rows. A row without it cannot "
                "be learned from: fill it in, or leave such rows out with --bad-rows skip.",
                file=path,
                line=line,
                column=name,
            )
        table = skip_rows(table, marks, f"the target {name!r} is missing")
    return table


def likely_kinds(
    table: Table, names: Sequence[str], overrides: Mapping[str, str], modalities: Sequence[Modality]
) -> dict[str, Modality]:
    """Return what columns most likely are, or what the user says."""
    return {
        name: by_name(overrides[name], modalities) if name in overrides else _best(table.column(name), modalities)[0]
        for name in names
    }


def skip_rows(table: Table, marks: npt.NDArray[np.bool_], reason: str) -> Table:
    """Return the table without the marked rows, which it lists as skipped."""
    places = [table.place(int(row)) for row in np.flatnonzero(marks)]
    skipped = tuple(SkippedRow(path or table.name, line, reason) for path, line in places)
    return replace(table.take(np.flatnonzero(~marks)), skipped=table.skipped + skipped)


def _best(values: pa.Array, modalities: Sequence[Modality]) -> tuple[Modality, Claim]:
    claims = [(modality, modality.claim(values)) for modality in modalities]
    return max(claims, key=lambda pair: pair[1].confidence)  # the first of equals: the order of the tuple decides


def _learn(kind: Modality, values: pa.Array, role: Role, name: str) -> Any:
    """Learn a column's state; a modality does not know the column's name, so its lesson gets it here."""
    try:
        return kind.learn(values, role)
    except TableError as error:
        raise TableError(f"Column {name!r}: {str(error).replace('NAME', name)}", column=name) from None


def _distinct(values: pa.Array) -> int:
    if pa.types.is_nested(values.type):
        return len(values)
    return int(pc.count_distinct(values, mode="all").as_py())


def _examples(values: pa.Array) -> tuple[str, ...]:
    if is_heavy(values.type):
        return ()
    known = pc.unique(values.slice(0, 1_000).drop_null())
    found = tuple(shortened(str(value)) for value in known.slice(0, 4).to_pylist() if str(value).strip())[:3]
    return found[:1] if any(len(example) > LONG_EXAMPLE for example in found) else found


def shortened(text: str) -> str:
    """Return a text on one line of 80 characters at most.

    >>> shortened(" two\\nlines "), len(shortened("long " * 99))
    ('two lines', 80)
    """
    line = " ".join(text[:400].split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def _whole(number: Modality, values: pa.Array) -> bool:
    return bool(number.learn(values, "target").whole)


def several(name: str) -> str:
    """Return a kind's name for more than one.

    >>> several("image"), several("series")
    ('images', 'series')
    """
    return name if name.endswith("s") else f"{name}s"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeio' else 'a'} {name} column"


def _check_target_cells(table: Table, name: str, kind: Modality) -> None:
    values = table.column(name)
    distinct = pc.unique(values)
    if len(distinct) == 1:
        raise TableError(
            f"The target {name!r} is {str(distinct[0].as_py())!r} on all {table.rows:,} rows: there is nothing to predict. Choose a column whose values differ.",
            column=name,
        )
    _check_marked(table, name, kind, kind.unreadable(_learn(kind, values, "target", name), values))


def _check_marked(table: Table, name: str, kind: Modality, marks: npt.NDArray[np.bool_]) -> None:
    """Raise TableError for the first marked cell of a target."""
    values = table.column(name)
    if marks.any():
        row = int(np.flatnonzero(marks)[0])
        path, line = table.place(row)
        raise TableError(
            f"{table.where(row)}: the target {name!r} is {values[row].as_py()!r}, which is not a {kind.NAME}. Correct the cell, "
            f"or predict a category with --columns {name}=category.",
            file=path,
            line=line,
            column=name,
        )


def _check_classes(table: Table, column: Column, also: pa.Array | None) -> None:
    if column.kind is None or column.kind.SHAPE != "code":
        return
    values = table.column(column.name)
    values = values if also is None else pa.concat_arrays([values, also])
    codes = column.kind.encode(column.state, values)[:, 0]
    counts = np.bincount(codes[codes >= 0], minlength=column.parts[0].codes)
    for code in np.flatnonzero(counts == 1):
        raise single_row(table, int(np.flatnonzero(codes == code)[0]), column.name)


def single_row(table: Table, row: int, name: str) -> TableError:
    """Return the error for a class that stands on one row only."""
    path, line = table.place(row)
    return TableError(
        f"{table.where(row)}: the class {str(table.column(name)[row].as_py())!r} of the target {name!r} has this single row, and a class needs "
        "rows both to learn from and to be judged on. Add rows of it, join it with another class, or remove the row.",
        file=path,
        line=line,
        column=name,
    )


def check_block(table: Table, columns: Sequence[Column], overrides: Mapping[str, str]) -> None:
    """Check further rows of a table whose columns were recognised in a sample of it.

    Raises TableError naming the first cell that a target or an input cannot hold, and a class that no counted row had.
    """
    for column in columns:
        if column.kind is None:
            continue
        if column.role == "target":
            values = table.column(column.name)
            marks = column.kind.unreadable(column.state, values) | column.kind.missing(values)
            if column.kind.SHAPE == "code":
                marks |= column.kind.encode(column.state, values)[:, 0] < 0
            _check_marked(table, column.name, column.kind, marks)
        elif hasattr(column.kind, "settle"):
            continue  # looked at as it is decoded
        elif column.name not in overrides or column.kind.NAME == "number":
            marks = column.kind.unreadable(column.state, table.column(column.name))
            check_readable(table, column, overrides.get(column.name), marks)


def fault_of(column: Column, cell: Any) -> str:
    """Return in words why the column's kind cannot read a cell, where it says so (a kind of media does)."""
    assert column.kind is not None
    return str(column.kind.fault(column.state, cell)) if hasattr(column.kind, "fault") else ""


def first_marked(table: Table, column: Column, marks: npt.NDArray[np.bool_]) -> tuple[str, str]:
    """Return in words the first marked cell and its place, and why it cannot be read, where the column's kind says so."""
    row = int(np.flatnonzero(marks)[0])
    cell = table.column(column.name)[row].as_py()
    why = fault_of(column, cell)
    return f"{table.where(row)}: column {column.name!r} holds {media.shown(cell)[:200]!r}", f" ({why})" if why else ""


def taken_as_missing(table: Table, column: Column, marks: npt.NDArray[np.bool_]) -> str:
    """Return a warning of marked cells, which the column's kind cannot read."""
    assert column.kind is not None
    cell, why = first_marked(table, column, marks)
    such = "1 such cell was" if marks.sum() == 1 else f"{marks.sum():,} such cells were"
    return f"{cell} among {several(column.kind.NAME)}{why}; {such} taken as missing."


def check_readable(table: Table, column: Column, override: str | None, marks: npt.NDArray[np.bool_]) -> None:
    """Raise TableError at the first marked cell of any row, which the column's kind cannot read; validity is not learned from."""
    assert column.kind is not None
    values = table.column(column.name)
    if not marks.any():
        return
    row = int(np.flatnonzero(marks)[0])
    path, line = table.place(row)
    others = f" ({marks.sum():,} such cells)" if marks.sum() > 1 else ""
    advice = (
        "or leave the column out"
        if override or hasattr(column.kind, "settle")
        else f"or read the column as words with --columns {column.name}=category, or leave it out"
    )
    cell = values[row].as_py()
    fault = f", which cannot be read: {why}" if (why := fault_of(column, cell)) else ""
    also = ", take such cells as missing with --bad-rows skip" if hasattr(column.kind, "settle") else ""
    raise TableError(
        f"{table.where(row)}: column {column.name!r} holds {media.shown(cell)[:200]!r}{fault}{others} among {several(column.kind.NAME)}. "
        f"Correct the cell{also}, {advice} with --columns {column.name}=skip.",
        file=path,
        line=line,
        column=column.name,
    )


__all__ = [
    "check_names",
    "first_marked",
    "recognise_inputs",
    "recognise_target",
    "skip_rows",
    "taken_as_missing",
    "without_unusable",
]
