"""The networks that gather all tokens into one summary; the first is the default."""

from fathom.errors import OptionError, suggestion
from fathom.networks.trunks import mlp, tabm, transformer
from fathom.networks.trunks.contract import Summary, Trunk

TRUNKS: tuple[Trunk, ...] = (tabm, mlp, transformer)


def trunk_named(name: str) -> Trunk:
    """Return the trunk of that name. Raises OptionError for any other name."""
    for trunk in TRUNKS:
        if name == trunk.NAME:
            return trunk
    names = [trunk.NAME for trunk in TRUNKS]
    raise OptionError(f"There is no trunk {name!r}.{suggestion(name, names)} There are: {', '.join(names)}.")


__all__ = ["TRUNKS", "Summary", "Trunk", "trunk_named"]
