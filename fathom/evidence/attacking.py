"""Attacks along the gradient of a trained network: the smallest push on every pixel or number that makes its answer worse (torch).

FGSM: one step along the sign of the gradient (Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, https://arxiv.org/abs/1412.6572). PGD: many small
ones from a random start, each brought back to within reach (Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, https://arxiv.org/abs/1706.06083).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fathom.bundle.description import Description
from fathom.bundle.loading import reload_network
from fathom.data.encoding import encode_inputs
from fathom.data.table import Table
from fathom.shapes import Arrays, arrays_of

STEPS = 20  # of PGD
STRIDE = 2.5  # of the reach, that all steps of PGD together are long
ROWS_AT_ONCE = 64
PIXELS = (1.0, 255.0)  # 0 is no picture


class Attack:
    """A network of a bundle, and the pushes that it can be given.

    ``array`` is what is pushed: ``"scalar"``, of which ``parts`` are those that may be, or a grid.
    """

    def __init__(self, description: Description, weights: bytes, target: str, array: str, parts: Sequence[int] = ()):
        self.network = reload_network(description, weights).eval()
        for weight in self.network.parameters():
            weight.requires_grad_(False)
        self.columns, self.target, self.array = description.columns, target, array
        self.mask = None
        if array == "scalar":
            count = len(arrays_of(self.network.plan.inputs)["scalar"])
            self.mask = torch.zeros(count)
            self.mask[list(parts)] = 1.0

    def encode(self, table: Table) -> Arrays:
        """Return the arrays of a table, as the network reads them."""
        return encode_inputs(self.columns, table)

    def answer(self, arrays: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the network's answers in encoded units."""
        with torch.no_grad():
            pieces = [self._answer(piece) for _, piece in self._pieces(arrays)]
        return np.asarray(torch.cat(pieces).double().numpy())

    def fgsm(self, arrays: Mapping[str, Any], truth: npt.NDArray[Any], reach: float) -> dict[str, Any]:
        """Return the arrays after one step as long as the reach."""
        return self._pushed(arrays, truth, reach, steps=1, seed=None)

    def pgd(self, arrays: Mapping[str, Any], truth: npt.NDArray[Any], reach: float, seed: int = 0) -> dict[str, Any]:
        """Return the arrays after twenty steps from a random start, those of the step at which the loss was highest."""
        return self._pushed(arrays, truth, reach, steps=STEPS, seed=seed)

    def _pushed(
        self, arrays: Mapping[str, Any], truth: npt.NDArray[Any], reach: float, *, steps: int, seed: int | None
    ) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(0 if seed is None else seed)
        moved = []
        for start, piece in self._pieces(arrays):
            known = torch.from_numpy(np.asarray(truth[start : start + ROWS_AT_ONCE]))
            moved.append(self._piece(piece, known, reach, steps, None if seed is None else generator))
        whole = torch.cat(moved).numpy()
        return {**arrays, self.array: whole if self.mask is not None else np.rint(whole)}

    def _piece(
        self, piece: dict[str, Tensor], truth: Tensor, reach: float, steps: int, generator: torch.Generator | None
    ) -> Tensor:
        first = piece[self.array].float()
        near = self._reachable(first, reach)
        now = first.clone()
        if generator is not None:
            now = near(first + reach * (2 * torch.rand(first.shape, generator=generator) - 1))
        best, highest = first.clone(), torch.full((len(first),), -torch.inf)
        stride = reach if steps == 1 else STRIDE * reach / steps
        for _ in range(steps):
            now = now.detach().requires_grad_(True)
            losses = self._losses({**piece, self.array: now}, truth)
            best, highest = _better(best, highest, now.detach(), losses.detach())
            (slope,) = torch.autograd.grad(losses.sum(), now)
            now = near(now.detach() + stride * slope.sign())
        with torch.no_grad():
            last = self._losses({**piece, self.array: now}, truth)
        return _better(best, highest, now, last)[0]

    def _reachable(self, first: Tensor, reach: float) -> Any:
        """Return what brings a pushed array back to within reach of the first, and leaves alone what may not be pushed."""

        def near(now: Tensor) -> Tensor:
            now = torch.minimum(torch.maximum(now, first - reach), first + reach)
            if self.mask is not None:
                return torch.where(self.mask.bool(), now, first)
            return torch.where(first > 0, now.clamp(*PIXELS), first)

        return near

    def _answer(self, piece: dict[str, Tensor]) -> Tensor:
        found: Tensor = self.network.answer(piece)[self.target]
        return found

    def _losses(self, piece: dict[str, Tensor], truth: Tensor) -> Tensor:
        """Return each row's loss: the surprise at the true class, or the squared error."""
        answer = self._answer(piece)
        if answer.ndim == 2:
            return -answer.gather(1, truth.clamp(min=0)[:, None].long()).clamp(min=1e-12).log()[:, 0]
        return (answer - truth.to(answer.dtype)) ** 2

    def _pieces(self, arrays: Mapping[str, Any]) -> list[tuple[int, dict[str, Tensor]]]:
        rows = len(next(iter(arrays.values())))
        return [
            (
                start,
                {name: torch.from_numpy(np.ascontiguousarray(a[start : start + ROWS_AT_ONCE])) for name, a in arrays.items()},
            )
            for start in range(0, rows, ROWS_AT_ONCE)
        ]  # fmt: skip


def _better(best: Tensor, highest: Tensor, now: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return, row by row, what has the higher loss."""
    more = losses > highest
    return torch.where(more.view(-1, *[1] * (now.ndim - 1)), now, best), torch.where(more, losses, highest)
