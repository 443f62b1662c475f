"""What the checks found: each question with its answer in words, and the figures behind it."""

from typing import Any

from fathom.quantities import finite, number
from fathom.report import evidence
from fathom.report.picking import mapping, records, words
from fathom.report.wording import cell, clip

View = dict[str, Any]

SHOWN = ("bad", "warning", "neutral", "good")
MOST_ROWS = 30
MOST_COLUMNS = 9


def findings(result: View, several: bool) -> list[View]:
    """Return the findings that answer, those that warn first; ``several``: there is more than one target, and each is named."""
    found = [item for item in records(result, "findings") if words(item, "answer") != "not applicable"]
    found.sort(key=lambda item: SHOWN.index(words(item, "status")) if words(item, "status") in SHOWN else len(SHOWN))
    return [_finding(item, several) for item in found if words(item, "question")]


def _finding(item: View, several: bool) -> View:
    rows = records(item, "rows")[:MOST_ROWS]
    table = _table(rows)
    return {
        "question": words(item, "question"),
        "target": clip(words(item, "target"), 40) if several else "",
        "answer": words(item, "answer"),
        "kind": words(item, "status") if words(item, "status") in SHOWN else "neutral",
        "sentence": f"{words(item, 'sentence')} {words(item, 'clocked')}".strip(),
        "remedy": words(item, "remedy"),
        "source": words(item, "source"),
        "figures": evidence.figures(item),
        "remedies": _table(evidence.remedies(item)),
        "names": table["names"],
        "rows": table["rows"],
        "assumptions": [
            (name.replace("_", " "), number(value)) for name, value in mapping(item, "plot", "assumptions").items()
        ],
    }


def _table(rows: list[View]) -> View:
    """Return a table of rows: its names, and a cell for each."""
    names = [*dict.fromkeys(name for row in rows for name in row)][:MOST_COLUMNS]
    return {
        "names": [name.replace("_", " ") for name in names],
        "rows": [[_cell(row.get(name)) for name in names] for row in rows],
    }


def _cell(value: Any) -> View:
    known = finite(value)
    return {"number": known is not None, "text": number(value, 3) if known is not None else cell(value, 120)}
