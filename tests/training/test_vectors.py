"""Variation of vectors changes what is there and nothing else, the same for the same generator."""

import dataclasses

import pytest
import torch

from fathom.shapes import Part
from fathom.training.augmentations import vectors

EVERY = [
    vectors.Options(jitter=0.2),
    vectors.Options(strength=0.2),
    vectors.Options(gain=0.3),
    vectors.Options(pace=0.2),
    vectors.Options(lost=0.4),
    vectors.Options(pitches=0.4),
    vectors.Options(hiss=0.8),
]


def rows():
    values = torch.randn(8, 30, 26, generator=torch.Generator().manual_seed(0))
    values[:, :, 0] = 1
    values[1, 12:] = 0
    values[7] = 0
    return values


@pytest.mark.parametrize(
    "options", EVERY, ids=lambda options: str([k for k, v in dataclasses.asdict(options).items() if v])
)
def test_zero_stays_nothing_and_the_rest_changes(options):
    values = rows()
    varied = vectors.vary(options, values, torch.Generator().manual_seed(1))
    there = varied[:, :, 0]
    assert varied.shape == values.shape
    assert set(there.unique().tolist()) <= {0.0, 1.0}
    assert not varied[there == 0].any()
    assert not varied[7].any()
    assert (torch.diff(there, dim=1) <= 0).all()
    assert not torch.equal(varied[:7], values[:7])
    assert torch.equal(varied, vectors.vary(options, values, torch.Generator().manual_seed(1)))


def test_nothing_asked_for_changes_nothing():
    assert torch.equal(vectors.vary(vectors.Options(), rows(), torch.Generator()), rows())


def test_another_pace_is_another_length():
    varied = vectors.vary(vectors.Options(pace=0.5), rows(), torch.Generator().manual_seed(0))
    lengths = varied[:, :, 0].sum(1)
    assert len(set(lengths.tolist())) > 3
    assert lengths[1] != 12


def test_noise_drowns_what_is_quiet_in_every_second_row_and_leaves_what_is_loud():
    quiet = torch.rand(400, 30, 26, generator=torch.Generator().manual_seed(0))
    quiet[:, :, 0], quiet[:, 0, 1:] = 1, 20.0
    varied = vectors.vary(vectors.Options(hiss=0.5), quiet, torch.Generator().manual_seed(1))
    assert torch.equal(varied[:, 0], quiet[:, 0])
    drowned = varied[:, 1:, 1:].mean((1, 2)) > 1.2  # 0.5 on average without
    assert 0.4 < drowned.float().mean() < 0.6
    assert varied[:, 1:].max() < 0.5 * 20 + 1


def test_sound_is_varied_by_loudness_and_pitch_and_a_series_is_not():
    sound, series = (Part("a", "value", "vectors", size=(30, channels)) for channels in (41, 3))
    nothing = torch.zeros(0)
    assert vectors.choose(sound, nothing, None, nothing, None).pitches > 0
    assert vectors.choose(series, nothing, None, nothing, None).pitches == 0
