"""What lets a perceptron of hundreds of layers learn: each layer adds to a normalised copy of what came before.

Why it exists: a plain layer passes on less of the gradient than it gets, so that of 150 layers the first hear nothing. Added to what is there, a layer lets the gradient
past. Source: pre-activation residual units: He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016, figure 4e
(https://arxiv.org/abs/1603.05027); normalised over the units of a row: Ba, Kiros and Hinton, "Layer Normalization", 2016
(https://arxiv.org/abs/1607.06450). Ours: one weight matrix a block, so that ``layers`` counts what it says, plain or not.
"""

from torch import Tensor, nn

PLAIN_LAYERS = 8  # more hidden layers are residual unless told otherwise


def is_residual(layers: int, skip: bool | None) -> bool:
    """Say whether layers add to what came before: as ``skip`` says, or if there are many.

    >>> is_residual(2, None), is_residual(150, None), is_residual(150, False)
    (False, True, False)
    """
    return layers > PLAIN_LAYERS if skip is None else skip


class Residual(nn.Module):
    """Maps ``x (…, width)`` to ``x + dropout(layer(relu(norm(x))))``."""

    def __init__(self, layer: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.relu = nn.LayerNorm(width), nn.ReLU()
        self.layer, self.dropout = layer, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        added: Tensor = x + self.dropout(self.layer(self.relu(self.norm(x))))
        return added


def residual_layers(layers: list[nn.Module], width: int, dropout: float) -> nn.Sequential:
    """Return linear layers as one chain: the first leads to ``width``, the others are blocks; what comes out is normalised and cut at 0."""
    first, *others = layers
    return nn.Sequential(first, *(Residual(layer, width, dropout) for layer in others), nn.LayerNorm(width), nn.ReLU())
