"""The top of the report: what was predicted from what, the verdict in one sentence, what it costs, the warnings."""

from pathlib import PurePath
from typing import Any

from fathom.quantities import finite, seconds, share, size, times
from fathom.report.glossary import metric_name
from fathom.report.picking import NARROW, WIDE, Figure, at, mapping, named, records, texts, words
from fathom.report.plots.intervals import Estimate, difference
from fathom.report.wording import listing, moment, plural, sentence

View = dict[str, Any]

KINDS = {"worth it": "yes", "not worth it": "no"}  # class of the verdict's colour; anything else is "unsure"


def target_names(result: View) -> list[str]:
    """Return the names of the target columns, in order."""
    return [target["name"] for target in named(result, "targets")]


def source_name(result: View) -> str:
    """Say in a few words which files were read."""
    files = [PurePath(path.replace("\\", "/")).name for path in texts(result, "table", "files")]
    return listing(files) or words(result, "table", "name")


def opening(result: View) -> View:
    """Return the title, the date and a line of facts."""
    rows, facts = mapping(result, "rows"), []
    if finite(rows.get("total")) is not None:
        facts.append(plural(rows["total"], "row"))
    inputs = sum(column.get("role") == "input" for column in records(result, "columns"))
    if inputs:
        facts.append(plural(inputs, "input column"))
    if finite(rows.get("test")) is not None:
        facts.append(f"judged on {plural(rows['test'], 'test row')}")
    return {
        "targets": target_names(result),
        "source": source_name(result),
        "created": moment(words(result, "created")),
        "created_iso": words(result, "created"),
        "version": words(result, "fathom"),
        "facts": facts,
    }


def verdict(result: View) -> View | None:
    """Return the answer, its sentence, the plot of the difference and the three ratios."""
    found = mapping(result, "verdict")
    if not (words(found, "sentence") or words(found, "answer")):
        return None
    return {
        "answer": words(found, "answer"),
        "kind": KINDS.get(words(found, "answer"), "unsure"),
        "sentence": _sentence(found),
        "figure": _difference(found),
        "ratios": _ratios(result, found),
        "shipped": words(result, "shipped"),
        "shipped_reason": sentence(words(result, "shipped_reason")),
    }


def _sentence(found: View) -> str:
    """Return the sentence without the answer in front of it, which the heading says already."""
    answer, said = words(found, "answer"), words(found, "sentence")
    repeated = f"{answer}:"
    return sentence(said[len(repeated) :] if answer and said.casefold().startswith(repeated.casefold()) else said)


def _difference(found: View) -> Figure | None:
    value = finite(found.get("difference"))
    if value is None:
        return None
    estimate = Estimate("difference", value, finite(found.get("low")), finite(found.get("high")))
    network, baseline = words(found, "network") or "network", words(found, "baseline") or "baseline"
    metric = metric_name(words(found, "metric") or "score")
    label = f"difference in {metric}, test rows"
    relative = finite(found.get("relative"))
    part = "" if relative is None else f" It is {share(abs(relative))} of the baseline’s score."
    caption = (
        f"The dot is the difference in {metric} between {network} and {baseline}, counted so that right of zero "
        f"{network} is better; the line is its 95 % interval.{part} If the line crosses zero, chance alone could "
        "explain the difference."
    )
    wide, narrow = (
        difference(estimate, better=network, worse=baseline, label=label, width=width) for width in (WIDE, NARROW)
    )
    return Figure(wide, narrow, caption)


def _ratios(result: View, found: View) -> list[View]:
    """Say in plain words what the network costs against the baseline: to train, to ask, to keep."""
    models = {model["name"]: model for model in named(result, "models")}
    network, baseline = words(found, "network") or "network", words(found, "baseline") or "baseline"
    told = []
    for name, field, more, less, write in (
        ("Training", "fit_seconds", "times as long", "of the time", seconds),
        ("One prediction", "predict_seconds_per_row", "times as long", "of the time", seconds),
        ("Size", "bytes", "times as large", "of the size", size),
    ):
        ratio = finite(at(found, "ratios", field))
        if ratio is None or ratio < 0:
            continue
        big = (
            "about the same"
            if 0.95 < ratio < 1.05
            else f"{times(ratio)} {more}"
            if ratio > 1
            else f"{share(ratio)} {less}"
        )
        ours, theirs = at(models.get(network), field), at(models.get(baseline), field)
        known = finite(ours) is not None and finite(theirs) is not None
        detail = f"{network} {write(ours)}, {baseline} {write(theirs)}" if known else f"{network} against {baseline}"
        told.append({"name": name, "big": big, "detail": detail})
    return told


def warnings(result: View) -> list[str]:
    """Return the warnings as they were written."""
    return texts(result, "warnings")
