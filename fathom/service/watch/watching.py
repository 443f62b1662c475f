"""Is the world still as it was in training? One look at the latest requests says so: the command line, the page and the metrics all show this look.

A look measures the rows of a window as the fit measured its training rows (`fathom.bundle.answers.gauging`), asks every question (`fathom.service.watch.drifting`), and says in words what has changed. Where truths have
arrived it scores the answers, too. What goes wrong while looking is part of the look: a monitor that fails says that it is broken.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.bundle.answers import reference as sketches
from fathom.bundle.answers.gauging import measured_answers, measured_cells, measured_truth, settled, usual_of
from fathom.bundle.answers.reference import Losses, Ordered, Reference, Share
from fathom.bundle.manifest import version as version_of
from fathom.data.encoding import Column, inputs_of
from fathom.data.table import Table
from fathom.errors import FathomError, OptionError, suggestion
from fathom.model import Model
from fathom.quantities import significant
from fathom.scoring import Answer, Resamples, score
from fathom.service.records.store import Store, Window
from fathom.service.records.truths import answers_in, answers_of, learn, reach_of, truth_in, window_of
from fathom.service.watch.drifting import DRAWS, FEWEST_ROWS, Drift, compare, decide
from fathom.service.watch.telling import brief, sentence

LAST = 1_000  # rows of a window where nothing is said
RESAMPLES = 200
STRETCHES = 60  # of time, on a chart
SHOWN = {"classification": ("log_loss", "accuracy", "balanced_accuracy"), "regression": ("mae", "rmse")}


@dataclass(frozen=True)
class Look:
    """What one look saw. ``state``: ``steady``, ``alarm``, ``too few rows``, or ``broken``, where ``broken`` says why.

    ``rows`` in the window, of all that were ever ``recorded``, from ``first`` to ``last`` (seconds since 1970); ``labelled`` rows whose truth is known; ``scores`` of these by target and metric, with their interval and, as ``judged``,
    what the test rows had said; ``pace`` for charts.
    """

    model: str
    version: str
    when: float
    state: str
    headline: str
    rows: int = 0
    recorded: int = 0
    first: float | None = None
    last: float | None = None
    labelled: int = 0
    drifts: tuple[Drift, ...] = ()
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    pace: Sequence[Mapping[str, Any]] = ()
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> list[Drift]:
        """The questions whose answer is an alarm, the gravest first."""
        return sorted((one for one in self.drifts if one.status == "drift"), key=lambda one: -one.size / one.least)

    def as_json(self) -> dict[str, Any]:
        """Return the look as JSON values."""
        return {
            "format": 1,
            "model": self.model,
            "version": self.version,
            "when": self.when,
            "state": self.state,
            "headline": self.headline,
            "rows": self.rows,
            "recorded": self.recorded,
            "first": self.first,
            "last": self.last,
            "labelled": self.labelled,
            "alarms": [sentence(one) for one in self.alarms],
            "drifts": [{**one.as_json(), "sentence": sentence(one)} for one in self.drifts],
            "scores": {
                target: {name: dict(entry) for name, entry in own.items()} for target, own in self.scores.items()
            },
            "pace": [dict(step) for step in self.pace],
            "broken": list(self.broken),
            "notes": list(self.notes),
        }


def reference_of(model: Model) -> Reference | None:
    """Return the reference of a bundle, ``None`` where it has none. Raises BundleError when it is damaged."""
    content = model.files.get(sketches.NAME)
    return None if content is None else Reference.from_bytes(content)


def look(
    store: Store,
    model: Model,
    *,
    name: str = "model",
    last: int = LAST,
    since: float | None = None,
    expected: Collection[str] = (),
    now: float | None = None,
    draws: int = DRAWS,
    broken: Sequence[str] = (),
    labelled_rows: Table | None = None,
) -> Look:
    """Look at the latest ``last`` rows that this version of the model answered, or those ``since`` (seconds since 1970).

    ``expected`` names columns whose change is no news; ``broken`` is what is known to be wrong with the recording; ``labelled_rows`` are rows with their targets that are scored in the
    place of recorded ones. Never raises for what is in the store: what goes wrong makes the look a broken one. Raises TableError for labelled rows that cannot be answered.
    """
    now = time.time() if now is None else now
    version = version_of(model.files)
    given = None if labelled_rows is None else window_of(model, labelled_rows)
    try:
        return _look(store, model, name, version, last, since, expected, now, draws, list(broken), given)
    except Exception as error:  # whatever it is: serving goes on, and the monitor says that it is broken
        said = str(error) if isinstance(error, FathomError) else f"{type(error).__name__}: {error}"
        return broken_look(name, version, [*broken, said], now)


def known_columns(names: Sequence[str], model: Model) -> tuple[str, ...]:
    """Return names of columns of the model. Raises OptionError for one that it does not have."""
    known = [column.name for column in (*inputs_of(model.columns), *model.description.targets)]
    for name in names:
        if name not in known:
            raise OptionError(
                f"The model has no column {name!r}.{suggestion(name, known)} It has: {', '.join(map(repr, known))}."
            )
    return tuple(names)


def broken_look(name: str, version: str, broken: Sequence[str], now: float | None = None) -> Look:
    """Return the look of a monitor that cannot see."""
    words = f"The monitor itself is broken: {broken[0] if broken else 'it cannot say why'}"
    return Look(name, version, time.time() if now is None else now, "broken", words, broken=tuple(broken))


def _look(
    store: Store, model: Model, name: str, version: str, last: int, since: float | None, expected: Collection[str], now: float, draws: int, broken: list[str], given: Window | None
) -> Look:  # fmt: skip
    reference, notes = reference_of(model), []
    if reference is None:
        notes.append(
            "The bundle has no reference: it was made by an earlier Fathom. Drift is not measured; fit again to have it."
        )
        reference = Reference({})
    window = store.window(version=version, last=last, since=since)
    labelled = given or store.window(version=version, last=last, since=since, labelled=True)
    left_out = store.notes().get("left_out", [])
    if left_out:
        notes.append(f"Not recorded, so not watched: {', '.join(map(repr, left_out))}.")
    found: list[Drift] = []
    if model.joins_rows:
        notes.append("Rows are gathered into series; a window would cut them, so that only answers are watched.")
    elif window.rows is not None:
        rows, decoded = settled(model.columns, model.gathered(window.rows))
        found += _columns(model, reference, rows, decoded, left_out, draws, broken)
        if model.unlikeness is not None and not left_out and reference.answers:
            first = model.description.targets[0].name
            found += compare(first, "answer", reference.answers[first], {"unlike": model.unlikeness.unlike(rows)})
    scores: dict[str, Any] = {}
    for target in model.description.targets:
        known = reference.answers.get(target.name, {})
        if (answer := answers_in(target, window)) is not None:
            found += compare(
                target.name, "answer", known, measured_answers(model.description, target, answer), draws=draws
            )
        if (answer := answers_in(target, labelled)) is not None and target.name in labelled.truths:
            drifts, scores[target.name] = _truths(model, reference, target, answer, labelled, draws)
            found += drifts
    notes += _trials(store, model, version, last)
    decided = tuple(decide(found, expected))
    at = window.at
    state, headline = _verdict(decided, window.count, broken)
    return Look(
        name,
        version,
        now,
        state,
        headline,
        window.count,
        store.recorded(),
        float(at.min()) if len(at) else None,
        float(at.max()) if len(at) else None,
        labelled.count,
        decided,
        scores,
        store.pace(*_stretch(at, now)),
        tuple(broken),
        tuple(notes),
    )


def _trials(store: Store, model: Model, version: str, last: int) -> list[str]:
    """Say of each version that answers in the shadow how far its answers lie from those that were given."""
    said = []
    for other, (live, shadow) in store.trials(version, last).items():
        if live is None or shadow is None:
            continue
        for target in model.description.targets:
            ours, theirs = answers_of(target, live), answers_of(target, shadow)
            if ours is None or theirs is None or ours.shape != theirs.shape:
                said.append(f"{other} answers {target.name!r} in the shadow, with other classes.")
            elif ours.ndim == 2:
                same = float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())
                said.append(
                    f"{other}, in the shadow, gives {100 * same:.1f} % of {len(ours):,} rows the same {target.name!r}."
                )
            else:
                apart = float(np.abs(ours - theirs).mean())
                said.append(
                    f"{other}, in the shadow, answers {target.name!r} {significant(apart, 4)} higher or lower on average, on {len(ours):,} rows."
                )
    return said


def _stretch(at: Any, now: float) -> tuple[float, int, float]:
    """Return from when, in how many steps and until when charts go: the last hour, or as long as the window is."""
    first = float(at.min()) if len(at) else now
    latest = max(now, float(at.max()) if len(at) else now) + 1e-3
    return min(first, latest - 3_600.0), STRETCHES, latest


def _columns(
    model: Model, reference: Reference, rows: Table, decoded: Mapping[str, Any], left_out: Collection[str], draws: int, broken: list[str]
) -> list[Drift]:  # fmt: skip
    found: list[Drift] = []
    for column in inputs_of(model.columns):
        known = reference.columns.get(column.name)
        if known is None or column.name in left_out:
            continue
        try:
            values, usual = rows.column(column.name), usual_of(reference, column.name)
            measured = measured_cells(column, values, usual, decoded.get(column.name))
            own = compare(column.name, "column", known, measured, show=_shown(column), draws=draws)
        except Exception as error:  # one column that cannot be measured hides no other
            broken.append(f"Column {column.name!r} could not be measured ({type(error).__name__}: {error}).")
            continue
        if column.modality == "date":
            own = [
                _with_time(one, known["values"], measured["values"]) if one.question == "values" else one for one in own
            ]
        found += own
    return found


def _with_time(one: Drift, known: Any, days: Any) -> Drift:
    """Return the drift of a date as expected where most dates are later than any of training: time goes by, and that alone is no alarm."""
    from dataclasses import replace

    there = days[np.isfinite(days)]
    assert isinstance(known, Ordered)
    late = (
        one.status == "steady" and len(there) > 0 and known.rows > 0 and float((there > known.edges[-1]).mean()) >= 0.5
    )
    return replace(one, status="expected") if late else one


def _shown(column: Column) -> Callable[[float], str]:
    """Return what writes a number as people read it: a date as a date."""
    if column.modality == "date":
        return lambda days: str(np.datetime64(round(days * 86_400), "s")).replace("T", " ").removesuffix(" 00:00:00")
    return lambda value: significant(value, 4)


def _truths(
    model: Model, reference: Reference, target: Column, answer: Answer, window: Window, draws: int
) -> tuple[list[Drift], dict[str, Any]]:
    truth, cells = truth_in(target, window.truths[target.name])
    known = ~np.asarray(target.kind.missing(cells)) if target.kind else np.ones(len(truth), np.bool_)
    if answer.ndim == 1:
        known &= np.isfinite(truth) & np.isfinite(answer)
    truth, answer = truth[known], answer[known]
    reach = None if window.answers is None else reach_of(target, window.answers)
    judged = reference.answers.get(target.name, {})
    measured = measured_truth(model.description, target, answer, truth, None if reach is None else reach[known])
    found = compare(target.name, "truth", judged, measured, draws=draws)
    there = measured_cells(target, cells.filter(pa.array(known)))
    asked = {
        name: sketch for name, sketch in reference.columns.get(target.name, {}).items() if name in ("values", "words")
    }
    found += compare(target.name, "truth", asked, there, show=_shown(target), draws=draws)
    task = "classification" if answer.ndim == 2 else "regression"
    made = (
        score(truth, answer, names=SHOWN[task], resamples=Resamples.draw(len(truth), count=RESAMPLES))
        if len(truth)
        else {}
    )
    scores = {name: {**interval.as_json(), "rows": len(truth)} for name, interval in made.items()}
    losses, held = judged.get("loss"), judged.get("held")
    first = SHOWN[task][0]
    if isinstance(losses, Losses) and first in scores:
        scores[first]["judged"] = losses.mean
    own = measured.get("held")
    if own is not None and len(own):
        scores["coverage"] = {"value": float(own.mean()), "low": None, "high": None, "rows": len(own)}
        if isinstance(held, Share) and held.rows:
            scores["coverage"]["judged"] = held.count / held.rows
    return found, scores


def _verdict(drifts: Sequence[Drift], rows: int, broken: Sequence[str]) -> tuple[str, str]:
    if broken:
        return "broken", f"The monitor itself is broken: {broken[0]}"
    alarms = sorted((one for one in drifts if one.status == "drift"), key=lambda one: -one.size / one.least)
    if alarms:
        others = f", and {len(alarms) - 1} more" if len(alarms) > 1 else ""
        return "alarm", f"Something has changed: {brief(alarms[0])}{others}."
    if rows < FEWEST_ROWS:
        return "too few rows", f"Too few rows to tell: {rows:,}, and from {FEWEST_ROWS} on drift is measured."
    asked = sum(one.status != "too few rows" for one in drifts)
    if not asked:
        return "too few rows", f"Not measured: nothing of these {rows:,} rows could be compared with training."
    return (
        "steady",
        f"As in training: {asked} questions to {rows:,} rows, and no change that is both certain and worth a word.",
    )


__all__ = ["Look", "answers_in", "broken_look", "known_columns", "learn", "look", "reference_of", "sentence"]
