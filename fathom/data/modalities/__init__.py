"""The kinds of column that Fathom knows, in the order in which they are asked."""

from collections.abc import Sequence

from fathom.data.modalities import (
    audio,
    category,
    date,
    identifier,
    image,
    labels,
    molecule,
    number,
    series,
    strokes,
    text,
    video,
    yes_no,
)
from fathom.data.modalities.contract import Modality
from fathom.errors import OptionError, suggestion

# Of two kinds that claim a column equally, the first takes it.
MODALITIES: tuple[Modality, ...] = (
    number,
    yes_no,
    category,
    date,
    identifier,
    image,
    audio,
    video,
    labels,
    molecule,
    series,
    strokes,
    text,
)


def by_name(name: str, modalities: Sequence[Modality] = MODALITIES) -> Modality:
    """Return the modality of this name.

    Raises OptionError, with the nearest name, when there is none.

    >>> by_name("number").SUMMARY
    'amounts: whole or decimal numbers, with their currency, per cent and thousands marks'
    """
    for modality in modalities:
        if name == modality.NAME:
            return modality
    names = [modality.NAME for modality in modalities]
    raise OptionError(
        f"There is no kind of column called {name!r}.{suggestion(name, names)} The kinds are: {', '.join(names)}."
    )


__all__ = [
    "MODALITIES",
    "audio",
    "by_name",
    "category",
    "date",
    "identifier",
    "image",
    "labels",
    "molecule",
    "number",
    "series",
    "strokes",
    "text",
    "video",
    "yes_no",
]
