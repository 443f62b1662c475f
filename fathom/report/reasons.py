"""Why single rows were answered as they were, and how the answer goes with each column, worded and drawn."""

from typing import Any

from fathom.quantities import finite, number, share
from fathom.report.picking import NARROW, Figure, items, mapping, records, words
from fathom.report.plots.intervals import Estimate, rows_of_estimates
from fathom.report.plots.reasons import Course, course, level_of, marked
from fathom.report.wording import cell, clip, fit

View = dict[str, Any]

MOST_BARS, MOST_NAMED = 12, 6
MOST_TEXT = 6_000  # characters that are shown with their words marked
WIDTH = 640.0
COURSE = 400.0
SIDE = 168.0
PICTURE = "data:image/"
LINE_END = "↵"  # as a result's texts show it


def dependence(result: View) -> list[str]:
    """Return a plot for each column of which a course is known, all with the same scale of answers."""
    found = [entry for entry in records(result, "dependence") if _course(entry) is not None]
    courses = [(entry, _course(entry)) for entry in found]
    every = [value for _, one in courses if one for value in (*one.low, *one.high)]
    if not every:
        return []
    ends = (min(every), max(every))
    drawn = []
    for entry, one in courses:
        assert one is not None
        of = words(entry, "of")
        label = f"probability of {fit(of, 24)}" if of else "mean answer"
        drawn.append(course(one, label=label, ends=ends, width=COURSE))
    return drawn


