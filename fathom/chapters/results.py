"""Everything that a fit found, as one JSON-able dictionary: `result.json`, described in docs/result.md."""

import datetime
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

import fathom
from fathom.bundle.answers import margining
from fathom.bundle.answers.inference import Answers
from fathom.chapters.allotting import Clock
from fathom.chapters.candidates import Candidate, in_units, truth_in_units
from fathom.chapters.judging import Judged, metric_of
from fathom.chapters.prepared import Prepared
from fathom.chapters.probing import MOST_ROWS as MOST_LOOKED_AT
from fathom.chapters.probing import explain_layers, has_layers
from fathom.chapters.reckoning import Allowances
from fathom.chapters.sealing import Look
from fathom.data.encoding import Column, class_labels, inputs_of, target_classes
from fathom.data.rows.splitting import TEST, TRAIN, drawn
from fathom.data.table import Table
from fathom.effort import Sizes
from fathom.evidence import calibration, importance, layers, worst_rows
from fathom.evidence.contract import Finding, left_out
from fathom.scoring import METRICS, row_losses
from fathom.settings import Settings
from fathom.shapes import margins_of

FORMAT = 1
MOST_POINTS = 1_000  # of a plot
FEWEST_SHUFFLED = 100  # rows, or all, that tell what a column is worth
MOST_SKIPPED = 100
MOST_DRAWN = 12  # pictures of a column
MOST_PLAYED = 4  # recordings of a column


def make_result(
    prepared: Prepared,
    network: Candidate,
    baselines: Sequence[Candidate],
    judged: Judged,
    settings: Settings,
    size: Sizes,
    looks: Sequence[Look],
    adds: Sequence[Mapping[str, Any]],
    findings: Sequence[dict[str, Any]],
    clock: Clock,
    command: str,
    allowances: Allowances,
) -> dict[str, Any]:
    """Return the result, with what each column ``adds`` and the ``findings`` of the checks. Nothing in it is computed from test rows but scores, plots and the worst rows."""
    table = prepared.table
    measured, unasked = measures(prepared, network, judged, size, settings, allowances)
    findings = [*findings, *unasked]
    return {
        "format": FORMAT,
        "fathom": fathom.__version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "table": {
            "name": table.name,
            "files": _files(prepared),
            "bytes": prepared.larger.reading.stream.bytes_stored if prepared.larger else int(table.arrow.nbytes),
            "decisions": list(table.decisions),
        },
        "targets": [_target_json(column) for column in prepared.targets],
        "rows": prepared.counts,
        "skipped_rows": [asdict(row) for row in table.skipped[:MOST_SKIPPED]],
        "split": {
            "how": prepared.split.how,
            "own_test": prepared.split.own_test,
            "folds": prepared.fold_count,
            "fingerprint": prepared.split.fingerprint,
            "looks": list(looks),
        },
        "columns": [_column_json(column, prepared) for column in prepared.columns],
        "models": [_model_json(candidate, prepared, judged) for candidate in (network, *baselines)],
        "metrics": {name: {"better": metric.better, "summary": metric.summary} for name, metric in METRICS.items()},
        "verdict": judged.verdict.as_json(),
        "shipped": judged.shipped.name,
        "shipped_reason": judged.shipped_reason,
        "adds": list(adds),
        "findings": list(findings),
        "warnings": [*prepared.warnings, *_repeated_looks(looks), *_warnings_of(findings)],
        "training": dict(network.training or {}),
        "plots": {column.name: _plots(column, prepared, judged) for column in prepared.targets},
        **measured,
        "allowance": {"network": allowances.network.as_json(), "shipped": allowances.shipped.as_json()},
        "worst_rows": _worst_rows(prepared, judged),
        "settings": {**settings.to_json(), **{f"size.{name}": value for name, value in asdict(size).items()}},
        "seed": settings.seed,
        **clock.as_json(),
        "peak_bytes": peak_bytes(),
        "machine": _machine(settings),
    }


