"""Under which names the bundles, runs and shelves of a command line are served."""

from collections.abc import Sequence
from pathlib import Path

from fathom.errors import OptionError


def named(paths: Sequence[str]) -> dict[str, Path]:
    """Return sources by name: ``NAME=PATH``, or a path, whose last folder that is not ``bundle`` is the name.

    Raises OptionError when two have the same name.

    >>> named(["runs/late-1/bundle", "homes=shelf"])
    {'late-1': PosixPath('runs/late-1/bundle'), 'homes': PosixPath('shelf')}
    """
    found: dict[str, Path] = {}
    for text in paths:
        name, sign, path = text.partition("=")
        if not sign or "/" in name or Path(text).exists():
            path = text
            resolved = Path(text).resolve()
            name = resolved.parent.name if resolved.name == "bundle" else resolved.name
            name = name.removesuffix(".fathom").removesuffix(".zip")
        if not name or any(letter in name for letter in "/?#% ") or not name.isprintable():
            raise OptionError(f"{name!r} cannot be the name of a model in an address. Give it one: NAME={path}")
        if name in found:
            raise OptionError(f"Two models are named {name!r}. Give one another name: OTHER={path}")
        found[name] = Path(path)
    return found
