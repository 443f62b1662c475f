"""Every encoder of a deep shape keeps its contract, trains, and answers the same through the bundle's graph."""

import numpy as np
import onnxruntime
import pytest
import torch

from fathom.bundle.graph.exporting import drawn, traced
from fathom.bundle.guard import graphs
from fathom.networks.encoders import ENCODERS
from fathom.networks.encoders.pretrained import frozen_readers
from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import DEEP, Part
from fathom.training.batching import Batch
from fathom.training.objectives import predict

ROWS = 10
PARTS = {
    "codes": Part("remarks", "value", "codes", codes=30, size=(24,)),
    "vectors": Part("pulse", "value", "vectors", size=(40, 3)),
    "grid": Part("photo", "value", "grid", size=(3, 20, 28), centre=(120.0, 110.0, 100.0), spread=(50.0, 60.0, 70.0)),
}
AGE = Part("age", "value", "scalar", knots=(-1.0, 0.0, 1.0))
GRADE = Part("grade", "value", "code", codes=3)
DEEP_ENCODERS = [encoder for encoder in ENCODERS if encoder.READS in DEEP]


def some_values(shape: str, rows: int = ROWS, seed: int = 0) -> torch.Tensor:
    """Rows of different lengths; the last one holds nothing."""
    generator = torch.Generator().manual_seed(seed)
    size = PARTS[shape].size
    if shape == "grid":
        values = torch.randint(1, 256, (rows, *size), generator=generator).to(torch.uint8)
    else:
        steps = size[0]
        lengths = torch.randint(2, steps - 3, (rows,), generator=generator)
        there = torch.arange(steps) < lengths[:, None]
        if shape == "codes":
            values = (torch.randint(1, 30, (rows, steps), generator=generator) * there).int()
        else:
            values = torch.randn(rows, *size, generator=generator) * there[:, :, None]
            values[:, :, 0] = there.float()
    values[-1] = 0
    return values


def rows_for(encoder, rows: int = ROWS) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        {
            "scalar": torch.randn(rows, 1, generator=generator),
            f"{encoder.READS}_0": some_values(encoder.READS, rows),
        },
        {"grade": torch.randint(0, 3, (rows,), generator=generator)},
    )


@pytest.fixture(params=DEEP_ENCODERS, ids=lambda encoder: f"{encoder.READS}-{encoder.NAME}")
def encoder(request):
    return request.param


@pytest.fixture
def network(encoder):
    torch.manual_seed(0)
    array = f"{encoder.READS}_0"
    return Network(
        NetworkPlan(
            (AGE, PARTS[encoder.READS]),
            (GRADE,),
            "tabm",
            8,
            {"members": 3, "width": 24},
            {array: encoder.NAME},
        )
    )


def test_every_weight_gets_a_gradient(network, encoder):
    for reader in frozen_readers(network.encoders).values():
        reader.freeze(False)
    loss, _ = predict.loss(network, rows_for(encoder), torch.Generator())
    loss.backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


def test_a_row_is_answered_alike_alone_and_among_others(network, encoder):
    network.eval()
    batch = rows_for(encoder)
    with torch.no_grad():
        together = network.answer(batch.inputs)["grade"]
        for row in (0, 4, ROWS - 1):
            alone = network.answer(batch.take(torch.tensor([row])).trimmed().inputs)["grade"]
            torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)


def test_the_answer_hangs_on_what_the_column_holds_and_is_finite_without_it(network, encoder):
    network.eval()
    batch = rows_for(encoder)
    array = f"{encoder.READS}_0"
    with torch.no_grad():
        before = network.answer(batch.inputs)["grade"]
        after = network.answer({**batch.inputs, array: some_values(encoder.READS, seed=5)})["grade"]
    assert torch.isfinite(before).all()
    assert (before[:-1] != after[:-1]).any(1).all()
    assert torch.equal(before[-1], after[-1])


def test_its_stages_are_modules_of_it_in_the_order_of_the_data(network, encoder):
    inner = network.encoders[f"{encoder.READS}_0"].encoder
    assert len(inner.stages) >= 2
    called = []
    for name, module in inner.stages.items():
        module.register_forward_hook(lambda module, inputs, output, name=name: called.append(name))
    network.eval()
    with torch.no_grad():
        network.answer(rows_for(encoder).inputs)
    assert list(dict.fromkeys(called)) == list(inner.stages)


def test_most_of_eight_rows_are_learned_by_heart(network, encoder):
    torch.manual_seed(1)
    batch = rows_for(encoder, 8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(300):
        loss, _ = predict.loss(network, batch, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.eval()
    with torch.no_grad():
        assert (network.answer(batch.inputs)["grade"].argmax(1) == batch.truth["grade"]).float().mean() >= 0.75


def test_the_graph_of_the_bundle_answers_as_the_network_does(network, encoder):
    network.eval()
    batch = rows_for(encoder)
    graph = drawn(traced(Network(network.plan)), network)  # what is traced hangs on no weight
    graphs.check(graph, "network.onnx")
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network.answer(batch.inputs)["grade"].numpy()
    answered = session.run(None, {name: values.numpy() for name, values in batch.inputs.items()})[0]
    np.testing.assert_allclose(answered, expected, rtol=0, atol=1e-5)


def test_a_network_built_again_from_its_plan_is_the_same(network, encoder):
    again = Network(NetworkPlan.from_json(network.plan.to_json()))
    again.load_state_dict(network.state_dict())
    batch = rows_for(encoder)
    network.eval(), again.eval()
    assert torch.equal(again.answer(batch.inputs)["grade"], network.answer(batch.inputs)["grade"])
