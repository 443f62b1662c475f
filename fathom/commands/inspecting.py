"""fathom inspect: all that a bundle holds, and whether its signature is true."""

import datetime
import json
from pathlib import Path
from typing import Annotated, Any

import typer

NAME = "inspect"
EXAMPLE = "fathom inspect runs/homes-1 --verify homes.key.public"


def inspect(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a folder or a file, or the run folder around it.")],
    verify: Annotated[
        Path | None, typer.Option(help="The public key of who should have signed it; exit code 2 if that is not so.")
    ] = None,
    instead_of: Annotated[
        Path | None, typer.Option(help="The bundle whose place it would take: an older one is refused.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it here, too.")] = None,
) -> None:
    """Show what is in a bundle without running anything in it: files, columns, network, scores, signature."""
    from fathom import terminal
    from fathom.bundle import manifest, signing
    from fathom.bundle.inspecting import inspect as inspected
    from fathom.data.files.writing import write_text

    files = manifest.read(bundle)
    before = manifest.read(instead_of) if instead_of is not None else None
    if before is not None:
        signing.check_no_downgrade(files, before)
    if verify is not None:
        signing.verify(files, verify)
    found = inspected(files)
    to = terminal.console()
    terminal.show_bundle(found, to)
    to.print(f"Signed: {_signed(found['signature'], verify)}", markup=False, soft_wrap=True)
    if json_file is not None:
        write_text(json.dumps(found, indent=1), json_file)


def _signed(signature: dict[str, Any] | None, verified: Path | None) -> str:
    if signature is None:
        return "no"
    when = datetime.datetime.fromtimestamp(signature["signed"], datetime.UTC).isoformat(timespec="seconds")
    if verified is not None:
        return f"yes, on {when} by the owner of {verified}; the signature is true"
    return f"on {when} by the key {signature['key']}; whether that is true says --verify KEY"
