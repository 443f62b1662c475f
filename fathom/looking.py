"""Predicted rows whose truth stands beside them are scored; where they are sealed test rows, the look is counted."""

from pathlib import Path

from fathom.chapters import sealing
from fathom.chapters.candidates import in_units
from fathom.data.table import Table
from fathom.model import Model
from fathom.quantities import significant
from fathom.scoring import METRICS, Resamples, primary, score


def score_known(model: Model, table: Table, run: Path) -> list[str]:
    """Return a sentence for each target whose true values the table holds, and one when test rows of ``run`` were looked at."""
    lines = []
    for target in model.description.targets:
        assert target.kind is not None
        if target.name not in table.names:
            continue
        known = (~target.kind.missing(table.column(target.name))).nonzero()[0]
        if not len(known):
            continue
        rows = table.take(known)
        encoded = target.kind.encode(target.state, rows.column(target.name))[:, 0]
        answer = in_units(target, model.answer(rows)[target.name])
        truth = encoded if answer.ndim == 2 else in_units(target, encoded.astype(float))
        name = primary("classification" if answer.ndim == 2 else "regression")
        found = score(truth, answer, names=[name], resamples=Resamples.draw(len(truth)))[name]
        lines.append(
            f"These rows hold {target.name!r}: {METRICS[name].label} {significant(found.value, 4)} on {len(truth):,} rows "
            f"(95 % interval {significant(found.low, 4)} to {significant(found.high, 4)})."
        )
    if lines:
        lines += _counted(run, table)
    return lines


def _counted(run: Path, table: Table) -> list[str]:
    try:
        met = sealing.count_look(run, table, "scored by predict")
    except OSError as error:
        return [f"Test rows of {run} may be among them, and the look could not be written down ({error.strerror})."]
    return [f"{met:,} of them are sealed test rows of {run}: this look was written down there."] if met else []
