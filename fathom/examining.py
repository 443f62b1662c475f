"""Every check asks its question of a fitted model: the findings of a fit, and of a bundle on rows of its user."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import unlikeness
from fathom.bundle.answers.inference import Inference
from fathom.bundle.manifest import WEIGHTS
from fathom.chapters.candidates import Candidate, in_units, truth_in_units
from fathom.chapters.judging import Judged, metric_of
from fathom.chapters.prepared import Prepared
from fathom.data.encoding import Column, class_labels, hanging_together, target_classes
from fathom.data.files.reading import read
from fathom.data.rows.splitting import TRAIN, VALIDATION, drawn
from fathom.data.table import Table
from fathom.effort import CHECKS_LEFT_OUT, SHORTEST_FOLDED, Effort, effort_named
from fathom.errors import LeakageError, OptionError, suggestion
from fathom.evidence import CHECKS, adversarial, leakage
from fathom.evidence.affording import FREE, UNBOUND, Allowance, Bound
from fathom.evidence.contract import LEFT_OUT, Case, Cost, Effect, Finding, Part, Reach, Refit, Twin, Weights, in_order
from fathom.model import Model
from fathom.scoring import Answer
from fathom.settings import Settings, names_in
from fathom.shapes import spread_of


def look_for_leaks(prepared: Prepared, settings: Settings) -> list[Finding]:
    """Look for what gives a target away, before anything is trained.

    Raises LeakageError where a column tells it with near certainty and leaks are not allowed.
    """
    first = prepared.fits()[0]  # of folded rows, one fold stands for the rows that choices are made by
    raw = None
    if (
        prepared.folds is None and prepared.larger is None
    ):  # pictures as files: what they are called, and how large they are
        raw = prepared.table.take(prepared.split.rows(TRAIN)), prepared.table.take(prepared.split.rows(VALIDATION))
    parted_by = [name for name in (settings.group, settings.time) if name is not None]
    found = [
        leakage.find(prepared.columns, target, first.train, first.validation, raw=raw, parted_by=parted_by)
        for target in prepared.targets
    ]
    for finding in found:
        if finding.status == "bad" and not settings.allow_leakage:
            raise LeakageError(f"{finding.sentence} {finding.remedy}", column=str(finding.rows[0]["column"]) or None)
    return found


def examine(case: Case, names: Sequence[str] = ()) -> list[Finding]:
    """Let the checks of these names, or all, answer; the order of the rows moves no figure. Raises OptionError for a name that none has."""
    able = {check.NAME: check for check in CHECKS}
    for name in names:
        if name not in able:
            raise OptionError(f"There is no check {name!r}.{suggestion(name, able)} There are: {', '.join(able)}.")
    case = in_order(case)
    return [check.run(case) for name, check in able.items() if not names or name in names]


def findings_of(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    judged: Judged,
    settings: Settings,
    leaks: Sequence[Finding],
    again: Callable[[Column], Refit | None] = lambda column: None,
    refits: Bound = UNBOUND,
    besides: Mapping[str, bytes] | None = None,
    twin: Callable[[Column], Twin] | None = None,
    allowance: Allowance = FREE,
) -> list[dict[str, Any]]:
    """Return the findings of a fit, a target after the other, each with the name of its target; those that warn come first.

    ``again`` fits models for a target again, for all of them within ``refits``; ``besides`` are the files that the bundle has besides its model;
    ``twin`` is the network as it would have become without an adversary; ``allowance`` is what asking the shipped model may cost.
    """
    found: list[dict[str, Any]] = []
    for column, leak in zip(prepared.targets, leaks, strict=True):
        case = _case(prepared, candidates, judged, settings, column)
        count = len(prepared.targets)
        case = replace(case, refit=again(column), refits=refits.share(1 / count))
        case = replace(case, allowance=replace(allowance, seconds=allowance.seconds / count))
        case = replace(case, unlikeness=unlikeness.opened(besides or {}, prepared.columns), twin=twin and twin(column))
        left_out = {leakage.NAME, *CHECKS_LEFT_OUT[settings.effort]}
        if settings.adversarial != "off":  # what was asked for is shown with its price
            left_out.discard(adversarial.NAME)
        names = [check.NAME for check in CHECKS if check.NAME not in left_out]
        found += [{"target": column.name, **finding.as_json()} for finding in [leak, *examine(case, names)]]
    return sorted(found, key=lambda finding: ("bad", "warning", "neutral", "good").index(finding["status"]))


def _case(
    prepared: Prepared, candidates: Sequence[Candidate], judged: Judged, settings: Settings, column: Column
) -> Case:
    shipped = judged.shipped
    costs = [
        Cost(one.name, one.fit_seconds, judged.seconds_per_row[one.name], one.size)
        for one in sorted(candidates, key=lambda one: one.name != shipped.name)
    ]
    return Case(
        prepared.columns,
        column,
        class_labels(column) if target_classes(column) else None,
        Part(
            prepared.sealed,
            judged.truth[column.name],
            judged.answers[shipped.name][column.name],
            prepared.sealed_groups,
            judged.told.get(spread_of(column.name)),
        ),
        lambda table: in_units(column, shipped.asked.answer(table)[column.name]),
        prepared.train,
        Part(
            prepared.validation,
            truth_in_units(column, prepared.validation),
            in_units(column, shipped.answers[column.name]),
            prepared.validation_groups,
            shipped.answers.get(spread_of(column.name)),
        ),
        [cost for cost in costs if cost.name != "constant"],
        names_in(settings.protect),
        settings.requests_per_day,
        settings.seed,
        answers={one.name: judged.answers[one.name][column.name] for one in candidates},
        metric=metric_of(column, settings).name,
        shipped=shipped.name,
        model=Weights(shipped.inference.description, shipped.weights),
        effort="quick" if (settings.minutes or SHORTEST_FOLDED) < SHORTEST_FOLDED else settings.effort,
        effect=_effect(settings.effect, settings.confounders),
        goal=settings.goal,
        taught=settings.adversarial,
        reach=_reach(shipped.asked, column),
    )


def _reach(inference: Inference, column: Column) -> Reach | None:
    """Return how far the intervals that are served for a target reach, ``None`` for one that has none."""
    description = inference.description
    if column.name not in description.half_widths:
        return None

    def reach(rows: Table, answer: Answer) -> npt.NDArray[np.float64]:
        told = inference.tell(rows) if description.tells_margins(column) else {}
        return description.reach(column, told, answer)

    return reach


def _effect(treatment: str | None, confounders: str | None) -> Effect | None:
    return None if treatment is None else Effect(treatment, names_in(confounders) or None)


def check(
    model: Model,
    source: Any,
    *,
    only: Sequence[str] = (),
    protect: Sequence[str] = (),
    requests_per_day: float = 10_000.0,
    effect: str | None = None,
    confounders: str | None = None,
    effort: str = "thorough",
    seed: int = 0,
) -> list[Finding]:
    """Let the checks answer for a bundle on rows whose first target is known and which it did not learn from (`fathom.looking.rows_to_judge` leaves those out).

    Half of the rows, drawn by ``seed``, stand for those that choices are made by, where a check needs such; a model whose rows were parted by groups is judged so, where the rows have that column:
    none is in both halves, and their rows are drawn together. ``only`` names checks, ``protect`` the columns whose groups are compared,
    ``effect`` the column whose effect on the target is asked for, and ``confounders`` those that may cause both, with commas between.
    ``effort`` says how much is asked, and what that may cost; a check that is named is asked whatever it costs.
    Raises TableError when a column is missing, and OptionError for a check or an effort that is not there.

    >>> import fathom
    >>> rows = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    >>> [finding.name for finding in check(fathom.fit(rows, target="y", effort="quick", epochs=2), rows, only=["suspects"])]
    ['suspects']
    """
    asked = effort_named(effort)
    table = model.gathered(read(source))
    target = model.description.targets[0]
    assert target.kind is not None
    known = table.take(np.flatnonzero(~target.kind.missing(table.column(target.name))))
    inputs = model.checked(known)
    for name in (*protect, *names_in(effect), *names_in(confounders)):
        known.column(name)  # raises with the nearest name
    for name in inputs.names:  # decoded once
        known = known.with_column(name, inputs.column(name))
    told = model.tell(inputs)
    truth, answer = truth_in_units(target, known), in_units(target, told[target.name])
    labels = hanging_together(model.columns, known)
    chosen, judged = _halves(known, labels, seed)
    part = Part(known, truth, answer, labels, told.get(spread_of(target.name)))
    case = Case(
        model.columns,
        target,
        class_labels(target) if target_classes(target) else None,
        part.take(judged),
        lambda rows: in_units(target, model.answer(rows)[target.name]),
        chosen=part.take(chosen),
        protect=protect,
        requests_per_day=requests_per_day,
        seed=seed,
        shipped=model.description.name,
        model=Weights(model.description, model.files[WEIGHTS]) if WEIGHTS in model.files else None,
        effort=asked,
        effect=_effect(effect, confounders),
        unlikeness=model.unlikeness,
        allowance=FREE if only else _allowance(model, inputs, asked),
        reach=_reach(model.inference, target),
    )
    return examine(case, only)


def _halves(
    table: Table, labels: npt.NDArray[Any] | None, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows of either half, which hang on what rows hold and not on where they stand; where ``labels (row,)`` are given, those of one label are in one half."""
    random = np.random.default_rng(seed)
    if labels is None:
        order = drawn(table)
        first, second = np.array_split(random.permutation(order), 2)
        return first, second
    names, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = random.permutation(len(names))
    count = int((np.cumsum(sizes[order]) <= table.rows // 2).sum())
    mine = np.isin(of, order[: min(max(count, 1), len(names) - 1)])
    return np.flatnonzero(mine), np.flatnonzero(~mine)


def _allowance(model: Model, inputs: Table, effort: Effort) -> Allowance:
    """Return what the questions about a bundle may cost; that of a network without its weights is not known, and is not limited."""
    from fathom.chapters.reckoning import allowance_of_check

    if model.description.kind != "network":
        return allowance_of_check(None, model.columns, inputs, effort)
    if WEIGHTS not in model.files or not inputs.rows:
        return FREE
    from fathom.bundle.loading import reload_network

    network = reload_network(model.description, model.files[WEIGHTS])
    return allowance_of_check(network, model.columns, inputs, effort)


def counted(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return how many questions were answered, and which were left out since they cost too much.

    >>> counted([{"name": "slices", "answer": "none found"}, {"name": "robustness", "answer": "left out"}])
    '1 question answered, left out: robustness'
    """
    answered = sum(finding["answer"] not in ("not applicable", LEFT_OUT) for finding in findings)
    names = list(dict.fromkeys(finding["name"] for finding in findings if finding["answer"] == LEFT_OUT))
    told = f"{answered} question{'' if answered == 1 else 's'} answered"
    return f"{told}, left out: {', '.join(names)}" if names else told
