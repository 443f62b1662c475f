"""From files to columns that have learned and rows that are parted: everything before the first model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.chapters.adopting import adopted
from fathom.chapters.larger import moments_of
from fathom.chapters.prepared import Prepared
from fathom.data import gathering
from fathom.data.encoding import Column, inputs_of
from fathom.data.files.reading import read
from fathom.data.gathering import Gathered
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import (
    check_names,
    check_readable,
    recognise_inputs,
    recognise_target,
    taken_as_missing,
    without_unusable,
)
from fathom.data.rows.folding import Folds, fold
from fathom.data.rows.splitting import (
    TEST,
    TRAIN,
    VALIDATION,
    Split,
    check_enough_rows,
    row_hashes,
    seen_before,
    split,
)
from fathom.data.rows.weighing import row_weights, weights_of_parts
from fathom.data.table import Table
from fathom.effort import folds_for
from fathom.errors import TableError, suggestion
from fathom.progress import Progress
from fathom.quantities import counted
from fathom.settings import Settings
from fathom.shapes import DEEP


def prepare(
    source: Any,
    target: str | Sequence[str],
    test: Any,
    settings: Settings,
    modalities: Sequence[Modality],
    progress: Progress,
    folded: bool = False,
) -> Prepared:
    """Read, understand and part a table. Raises TableError or OptionError for anything that cannot be used.

    ``folded`` says that models may be several fits: then the rows of a small table that are no test rows are folded, if the effort is worth it, no
    time parts them (what comes later may not teach what came before), and no column is deep (its network takes long to train).
    """
    targets = [target] if isinstance(target, str) else list(target)
    parting = [name for name in (settings.group, settings.time, settings.weight) if name is not None]

    progress.begin("Reading")
    table, gathered, settings = gathered_of(_read(source, settings), targets, parting, settings)
    check_names(table, targets, settings.columns, parting)
    table = without_unusable(table, targets, settings.bad_rows, settings.columns, modalities)
    check_enough_rows(table.rows, table.name)
    test_rows = 0
    if test is not None:
        own_test = read_test(test, table, targets, settings, modalities, gathered)
        test_rows = own_test.rows
        table = join(table, own_test)
    progress.end(f"{table.rows:,} rows, {len(table.names)} columns")

    progress.begin("Recognising columns")
    predicted = {name: recognise_target(table, name, settings.columns, modalities) for name in targets}
    classes = next((table.column(c.name) for c in predicted.values() if c.kind and c.kind.SHAPE == "code"), None)
    moments = moments_in(table, settings, modalities) if settings.time else None
    unweighted = table.select([name for name in table.names if name != settings.weight])  # weights move no row
    parts = split(
        unweighted,
        classes=classes,
        group=settings.group,
        time=moments,
        time_column=settings.time or "",
        test_rows=test_rows,
    )
    warnings = _warnings(unweighted, parts, test_rows)
    prepared = understand(table, targets, predicted, parts, settings, modalities, warnings)
    folds = None
    if folded and (made := _folded(prepared, unweighted, classes, settings)):
        parts, folds = made
        prepared = understand(table, targets, predicted, parts, settings, modalities, warnings)
    prepared = replace(prepared, columns=tuple(_with_source(column, gathered) for column in prepared.columns))
    if settings.weight:
        weights = row_weights(table, settings.weight, table.rows - test_rows)
        own, other = weights_of_parts(weights, parts, settings.weight)
        prepared = replace(prepared, weights=own, validation_weights=other)
    if folds is not None:
        prepared = replace(prepared, validation=prepared.train, validation_weights=prepared.weights, folds=folds)
    progress.end(f"{len(inputs_of(prepared.columns))} to predict from")
    return decoded(prepared, settings, progress)


def gathered_of(
    table: Table, targets: Sequence[str], parting: Sequence[str], settings: Settings
) -> tuple[Table, tuple[Gathered, ...], Settings]:
    """Return the table with series gathered from its columns or rows, how they were, and the settings that say what its columns are.

    Raises TableError or OptionError where the rows of ``settings.series`` cannot be gathered.
    """
    if settings.series is not None:
        one = gathering.of_rows(table, settings.series, targets, settings.columns)
        found: tuple[Gathered, ...] = (one,)
        kinds = dict(settings.columns)
    else:
        found, kinds = gathering.find(table, settings.columns, [*targets, *parting])
    for one in found:
        note = f"The series {one.name!r} was gathered from {one.how}."
        if not one.id and settings.columns.get(one.name) != "series":
            note += f" --columns {one.name}=number keeps them apart."
        table = replace(one.gather(table), decisions=(*table.decisions, note))
    return table, found, replace(settings, columns=kinds)


def _with_source(column: Column, gathered: Sequence[Gathered]) -> Column:
    """Return the column with how it was gathered, if it was."""
    for one in gathered:
        if one.name == column.name:
            return replace(column, gathered=one, reason=f"{one.how}: {column.reason}")
    return column


def _folded(
    prepared: Prepared, table: Table, classes: pa.Array | None, settings: Settings
) -> tuple[Split, Folds] | None:
    parts = prepared.split
    count = folds_for(settings.effort, int((parts.part != TEST).sum()), settings.minutes)
    deep = any(column.kind is not None and column.kind.SHAPE in DEEP for column in inputs_of(prepared.columns))
    if count == 1 or deep or settings.time is not None:
        return None
    if parts.groups is not None:
        return fold(parts, parts.groups, count)
    return fold(parts, row_hashes(table), count, classes)


def understand(
    table: Table,
    targets: Sequence[str],
    predicted: Mapping[str, Column],
    parts: Split,
    settings: Settings,
    modalities: Sequence[Modality],
    warnings: Sequence[str],
) -> Prepared:
    """Recognise the inputs of a table whose targets are recognised and whose rows are parted, and lay its parts side by side.

    Which classes a target has is known from all rows; the scale of a number is learned anew from the training rows alone.
    Raises TableError when a column cannot be read or none is left to predict from.
    """
    predicted = {name: _scaled_by(table.take(parts.rows(TRAIN)), column) for name, column in predicted.items()}
    named = ((settings.group, "group"), (settings.time, "time"), (settings.weight, "weight"))
    roles = {name: role for name, role in named if name}
    others = [name for name in table.names if name not in predicted]
    inputs = {
        column.name: column
        for column in recognise_inputs(table, parts.rows(TRAIN), others, roles, settings.columns, modalities)
    }
    train = table.take(parts.rows(TRAIN))
    columns = adopted([{**inputs, **predicted}[name] for name in [*table.names]], train, settings)
    if not inputs_of(columns):
        why = "; ".join(f"{column.name!r} is {column.reason}" for column in columns if column.role == "left_out")
        raise TableError(
            f"No column is left to predict from. {why or 'The table holds nothing but the target'}. Add a column that may tell something."
        )
    ordered = sorted(columns, key=lambda column: targets.index(column.name) if column.role == "target" else -1)
    return Prepared(
        table,
        tuple(ordered),
        parts,
        train,
        table.take(parts.rows(VALIDATION)),
        table.take(parts.rows(TEST)),
        tuple(warnings),
    )


def _scaled_by(train: Table, column: Column) -> Column:
    """Return a target that is a number with what its training rows say of its scale; another as it is."""
    if column.kind is None or column.kind.SHAPE != "scalar":
        return column
    return replace(column, state=column.kind.learn(train.column(column.name), "target"))


def decoded(prepared: Prepared, settings: Settings, progress: Progress) -> Prepared:
    """Return the same with the columns that take long to decode in their compact form, decoded once.

    Raises TableError naming the first row whose cell cannot be decoded, unless ``bad_rows`` is ``"skip"``: such cells then count as missing, and are warned of.
    """
    light = prepared.table
    warnings = prepared.warnings
    for column in inputs_of(prepared.columns):
        if column.kind is not None and hasattr(column.kind, "settle"):
            progress.begin(f"Decoding {column.name}", light.rows)
            decoded_rows, marks = decode_column(light, column, settings, progress.advance)
            if marks.any():
                warnings = (*warnings, taken_as_missing(light, column, marks))
            light = decoded_rows
            progress.end(f"{light.rows:,} cells")
    if light is prepared.table:
        return prepared
    train, validation, sealed = (light.take(prepared.split.rows(part)) for part in (TRAIN, VALIDATION, TEST))
    return replace(prepared, train=train, validation=validation, sealed=sealed, warnings=warnings)


def decode_column(
    table: Table, column: Column, settings: Settings, advance: Callable[[int], None]
) -> tuple[Table, npt.NDArray[np.bool_]]:
    """Return the table with a column whose kind settles decoded, and the cells ``(row,)`` that could not be and count as missing.

    Raises TableError naming the first of them unless ``bad_rows`` is ``"skip"``.
    """
    assert column.kind is not None and hasattr(column.kind, "settle")
    values, marks = column.kind.settle(column.state, table.column(column.name), advance)
    if settings.bad_rows == "error":
        check_readable(table, column, settings.columns.get(column.name), marks)
    return table.with_column(column.name, values), marks


def read_test(
    test: Any,
    table: Table,
    targets: Sequence[str],
    settings: Settings,
    modalities: Sequence[Modality],
    gathered: Sequence[Gathered] = (),
) -> Table:
    """Read the user's own test rows, in the columns of ``table``."""
    own_test = _read(test, settings)
    for one in gathered:
        own_test = one.gather(own_test)
    own_test = _aligned(own_test, table)
    return without_unusable(own_test, targets, settings.bad_rows, settings.columns, modalities)