def peak_bytes() -> int:
    """Return the highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _files(prepared: Prepared) -> list[str]:
    if prepared.larger is not None:  # of many files, some may have no row in the sample
        return list(prepared.larger.reading.stream.labels)
    return [source.path for source in prepared.table.sources]


def _target_json(column: Column) -> dict[str, Any]:
    classes = target_classes(column)
    return {
        "name": column.name,
        "task": "classification" if classes else "regression",
        "classes": class_labels(column) if classes else None,
    }


def _column_json(column: Column, prepared: Prepared) -> dict[str, Any]:
    return {
        **column.told(),
        "summary": _summary(column),
        "drawn": _drawn(column, prepared),
    }


def _drawn(column: Column, prepared: Prepared) -> list[str]:
    """Return a few training cells of a column that is drawn or played, as ``data:`` URLs."""
    if column.kind is None or column.name not in prepared.train.names:
        return []
    played = column.kind.SHAPE == "vectors" and hasattr(column.kind, "settle") and prepared.larger is None
    if column.kind.SHAPE != "grid" and not played:
        return []
    held = prepared.table.take(prepared.split.rows(TRAIN)) if played else prepared.train
    values, most = held.column(column.name).drop_null(), MOST_PLAYED if played else MOST_DRAWN
    rows = np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).astype(np.int64))
    shown = [column.kind.show(column.state, values[int(row)].as_py()) for row in rows]
    return [one for one in shown if one.startswith("data:")]


def _summary(column: Column) -> str:
    """Return what the column holds, for example, and what its kind has to say of what it has learned."""
    told = [f"for example {', '.join(column.examples)}"] if column.examples else []
    if column.state is not None and hasattr(column.kind, "tell"):
        told.append(column.kind.tell(column.state))  # type: ignore[union-attr]
    return "; ".join(told)


def _model_json(candidate: Candidate, prepared: Prepared, judged: Judged) -> dict[str, Any]:
    first = prepared.targets[0].name
    scores = {
        target: {name: interval.as_json() for name, interval in metrics.items()}
        for target, metrics in judged.scores[candidate.name].items()
    }
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "summary": candidate.summary,
        "fit_seconds": candidate.fit_seconds,
        "predict_seconds_per_row": judged.seconds_per_row[candidate.name],
        "bytes": candidate.size,
        "scores": scores[first],
        "validation": {target: _finite(value) for target, value in judged.validation[candidate.name].items()},
        "targets": scores,
        "notes": dict(candidate.notes),
    }


def _warnings_of(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sentences of the findings that warn, with what to do."""
    return [
        f"{finding['sentence']} {finding['remedy']}".strip()
        for finding in findings
        if finding["status"] in ("bad", "warning")
    ]


def _repeated_looks(looks: Sequence[Look]) -> list[str]:
    earlier = len(looks) - 1
    if not earlier:
        return []
    times = "once" if earlier == 1 else f"{earlier} times"
    return [
        f"These test rows had been looked at {times} before this fit. Every look makes the scores a little too good: choose by "
        "validation scores, and keep rows aside that no fit has seen."
    ]


def _plots(column: Column, prepared: Prepared, judged: Judged) -> dict[str, Any]:
    shipped = judged.shipped
    truth, answer = judged.truth[column.name], judged.answers[shipped.name][column.name]
    if target_classes(column):
        classes = class_labels(column)
        known = truth >= 0
        counts = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(counts, (truth[known], answer.argmax(axis=1)[known]), 1)
        return {
            "confusion": {"classes": classes, "counts": counts.tolist()},
            "residuals": None,
            "calibration": calibration.of_probabilities(truth, answer, groups=prepared.sealed_groups),
        }
    spread = np.linspace(0, len(truth) - 1, min(len(truth), MOST_POINTS)).astype(np.int64)
    if shipped.description.tells_margins(column):  # intervals of every level are so many margins of their row
        known = [
            _out_by(column, *part) for part in ((prepared.sealed, judged.told), (prepared.validation, shipped.answers))
        ]
        nothing = [np.zeros(len(one)) for one in known]
        held = calibration.of_intervals(known[0], nothing[0], nothing[1], known[1], groups=prepared.sealed_groups)
    else:
        chosen = in_units(column, shipped.answers[column.name])
        residuals = np.abs(chosen - truth_in_units(column, prepared.validation))
        held = calibration.of_intervals(truth, answer, chosen, residuals, groups=prepared.sealed_groups)
    return {
        "confusion": None,
        "residuals": {"truth": truth[spread].tolist(), "predicted": answer[spread].tolist()},
        "calibration": held,
    }


