"""The encoder that a deep column gets when nothing is said: picked by its shape and size, with a reason that the user sees.

One function a shape; what they weigh was measured (docs/log.md, "What reads a text", "What is normalised of a recording").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fathom.networks.encoders import bag, default_encoder, encoder_named, tcn
from fathom.networks.sequences import cnn
from fathom.shapes import MANY_CHANNELS, Part, Shape

FEW_CODES = 600  # so few different codes are characters or marks, not words
FEW_DROPOUT = 0.1  # a mark that is left out breaks every pattern around it


@dataclass(frozen=True)
class Choice:
    """The name of an encoder, why it is taken, and what differs from its usual ``Options``."""

    encoder: str
    reason: str
    options: Mapping[str, Any] = field(default_factory=dict)


def for_codes(part: Part, rows: int) -> Choice:
    """Choose for texts, labels, molecules: words tell by themselves, characters and marks in the order in which they stand."""
    if part.codes <= FEW_CODES:
        return Choice(
            cnn.NAME,
            f"its codes are few ({part.codes:,}), characters, marks or labels, which tell by what stands beside them",
            {"dropout": FEW_DROPOUT},
        )
    return Choice(
        bag.NAME, f"its {part.codes:,} codes are words and parts of words, and which of them stand in a cell says most"
    )


def for_vectors(part: Part, rows: int) -> Choice:
    """Choose for series and recordings."""
    many = part.size[1] >= MANY_CHANNELS
    return Choice(tcn.NAME, "it reads all steps at once, near and far", {"per_step": True} if many else {})


def for_grid(part: Part, rows: int) -> Choice:
    """Choose for pictures."""
    return Choice(default_encoder("grid").NAME, "it finds edges, then what they make up")


CHOOSERS: dict[Shape, Callable[[Part, int], Choice]] = {"codes": for_codes, "vectors": for_vectors, "grid": for_grid}


def choose(part: Part, rows: int, wanted: str | None = None) -> Choice:
    """Return the encoder for a part of a deep shape and a table of so many training rows, or the one that is ``wanted``.

    Raises OptionError when there is none of that name for the shape.

    >>> choose(Part("smiles", "value", "codes", codes=60, size=(128,)), 5_000).encoder
    'cnn'
    >>> choose(Part("remark", "value", "codes", codes=8_192, size=(64,)), 5_000, "lstm").reason
    'you said so'
    """
    usual = CHOOSERS[part.shape](part, rows)
    if wanted is None:
        return usual
    name = encoder_named(wanted, part.shape).NAME
    return Choice(name, "you said so", usual.options if name == usual.encoder else {})


__all__ = ["CHOOSERS", "Choice", "choose"]