def _read(source: Any, settings: Settings) -> Table:
    return read(
        source,
        bad_rows=settings.bad_rows,
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        header=settings.header,
    )


def join(table: Table, other: Table) -> Table:
    """Lay the rows of two tables of the same columns end to end; every row still knows where it came from."""
    first = table.origin if table.origin is not None else np.arange(table.rows)
    second = other.origin if other.origin is not None else np.arange(other.rows)
    offset = sum(source.rows for source in table.sources)
    return replace(
        table,
        arrow=pa.concat_tables([table.arrow, other.arrow], promote_options="permissive"),
        sources=table.sources + other.sources,
        origin=np.concatenate([first, second + offset]),
        decisions=table.decisions + tuple(f"test rows: {decision}" for decision in other.decisions),
        skipped=table.skipped + other.skipped,
        _cache={},
    )


def _aligned(test: Table, table: Table) -> Table:
    """Return the test table with the columns of the training table, in their order."""
    for name in table.names:
        if name not in test.names:
            raise TableError(
                f"The test rows ({test.name}) have no column {name!r}, which {table.name} has.{suggestion(name, test.names)} "
                "Give both the same columns.",
                column=name,
            )
    return test.select(table.names)


def moments_in(table: Table, settings: Settings, modalities: Sequence[Modality]) -> npt.NDArray[np.float64]:
    """Return a number a row that grows with time. Raises TableError for a time column that has gaps or is no time."""
    name = settings.time
    assert name is not None
    kind, state = time_kind(table, settings, modalities)
    return moments_of(table, name, kind, state)


