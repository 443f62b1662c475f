"""fathom compress: a bundle made smaller and quicker, by a budget."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fathom.commands.options import MISTAKE

NAME = "compress"
EXAMPLE = "fathom compress runs/homes-1 --max-mb 0.5 --max-loss 0.01 -o small.fathom"


def compress(
    bundle: Annotated[Path, typer.Argument(help="The run that fit wrote, or the bundle in it.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where the bundle goes: one file if the name ends in .fathom, else a folder; without it only the list is made.",
        ),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="The table of the fit, if it lies elsewhere now.")] = None,
    max_ms: Annotated[float | None, typer.Option(help="The most milliseconds that one row may take.")] = None,
    max_mb: Annotated[float | None, typer.Option(help="The most megabytes that the bundle may have.")] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(help="How much worse its score may be than the original's, in the unit of the metric."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The score by which it is judged.  [default: its task's]")] = None,
    ways: Annotated[str, typer.Option(help="What is tried, with commas between.")] = "int8,prune,distil,linear,trees",
    epochs: Annotated[int | None, typer.Option(help="The most epochs that smaller networks learn.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the price list here, too.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the list alone.")] = False,
) -> None:
    """Make a bundle smaller and quicker: a price list of every way, and the bundle that a budget asks for. Exit code 2 if none meets it."""
    from fathom import terminal
    from fathom.compression.compressing import compress as compressed
    from fathom.compression.pricing import Budget, check_budget, nearest
    from fathom.data.files.writing import write_text
    from fathom.settings import names_in

    budget = Budget(max_ms, max_mb, max_loss, metric)
    check_budget(budget)
    with terminal.progress(quiet) as progress:
        found = compressed(bundle, table, budget=budget, ways=names_in(ways), epochs=epochs, progress=progress)
    to = terminal.console()
    terminal.show_prices(found, to)
    if json_file is not None:
        write_text(json.dumps([price.as_json() for price in found.prices], indent=1), json_file)
    for note in found.notes:
        print(f"Note: {note}", file=sys.stderr)
    if found.kept is None:
        print(f"fathom: {nearest(found.prices, budget)}", file=sys.stderr)
        raise typer.Exit(MISTAKE)
    if out is not None:
        print(found.save(out))
