"""What it cost to push rows in training, and what it bought: the network beside its twin, which learned without."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fathom.evidence.contract import Case
from fathom.quantities import significant
from fathom.scoring import METRICS, primary, score

KINDS = ("number", "image")  # that are pushed (`fathom.training.hardening`)


def told_price(case: Case, lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return what is told of a network that was taught against pushes, in clauses; nothing of one that was not."""
    if case.taught == "off":
        return []
    if case.shipped != "network":
        return [f"the network was taught against pushes (--adversarial {case.taught}) and does not ship; --keep network ships it"]  # fmt: skip
    twin = case.twin
    if twin is None:
        return [f"it was taught against pushes (--adversarial {case.taught}); what that cost was not measured"]
    said = [f"it was taught against pushes (--adversarial {case.taught}), and {_clean(case)}"]
    for kind in KINDS:
        own = [line for line in lines if line["columns"] == kind and line["attack"] == "all together"]
        if own:
            told = ", ".join(f"{100 * line['holds']:.0f} % in place of {100 * line['plain']:.0f} % hold at {line['reach']:g}" for line in own)  # fmt: skip
            said.append(f"of rows whose {kind} columns are attacked {told}")
    return said


def told_seconds(case: Case) -> str:
    """Return the sentence on how much longer training took, which hangs on a clock; nothing where that was not measured."""
    if case.taught == "off" or case.shipped != "network" or case.twin is None:
        return ""
    return f"To teach it against pushes took {case.twin.taught_seconds:.0f} s of training in place of {case.twin.seconds:.0f}."


def _clean(case: Case) -> str:
    """Return how good both are on the judged rows as they are."""
    assert case.twin is not None
    plain = case.twin.answer(case.sealed.table)
    if case.classes is not None:
        own, other = (float(np.mean(answer.argmax(axis=1) == case.sealed.truth)) for answer in (case.sealed.answer, plain))  # fmt: skip
        return f"on rows as they are {100 * own:.1f} % are right in place of {100 * other:.1f} %"
    metric = METRICS[case.metric or primary("regression")]
    own, other = (
        score(case.sealed.truth, answer, names=[metric.name])[metric.name].value
        for answer in (case.sealed.answer, plain)
    )
    return f"on rows as they are the {metric.label} is {significant(own)} in place of {significant(other)}"