def time_kind(table: Table, settings: Settings, modalities: Sequence[Modality]) -> tuple[Modality, Any]:
    """Return what reads the time column, and its state. Raises TableError when the column is no time."""
    name = settings.time
    assert name is not None
    values = table.column(name)
    for kind in (modality for modality in modalities if modality.NAME in ("date", "number")):
        if kind.claim(values).confidence >= 0.5:
            return kind, kind.learn(values, "input")
    raise TableError(
        f"The time column {name!r} holds neither dates nor numbers, for example {values[0].as_py()!r}. Name another with --time.",
        column=name,
    )


def _warnings(table: Table, parts: Split, test_rows: int) -> tuple[str, ...]:
    warnings = []
    if table.skipped:
        warnings.append(
            f"{len(table.skipped):,} rows could not be used and were left out; the first: {table.skipped[0].path}, line {table.skipped[0].line} ({table.skipped[0].reason})."
        )
    if test_rows and (copies := seen_before(table, parts)):
        warnings.append(
            f"{copies:,} of the {test_rows:,} test rows stand, cell for cell, among the training rows too: their scores are better than they should be."
        )
    counts = parts.counts
    if counts["test"] < 100:
        warnings.append(f"Only {counted(counts['test'], 'test row')}: every score is uncertain, as its interval says.")
    return tuple(warnings)
