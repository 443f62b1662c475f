"""Variation of codes: some steps left out, some neighbours swapped.

Why it exists: what a text says seldom hangs on one word, or on the exact order. Source: Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks", EMNLP 2019, section 2
(https://arxiv.org/abs/1901.11196), random deletion and random swap, here of neighbours, as slips of the pen are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fathom.shapes import Part, Shape

READS: Shape = "codes"
SOURCE = "https://arxiv.org/abs/1901.11196"


@dataclass(frozen=True)
class Options:
    """``dropped`` is the share of steps that is left out, ``swapped`` the share that changes places with the next."""

    dropped: float = 0.0
    swapped: float = 0.0


def choose(part: Part, train: Tensor, truth: Tensor | None, validation: Tensor, known: Tensor | None) -> Options:
    """Take none: every encoder of codes leaves steps out by itself, and the order of marks in a molecule is what it is."""
    return Options()


def vary(options: Options, values: Tensor, generator: torch.Generator) -> Tensor:
    """Return ``codes (row, step)`` otherwise; a step at least is left of each row that has one."""
    rows, steps = values.shape
    place = torch.arange(steps, device=values.device)
    if options.swapped:
        lengths = (values != 0).sum(1, keepdim=True)
        behind = torch.rand((rows, steps), generator=generator, device=values.device) < options.swapped
        later = place + 1.5 * (behind & (place < lengths - 1))  # a step goes behind the next
        later = torch.where(place < lengths, later, place + 2.0)
        values = torch.gather(values, 1, torch.argsort(later, dim=1, stable=True))
    if options.dropped:
        chance = torch.rand((rows, steps), generator=generator, device=values.device)
        there = values != 0
        luckiest = torch.where(there, chance, -1.0).argmax(1, keepdim=True)
        kept = there & ((chance >= options.dropped) | (place == luckiest))
        order = torch.argsort(~kept, dim=1, stable=True)  # what is left moves up, in order
        values = torch.gather(torch.where(kept, values, 0), 1, order)
    return values