def _out_by(column: Column, rows: Table, told: Answers) -> Any:
    """Return how many margins each truth lies from its answer, ``(row,)``."""
    assert column.kind is not None
    truth = column.kind.encode(column.state, rows.column(column.name))[:, 0]
    return margining.out_by(told[column.name], told[margins_of(column.name)], truth)


def measures(
    prepared: Prepared, network: Candidate, judged: Judged, size: Sizes, settings: Settings, allowances: Allowances
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what asks the model and has a place of its own in the report, ``importance`` and ``layers``; and a finding for each that costs more than it may."""
    found: dict[str, Any] = {"importance": [], "layers": []}
    unasked: list[Finding] = []
    allowance, held = allowances.shipped, prepared.validation.rows
    rows, repeats = min(held, size.importance_rows), size.importance_repeats
    columns = len(inputs_of(prepared.columns))
    for repeats in range(size.importance_repeats, 0, -1):  # fewer shuffles before fewer rows than make an interval
        if some := allowance.affords(importance.NAME, rows, FEWEST_SHUFFLED, 1 + columns * repeats, known=True):
            break
    if some:
        found["importance"] = _importance(prepared, judged, some, repeats, settings)
    else:
        least = min(held, FEWEST_SHUFFLED) * (1 + columns)
        unasked.append(left_out(importance, allowance, least, "fathom explain RUN ROWS", known=True))
    if has_layers(network.description):
        most = allowances.network.affords(layers.NAME, min(held, MOST_LOOKED_AT), layers.FEWEST_ROWS)
        if most:
            found["layers"] = explain_layers(
                network.description, network.weights, prepared.validation, settings.seed, most
            )
        else:
            command = "fathom explain RUN ROWS --layers"
            unasked.append(left_out(layers, allowances.network, min(held, layers.FEWEST_ROWS), command))
    return found, [{"target": prepared.targets[0].name, **finding.as_json()} for finding in unasked]


def _importance(
    prepared: Prepared, judged: Judged, most: int, repeats: int, settings: Settings
) -> list[dict[str, Any]]:
    """Return what each column is worth to the shipped model, on ``most`` validation rows; folded rows are answered by the fit that left them out."""
    first = prepared.targets[0]
    names = [column.name for column in inputs_of(prepared.columns)]
    chosen = drawn(prepared.validation, most)
    rows = prepared.validation.take(chosen)
    folds = None if prepared.folds is None else prepared.folds[chosen]
    truth = truth_in_units(first, rows)

    def losses(table: Table) -> Any:
        return row_losses(truth, in_units(first, judged.shipped.answer_unseen(table, folds)[first.name]))

    metric = metric_of(first, settings)
    unit = "nats" if metric.task == "classification" else "in the target's unit"
    groups = None if prepared.validation_groups is None else prepared.validation_groups[chosen]
    return importance.by_shuffling(
        losses, rows.select(names), names, seed=settings.seed, repeats=repeats, unit=unit, groups=groups
    )


def _worst_rows(prepared: Prepared, judged: Judged) -> list[dict[str, Any]]:
    found = []
    sealed = _with_sounds(prepared)
    for column in prepared.targets:
        found += worst_rows.find(
            sealed,
            column.name,
            judged.truth[column.name],
            judged.answers[judged.shipped.name][column.name],
            classes=class_labels(column) if target_classes(column) else None,
            columns=[column.name for column in inputs_of(prepared.columns)],
            shown_by={
                one.name: partial(one.kind.show, one.state)
                for one in inputs_of(prepared.columns)
                if one.kind is not None and (hasattr(one.kind, "settle") or one.kind.SHAPE == "vectors")
            },
        )
    return found


def _with_sounds(prepared: Prepared) -> Table:
    """Return the test rows with the recordings themselves, which can be played, in place of what was heard of them."""
    sealed = prepared.sealed
    if prepared.larger is not None:
        return sealed
    for column in inputs_of(prepared.columns):
        if column.kind is not None and column.kind.SHAPE == "vectors" and hasattr(column.kind, "settle"):
            sealed = sealed.with_column(column.name, prepared.table.take(prepared.split.rows(TEST)).column(column.name))
    return sealed


def _machine(settings: Settings) -> dict[str, Any]:
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": settings.threads,
        "processor": platform.machine(),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
