"""Variation of grids: mirrored, moved, turned, in another light, with a piece cut out, or mixed with another.

Sources: moving and mirroring: Krizhevsky, Sutskever and Hinton, NeurIPS 2012, section 4.1; a piece cut out: DeVries and Taylor, 2017 (https://arxiv.org/abs/1708.04552); mixing: Zhang
et al., ICLR 2018 (https://arxiv.org/abs/1710.09412). Whether a mirrored picture still is what it was is asked of the rows themselves: a mirrored 3 is no 3, a mirrored horse is a horse.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fathom.shapes import Part, Shape

READS: Shape = "grid"
SOURCE = "https://arxiv.org/abs/1708.04552"

FEW_ROWS = 10_000
SMALL = 8  # pixels a side, for the nearest neighbour
LEAST_SHARE = 0.9  # of the right answers that must be left among mirrored pictures
LEAST_OF_CLASS, CLASS_ROWS = 0.6, 10
LEAST_KNOWN = 1.2  # times the share of the most frequent class that the nearest neighbour must be right


@dataclass(frozen=True)
class Options:
    """``flip`` 1 mirrors every other picture left to right; the others are the most that is done: ``shift`` as a share of the side, ``rotate`` in degrees, ``colour`` as a share of
    brightness and contrast, ``cutout`` the side of the piece as a share, ``mixup`` the strength of the mixing (0.2 is usual).
    """

    flip: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    colour: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0


def choose(part: Part, train: Tensor, truth: Tensor | None, validation: Tensor, known: Tensor | None) -> Options:
    """Move all, turn and cut where there are few rows, change the light of colours, and mirror where the rows say that it is safe."""
    few = len(train) < FEW_ROWS
    safe = truth is not None and known is not None and flip_is_safe(train, truth, validation, known)
    return Options(
        flip=1.0 if safe else 0.0,
        shift=0.05,  # more costs more than it brings in few epochs (docs/log.md)
        rotate=8.0 if few else 0.0,
        colour=0.2 if few and part.size[0] == 3 else 0.1 if part.size[0] == 3 else 0.0,
        cutout=0.25 if few else 0.0,
    )


def flip_is_safe(train: Tensor, truth: Tensor, validation: Tensor, known: Tensor) -> bool:
    """Say whether the nearest training picture tells the class of a mirrored picture about as well as of the picture itself, in every class."""
    rows, mirrored = _small(validation), _small(validation.flip(-1))
    table = _small(train)
    right = truth[torch.cdist(rows, table).argmin(1)] == known
    still = truth[torch.cdist(mirrored, table).argmin(1)] == known
    most = torch.bincount(known).max() / max(len(known), 1)
    if right.float().mean() < LEAST_KNOWN * most or still.sum() < LEAST_SHARE * right.sum():
        return False
    for code in torch.unique(known):
        of_class = known == code
        if right[of_class].sum() >= CLASS_ROWS and still[of_class].sum() < LEAST_OF_CLASS * right[of_class].sum():
            return False
    return True


def vary(options: Options, values: Tensor, generator: torch.Generator) -> Tensor:
    """Return ``(row, channel, height, width)`` bytes as bytes, each row varied its own way."""
    if options.rotate:
        values = _turned(values, options.rotate, generator)
    if options.flip:
        values = torch.where(_draw(values, generator) < 0.5, values.flip(-1), values)
    if options.shift:
        values = _moved(values, options.shift, generator)
    if options.colour:
        values = _lit(values, options.colour, generator)
    if options.cutout:
        values = _cut(values, options.cutout, generator)
    return values


def _small(grid: Tensor) -> Tensor:
    side = (min(SMALL, grid.shape[2]), min(SMALL, grid.shape[3]))
    flat = torch.cat([functional.adaptive_avg_pool2d(some.float(), side).flatten(1) for some in torch.split(grid, 512)])
    flat = flat - flat.mean(1, keepdim=True)
    unit: Tensor = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return unit


def _draw(values: Tensor, generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw a number for each row, ``(row, 1, 1, 1)``."""
    draws = torch.rand(len(values), 1, 1, 1, generator=generator, device=values.device)
    return low + (high - low) * draws


def _moved(values: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Move by whole pixels; what comes in is the edge once more, as a ground of one colour goes on (nothing where the edge is nothing)."""
    rows, _, high, wide = values.shape
    down, across = max(1, round(share * high)), max(1, round(share * wide))
    device = values.device
    top = torch.randint(-down, down + 1, (rows, 1), generator=generator, device=device)
    left = torch.randint(-across, across + 1, (rows, 1), generator=generator, device=device)
    y = (torch.arange(high, device=device) + top).clamp(0, high - 1)
    x = (torch.arange(wide, device=device) + left).clamp(0, wide - 1)
    moved = values.gather(2, y[:, None, :, None].expand_as(values))
    return moved.gather(3, x[:, None, None, :].expand_as(values))


def _turned(values: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    """Turn about the middle, and make larger or smaller by as many hundredths; what is outside is nothing, and a pixel beside it is mixed from those alone that are there."""
    high, wide = values.shape[2:]
    angle = _draw(values, generator, -degrees, degrees).view(-1) * math.pi / 180
    scale = _draw(values, generator, 1 - degrees / 100, 1 + degrees / 100).view(-1)
    sine, cosine, none = torch.sin(angle) * scale, torch.cos(angle) * scale, torch.zeros_like(angle)
    turn = torch.stack(
        [torch.stack([cosine, -sine * high / wide, none], 1), torch.stack([sine * wide / high, cosine, none], 1)], 1
    )
    places = functional.affine_grid(turn, list(values.shape), align_corners=False)
    there = (values > 0).any(1, keepdim=True)
    turned = functional.grid_sample(torch.cat([values, there], 1).float(), places, align_corners=False)
    pixels, share = turned[:, :-1], turned[:, -1:]
    mixed = (pixels / share.clamp(min=0.5)).round().clamp(1, 255)
    return torch.where(share >= 0.5, mixed, 0.0).to(values.dtype)


def _lit(values: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Change contrast and brightness of what is there."""
    contrast = _draw(values, generator, 1 - share, 1 + share)
    light = _draw(values, generator, -128 * share, 128 * share)
    lit = ((values.float() - 128) * contrast + 128 + light).clamp(1, 255).to(values.dtype)
    return torch.where(values > 0, lit, values)


def _cut(values: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Take a square out of every other picture."""
    high, wide = values.shape[2:]
    half = max(1, round(share * min(high, wide))) / 2
    y = torch.arange(high, device=values.device).view(1, 1, -1, 1)
    x = torch.arange(wide, device=values.device).view(1, 1, 1, -1)
    middle_y, middle_x = _draw(values, generator, 0, high), _draw(values, generator, 0, wide)
    hole = ((y - middle_y).abs() < half) & ((x - middle_x).abs() < half) & (_draw(values, generator) < 0.5)
    return values.masked_fill(hole, 0)
