"""The seal is opened: every candidate answers the test rows, the verdict is spoken, and one candidate is chosen to ship."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fathom.chapters.candidates import Candidate, in_units, truth_in_units
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, target_classes
from fathom.data.table import Table
from fathom.evidence.verdict import Contender, Contest, Verdict, judge
from fathom.progress import Progress
from fathom.scoring import METRICS, Interval, Metric, Resamples, Task, find_metric, metrics_for, primary, score
from fathom.settings import Settings

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """What the test rows said.

    ``answers[model][target]`` are in the target's unit; ``scores[model][target][metric]`` hold their intervals; ``seconds_per_row[model]`` is what a
    prediction takes, columns included. ``told`` is what the shipped model answers in encoded units, with what it tells beside that (`fathom.bundle.answers.inference.Inference.tell`).
    """

    truth: Mapping[str, Any]
    answers: Mapping[str, Answers]
    scores: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    validation: Mapping[str, Mapping[str, float]]
    seconds_per_row: Mapping[str, float]
    best_baseline: Candidate
    verdict: Verdict
    shipped: Candidate
    shipped_reason: str
    told: Answers


def metric_of(column: Column, settings: Settings) -> Metric:
    """Return the metric that judges a target: the user's where it fits the task, else the task's own.

    Raises OptionError when the user's metric fits no target of that task.
    """
    task: Task = "classification" if target_classes(column) else "regression"
    if settings.metric in METRICS and METRICS[settings.metric].task != task:
        return METRICS[primary(task)]
    return find_metric(settings.metric, task)


def check_metric(targets: Sequence[Column], settings: Settings) -> None:
    """Raise OptionError when the metric that the user set is unknown or fits none of the targets."""
    if settings.metric is not None and all(metric_of(column, settings).name != settings.metric for column in targets):
        find_metric(settings.metric, "classification" if target_classes(targets[0]) else "regression")


def judge_candidates(
    prepared: Prepared,
    network: Candidate,
    baselines: Sequence[Candidate],
    settings: Settings,
    resamples: int,
    progress: Progress,
) -> Judged:
    """Open the test rows once, score every candidate on them, and choose what is shipped."""
    candidates = [network, *baselines]
    targets = prepared.targets
    metrics = {column.name: metric_of(column, settings) for column in targets}
    known = {column.name: truth_in_units(column, prepared.validation) for column in targets}
    validation = {
        candidate.name: {
            column.name: score(
                known[column.name], in_units(column, candidate.answers[column.name]), names=[metrics[column.name].name]
            )[metrics[column.name].name].value
            for column in targets
        }
        for candidate in candidates
    }
    constant = next(candidate for candidate in baselines if candidate.name == "constant")
    best = min(
        baselines, key=lambda candidate: _relative_error(validation[candidate.name], validation[constant.name], metrics)
    )

    progress.begin("Judging on the test rows", len(candidates))
    truth = {column.name: truth_in_units(column, prepared.sealed) for column in targets}
    draws = Resamples.draw(
        prepared.sealed.rows,
        count=resamples,
        seed=settings.seed,
        groups=prepared.sealed_groups,
    )
    answers: dict[str, dict[str, Any]] = {}
    seconds: dict[str, float] = {}
    told: dict[str, Answers] = {}
    scores: dict[str, dict[str, dict[str, Interval]]] = {}
    for done, candidate in enumerate(candidates):
        told[candidate.name], seconds[candidate.name] = _timed(candidate, prepared.sealed)
        answers[candidate.name] = {
            column.name: in_units(column, told[candidate.name][column.name]) for column in targets
        }
        scores[candidate.name] = {
            column.name: score(
                truth[column.name],
                answers[candidate.name][column.name],
                names=metrics_for(metrics[column.name].task),
                resamples=draws,
            )
            for column in targets
        }
        progress.advance(done + 1, candidate.name)
    verdict = judge(
        [
            Contest(
                name,
                metric,
                truth[name],
                answers[network.name][name],
                answers[best.name][name],
                answers[constant.name][name],
            )
            for name, metric in metrics.items()
        ],
        network=_contender(network, seconds),
        baseline=_contender(best, seconds),
        resamples=draws,
        table_rows=prepared.table.rows,
    )
    progress.end(verdict.answer)
    shipped, reason = choose(network, best, verdict, settings)
    return Judged(truth, answers, scores, validation, seconds, best, verdict, shipped, reason, told[shipped.name])


def choose(network: Candidate, best: Candidate, verdict: Verdict, settings: Settings) -> tuple[Candidate, str]:
    """Return what is shipped and why: the winner; on a tie the cheaper, which is the baseline."""
    if settings.keep == "network":
        return network, "you asked for the network with --keep network"
    if settings.keep == "baseline":
        return best, "you asked for the best simpler model with --keep baseline"
    if verdict.answer == "worth it":
        return network, "it is better by more than chance and by enough to matter"
    if verdict.answer == "not worth it":
        return best, "it is as good or better, and cheaper; --keep network ships the network all the same"
    return best, "nothing is proven yet, and it is cheaper; --keep network ships the network all the same"


def _relative_error(values: Mapping[str, float], constant: Mapping[str, float], metrics: Mapping[str, Metric]) -> float:
    """Return the mean over targets of an error as a share of the constant model's."""
    shares = []
    for name, metric in metrics.items():
        error, whole = metric.error(np.array(values[name])), metric.error(np.array(constant[name]))
        shares.append(float(error / whole) if whole > 0 else float(error))
    return float(np.mean(shares)) if np.isfinite(shares).all() else float("inf")


def _timed(candidate: Candidate, rows: Table) -> tuple[Answers, float]:
    """Answer rows after a warm-up, and return what a row took, its encoding included."""
    candidate.inference.tell(rows.take(np.arange(min(rows.rows, 8))))
    started = time.perf_counter()
    answers = candidate.inference.tell(rows)
    return answers, (time.perf_counter() - started) / max(rows.rows, 1)


def _contender(candidate: Candidate, seconds: Mapping[str, float]) -> Contender:
    return Contender(candidate.name, candidate.fit_seconds, seconds[candidate.name], float(candidate.size))
