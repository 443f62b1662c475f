"""Writes a change of a row, and what it would lead to, in one sentence."""

from typing import Any

from fathom.quantities import significant
from fathom.reasons.counterfactual import Change, Found

MOST_GONE = 8  # pieces that are named
NONE_FOUND = "No small change within what training rows hold was found that flips the answer"


def in_a_sentence(target: str, found: Found | None, before: Any, after: Any) -> str:
    """Say what would have to be otherwise for another answer.

    >>> change = Change("age", "41", "28")
    >>> in_a_sentence("income", Found((change,), None), "high", "low")
    "With 'age' 28 instead of 41, 'income' would be low instead of high."
    >>> in_a_sentence("price", None, 312.04, None)
    "No small change within what training rows hold was found that flips the answer: 'price' stays at about 312."
    """
    if found is None:
        return f"{NONE_FOUND}: {target!r} stays {'at about ' if isinstance(before, float) else ''}{_shown(before)}."
    return f"{'; '.join(map(_of, found.changes))}, {target!r} would be {_shown(after)} instead of {_shown(before)}.".replace(
        "; With", " and with"
    )


def _of(change: Change) -> str:
    if change.gone:
        named = ", ".join(f"“{name}”" for name in change.gone[:MOST_GONE])
        more = f" and {len(change.gone) - MOST_GONE} more" if len(change.gone) > MOST_GONE else ""
        return f"Without {named}{more} in {change.column!r}"
    return f"With {change.column!r} {_shown(change.after)} instead of {_shown(change.before)}"


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, float):
        return significant(value, 4)
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
