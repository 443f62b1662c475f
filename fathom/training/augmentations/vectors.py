"""Variation of vectors: noise, another strength, another pace, a piece of time lost, and for sound another loudness, some pitches lost, and noise that drowns what is quiet.

Sources: noise, strength and pace of sensors: Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural Networks", ICMI 2017
(https://arxiv.org/abs/1706.00527); lost pieces of time and pitch: Park et al., "SpecAugment", Interspeech 2019, section 2 (https://arxiv.org/abs/1904.08779).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fathom.shapes import MANY_CHANNELS, Part, Shape

READS: Shape = "vectors"
SOURCE = "https://arxiv.org/abs/1706.00527 and https://arxiv.org/abs/1904.08779"

HISS_DEVIATION = 0.1  # of noise that drowns a recording, in units of a channel's spread


@dataclass(frozen=True)
class Options:
    """``jitter`` is the deviation of noise, ``strength`` that of a factor, ``gain`` that of what is added to a whole row, all in units of a channel's spread; ``pace`` is by how
    much a row is drawn out or pushed together at most, ``lost`` the largest share of its steps, and ``pitches`` of its channels, that is lost in one piece; in every second row noise reaches
    up to ``hiss`` of the way from its quietest to its loudest."""

    jitter: float = 0.0
    strength: float = 0.0
    gain: float = 0.0
    pace: float = 0.0
    lost: float = 0.0
    pitches: float = 0.0
    hiss: float = 0.0


def choose(part: Part, train: Tensor, truth: Tensor | None, validation: Tensor, known: Tensor | None) -> Options:
    """Choose mild variations for series, whose meaning often lies in their exact course, and stronger ones for sounds, which mean the same louder or softer."""
    if part.size[1] >= MANY_CHANNELS:
        return Options(jitter=0.1, gain=0.3, pace=0.1, lost=0.15, pitches=0.2, hiss=0.5)
    return Options(jitter=0.03, strength=0.1)


def vary(options: Options, values: Tensor, generator: torch.Generator) -> Tensor:
    """Return ``(row, step, channel)`` otherwise; channel 0 says as before which steps are there."""
    rows, steps, channels = values.shape
    own: dict[str, torch.device | torch.Generator] = {"device": values.device, "generator": generator}

    def evenly(*size: int) -> Tensor:
        return torch.rand(size, **own)  # type: ignore[call-overload,no-any-return]

    def normal(*size: int) -> Tensor:
        return torch.randn(size, **own)  # type: ignore[call-overload,no-any-return]

    if options.pace:
        values = _at_pace(values, 1 + options.pace * (2 * evenly(rows) - 1))
    there, rest = values[:, :, :1], values[:, :, 1:]
    if options.strength:
        rest = rest * (1 + options.strength * normal(rows, 1, 1))
    if options.gain:
        rest = rest + options.gain * normal(rows, 1, 1)
    if options.hiss:
        height = options.hiss * (2 * evenly(rows, 1, 1) - 1)
        rest = torch.where(height > 0, torch.maximum(rest, _noise_at(rest, there, height, normal)), rest)
    if options.jitter:
        rest = rest + options.jitter * normal(rows, steps, channels - 1)
    if options.lost:
        lengths = there.sum(1)  # (row, 1)
        place = torch.arange(steps, device=values.device)
        rest = rest * _outside(place, lengths, options.lost * evenly(rows, 1), evenly(rows, 1)).unsqueeze(2)
    if options.pitches:
        place = torch.arange(channels - 1, device=values.device)
        every = torch.full((rows, 1), float(channels - 1), device=values.device)
        rest = rest * _outside(place, every, options.pitches * evenly(rows, 1), evenly(rows, 1)).unsqueeze(1)
    return torch.cat([there, rest * there], 2)


def _noise_at(rest: Tensor, there: Tensor, height: Tensor, normal: Callable[..., Tensor]) -> Tensor:
    """Return noise of one loudness in all channels, ``height`` of the way from the quietest to the loudest of each row."""
    far = 1e9 * (1 - there)
    low, high = (rest + far).amin((1, 2), keepdim=True), (rest - far).amax((1, 2), keepdim=True)
    return low + height * (high - low) + HISS_DEVIATION * normal(*rest.shape)


def _outside(place: Tensor, lengths: Tensor, share: Tensor, start: Tensor) -> Tensor:
    """Return 0 within a piece of ``share`` of each length, which begins anywhere, and 1 elsewhere, ``(row, place)``."""
    first = start * (1 - share) * lengths
    inside = (place >= first) & (place < first + torch.floor(share * lengths))
    return (~inside).to(share.dtype)


def _at_pace(values: Tensor, pace: Tensor) -> Tensor:
    """Return rows ``pace (row,)`` times as long, read between their steps; what does not fit any more is cut."""
    steps = values.shape[1]
    lengths = values[:, :, 0].sum(1)
    place = torch.arange(steps, device=values.device) / pace.unsqueeze(1)  # (row, step)
    last = (lengths - 1).clamp(min=0).unsqueeze(1)
    before = torch.floor(torch.minimum(place, last)).long()
    after = torch.minimum(before + 1, last.long())
    share = (torch.minimum(place, last) - before).unsqueeze(2)

    def at(index: Tensor) -> Tensor:
        return torch.gather(values, 1, index.unsqueeze(2).expand(-1, -1, values.shape[2]))

    there = (place <= last) & (lengths > 0).unsqueeze(1)
    read = torch.where(there.unsqueeze(2), at(before) * (1 - share) + at(after) * share, 0.0)
    return torch.cat([there.unsqueeze(2).to(values.dtype), read[:, :, 1:]], 2)
