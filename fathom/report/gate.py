"""What a gate said of a renewed model becomes a page: which questions it passed, which refused it, and why."""

from typing import Any

from fathom.quantities import significant
from fathom.report import assets, template
from fathom.report.wording import clean

WORDS = {"passed": "✓ passed", "refused": "✗ refused", "not judged": "– not judged"}


def render_gate(said: dict[str, Any]) -> str:
    """Return one self-contained HTML page of what a gate said (the JSON of `fathom.renewal.gating.Gate`, with who asked, when and why).

    >>> said = {"old": "a", "new": "b", "passed": False, "margin": 0.05, "findings": [], "reasons": ["<b>worse</b>"]}
    >>> page = render_gate(said)
    >>> "Refused" in page, "&lt;b&gt;worse" in page
    (True, True)
    """
    shown = clean(said)
    findings = [
        {**finding, "word": WORDS[finding["answer"]], "table": _table(finding)} for finding in shown["findings"]
    ]
    page: str = template("gate.html").render(said=shown, findings=findings, **assets())
    return page


def _table(finding: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of a finding as a table of words."""
    names = list(finding["rows"][0]) if finding.get("rows") else []
    lines = [[_word(row[name]) for name in names] for row in finding.get("rows", [])]
    return {"names": names, "lines": lines}


def _word(value: Any) -> str:
    return significant(value) if isinstance(value, float) else str(value)