def _course(entry: View) -> Course | None:
    values = items(entry, "values")
    lists = [[finite(value) for value in items(entry, name)] for name in ("mean", "low", "high")]
    if len(values) < 2 or any(len(one) != len(values) or None in one for one in lists):
        return None
    numeric = words(entry, "kind") == "number" and all(finite(value) is not None for value in values)
    named: tuple[float | str, ...] = tuple(float(value) if numeric else cell(value, 60) for value in values)
    mean, low, high = (tuple(value or 0.0 for value in one) for one in lists)
    if not numeric:  # the first are the most frequent; dates are in their order
        dates = words(entry, "kind") == "date"
        step = -(-len(named) // MOST_NAMED) if dates else 1
        named = named[::step][:MOST_NAMED]
        mean, low, high = (one[::step][:MOST_NAMED] for one in (mean, low, high))
        if dates:
            named = _short_dates(tuple(str(name) for name in named))
    return Course(clip(words(entry, "column"), 60), named, mean, low, high)


def _short_dates(names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the time of day, and the year where it is the same.

    >>> _short_dates(("2013-01-04 10:45", "2013-02-07 08:00"))
    ('01-04', '02-07')
    """
    days = tuple(name[:10] for name in names)
    same = len({day[:5] for day in days}) == 1 and all(day[4:5] == "-" for day in days)
    return tuple(day[5:] for day in days) if same else days


def reasons(result: View) -> list[View]:
    """Return a part for each row that was explained."""
    return [part for entry in records(result, "reasons") if (part := _row(entry))]


def _row(entry: View) -> View | None:
    methods = [one for one in records(entry, "methods") if items(one, "values")]
    if not methods:
        return None
    parts = records(entry, "parts")
    first = methods[0]
    values = [finite(value) or 0.0 for value in items(first, "values")]
    if len(values) != len(parts):
        return None
    of = words(entry, "of")
    value, base = finite(entry.get("value")), finite(entry.get("base"))
    answer = entry.get("answer")
    chance = of and value is not None
    return {
        "title": cell(entry.get("why"), 80) or "The row",
        "where": cell(entry.get("where"), 120),
        "answer": number(answer) if finite(answer) is not None else cell(answer, 80),
        "chance": f"with a probability of {share(value)}" if chance else "",
        "truth": "" if entry.get("truth") is None else _value(entry.get("truth")),
        "doubt": words(entry, "doubt"),
        "sentence": cell(mapping(entry, "counterfactual").get("sentence"), 900),
        "figure": _bars(parts, values, of, value, base),
        "texts": [
            _text(column, text, parts, values)
            for column, text in mapping(entry, "texts").items()
            if _pieces(column, parts) and isinstance(text, str)
        ],
        "pictures": [
            {
                "column": clip(column, 60),
                "svg": marked(
                    shown,
                    [parts[place]["place"] for place in _pieces(column, parts, 4)],
                    [values[place] for place in _pieces(column, parts, 4)],
                    side=SIDE,
                ),
            }
            for column, shown in mapping(entry, "cells").items()
            if isinstance(shown, str) and shown.startswith(PICTURE) and _pieces(column, parts, 4)
        ],
        "table": _table(methods, parts),
        "names": [words(one, "name") for one in methods],
        "summaries": [(words(one, "name"), words(one, "summary")) for one in methods],
        "agreement": [
            (" and ".join(map(str, items(one, "methods"))), number(one.get("correlation"), 2))
            for one in records(entry, "agreement")
            if finite(one.get("correlation")) is not None
        ],
        "cells": [
            {"name": clip(name, 60), "value": cell(shown, 80)}
            for name, shown in mapping(entry, "cells").items()
            if isinstance(shown, str) and not shown.startswith("data:")
        ],
    }


def _value(value: Any) -> str:
    return number(value) if finite(value) is not None else cell(value, 80)


def _pieces(column: str, parts: list[View], size: int = 2) -> list[int]:
    """Return the places of the pieces of a column that know where in its cell they are."""
    return [
        place for place, part in enumerate(parts) if part.get("column") == column and len(items(part, "place")) == size
    ]


def _bars(parts: list[View], values: list[float], of: str, value: float | None, base: float | None) -> Figure:
    order = sorted(range(len(parts)), key=lambda place: -abs(values[place]))
    several = len({words(part, "column") for part in parts}) > 1
    estimates = [
        Estimate(_name(parts[place], several), values[place], kind="network" if values[place] >= 0 else "baseline")
        for place in order[:MOST_BARS]
    ]
    rest = order[MOST_BARS:]
    if rest:
        left = sum(values[place] for place in rest)
        estimates.append(Estimate(f"the other {len(rest)} together", left, kind="quiet"))
    label = f"added to the probability of {fit(of, 30)}" if of else "added to the answer"
    wide, narrow = (rows_of_estimates(estimates, label=label, width=width, boxes=True) for width in (WIDTH, NARROW))
    caption = (
        ""
        if value is None or base is None
        else f"From {number(base, 3)}, the answer without the pieces of the row, to {number(value, 3)}, the answer: blue has pushed it up, orange down."
    )
    return Figure(wide, narrow, caption)


def _name(part: View, several: bool) -> str:
    column, name = words(part, "column"), words(part, "name")
    name = clip(name, 44)
    if name == column or not items(part, "place"):
        return clip(column, 44)
    return f"{clip(column, 18)}: {name}" if several else name


def _text(column: str, text: str, parts: list[View], values: list[float]) -> View:
    """Return a text as runs of words, each with the class that marks it."""
    places = _pieces(column, parts)
    most = max((abs(values[place]) for place in places), default=0.0)
    runs, done = [], 0
    for place in sorted(places, key=lambda place: items(parts[place], "place")[0]):
        start, end = (int(bound) for bound in items(parts[place], "place"))
        if start >= MOST_TEXT:
            break
        if start > done:
            runs.append({"text": text[done:start], "kind": ""})
        level = level_of(values[place], most)
        side = "up" if values[place] > 0 else "down"
        runs.append({"text": text[start:end], "kind": f"{side} level-{level}" if level else ""})
        done = end
    tail = text[done:MOST_TEXT]
    runs.append({"text": tail, "kind": ""})
    for run in runs:
        run["text"] = run["text"].replace(LINE_END, "\n")
    return {"column": clip(column, 60), "runs": runs, "cut": len(text) > MOST_TEXT}


def _table(methods: list[View], parts: list[View]) -> list[View]:
    """Return what each method says of each column, its pieces taken together."""
    columns = [*dict.fromkeys(words(part, "column") for part in parts)]
    if len(columns) < 2 or len(methods) < 2:
        return []
    sums: dict[str, list[float]] = {column: [0.0] * len(methods) for column in columns}
    for number_of, method in enumerate(methods):
        own = records(method, "parts") or parts
        for part, value in zip(own, items(method, "values"), strict=False):
            if words(part, "column") in sums:
                sums[words(part, "column")][number_of] += finite(value) or 0.0
    ordered = sorted(columns, key=lambda column: -abs(sums[column][0]))
    return [
        {"column": clip(column, 60), "values": [number(value, 3) for value in sums[column]]} for column in ordered[:30]
    ]
