"""What options of several commands share: NAME=VALUE pairs, and the exit codes."""

from typing import Annotated

import typer

from fathom.errors import OptionError

INTERRUPTED = 130  # what a shell expects after Ctrl-C
MISTAKE = 2
WARNED = 1  # a check found something to look at

# How a text file is written, where that is recognised wrongly: options of every command that reads one.
Delimiter = Annotated[str | None, typer.Option(help="What parts the cells of a text file.  [default: recognised]")]
Encoding = Annotated[str | None, typer.Option(help="How a text file's bytes are letters.  [default: recognised]")]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether the first line holds names.  [default: recognised]")
]


def pairs(values: list[str], option: str, first: bool = False) -> dict[str, str]:
    """Turn ``["age=number,zip=category"]`` into a dictionary.

    Of several equal signs, the last parts name and value, since a column may be called so; the ``first`` where the value may hold one.
    Raises OptionError for a piece that is not ``name=value``.

    >>> pairs(["age=number,zip=category"], "--columns")
    {'age': 'number', 'zip': 'category'}
    """
    found = {}
    for piece in (piece for value in values for piece in value.split(",") if piece.strip()):
        name, sign, value = piece.partition("=") if first else piece.rpartition("=")
        if not sign or not name.strip() or not value.strip():
            raise OptionError(
                f"{option} has {piece.strip()!r}, where NAME=VALUE is expected, for example {option} age=number,zip=category."
            )
        found[name.strip()] = value.strip()
    return found
