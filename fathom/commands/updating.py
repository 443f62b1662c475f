"""fathom update: a model that is served is renewed, judged by the gate, tried, promoted, and taken back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fathom.commands.options import WARNED
from fathom.errors import OptionError

NAME = "update"
EXAMPLE = (
    "fathom update runs/homes-1 --with sold-since.csv; fathom update runs/homes-1 --promote newest --why 'fewer errors'"
)


def update(
    path: Annotated[
        Path, typer.Argument(help="The shelf of a model, or its run folder or bundle: the first time, a shelf is made.")
    ],
    new: Annotated[
        list[str] | None,
        typer.Option("--with", help="New rows with the truth; the model is fitted again on old and new ones."),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Start from new weights, not from the old ones.")] = False,
    candidate: Annotated[Path | None, typer.Option(help="Let the gate judge this bundle instead.")] = None,
    promote: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Let a version answer from now on; 'newest' is the last one.")
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option(metavar="VERSION=SHARE", help="Let a version answer a share of the requests: newest=0.1."),
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Let a version answer too, unheard, for comparison.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the latest step back: end a trial, or let the version before answer.")
    ] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Let the step that waits happen; needs --who.")] = False,
    require_approval: Annotated[
        bool | None,
        typer.Option("--require-approval/--no-approval", help="Whether a promotion or a canary waits for --approve."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Print every change: when, who, what and why.")] = False,
    who: Annotated[str, typer.Option(help="Whose name stands in the log.  [default: yours here]")] = "",
    why: Annotated[str, typer.Option(help="The reason, for the log.")] = "",
    margin: Annotated[
        float, typer.Option(help="Share by which the error may have grown at the end of its interval.")
    ] = 0.05,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="A TOML file of settings in place of those of the fit.")
    ] = None,
    shelf: Annotated[Path | None, typer.Option(help="Where a new shelf is made.  [default: RUN/shelf]")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Where the table of the fit lies now, if not where it was.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the outcome only.")] = False,
) -> None:
    """Renew a model from new rows, judge it, try it, promote it, undo it. Without options: what is served. Exit code 1 where the gate refuses."""
    from fathom import terminal
    from fathom.service.shelf.versions import is_shelf, shelf_at

    to = terminal.console()
    steps = [
        name
        for name, given in (
            ("--promote", promote),
            ("--canary", canary),
            ("--shadow", shadow),
            ("--undo", undo),
            ("--approve", approve),
        )
        if given
    ]
    if len(steps) > 1:
        raise OptionError(f"{' and '.join(steps)} are one step each. Give one at a time.")
    if new and candidate is not None:
        raise OptionError("--with fits the model again, and --candidate judges another. Give one of them.")
    if (anew or settings_file is not None) and not new:
        raise OptionError(
            "--anew and --settings say how the model is fitted again: give the new rows, too, with --with FILE."
        )
    if approve and not who:
        raise OptionError("--approve needs the name of who approves: --who NAME")
    refused = False
    if new:
        from fathom.renewal.updating import update as run
        from fathom.settings_files import settings_from

        chosen: dict[str, Any] = settings_from(settings_file) if settings_file is not None else {}
        with terminal.progress(quiet) as progress:
            done = run(
                path,
                new[0] if len(new) == 1 else new,
                shelf=shelf,
                table=table,
                anew=anew,
                settings=chosen,
                margin=margin,
                who=who,
                why=why,
                progress=progress,
            )
        place, refused = done.shelf, not done.gate.passed
        terminal.show_update(done, to, quiet)
    elif candidate is not None:
        from fathom.renewal.updating import consider

        done = consider(path, candidate, margin=margin, who=who, why=why)
        place, refused = done.shelf, not done.gate.passed
        terminal.show_update(done, to, quiet)
    elif (known := shelf_at(path if shelf is None or is_shelf(path) else shelf)) is not None:
        place = known  # what changes what is served needs none of what fits
    else:
        from fathom.renewal.updating import shelf_of

        place, notes = shelf_of(path, shelf, table, who=who)
        for note in notes:
            to.print(note, markup=False, soft_wrap=True)
    if refused and (promote or canary):
        raise typer.Exit(WARNED)
    named = {"who": who or _me(), "why": why}
    if require_approval is not None:
        place.require_approval(require_approval, **named)
    if promote:
        place.promote(place.named(promote), **named)
    if canary:
        version, share = _share(canary)
        place.canary(place.named(version), share, **named)
    if shadow:
        place.shadow(place.named(shadow), **named)
    if undo:
        place.undo(**named)
    if approve:
        place.approve(**named)
    if log:
        terminal.show_log(place.log(), to)
    else:
        terminal.show_shelf(place, to)
    if refused:
        raise typer.Exit(WARNED)


def _me() -> str:
    from fathom.service.shelf.journal import who_is_here

    return who_is_here()


def _share(given: str) -> tuple[str, float]:
    """Return the version and the share of ``VERSION=SHARE``. Raises OptionError for anything else."""
    version, _, share = given.rpartition("=")
    try:
        return version.strip() or "newest", float(share)
    except ValueError:
        raise OptionError(
            f"--canary has {given!r}, where VERSION=SHARE is expected, for example --canary newest=0.1"
        ) from None
