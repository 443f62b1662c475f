"""What a sequence network is: a module from steps to steps, whatever the steps were read from.

Written once, it reads text and molecules (``codes``) as well as series and audio (``vectors``): `fathom.networks.encoders.reading` makes an encoder of each.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn


class SequenceModule(Protocol):
    """A ``torch.nn.Module`` that is called with ``steps (row, step, width)`` and ``known (row, step)``, true where a step is.

    It returns ``(row, step, self.width)``. What it returns at the known steps of a row hangs on the known steps of that row alone, and is finite where none is known;
    what it returns elsewhere is not looked at. ``stages`` names, in order, the modules whose outputs show what each of its layers has learned.
    """

    width: int

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules in the order of the data."""
        ...

    def __call__(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map steps to steps."""
        ...


class SequenceNetwork(Protocol):
    """The contract.

    ``Options`` has at least the fields ``width`` (of a step that goes in), ``tokens`` (that the encoder answers with) and ``dropout``.
    """

    NAME: str
    SUMMARY: str
    SOURCE: str
    Options: type[Any]

    def build(self, options: Any) -> nn.Module:
        """Return the module, a `SequenceModule`, for steps of ``options.width``."""
        ...
