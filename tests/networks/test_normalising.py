"""What is normalised of a series and of a recording."""

import pytest
import torch

from fathom.networks.encoders import tcn
from fathom.networks.encoders.choosing import choose
from fathom.shapes import Part


def steps_of(channels: int, rows: int = 6) -> torch.Tensor:
    values = torch.randn(rows, 20, channels, generator=torch.Generator().manual_seed(0))
    values[:, :, 0] = 1
    return values


def reader(part: Part, **options: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    return tcn.build(tcn.Options(dropout=0.0, **options), [part], 8).train()


@pytest.mark.parametrize("per_step", [True, False])
def test_a_step_that_is_normalised_over_its_channels_hangs_on_no_other_row(per_step):
    part = Part("heard", "value", "vectors", size=(20, 40))
    module, values = reader(part, per_step=per_step), steps_of(40)
    with torch.no_grad():
        beside, alone = module(values).tokens[:1], module(values[:1]).tokens
    assert torch.allclose(beside, alone, atol=1e-5) == per_step


def test_a_recording_is_normalised_a_step_at_a_time_and_a_series_over_the_batch_whoever_chose_the_encoder():
    recording = Part("heard", "value", "vectors", size=(400, 65))
    for wanted in (None, "tcn"):
        assert choose(recording, 300, wanted).options == {"per_step": True}
        assert choose(Part("pulse", "value", "vectors", size=(400, 3)), 300, wanted).options == {}
    assert choose(recording, 300, "gru").options == {}, "an encoder without such an option"
