"""What the evidence and a look at a service found, as a terminal shows it."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from fathom.quantities import number
from fathom.terminal.console import DIGITS, scored


def show_findings(findings: Sequence[Any], to: Console) -> None:
    """Print each finding: its question, its answer in a sentence, and what to do about it."""
    colours = {"good": "green", "warning": "yellow", "bad": "red"}
    for finding in findings:
        colour = colours.get(finding.status, "cyan")
        to.print(f"[bold {colour}]{escape(finding.question)}[/bold {colour}] {escape(finding.answer)}")
        told = (finding.sentence, finding.clocked, finding.remedy)
        to.print(f"  {escape(' '.join(words for words in told if words))}")


def show_look(look: Any, to: Console, every: bool = False) -> None:
    """Print what a look at the requests of a service saw: its headline, what stands out or ``every`` question, and the scores of answers whose truth is known."""
    from fathom.service.watch.telling import sentence

    colours = {
        "steady": "green",
        "alarm": "red",
        "broken": "red",
        "drift": "red",
        "changed": "yellow",
        "expected": "cyan",
    }
    to.print(f"[bold {colours.get(look.state, 'yellow')}]{escape(look.state)}[/] {escape(look.headline)}")
    for words in (*look.broken[1:], *look.notes):
        to.print(escape(words))
    told = [one for one in look.drifts if every or one.status not in ("steady", "too few rows")]
    for one in sorted(
        told, key=lambda one: ("drift", "changed", "expected", "steady", "too few rows").index(one.status)
    ):
        words = f"  [{colours.get(one.status, 'dim')}]{one.status}[/] {escape(sentence(one))}"
        to.print(f"{words} Chance without drift, corrected: {number(one.corrected, DIGITS)}." if one.rows else words)
    for target, scores in look.scores.items():
        for name, entry in scores.items():
            was = f", {number(entry['judged'], DIGITS)} when it was judged" if "judged" in entry else ""
            to.print(f"  {escape(target)}, {name.replace('_', ' ')}: {scored(entry)} on {entry['rows']:,} rows{was}.")
