"""From files to columns that have learned and rows that are parted: everything before the first model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fathom.data.encoding import Column, inputs_of
from fathom.data.modalities.contract import Modality
from fathom.data.reading import read
from fathom.data.recognising import check_names, recognise_inputs, recognise_target, without_unusable
from fathom.data.splitting import TEST, TRAIN, VALIDATION, Split, check_enough_rows, seen_before, split
from fathom.data.table import Table
from fathom.errors import TableError, suggestion
from fathom.progress import Progress
from fathom.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """A table whose columns are understood and whose rows are parted.

    The test rows are in ``sealed``, apart from the others, so that nothing meets them by accident.
    """

    table: Table
    columns: tuple[Column, ...]
    split: Split
    train: Table
    validation: Table
    sealed: Table
    warnings: tuple[str, ...]

    @property
    def targets(self) -> tuple[Column, ...]:
        """The columns to predict."""
        return tuple(column for column in self.columns if column.role == "target")


def prepare(
    source: Any,
    target: str | Sequence[str],
    test: Any,
    settings: Settings,
    modalities: Sequence[Modality],
    progress: Progress,
) -> Prepared:
    """Read, understand and part a table. Raises TableError or OptionError for anything that cannot be used."""
    targets = [target] if isinstance(target, str) else list(target)
    parting = [name for name in (settings.group, settings.time) if name is not None]

    progress.begin("Reading")
    table = _read(source, settings)
    check_names(table, targets, settings.columns, parting)
    table = without_unusable(table, targets, settings.bad_rows, settings.columns, modalities)
    check_enough_rows(table.rows, table.name)
    test_rows = 0
    if test is not None:
        own_test = _read(test, settings)
        own_test = _aligned(own_test, table)
        own_test = without_unusable(own_test, targets, settings.bad_rows, settings.columns, modalities)
        test_rows = own_test.rows
        table = join(table, own_test)
    progress.end(f"{table.rows:,} rows, {len(table.names)} columns")

    progress.begin("Recognising columns")
    predicted = {name: recognise_target(table, name, settings.columns, modalities) for name in targets}
    classes = next((table.column(c.name) for c in predicted.values() if c.kind and c.kind.SHAPE == "code"), None)
    moments = _moments(table, settings, modalities) if settings.time else None
    parts = split(
        table, classes=classes, group=settings.group, time=moments, time_column=settings.time or "", test_rows=test_rows
    )
    roles = {name: role for name, role in ((settings.group, "group"), (settings.time, "time")) if name}
    others = [name for name in table.names if name not in predicted]
    inputs = {
        column.name: column
        for column in recognise_inputs(table, parts.rows(TRAIN), others, roles, settings.columns, modalities)
    }
    columns = tuple((inputs | predicted)[name] for name in [*table.names])
    if not inputs_of(columns):
        why = "; ".join(f"{column.name!r} is {column.reason}" for column in columns if column.role == "left_out")
        raise TableError(
            f"No column is left to predict from. {why or 'The table holds nothing but the target'}. Add a column that may tell something."
        )
    progress.end(f"{len(inputs_of(columns))} to predict from")

    ordered = sorted(columns, key=lambda column: targets.index(column.name) if column.role == "target" else -1)
    return Prepared(
        table,
        tuple(ordered),
        parts,
        table.take(parts.rows(TRAIN)),
        table.take(parts.rows(VALIDATION)),
        table.take(parts.rows(TEST)),
        _warnings(table, parts, test_rows),
    )


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


def _moments(table: Table, settings: Settings, modalities: Sequence[Modality]) -> npt.NDArray[np.float64]:
    """Return a number a row that grows with time. Raises TableError for a time column that has gaps or is no time."""
    name = settings.time
    assert name is not None
    values = table.column(name)
    for kind in (modality for modality in modalities if modality.NAME in ("date", "number")):
        if kind.claim(values).confidence < 0.5:
            continue
        moments = kind.features(kind.learn(values, "input"), values).matrix[:, 0]
        if np.isnan(moments).any():
            row = int(np.flatnonzero(np.isnan(moments))[0])
            path, line = table.place(row)
            raise TableError(
                f"{table.where(row)}: the time column {name!r} is missing, so the row cannot be placed in time. Fill it in, or remove the row.",
                file=path, line=line, column=name,
            )  # fmt: skip
        return moments
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
        warnings.append(f"Only {counts['test']} test rows: every score below is uncertain, as its interval says.")
    return tuple(warnings)
