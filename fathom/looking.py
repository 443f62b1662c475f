"""Rows whose truth is known judge a model, but for those that it knows; where they are sealed test rows, the look is counted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fathom.chapters import sealing
from fathom.chapters.candidates import in_units
from fathom.chapters.learned_rows import LEARNED, learned_from
from fathom.data.encoding import Column, hanging_together
from fathom.data.files.reading import read
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.model import Model
from fathom.quantities import counted, significant
from fathom.scoring import METRICS, Resamples, primary, score


@dataclass(frozen=True)
class Unmet:
    """The rows that may judge a model: their truth is known, and it has neither learned from them nor was chosen by them.

    ``left_out`` counts those that it has met, which are not among ``rows``; ``told`` is false where that cannot be told, and then all rows are kept.
    """

    rows: Table
    left_out: int
    told: bool


def unmet(model: Model, table: Table, target: Column, run: Path) -> Unmet:
    """Return the rows of a table that may judge how a model answers a target; ``run`` is the folder of its fit, which knows the rows again that it has met."""
    assert target.kind is not None
    rows = table.take((~target.kind.missing(table.column(target.name))).nonzero()[0])
    learned = learned_from(run, model, rows, target) if rows.rows else np.zeros(0, np.bool_)
    if learned is None:
        return Unmet(rows, 0, told=False)
    if not learned.any():
        return Unmet(rows, 0, told=True)
    return Unmet(rows.take((~learned).nonzero()[0]), int(learned.sum()), told=True)


def rows_to_judge(model: Model, source: Any, run: Path) -> tuple[Table, list[str]]:
    """Return the rows by which a model's answers to its first target may be judged, and what there is to say of those that are left out.

    Raises TableError where the target is not there, or none of its rows is left.
    """
    table = model.gathered(read(source))
    target = model.description.targets[0]
    found = unmet(model, table, target, run)
    if found.rows.rows:
        left_out = counted(found.left_out, "other row was", "other rows were")
        said = (
            [f"{left_out} left out: the model has learned from them, or was chosen by them."] if found.left_out else []
        )
        return found.rows, said if found.told else [_untold(run)]
    if found.left_out:
        raise TableError(
            f"The model has learned from all {found.left_out:,} rows of {table.name}, or was chosen by them, so they say nothing of new rows. "
            "Give rows that it has not met. What it makes of those that it has met stands in the report of its fit, and `fathom explain RUN ROWS --row 7` explains any row."
        )
    raise TableError(
        f"Column {target.name!r} of {table.name} is empty, and rows judge a model by their truth. Give rows whose {target.name!r} is known.",
        column=target.name,
    )


def score_known(model: Model, table: Table, run: Path) -> list[str]:
    """Return what there is to say of the targets whose true values the table holds, a sentence each.

    Rows that the model has learned from or was chosen by are left out, and said so; so is it where that cannot be told, and when test rows of ``run`` were looked at.
    """
    lines: list[str] = []
    told, scored = True, False
    for target in model.description.targets:
        if target.name not in table.names:
            continue
        found = unmet(model, table, target, run)
        if not found.rows.rows:
            if found.left_out:
                lines.append(
                    f"These rows hold {target.name!r}, and there is no score: the model has learned from all {found.left_out:,} of them, or was chosen by them, so they say "
                    "nothing of new rows."
                )
            continue
        lines.append(_scored(model, found.rows, target))
        if found.left_out:
            lines.append(
                f"{found.left_out:,} other rows that hold it were left out of the score: the model has learned from them, or was chosen by them."
            )
        told, scored = told and found.told, True
    if not told:
        lines.append(_untold(run))
    return [*lines, *count_look(run, table, "scored by predict")] if scored else lines


def count_look(run: Path, table: Table, what: str) -> list[str]:
    """Write down a look at rows where some are sealed test rows of ``run``, and return what there is to say of it."""
    try:
        met = sealing.count_look(run, table, what)
    except OSError as error:
        return [f"Test rows of {run} may be among them, and the look could not be written down ({error.strerror})."]
    return [f"{met:,} of these rows are sealed test rows of {run}: this look was written down there."] if met else []


def _untold(run: Path) -> str:
    return (
        f"Whether the model has learned from these rows cannot be told: {run} holds no {LEARNED} of this bundle. A fit writes it "
        "beside the bundle, but for a table larger than memory."
    )


def _scored(model: Model, rows: Table, target: Column) -> str:
    assert target.kind is not None
    encoded = target.kind.encode(target.state, rows.column(target.name))[:, 0]
    answer = in_units(target, model.answer(rows)[target.name])
    truth = encoded if answer.ndim == 2 else in_units(target, encoded.astype(float))
    name = primary("classification" if answer.ndim == 2 else "regression")
    draws = Resamples.draw(len(truth), groups=hanging_together(model.columns, rows))
    found = score(truth, answer, names=[name], resamples=draws)[name]
    return (
        f"These rows hold {target.name!r}: {METRICS[name].label} {significant(found.value, 4)} on {len(truth):,} rows "
        f"(95 % interval {significant(found.low, 4)} to {significant(found.high, 4)})."
    )
