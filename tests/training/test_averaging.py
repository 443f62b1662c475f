"""The mean of the weights answers with the running statistics that it has itself, and training goes on as if nothing had been."""

import torch
from torch.nn import BatchNorm2d

from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training.averaging import RunningMean, settle
from fathom.training.batching import Batch

PHOTO = Part("photo", "value", "grid", size=(1, 12, 12), centre=(100.0,), spread=(50.0,))
GRADE = Part("grade", "value", "code", codes=2)


def network_and_rows():
    torch.manual_seed(0)
    network = Network(NetworkPlan((PHOTO,), (GRADE,), "mlp", 8, {"width": 16, "layers": 1}))
    rows = Batch(
        {"grid_0": torch.randint(1, 256, (200, 1, 12, 12), dtype=torch.uint8)}, {"grade": torch.randint(0, 2, (200,))}
    )
    return network, rows


def first_norm(network) -> BatchNorm2d:
    return next(module for module in network.modules() if isinstance(module, BatchNorm2d))


def outputs_of_first(network, rows) -> torch.Tensor:
    """What the first normalisation reads, of all rows."""
    seen = []
    handle = first_norm(network).register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network.summary(rows.inputs)
    handle.remove()
    return seen[0]


def test_statistics_are_measured_for_the_mean_and_given_back():
    network, rows = network_and_rows()
    average = RunningMean(network, 0.5)
    average.update()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3.0)
    average.update()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    with average.in_place(rows, 50):
        assert network.training
        network.eval()
        read = outputs_of_first(network, rows)
        norm = first_norm(network)
        torch.testing.assert_close(norm.running_mean, read.mean((0, 2, 3)), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(norm.running_var, read.var((0, 2, 3)), rtol=0.05, atol=1e-3)
        network.train()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert first_norm(network).momentum == 0.1


def test_without_measuring_they_would_be_wrong():
    network, rows = network_and_rows()
    network.eval()
    read = outputs_of_first(network, rows)
    assert (first_norm(network).running_var - read.var((0, 2, 3))).abs().max() > 0.05


def test_measuring_draws_no_random_numbers():
    network, rows = network_and_rows()
    state = torch.get_rng_state()
    settle(network, rows, 64)
    assert torch.equal(torch.get_rng_state(), state)
