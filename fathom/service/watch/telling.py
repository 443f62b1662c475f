"""A change in words, with its numbers."""

import math

from fathom.service.watch.drifting import Drift

_MARKS = {
    "missing": "missing",
    "unreadable": "unreadable",
    "not sure": "not sure",
    "none fits": "of no class",
    "unlike": "given to a row unlike those of training",
    "held": "held by its set or interval",
}


def sentence(one: Drift) -> str:
    """Say a drift in words with its numbers.

    >>> sentence(Drift("rooms", "missing", "column", "share", 0.1, 0.08, 0.12, 1e-9, 900, 2000, "10 % of the rows (0 % before)"))
    "'rooms' is missing in 10 % of the rows (0 % before)."
    """
    if math.isnan(one.effect):
        return f"{one.column!r}, {one.question}: {one.words}."
    interval = f" (95 % interval {_span(one)})" if math.isfinite(one.low) else ""
    subject = {"answer": f"The answer {one.column!r}", "truth": f"The truth of {one.column!r}"}.get(
        one.about, repr(one.column)
    )
    if one.unit == "share":
        return f"{subject if one.question != 'held' else f'The true {one.column!r}'} is {_MARKS[one.question]} in {one.words}."
    if one.unit == "loss":
        return f"The answers to {one.column!r} cost {one.words}: {abs(one.effect):.2g} standard deviations {'worse' if one.effect > 0 else 'better'}{interval}."
    what = "" if one.question in ("values", "words") else f", {one.question}"
    return f"{subject}{what}: {100 * one.effect:.0f} % of the rows have moved{interval}: {one.words}."


def _span(one: Drift) -> str:
    return (
        f"{one.low:.2g} to {one.high:.2g}" if one.unit == "loss" else f"{100 * one.low:.0f} to {100 * one.high:.0f} %"
    )


def brief(one: Drift) -> str:
    """Say a drift in a few words.

    >>> brief(Drift("rooms", "values", "column", "moved", 0.31, 0.28, 0.34, 1e-9, 900, 2000, "…"))
    "31 % of the rows have moved in 'rooms'"
    """
    where = repr(one.column) if one.about == "column" else f"the {one.about} {one.column!r}"
    if one.unit == "moved":
        question = "" if one.question in ("values", "words") else f" ({one.question})"
        return f"{100 * one.effect:.0f} % of the rows have moved in {where}{question}"
    if one.unit == "share":
        return f"{where} is {_MARKS[one.question]} in {one.words}"
    return f"the answers to {one.column!r} are {abs(one.effect):.2g} standard deviations {'worse' if one.effect > 0 else 'better'}"
