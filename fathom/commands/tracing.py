"""fathom trace: one row's way through every station."""

from typing import Annotated, Any

import typer

from fathom.commands.options import pairs

NAME = "trace"
EXAMPLE = "fathom trace homes.csv --target price --row 7"


def trace(
    files: Annotated[list[str], typer.Argument(help="The table.")],
    target: Annotated[list[str], typer.Option("--target", "-t", help="The column to predict.")],
    row: Annotated[int, typer.Option(help="Which row to follow, counted from 1 without the header.")] = 1,
    trunk: Annotated[str, typer.Option(help="The network: tabm, mlp or transformer.")] = "tabm",
    columns: Annotated[
        list[str] | None, typer.Option(help="What a column is: age=number,zip=category,note=skip.")
    ] = None,
    bad_rows: Annotated[str, typer.Option(help="What happens to rows that cannot be used: error or skip.")] = "error",
) -> None:
    """Print one row's way through every station, with real shapes and values."""
    from fathom import terminal
    from fathom.tracing import trace as follow

    source: Any = files[0] if len(files) == 1 else files
    stations = follow(
        source, target, row=row, trunk=trunk, columns=pairs(columns or [], "--columns"), bad_rows=bad_rows
    )
    terminal.show_stations(stations, terminal.console())
