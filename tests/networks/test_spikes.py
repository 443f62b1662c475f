"""Spiking neurons do what their equations say, learn, and cost what the figures say."""

import pytest
import torch

from fathom.networks.encoders import spiking, spiking_grid
from fathom.networks.spikes import ADDITION, GRID, MULTIPLICATION, Neurons, TimeSynapses, counted, rounded, spike
from fathom.shapes import Part

SERIES = Part("pulse", "value", "vectors", size=(40, 3))
PICTURE = Part("photo", "value", "grid", size=(1, 8, 8), centre=(100.0,), spread=(50.0,))


def vectors(rows=6):
    values = torch.randn(rows, 40, 3, generator=torch.Generator().manual_seed(0))
    values[:, :, 0] = 1
    return values


def test_a_neuron_adds_up_leaks_and_starts_again():
    neurons = Neurons(0.5)
    currents = torch.tensor([[0.75, 0.75, 0.0, 2.0]])
    # Voltages: 0.75; 0.375 + 0.75 = 1.125, a spike, 0.125 left; 0.0625; 0.03125 + 2.0, a spike.
    assert neurons(currents).flatten().tolist() == [0, 1, 0, 1]


def test_a_spike_passes_the_slope_of_a_fast_sigmoid_back():
    voltage = torch.tensor([0.5, 1.0, 1.2], requires_grad=True)
    spike(voltage).sum().backward()
    assert voltage.grad.tolist() == pytest.approx([1 / 36, 1.0, 1 / 9])


def test_sums_of_weights_on_the_grid_are_the_same_in_any_order():
    generator = torch.Generator().manual_seed(0)
    weights = rounded(torch.randn(4_000, generator=generator), GRID)
    sent = (torch.rand(4_000, generator=generator) < 0.3).float()
    order = torch.randperm(4_000, generator=generator)
    assert (weights * sent).sum() == (weights * sent)[order].cumsum(0)[-1]


def test_energy_is_additions_for_spikes_and_multiplications_for_what_comes_in():
    layer = TimeSynapses(2, 10, 1)
    with counted(torch.nn.Sequential(layer)) as traffic, torch.no_grad():
        layer(torch.tensor([[[0.5, 0.0, 2.0], [0.0, 0.0, 0.0]]]))  # two numbers, each to ten neurons
        layer(torch.tensor([[[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]))  # three spikes
        traffic.rows = 1
    assert (traffic.spikes, traffic.additions, traffic.multiplications, traffic.dense) == (3, 30, 20, 120)
    assert traffic.joules == pytest.approx(30 * ADDITION + 20 * MULTIPLICATION)
    assert traffic.dense_joules == pytest.approx(120 * MULTIPLICATION)


def test_both_encoders_send_spikes_sparsely_before_they_learn():
    torch.manual_seed(0)
    grid = torch.randint(1, 256, (6, 1, 8, 8)).to(torch.uint8)
    for module, part, values in ((spiking, SERIES, vectors()), (spiking_grid, PICTURE, grid)):
        network = module.build(module.Options(), [part], 8).eval()
        with counted(network) as traffic, torch.no_grad():
            network(values)
            traffic.rows = 6
        assert traffic.spikes > 0
        assert traffic.joules > 0


def test_a_longer_series_is_read_at_so_many_moments():
    torch.manual_seed(0)
    network = spiking.build(spiking.Options(), [Part("pulse", "value", "vectors", size=(500, 3))], 8)
    means, known = network.moments(torch.ones(2, 500, 3))
    assert means.shape == (2, 3, 63)
    assert known.sum() == 2 * 63
    assert (means == 1).all()
