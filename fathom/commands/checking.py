"""fathom check: a bundle meets every question on new rows."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fathom.commands.options import WARNED

NAME = "check"
EXAMPLE = "fathom check runs/homes-1 sold-since.csv --only slices,fairness --protect town"


def check(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[
        list[str],
        typer.Argument(help="Rows whose target is known; those that the model has learned from are left out."),
    ],
    only: Annotated[str | None, typer.Option(help="The checks to run, with commas between.  [default: all]")] = None,
    protect: Annotated[
        str | None, typer.Option(help="Columns whose groups are compared for fairness: sex,race.")
    ] = None,
    requests_per_day: Annotated[
        float, typer.Option(help="Answers a day, for which the cost of a year is reckoned.")
    ] = 10_000.0,
    effect: Annotated[
        str | None, typer.Option(help="The column whose effect on the target is to be estimated.")
    ] = None,
    confounders: Annotated[
        str | None,
        typer.Option(help="The columns that may cause both it and the target: age,region.  [default: all others]"),
    ] = None,
    effort: Annotated[
        str,
        typer.Option(
            help="quick, standard or thorough: how much is asked. What --only names is asked whatever it costs."
        ),
    ] = "thorough",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the findings here, too.")] = None,
) -> None:
    """Ask a bundle every question on new rows. Exit code 1 where a finding warns."""
    from fathom import terminal
    from fathom.commands.folders import run_of
    from fathom.data.files.writing import write_text
    from fathom.examining import check as examined
    from fathom.looking import count_look, rows_to_judge
    from fathom.model import load
    from fathom.settings import names_in

    model, run = load(bundle), run_of(bundle)
    table, notes = rows_to_judge(model, rows[0] if len(rows) == 1 else rows, run)
    found = examined(
        model,
        table,
        only=names_in(only),
        protect=names_in(protect),
        requests_per_day=requests_per_day,
        effect=effect,
        confounders=confounders,
        effort=effort,
    )
    for note in (*notes, *count_look(run, table, "checked")):
        print(note, file=sys.stderr)
    terminal.show_findings(found, terminal.console())
    if json_file is not None:
        write_text(json.dumps([finding.as_json() for finding in found], indent=1), json_file)
    if any(finding.status in ("warning", "bad") for finding in found):
        raise typer.Exit(WARNED)
