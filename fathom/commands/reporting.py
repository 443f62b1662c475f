"""fathom report: the page of a run, or its model card, is built again."""

from pathlib import Path
from typing import Annotated

import typer

from fathom.commands.folders import result_of

NAME = "report"
EXAMPLE = "fathom report runs/homes-1"


def report(
    run: Annotated[Path, typer.Argument(help="The run folder that fit wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the page goes.  [default: RUN/report.html]")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the model card, in Markdown.  [default: RUN/card.md]")
    ] = False,
) -> None:
    """Build the page of a run, or its model card, again from its result.json."""
    from fathom.chapters.sealing import looks_of
    from fathom.data.files.writing import write_text
    from fathom.report import render
    from fathom.report.card import card as model_card

    result = result_of(run)
    own = looks_of(run)
    earlier = (
        [entry for entry in result["split"]["looks"] if entry["when"] < own[0]["when"]]
        if own
        else result["split"]["looks"]
    )
    result["split"]["looks"] = [*earlier, *own]
    if card:
        print(write_text(model_card(result), out or run / "card.md"))
        return
    print(write_text(render(result), out or run / "report.html"))
