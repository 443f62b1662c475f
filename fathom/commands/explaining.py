"""fathom explain: what a model relies on and what its layers have learned."""

from pathlib import Path
from typing import Annotated

import typer

NAME = "explain"
EXAMPLE = "fathom explain runs/photos-1 more-photos/ --layers"


def explain(
    bundle: Annotated[Path, typer.Argument(help="The bundle, or the run folder around it.")],
    rows: Annotated[list[str], typer.Argument(help="Rows whose target is known, which the model did not learn from.")],
    layers: Annotated[
        bool, typer.Option("--layers", help="Look into every layer that reads text, pictures, sound or series.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page goes.  [default: explanation.html]")] = Path(
        "explanation.html"
    ),
) -> None:
    """Show which columns a model relies on and, with --layers, what each layer of its network has learned."""
    from fathom import terminal
    from fathom.data.writing import write_text
    from fathom.explaining import explain as explained
    from fathom.model import load
    from fathom.report import render

    found = explained(load(bundle), rows[0] if len(rows) == 1 else rows, layers=layers)
    terminal.show_explanation(found, terminal.console())
    print(write_text(render(found), out))
