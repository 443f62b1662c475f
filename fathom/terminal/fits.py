"""What a fit found, as a terminal shows it: columns, models, verdict, warnings, and where to go on."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from fathom.quantities import seconds, size
from fathom.terminal.console import MOST_COLUMNS, grid, scored


def show_result(result: Mapping[str, Any], to: Console, folder: str) -> None:
    """Print what a fit found: columns, models, verdict, warnings, and where to go on."""
    for decision in result["table"]["decisions"]:
        to.print(f"[dim]{escape(decision)}[/dim]")
    to.print(_columns(result["columns"]))
    if len(result["columns"]) > MOST_COLUMNS:
        to.print(f"[dim]… and {len(result['columns']) - MOST_COLUMNS} more columns in the report[/dim]")
    rows, folds = result["rows"], result["split"].get("folds", 1)
    choosing = f"{rows['validation']:,}" if folds == 1 else f"and, in {folds} folds,"
    to.print(
        f"{rows['train']:,} rows to learn from{',' if folds == 1 else ''} {choosing} to choose by, {rows['test']:,} to judge on: {escape(result['split']['how'])}.\n"
    )
    for target in result["targets"]:
        to.print(_models(result, target["name"]))
    verdict = result["verdict"]
    colour = {"worth it": "green", "not worth it": "yellow"}.get(verdict["answer"], "cyan")
    to.print(f"\n[bold {colour}]{escape(verdict['sentence'])}[/bold {colour}]")
    to.print(f"Shipped: [bold]{escape(result['shipped'])}[/bold], because {escape(result['shipped_reason'])}.")
    for warning in result["warnings"]:
        to.print(f"[bold red]Warning:[/bold red] {escape(warning)}")
    for finding in result["training"].get("doctor", []):
        to.print(f"[bold red]Training:[/bold red] {escape(finding['sentence'])} {escape(finding['remedy'])}")
    if folder:
        to.print(f"\nReport  {escape(folder)}/report.html\nBundle  {escape(folder)}/bundle", soft_wrap=True)
        to.print(f"Next    fathom predict {escape(folder)}/bundle NEW_ROWS.csv -o predictions.csv", soft_wrap=True)


def _columns(columns: Sequence[Mapping[str, Any]]) -> Grid:
    shown = grid("What each column was taken for", show_header=True)
    for heading in ("column", "taken for", "missing", "because"):
        shown.add_column(heading, overflow="fold", justify="right" if heading == "missing" else "left")
    for column in columns[:MOST_COLUMNS]:
        kind = {
            "left_out": "[dim]left out[/dim]",
            "group": "group",
            "weight": "weight",
            "target": f"[bold]{column['modality']} (target)[/bold]",
        }.get(column["role"], column["modality"])
        missing = f"{column['missing']:.0%}" if column["missing"] >= 0.005 else ("<1%" if column["missing"] else "")
        shown.add_row(escape(column["name"]), kind, missing, escape(column["reason"]))
    return shown


def _models(result: Mapping[str, Any], target: str) -> Grid:
    first = result["models"][0]["targets"][target]
    names = list(first)[:3]
    title = f"Models of {escape(target)} on {result['rows']['test']:,} test rows, with 95 % intervals"
    shown = grid(title, show_header=True)
    shown.add_column("model", overflow="fold")
    for name in names:
        shown.add_column(
            f"{name.replace('_', ' ')} {'↑' if result['metrics'][name]['better'] == 'higher' else '↓'}", justify="right"
        )
    for heading in ("training", "a row", "size"):
        shown.add_column(heading, justify="right")
    for model in result["models"]:
        mark = "[bold]" if model["name"] == result["shipped"] else ""
        cells = [f"{mark}{escape(model['name'])}"]
        cells += [f"{mark}{scored(model['targets'][target][name])}" for name in names]
        cells += [
            f"{mark}{cell}"
            for cell in (
                seconds(model["fit_seconds"]),
                seconds(model["predict_seconds_per_row"]),
                size(model["bytes"]),
            )
        ]
        shown.add_row(*cells)
    return shown
