"""The plots of findings where people would rather look: what spoils, what more rows bring, what an attack does, what a cause does."""

from collections.abc import Callable, Sequence
from typing import Any

from fathom.quantities import finite
from fathom.report.picking import NARROW, WIDE, Figure, mapping, records, words
from fathom.report.plots.intervals import Estimate, rows_of_estimates
from fathom.report.plots.trends import Trend, trends
from fathom.report.wording import clip

View = dict[str, Any]

OTHERS = ("baseline", "quiet", "faint quiet")


def figures(item: View) -> list[Figure]:
    """Return the plots of a finding; none where its numbers are not there."""
    make = DRAWN.get(words(item, "name"))
    return [] if make is None else make(mapping(item, "plot"))


def remedies(item: View) -> list[View]:
    """Return what can be done, with its price, of a finding that says so."""
    return records(item, "plot", "remedies") if words(item, "name") == "fairness" else []


def _robustness(plot: View) -> list[Figure]:
    rows = [row for row in records(plot, "severities") if finite(row.get("severity")) is not None]
    drawn = []
    shares = [("right", "right", "network"), ("said to be sure", "sure", "baseline")]
    if plot.get("numbers"):
        shares = [("in the interval", "right", "network")]
    lines = [trend for name, key, kind in shares if (trend := _trend(rows, "severity", key, name, kind))]
    if lines:
        caption = (
            "How often it is right, and how sure it says it is, on rows as they are (0) and spoiled a little (1) to badly (5), with 95 % intervals. Both should fall together."
            if len(lines) > 1
            else "How often the interval that promises to hold the truth on 90 % of rows holds it, on rows as they are (0) and spoiled a little (1) to badly (5)."
        )
        drawn.append(_figure(lines, "severity", "share of rows", caption))
    score = _trend(rows, "severity", "score", "score", "network")
    if score:
        label = words(plot, "metric") or "score"
        drawn.append(_figure([score], "severity", label, f"The {label} of the same rows."))
    kinds = [row for row in records(plot, "kinds") if finite(row.get("score")) is not None]
    if len(kinds) > 1:
        estimates = [
            Estimate(words(row, "spoiled"), float(row["score"]), finite(row.get("low")), finite(row.get("high")))
            for row in kinds
        ]
        label = f"{words(plot, 'metric')} with the columns of one kind spoiled (severity 3)"
        drawn.append(_estimates(estimates, label, "What spoils most: each kind of column alone."))
    return drawn


def _scaling(plot: View) -> list[Figure]:
    models = [(name, model) for name, model in mapping(plot, "models").items() if isinstance(model, dict)]
    others = iter(OTHERS)
    lines = []
    for name, model in models:
        kind = "network" if name == "network" else next(others, "faint quiet")
        trend = _trend(records(model, "points"), "rows", "score", clip(name, 20), kind)
        law = [
            (float(point["rows"]), float(point["score"]))
            for point in records(model, "law")
            if finite(point.get("rows")) is not None and finite(point.get("score")) is not None
        ]
        if trend:
            lines.append(Trend(trend.name, trend.xs, trend.values, kind=kind, law=tuple(law)))
    if not lines:
        return []
    label = words(plot, "metric") or "score"
    caption = "Dots: models that learned from a share of the training rows. Lines: the power law through them, to ten times as many rows as there are; beyond the last dot it is a guess."
    return [_figure(lines, "training rows", label, caption, logarithmic=True)]


def _adversarial(plot: View) -> list[Figure]:
    drawn = []
    every = records(plot, "lines")
    for kind in dict.fromkeys(words(line, "columns") for line in every):
        own = [line for line in every if words(line, "columns") == kind]
        lines = []
        for name, colour in (("chance", "baseline"), ("all together", "network")):
            rows = [line for line in own if words(line, "attack") == name]
            if rows and finite(rows[0].get("before")) is not None:
                rows = [{"reach": 0.0, "holds": rows[0]["before"]}, *rows]
            trend = _trend(rows, "reach", "holds", "the worst attack" if name != "chance" else "by chance", colour)
            lines += [trend] if trend else []
        if lines:
            caption = f"Rows that still get the right answer when {kind} columns are changed by at most so much: by chance, and in the way that hurts most."
            drawn.append(_figure(lines, f"reach ({kind})", "share of rows", caption, whole=True))
    return drawn


def _causes(plot: View) -> list[Figure]:
    estimates = [
        Estimate(words(line, "estimate"), float(line["value"]), finite(line.get("low")), finite(line.get("high")))
        for line in records(plot, "estimates")
        if finite(line.get("value")) is not None
    ]
    if not estimates:
        return []
    return [_estimates(estimates, "effect", "The effect by each way of estimating it, with 95 % intervals. The placebo is no treatment at all and should lie at 0.")]  # fmt: skip


def _abstaining(plot: View) -> list[Figure]:
    named = (("risk", "the surest first", "network"), ("apart", "of one mind first", "baseline"))
    lines = []
    for key, name, kind in named:
        rows = sorted(records(plot, key), key=lambda row: finite(row.get("answered")) or 0.0)
        lines += [trend] if (trend := _trend(rows, "answered", "wrong", name, kind)) else []
    if not lines:
        return []
    measure = words(plot, "measure") or "share wrong"
    caption = f"What abstaining buys: the {measure} among the rows that are answered, when only a share of them is: the surest ones first, or those first on which its members are of one mind. A line that falls to the left knows which rows are hard."
    return [_figure(lines, "share of rows answered", measure, caption)]


DRAWN: dict[str, Callable[[View], list[Figure]]] = {
    "abstaining": _abstaining,
    "robustness": _robustness,
    "scaling": _scaling,
    "adversarial": _adversarial,
    "causes": _causes,
}


def _trend(rows: Sequence[View], x: str, y: str, name: str, kind: str) -> Trend | None:
    """Return the points of rows that have both; with the interval of ``y`` where every one of them has it."""
    low, high = ("low", "high") if y in ("score", "holds") else (f"{y}_low", f"{y}_high")
    known = [row for row in rows if finite(row.get(x)) is not None and finite(row.get(y)) is not None]
    if len(known) < 2:
        return None
    whole = all(finite(row.get(end)) is not None for row in known for end in (low, high))
    return Trend(
        name,
        tuple(float(row[x]) for row in known),
        tuple(float(row[y]) for row in known),
        tuple(float(row[low]) for row in known) if whole else (),
        tuple(float(row[high]) for row in known) if whole else (),
        kind,
    )


def _figure(
    lines: Sequence[Trend], x_label: str, y_label: str, caption: str, logarithmic: bool = False, whole: bool = False
) -> Figure:
    logarithmic = logarithmic and all(x > 0 for line in lines for x in line.xs)
    wide, narrow = (
        trends(lines, x_label=x_label, y_label=y_label, width=width, logarithmic=logarithmic, whole=whole)
        for width in (WIDE, NARROW)
    )
    return Figure(wide, narrow, caption)


def _estimates(estimates: Sequence[Estimate], label: str, caption: str) -> Figure:
    wide, narrow = (rows_of_estimates(estimates, label=label, width=width, boxes=True) for width in (WIDE, NARROW))
    return Figure(wide, narrow, caption)
