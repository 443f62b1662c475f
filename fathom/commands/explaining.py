"""fathom explain: what a model relies on, why it answers a row so, and what its layers have learned."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fathom import completing

NAME = "explain"
EXAMPLE = "fathom explain runs/homes-1 sold-since.csv --row 7"


def explain(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[
        list[str],
        typer.Argument(
            help="The rows. Without --row their target must be known, and those that the model has learned from are left out."
        ),
    ],
    row: Annotated[
        int | None, typer.Option(help="Say why this row is answered as it is, counted from 1 without the header.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing.words("shap", "lime", "occlusion", "gradients"),
            help="How a row is explained, with commas between: shap, lime, occlusion, gradients.  [default: all but gradients]",
        ),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", help="The class whose probability is explained.  [default: the likeliest]")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Look into every layer that reads text, pictures, sound or series.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page goes.")] = Path("explanation.html"),
) -> None:
    """Show which columns a model relies on, or with --row why it answers a row so; with --layers, what each layer of its network has learned."""
    from fathom import terminal
    from fathom.commands.folders import run_of
    from fathom.data.files.writing import check_apart, write_text
    from fathom.errors import OptionError
    from fathom.explaining import explain as explained
    from fathom.explaining import reasons_of
    from fathom.looking import count_look, rows_to_judge
    from fathom.model import load
    from fathom.report import render
    from fathom.settings import names_in

    source = rows[0] if len(rows) == 1 else rows
    if row is None and (method or of):
        raise OptionError("--method and --of say how one row is explained. Name it, for example --row 7.")
    if row is not None and layers:
        raise OptionError("--layers looks at many rows, and --row at one. Ask for one of them.")
    check_apart(out, rows)
    if row is not None:
        found = reasons_of(load(bundle), source, row=row, methods=names_in(method), of=of or "")
        terminal.show_reasons(found["reasons"][0], terminal.console())
    else:
        model, run = load(bundle), run_of(bundle)
        table, notes = rows_to_judge(model, source, run)
        found = explained(model, table, layers=layers)
        found["warnings"] = [*notes, *count_look(run, table, "explained")]
        for note in found["warnings"]:
            print(note, file=sys.stderr)
        terminal.show_explanation(found, terminal.console())
    print(write_text(render(found), out))
