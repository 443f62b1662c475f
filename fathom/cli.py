"""The command line: one sub-command per verb of fathom/commands. Only here a process is ended."""

import gc
import sys
from typing import Annotated

import typer

import fathom
from fathom.commands import COMMANDS
from fathom.commands.options import MISTAKE
from fathom.errors import FathomError, suggestion

app = typer.Typer(
    help="Fathom turns a table into a deep network that can be trusted, and says whether you need one.\n\n"
    "Start with:  fathom fit homes.csv --target price",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fathom {fathom.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for _command in COMMANDS:
    app.command(_command.NAME, epilog=f"Example:  {_command.EXAMPLE}")(getattr(_command, _command.NAME))


def main() -> None:
    """Run the command line. Exit codes: 0 all is well, 1 a check warns, 2 something you can mend, 130 interrupted."""
    code = _run()
    gc.freeze()  # torch leaves a million objects, and looking through them once more before the process ends takes a second
    sys.exit(code)


def _run() -> int:
    _suggest_command()
    try:
        app(prog_name="fathom")
    except FathomError as error:
        print(f"fathom: {error}", file=sys.stderr)
        return MISTAKE
    except MemoryError:
        print("fathom: memory ran out. Fit fewer rows or columns, or use a machine with more memory.", file=sys.stderr)
        return MISTAKE
    return 0


def _suggest_command() -> None:
    """Turn an unknown verb into a lesson; typer would only say that there is none."""
    known = [command.NAME for command in COMMANDS]
    words = [word for word in sys.argv[1:2] if not word.startswith("-")]
    if words and words[0] not in known:
        print(
            f"fathom: there is no command {words[0]!r}.{suggestion(words[0], known)} There are: {', '.join(known)}.",
            file=sys.stderr,
        )
        sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
