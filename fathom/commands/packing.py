"""fathom pack: a bundle becomes one file, or a folder again, signed if you like."""

from pathlib import Path
from typing import Annotated

import typer

from fathom.errors import OptionError

NAME = "pack"
EXAMPLE = "fathom pack runs/homes-1 -o homes.fathom --sign homes.key;  --new-key homes.key makes the key"


def pack(
    bundle: Annotated[
        Path | None, typer.Argument(help="The bundle, a folder or a file, or the run folder around it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where it goes: one file if the name ends in .fathom, else a folder."),
    ] = None,
    sign: Annotated[Path | None, typer.Option(help="Sign it with this private key (Ed25519, PEM).")] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a private key in this file, and its public key beside it; signs with it.")
    ] = None,
) -> None:
    """Write a bundle anew as one file or as a folder. The same bundle makes the same bytes; a signature is dated."""
    from fathom.bundle import manifest, signing
    from fathom.bundle.saving import save

    if (bundle is None) != (out is None) or (bundle is None and new_key is None):
        raise OptionError("fathom pack needs a bundle and --out FILE.fathom, or --new-key FILE, or all of them.")
    files = None if bundle is None else manifest.read(bundle)
    if new_key is not None:
        print(f"{signing.new_key(new_key)} is the public key: give it to who should trust what {new_key} signs.")
    if files is None or out is None:
        return
    key = sign or new_key
    print(save(signing.sign(files, key) if key is not None else files, out))
