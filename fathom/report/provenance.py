"""Where it all came from: columns and how they were read, files, the split, settings, how to go on, the glossary."""

import shlex
from typing import Any

from fathom.quantities import count, finite, seconds, share, size
from fathom.report.glossary import TERMS, metric_name
from fathom.report.opening import target_names
from fathom.report.picking import at, items, mapping, named, records, texts, words
from fathom.report.scores import metrics_of
from fathom.report.wording import cell, clip, moment, picture, plural, sentence, sound, titled

View = dict[str, Any]

ROLES = ("target", "input", "group", "time", "weight")
MOST_FILES = 20
RUN = "RUN"  # stands for the folder of the run, which the result does not name


def columns(result: View) -> View | None:
    """Return how every column was read, targets first; the ones left out apart."""
    found = [_column(column) for column in named(result, "columns")]
    if not found:
        return None
    used = [column for column in found if column["role"] != "left_out"]
    used.sort(key=lambda column: ROLES.index(column["role"]) if column["role"] in ROLES else len(ROLES))
    return {"used": used, "left_out": [column for column in found if column["role"] == "left_out"]}


def _column(column: View) -> View:
    return {
        "name": clip(column["name"], 200),
        "role": words(column, "role") or "input",
        "modality": words(column, "modality"),
        "confidence": share(column.get("confidence")),
        "reason": clip(words(column, "reason"), 400),
        "missing": share(column.get("missing")),
        "distinct": count(column.get("distinct")),
        "summary": clip(words(column, "summary"), 400),
        "drawn": [url for url in items(column, "drawn") if picture(url)],
        "played": [url for url in items(column, "drawn") if sound(url)],
    }


def reading(result: View) -> View | None:
    """Return how the files were understood and which rows could not be used."""
    files = texts(result, "table", "files")
    decisions = texts(result, "table", "decisions")
    skipped = [
        {"path": cell(row.get("path")), "line": count(row.get("line")), "reason": cell(row.get("reason"), 400)}
        for row in records(result, "skipped_rows")
    ]
    if not (files or decisions or skipped):
        return None
    total = finite(at(result, "rows", "skipped")) or len(skipped)
    return {
        "files": files[:MOST_FILES],
        "more_files": f"{len(files) - MOST_FILES:,}" if len(files) > MOST_FILES else "",
        "size": "" if finite(at(result, "table", "bytes")) is None else size(at(result, "table", "bytes")),
        "decisions": decisions,
        "skipped": skipped,
        "skipped_total": plural(total, "row") if total else "",
        "skipped_unseen": count(total - len(skipped)) if skipped and total > len(skipped) else "",
    }


def split(result: View) -> View | None:
    """Return the three parts of the rows and every look at the test rows."""
    rows, found = mapping(result, "rows"), mapping(result, "split")
    sizes = {name: finite(rows.get(name)) for name in ("train", "validation", "test")}
    total = sum(value for value in sizes.values() if value is not None)
    uses = {
        "train": "the models learn from them"
        if (finite(found.get("folds")) or 1) == 1
        else f"in {count(found['folds'])} folds: each is left out by one fit of every model, which makes its choices on it",
        "validation": "for every choice",
        "test": "for the scores on this page",
    }
    parts = [
        {"name": f"{name} rows", "rows": count(value), "share": share(value / total), "use": uses[name]}
        for name, value in sizes.items()
        if value is not None and total > 0 and (value > 0 or name != "validation")
    ]
    looks = [{"when": moment(words(look, "when")), "what": cell(look.get("what"))} for look in records(found, "looks")]
    if not (parts or words(found, "how") or looks):
        return None
    return {
        "parts": parts,
        "how": _how(words(found, "how")),
        "fingerprint": words(found, "fingerprint"),
        "looks": looks,
        "looks_total": plural(len(looks), "look"),
    }


def _how(clause: str) -> str:
    """Say how the rows were parted; ``by a hash of each row`` becomes a sentence."""
    return sentence(f"the rows were parted {clause}" if clause.startswith("by ") else clause)


def settings(result: View) -> View | None:
    """Return every choice, the times of the stages, and the machine."""
    chosen = [(name, cell(value)) for name, value in mapping(result, "settings").items()]
    if finite(result.get("seed")) is not None and "seed" not in mapping(result, "settings"):
        chosen.append(("seed", str(result["seed"])))
    plan = [(name, cell(value)) for name, value in mapping(result, "training", "plan").items()]
    stages = [(name.replace("_", " "), seconds(value)) for name, value in mapping(result, "seconds").items()]
    machine = [(name.replace("_", " "), cell(value)) for name, value in mapping(result, "machine").items()]
    if finite(result.get("peak_bytes")) is not None:
        machine.append(("highest memory", size(result["peak_bytes"])))
    parts = {"chosen": chosen, "plan": plan, "stages": stages, "machine": machine}
    return parts if any(parts.values()) else None


def next_steps(result: View) -> list[View]:
    """Return the commands to go on with, each with what it is for."""
    steps = [
        ("Predict new rows. They need the same input columns.", f"fathom predict {RUN} new-rows.csv --out answers.csv")
    ]
    if words(result, "command"):
        steps.append(("Fit again; add flags for other settings.", result["command"]))
    steps.append(("Write this page again.", f"fathom report {RUN}"))
    files, targets = texts(result, "table", "files"), target_names(result)
    if files and targets:
        where = f"{shlex.quote(files[0])} --target {shlex.quote(targets[0])}"
        steps.append(("Follow one row through every station.", f"fathom trace {where} --row 7"))
    return [{"what": what, "command": command} for what, command in steps]


def glossary(result: View, present: set[str]) -> list[tuple[str, str]]:
    """Return the terms that this page uses, in alphabetical order; ``present`` names its sections."""
    wanted = ["row", "column", "target", "training rows", "validation rows", "test rows", "95 % interval", "bundle"]
    wanted += ["network", "baseline"] if "models" in present else []
    wanted += ["verdict"] if "verdict" in present else []
    wanted += ["parameters", "loss", "epoch", "best epoch", "learning rate"] if "training" in present else []
    wanted += ["loss"] if "worst" in present else []
    wanted += ["permutation importance"] if "importance" in present else []
    wanted += ["modality", "confidence"] if "columns" in present else []
    wanted += ["seed"] if "settings" in present else []
    plots = [plot for plot in mapping(result, "plots").values() if isinstance(plot, dict)]
    wanted += ["confusion matrix"] if any(plot.get("confusion") for plot in plots) else []
    wanted += ["residual"] if any(plot.get("residuals") for plot in plots) else []
    kinds = {words(plot, "calibration", "kind") for plot in plots} - {""}
    wanted += ["calibration"] * bool(kinds) + ["coverage"] * ("interval" in kinds)
    told = {titled(term): TERMS[term] for term in wanted}
    names: list[str | None] = [*target_names(result)] or [None]
    shown = {metric for target in names for metric in metrics_of(result, target)}
    for metric, about in mapping(result, "metrics").items():
        if metric not in shown:
            continue
        better = {"higher": "Higher is better.", "lower": "Lower is better."}.get(words(about, "better"), "")
        told[titled(metric_name(metric))] = f"{words(about, 'summary')} {better}".strip()
    return sorted(told.items(), key=lambda item: item[0].casefold())
