"""Predicted rows whose truth stands beside them are scored, but for those that the model knows; where they are sealed test rows, the look is counted."""

from pathlib import Path

from fathom.chapters import sealing
from fathom.chapters.candidates import in_units
from fathom.chapters.meeting import LEARNED, learned_from
from fathom.data.encoding import Column
from fathom.data.table import Table
from fathom.model import Model
from fathom.quantities import significant
from fathom.scoring import METRICS, Resamples, primary, score


def score_known(model: Model, table: Table, run: Path) -> list[str]:
    """Return what there is to say of the targets whose true values the table holds, a sentence each.

    Rows that the model has learned from or was chosen by are left out, and said so; so is it where that cannot be told, and when test rows of ``run`` were looked at.
    """
    lines: list[str] = []
    told, scored = True, False
    for target in model.description.targets:
        assert target.kind is not None
        if target.name not in table.names:
            continue
        known = (~target.kind.missing(table.column(target.name))).nonzero()[0]
        if not len(known):
            continue
        rows = table.take(known)
        learned = learned_from(run, model, rows, target)
        left_out = 0 if learned is None else int(learned.sum())
        if left_out == rows.rows:
            lines.append(
                f"These rows hold {target.name!r}, and there is no score: the model has learned from all {left_out:,} of them, or was chosen by them, so they say "
                "nothing of new rows."
            )
            continue
        if learned is not None and left_out:
            rows = rows.take((~learned).nonzero()[0])
        lines.append(_scored(model, rows, target))
        if left_out:
            lines.append(
                f"{left_out:,} other rows that hold it were left out of the score: the model has learned from them, or was chosen by them."
            )
        told, scored = told and learned is not None, True
    if not told:
        lines.append(
            f"Whether the model has learned from these rows cannot be told: {run} holds no {LEARNED} of this bundle. A fit writes it "
            "beside the bundle, but for a table larger than memory."
        )
    return [*lines, *_counted(run, table)] if scored else lines


def _scored(model: Model, rows: Table, target: Column) -> str:
    assert target.kind is not None
    encoded = target.kind.encode(target.state, rows.column(target.name))[:, 0]
    answer = in_units(target, model.answer(rows)[target.name])
    truth = encoded if answer.ndim == 2 else in_units(target, encoded.astype(float))
    name = primary("classification" if answer.ndim == 2 else "regression")
    found = score(truth, answer, names=[name], resamples=Resamples.draw(len(truth)))[name]
    return (
        f"These rows hold {target.name!r}: {METRICS[name].label} {significant(found.value, 4)} on {len(truth):,} rows "
        f"(95 % interval {significant(found.low, 4)} to {significant(found.high, 4)})."
    )


def _counted(run: Path, table: Table) -> list[str]:
    try:
        met = sealing.count_look(run, table, "scored by predict")
    except OSError as error:
        return [f"Test rows of {run} may be among them, and the look could not be written down ({error.strerror})."]
    return [f"{met:,} of these rows are sealed test rows of {run}: this look was written down there."] if met else []
