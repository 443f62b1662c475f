"""A result becomes a page: one HTML file that a person can read anywhere, without a network or a script."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from fathom.errors import BundleError, require
from fathom.report import answers, findings, layers, opening, provenance, reasons, scores
from fathom.report.wording import clean, fit

FORMAT = 1

View = dict[str, Any]

TITLES = {
    "verdict": "Verdict",
    "warnings": "Warnings",
    "models": "Models",
    "training": "Training",
    "predictions": "Predictions",
    "calibration": "Calibration",
    "findings": "Findings",
    "adds": "What each column adds",
    "importance": "Columns that matter",
    "dependence": "How the answer goes with a column",
    "reasons": "Why single rows were answered so",
    "layers": "What the layers learned",
    "worst": "Worst rows",
    "columns": "Columns",
    "reading": "How the file was read",
    "split": "Rows and looks",
    "settings": "Settings",
    "next": "How to go on",
    "glossary": "Glossary",
}


def render(result: dict[str, Any]) -> str:
    """Return the report of a result (``docs/result.md``) as one self-contained HTML page.

    The page asks the network for nothing and needs no script; its content security policy says so. Whatever the
    result does not hold is left out. Texts are shown as they are; characters that would be invisible, or would reorder
    the text around them, are made visible.

    Raises BundleError when the result is of another format, and ExtraError when jinja2 is not installed.

    >>> page = render({"format": 1, "targets": [{"name": "price"}], "table": {"files": ["homes.csv"]}})
    >>> page.startswith("<!doctype html>"), "homes.csv" in page
    (True, True)
    """
    if result.get("format", FORMAT) != FORMAT:
        raise BundleError(
            f"This result is of format {result['format']!r}; this Fathom writes reports of format {FORMAT}. "
            "Write the report with the Fathom that made the result, or fit again."
        )
    page: str = template("page.html").render(page=view(clean(result)), sections=tuple(TITLES), **assets())
    return page


def view(result: View) -> View:
    """Return what the template shows, all of it worded and drawn; a part that does not exist is ``None`` or empty."""
    targets = opening.target_names(result)
    page: View = {
        "opening": opening.opening(result),
        "verdict": opening.verdict(result),
        "warnings": opening.warnings(result),
        "models": _each(targets or [None], lambda target: scores.models(result, target)),
        "costs": scores.costs(result),
        "training": scores.training(result),
        "predictions": _each(targets, lambda target: answers.predictions(result, target)),
        "calibration": _each(targets, lambda target: answers.calibrated(result, target)),
        "findings": findings.findings(result, len(targets) > 1),
        "adds": layers.adds(result),
        "importance": answers.importance(result),
        "dependence": reasons.dependence(result),
        "reasons": reasons.reasons(result),
        "layers": layers.layers(result),
        "worst": _each(targets, lambda target: answers.worst_rows(result, target, only=len(targets) == 1)),
        "columns": provenance.columns(result),
        "reading": provenance.reading(result),
        "split": provenance.split(result),
        "settings": provenance.settings(result),
        "next": provenance.next_steps(result),
    }
    page["glossary"] = provenance.glossary(result, {name for name, part in page.items() if part})
    page["contents"] = _contents(page)
    return page


def _each(targets: list[Any], make: Callable[[Any], Any]) -> list[View]:
    """Make a part for every target, without those that do not exist; it names its target where there are several."""
    parts = [(place, target, make(target)) for place, target in enumerate(targets, start=1)]
    several = len(targets) > 1
    return [
        {"part": part, "target": target if several else "", "suffix": f"-{place}" if several else ""}
        for place, target, part in parts
        if part
    ]


def _contents(page: View) -> list[tuple[str, str]]:
    """List the anchors and titles of the sections that exist, in order."""
    listed = []
    for name, title in TITLES.items():
        if name in ("models", "predictions", "calibration", "worst"):
            named = [(item["suffix"], f": {fit(item['target'], 24)}" if item["target"] else "") for item in page[name]]
            listed += [(name + suffix, title + target) for suffix, target in named]
        elif page[name]:
            listed.append((name, title))
    return listed


@cache
def template(name: str) -> Any:
    """Return a template of this folder. Raises ExtraError when jinja2 is not installed."""
    jinja2 = require("jinja2", "train")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


@cache
def assets() -> dict[str, str]:
    """Return the style, the script and the policy that allows these two and nothing else."""
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": style, "script": script, "policy": policy}


def _asset(name: str) -> str:
    return files("fathom.report").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
