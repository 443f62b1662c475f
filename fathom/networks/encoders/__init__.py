"""The networks that read a shape into tokens; the first of each shape is its default."""

from fathom.errors import OptionError, suggestion
from fathom.networks.encoders import (
    bag,
    bert,
    efficientnet_lite,
    embedding,
    periodic,
    piecewise,
    resnet,
    spiking,
    spiking_grid,
    tcn,
    vgg,
    vit,
)
from fathom.networks.encoders.contract import Encoder, Features
from fathom.networks.encoders.reading import encoders_of
from fathom.networks.sequences import SEQUENCES
from fathom.shapes import Shape

ENCODERS: tuple[Encoder, ...] = (
    piecewise,
    periodic,
    embedding,
    bag,
    tcn,
    resnet,
    vgg,
    vit,
    *encoders_of(SEQUENCES),
    spiking,
    spiking_grid,
    bert,
    efficientnet_lite,
)
TAUGHT_ELSEWHERE = (bert.NAME, efficientnet_lite.NAME)  # which are nothing without --pretrained


def encoder_named(name: str, shape: Shape) -> Encoder:
    """Return the encoder of that name that reads the shape. Raises OptionError for any other name."""
    known = [encoder for encoder in ENCODERS if shape == encoder.READS]
    for encoder in known:
        if name == encoder.NAME:
            return encoder
    names = [encoder.NAME for encoder in known]
    raise OptionError(
        f"There is no encoder {name!r} for {shape} columns.{suggestion(name, names)} There are: {', '.join(names)}."
    )


def default_encoder(shape: Shape) -> Encoder:
    """Return the encoder that is taken when nothing is said."""
    return next(encoder for encoder in ENCODERS if shape == encoder.READS)


__all__ = ["ENCODERS", "TAUGHT_ELSEWHERE", "Encoder", "Features", "default_encoder", "encoder_named"]
