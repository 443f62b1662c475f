"""What a shelf holds and what became of it, as a terminal shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from fathom.terminal.console import grid


def show_update(done: Any, to: Console, quiet: bool = False) -> None:
    """Print what an update came to (`fathom.renewal.updating.Updated`): each question of the gate, the notes, and the page."""
    marks = {"passed": "[green]✓[/green]", "refused": "[bold red]✗[/bold red]"}
    if not quiet:
        for note in done.notes:
            to.print(escape(note))
        to.print(f"Version {done.version} was fitted {escape(done.how)}. The gate:")
        for target, finding in done.gate.findings:
            about = f"{escape(target)}, " if target else ""
            to.print(f"{marks.get(finding.answer, '–')} [bold]{about}{finding.name}[/bold]: {escape(finding.sentence)}")
    if done.gate.passed:
        to.print(f"[bold green]The gate lets {done.version} pass.[/bold green] It answers nobody yet.")
    else:
        to.print(f"[bold red]The gate refuses {done.version}.[/bold red] What is served stays as it is.")
    to.print(f"Why:  {done.page}", markup=False, soft_wrap=True)


def show_shelf(shelf: Any, to: Console) -> None:
    """Print what a shelf serves, and the command that may come next."""
    state = shelf.state()
    shown = grid(f"Versions on {shelf.path}")
    for version in shelf.versions():
        roles = ["live"] if version == state.live else []
        roles += ["shadow"] if version == state.shadow else []
        roles += [f"canary, {state.canary.share:.0%}"] if state.canary and version == state.canary.version else []
        if state.waiting and version == state.waiting.version:
            roles.append(f"waits for approval ({state.waiting.what}, asked by {escape(state.waiting.who)})")
        gate = shelf.gate(version)
        said = "not asked" if gate is None else "passed" if gate["passed"] else "refused"
        shown.add_row(version, ", ".join(roles), f"gate: {said}")
    to.print(shown)
    if state.waiting:
        to.print(f"Next:  fathom update {shelf.path} --approve --who NAME", markup=False, soft_wrap=True)
    to.print(f"Serve:  fathom serve {shelf.path}", markup=False, soft_wrap=True)


def show_log(entries: Sequence[Mapping[str, Any]], to: Console) -> None:
    """Print the log of a shelf, a line a change."""
    for entry in entries:
        parts = [str(entry.get(name) or "") for name in ("when", "who", "what", "version", "why")]
        to.print("  ".join(part for part in parts if part), markup=False, soft_wrap=True)
