"""May a renewed model take the place of the old one: six questions, each passed or refused with its reason, and one refusal is enough.

Both models answer the same rows, and what is judged is their *paired* difference, on the same resamples (`fathom.resampling`).

* **frozen rows**: the test rows of the first fit, which no version has learned from and which nobody's feedback can reach. The new model may not err more there than the old one, and the interval of
  the difference must end below a margin (non-inferiority: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). So labels that were poisoned cannot lower the score
  on these rows unnoticed: reject on negative impact, Nelson et al., "Exploiting Machine Learning to Subvert Your Spam Filter", LEET 2008, section 5.1.
* **latest rows**: the part of the new rows that was sealed. Refused where the new model is surely worse; a few rows refuse nothing, because they may be poisoned themselves.
* **slices**: each frequent word, each fifth of the numbers, each protected group. Refused where the loss has surely grown, by more than the margin (Holm's correction for how many there are).
* **calibration**: Spiegelhalter's test (Statistics in Medicine 5, 1986) for probabilities, coverage of the 90 % interval for numbers. Refused where it fails and is worse than the old one's.
* **parity**: the bundle answers as the trained model did, and a row alone as among others.
* **robustness**: the frozen rows with a tenth of the cells missing, and damaged as the world damages them. Refused where the new model is surely worse by more than the margin.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers.banding import holds
from fathom.bundle.answers.inference import Answers
from fathom.bundle.description import INTERVAL_LEVEL
from fathom.bundle.saving import TOLERANCE, ParityError, prove_parity
from fathom.chapters.candidates import in_units, truth_in_units
from fathom.chapters.judging import metric_of
from fathom.data.encoding import Column, hanging_together, target_classes
from fathom.data.modalities import MODALITIES
from fathom.data.modalities.contract import Modality
from fathom.data.table import Table
from fathom.evidence.comparing import Duel, answers_of, checked, emptied, spiegelhalter, worn
from fathom.evidence.contract import Finding
from fathom.evidence.fairness import groups_of
from fathom.evidence.slices import beyond, holm
from fathom.evidence.slicing import conditions
from fathom.model import Model
from fathom.quantities import counted, significant
from fathom.resampling import Interval, Resamples, error_of_mean, share_limits
from fathom.scoring import Metric, row_losses
from fathom.settings import Settings, names_in

MARGIN = 0.05  # of the old model's error
FEWEST_LATEST = 20  # rows; fewer say nothing of a score
FEWEST_SLICE = 30  # rows
CHANCE = 0.05
BADLY = 0.01  # chance below which stated probabilities do not come true
ALONE = 16  # rows that are answered one by one

Trainers = Mapping[str, Callable[[Table], Answers]]


@dataclass(frozen=True)
class Gate:
    """What the gate said: a finding a question, whose ``answer`` is ``passed``, ``refused`` or ``not judged``."""

    old: str
    new: str
    margin: float
    findings: tuple[tuple[str, Finding], ...]

    @property
    def passed(self) -> bool:
        """Whether no question was refused."""
        return not self.refusals

    @property
    def refusals(self) -> list[str]:
        """The sentences of the questions that were refused."""
        return [finding.sentence for _, finding in self.findings if finding.answer == "refused"]

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        findings = [{"target": target, **finding.as_json()} for target, finding in self.findings]
        return {"old": self.old, "new": self.new, "margin": self.margin, "passed": self.passed, "findings": findings}


def judge_update(
    old: Model,
    new: Model,
    frozen: Table | None,
    latest: Table | None,
    settings: Settings,
    *,
    margin: float = MARGIN,
    names: tuple[str, str] = ("old", "new"),
    trainers: Trainers | None = None,
    modalities: Sequence[Modality] = MODALITIES,
) -> Gate:
    """Let the gate judge a new model against the old one, on rows with the truth that neither has learned from.

    ``frozen`` are the sealed rows of the first fit: without them the gate refuses, because nothing holds feedback that is wrong. ``trainers`` are the
    other ways in which the new model answers.
    """
    found: list[tuple[str, Finding]] = []
    for column in old.description.targets:
        if column.name not in {other.name for other in new.description.targets}:
            sentence = f"The new model does not predict {column.name!r}."
            found.append((column.name, _finding("frozen rows", "refused", sentence)))
            continue
        asked = _Asked(old, new, column, metric_of(column, settings), margin, settings)
        found += [(column.name, finding) for finding in asked.all(frozen, latest)]
    rows = frozen if frozen is not None else latest
    found.append(("", parity(new, rows, trainers or {}, modalities)))
    return Gate(*names, margin, tuple(found))


@dataclass(frozen=True)
class _Asked:
    """The questions on one target."""

    old: Model
    new: Model
    column: Column
    metric: Metric
    margin: float
    settings: Settings

    def all(self, frozen: Table | None, latest: Table | None) -> list[Finding]:
        found = [self.on_frozen(frozen), self.on_latest(latest)]
        rows = frozen if frozen is not None else latest
        if rows is not None and rows.rows:
            found += [self.on_slices(rows), self.calibrated(rows), *self.robust(rows)]
        return found

    def duel(self, rows: Table) -> Duel:
        """Let both answer."""
        sides = []
        for model in (self.old, self.new):
            target = next(column for column in model.description.targets if column.name == self.column.name)
            answer = in_units(target, answers_of(model, rows)[target.name])
            sides.append((truth_in_units(target, rows), answer))
        return Duel(self.metric, sides[0], sides[1])

    def draws(self, rows: Table) -> Resamples:
        return Resamples.draw(rows.rows, seed=self.settings.seed, groups=hanging_together(self.old.columns, rows))

    def on_frozen(self, rows: Table | None) -> Finding:
        if rows is None or not rows.rows:
            return _finding(
                "frozen rows",
                "refused",
                "There are no frozen rows, so nothing would notice labels that are wrong. Say where the table of the fit lies: --table FILE.",
            )
        growth, error = self.duel(rows).growth(self.draws(rows))
        told = self._told(growth, error, rows.rows)
        if not math.isfinite(growth.value):
            return _finding(
                "frozen rows", "refused", f"The {self.metric.label} is not defined: {growth.reason}", growth
            )
        if growth.value > 1e-12:
            return _finding("frozen rows", "refused", f"The new model errs more than the old one: {told}.", growth)
        if not growth.high <= self.margin * error:
            return _finding(
                "frozen rows", "refused", f"The new model may err more by over {self.margin:.0%}: {told}.", growth
            )
        return _finding("frozen rows", "passed", f"The new model errs no more than the old one: {told}.", growth)

    def on_latest(self, rows: Table | None) -> Finding:
        count = rows.rows if rows is not None else 0
        if rows is None or count < FEWEST_LATEST:
            return _finding(
                "latest rows",
                "not judged",
                f"{count} of the new rows are sealed, and {FEWEST_LATEST} are the fewest that tell anything.",
            )
        growth, error = self.duel(rows).growth(self.draws(rows))
        told = self._told(growth, error, count)
        if not math.isfinite(growth.value):
            return _finding(
                "latest rows", "not judged", f"The {self.metric.label} is not defined: {growth.reason}", growth
            )
        if growth.low > 0:
            return _finding(
                "latest rows",
                "refused",
                f"The new model errs more than the old one on the latest rows: {told}.",
                growth,
            )
        return _finding(
            "latest rows",
            "passed",
            f"The new model is not seen to err more than the old one on the latest rows: {told}.",
            growth,
        )

    def _told(self, growth: Interval, error: float, rows: int) -> str:
        word = "less" if growth.value <= 0 else "more"
        what = f"{self.metric.label} " if self.metric.better == "lower" else f"what the {self.metric.label} lacks of 1 "
        return f"{what}{significant(error, 4)} before, {abs(growth.value):.2g} {word} now ({growth.low:+.2g} to {growth.high:+.2g}, {rows:,} rows)"

    def on_slices(self, rows: Table) -> Finding:
        duel = self.duel(rows)
        grown, before = duel.losses(), row_losses(*duel.old)
        groups = hanging_together(self.old.columns, rows)
        found: list[dict[str, Any]] = []
        for words, mask in self._slices(rows):
            count, own = int(mask.sum()), None if groups is None else groups[mask]
            if (count if own is None else len(np.unique(own))) >= FEWEST_SLICE:
                mean, error = float(grown[mask].mean()), error_of_mean(grown[mask], own)
                chance = beyond(mean / error) if error > 0 else float(mean <= 0)
                loss = float(before[mask].mean())
                found.append({"slice": words, "rows": count, "loss before": loss, "loss now": loss + mean, "p": chance})
        if not found:
            return _finding(
                "slices",
                "not judged",
                f"No kind of row has {FEWEST_SLICE} rows{' that do not hang together' if groups is not None else ''}.",
            )
        for row, chance in zip(found, holm([row["p"] for row in found]), strict=True):
            row["p"] = chance
        worst = sorted(found, key=lambda row: (row["p"], row["loss before"] - row["loss now"]))
        bad = [
            row
            for row in worst
            if row["p"] < CHANCE and row["loss now"] - row["loss before"] > self.margin * row["loss before"]
        ]
        if bad:
            row = bad[0]
            sentence = (
                f"Where {row['slice']}, the loss has grown from {significant(row['loss before'])} to {significant(row['loss now'])} ({row['rows']} rows)"
                + (
                    f", and on {counted(len(bad) - 1, 'further kind of row', 'further kinds of row')}."
                    if len(bad) > 1
                    else "."
                )
            )
            return _finding("slices", "refused", sentence, rows=bad[:10])
        return _finding(
            "slices",
            "passed",
            f"On none of {len(found)} kinds of row has the loss surely grown by more than {self.margin:.0%}.",
            rows=worst[:5],
        )

    def _slices(self, rows: Table) -> list[tuple[str, npt.NDArray[np.bool_]]]:
        columns = [column for column in self.old.columns if column.name in rows.names]
        by_name = {column.name: column for column in columns}
        found = [
            (condition.words, condition.holds(by_name[condition.column], rows))
            for condition in conditions(columns, rows)
        ]
        for name in names_in(self.settings.protect):
            groups = groups_of(rows, [name])
            found += [(f"{name} is {group!r}", groups == group) for group in np.unique(groups)]
        return list(dict(found).items())

    def calibrated(self, rows: Table) -> Finding:
        duel = self.duel(rows)
        if not target_classes(self.column):
            return self._covered(duel, rows)
        groups = hanging_together(self.old.columns, rows)
        before, after = spiegelhalter(*duel.old, groups), spiegelhalter(*duel.new, groups)
        chance = 2 * beyond(abs(after))
        told = f"z = {after:+.1f} (Spiegelhalter), {before:+.1f} before; above 0, errors are larger than stated"
        if chance < BADLY and abs(after) > abs(before):
            return _finding("calibration", "refused", f"Stated probabilities do not come true: {told}.")
        return _finding(
            "calibration", "passed", f"Stated probabilities come true as well as before, or within chance: {told}."
        )

    def _covered(self, duel: Duel, rows: Table) -> Finding:
        held = []
        for model, (truth, answer) in ((self.old, duel.old), (self.new, duel.new)):
            sure = model.tell(checked(model, rows)) if model.description.tells_margins(self.column) else {}
            held.append(holds(truth - answer, model.description.reach(self.column, sure, answer)))
        before, after = (float(one.mean()) for one in held)
        _, high = share_limits(held[1], hanging_together(self.old.columns, rows))
        told = f"{after:.1%} of {len(held[1]):,} truths lie in the {INTERVAL_LEVEL:.0%} interval, {before:.1%} before"
        if high < INTERVAL_LEVEL and after < before:
            return _finding("calibration", "refused", f"Intervals hold too few truths: {told}.")
        return _finding(
            "calibration",
            "passed",
            f"Intervals hold as many truths as before, or within chance as many as they promise: {told}.",
        )

    def robust(self, rows: Table) -> list[Finding]:
        found = []
        for what, damaged in (
            ("missing cells", emptied(self.old, rows, self.settings.seed)),
            ("damaged cells", worn(self.old, rows, self.settings.seed)),
        ):
            growth, error = self.duel(damaged).growth(self.draws(rows))
            told = self._told(growth, error, rows.rows)
            if not math.isfinite(growth.value):
                found.append(
                    _finding(
                        what, "not judged", f"With {what}, the {self.metric.label} is not defined: {growth.reason}"
                    )
                )
            elif growth.low > 0 and growth.value > self.margin * error:
                found.append(
                    _finding(what, "refused", f"With {what}, the new model errs more than the old one: {told}.", growth)
                )
            else:
                found.append(
                    _finding(
                        what,
                        "passed",
                        f"With {what}, the new model is not seen to err more than the old one by over {self.margin:.0%}: {told}.",
                        growth,
                    )
                )
        return found


def parity(new: Model, rows: Table | None, trainers: Trainers, modalities: Sequence[Modality]) -> Finding:
    """Ask whether the bundle answers as the trained model did, and a row alone as among others."""
    if rows is None or not rows.rows:
        return _finding("parity", "not judged", "There are no rows to answer.")
    inputs = checked(new, rows.take(np.arange(min(rows.rows, 512))))
    some = inputs.take(np.arange(min(rows.rows, ALONE)))
    together = new.answer(some)
    alone = [new.answer(some.take([row])) for row in range(some.rows)]
    largest = 0.0
    try:
        for name, answer in together.items():
            one_by_one = np.concatenate([one[name] for one in alone])
            largest = max(largest, float((np.abs(one_by_one - answer) / np.maximum(1.0, np.abs(answer))).max()))
        if not largest <= TOLERANCE:
            return _finding(
                "parity", "refused", f"A row alone is answered otherwise than among others, by {largest:.2g}."
            )
        largest = max(largest, prove_parity(new.files, inputs, trainers, modalities))
    except ParityError as error:
        return _finding("parity", "refused", str(error))
    ways = f"{len(trainers)} other ways of answering and a row alone differ" if trainers else "a row alone differs"
    return _finding(
        "parity",
        "passed",
        f"The bundle answers as it should: {ways} by at most {largest:.1g}, where {TOLERANCE:g} is allowed.",
    )


QUESTIONS = {
    "frozen rows": "Does the new model err no more on the rows that no version has learned from?",
    "latest rows": "Does it err no more on the latest rows?",
    "slices": "Is it worse for some?",
    "calibration": "Do its probabilities and intervals come true?",
    "parity": "Does the bundle answer as the trained model?",
    "missing cells": "Does it stand missing cells as well?",
    "damaged cells": "Does it stand damaged cells as well?",
}


def _finding(
    name: str, answer: str, sentence: str, growth: Interval | None = None, rows: Sequence[Mapping[str, Any]] = ()
) -> Finding:
    status: Any = {"passed": "good", "refused": "bad"}.get(answer, "neutral")
    finding = Finding(
        name, QUESTIONS[name], answer, sentence, status=status, rows=rows, unit="error, new minus old" if growth else ""
    )
    if growth is None:
        return finding
    numbers = growth.as_json()
    return replace(finding, value=numbers["value"], low=numbers["low"], high=numbers["high"])
