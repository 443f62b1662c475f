"""Margins know which rows are hard, when the network has learned; nothing else of it changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fathom.bundle.answers import banding, margining
from fathom.networks.committee import Committee
from fathom.networks.heads import category
from fathom.networks.network import Network, NetworkPlan
from fathom.networks.pruning import pruned
from fathom.shapes import Part, margins_of, spread_of
from fathom.training import margins
from fathom.training.batching import as_batch
from fathom.training.loop import TrainingPlan, train
from fathom.training.objectives import predict

PARTS = tuple(Part(name, "value", "scalar", knots=(-1.5, -0.5, 0.0, 0.5, 1.5)) for name in ("x", "hard"))
TARGET = Part("y", "value", "scalar", knots=(0.0, 1.0))
PLAN = NetworkPlan(PARTS, (TARGET,), "tabm", 8, {"width": 32, "members": 4, "layers": 1}, margins=True)


def rows(seed, count=3_000):
    """Rows whose truth is off by much where ``hard`` is above 0, and by little elsewhere; upwards more than downwards."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 2)).astype(np.float32)
    off = random.exponential(np.where(inputs[:, 1] > 0, 0.8, 0.1))
    return as_batch({"scalar": inputs}, {"y": (np.sin(inputs[:, 0]) + off).astype(np.float32)})


@pytest.fixture(scope="module")
def learned():
    torch.manual_seed(0)
    network = Network(PLAN)
    train(network, rows(0), rows(1, 500), TrainingPlan(epochs=6, batch_rows=128), predict)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    margins.learn(network, rows(0), 0)
    return network, before


def told(network, batch):
    with torch.no_grad():
        return {name: values.double().numpy() for name, values in network.tell(batch.inputs).items()}


def test_hard_rows_have_wide_intervals_and_all_are_held_alike(learned):
    network, _ = learned
    check, judged = rows(2), rows(3)
    known, asked = told(network, check), told(network, judged)
    name = margins_of("y")
    factor = margining.factor_of(known["y"], known[name], check.truth["y"].numpy(), 0.9)
    reach = factor * asked[name]
    hard = judged.inputs["scalar"][:, 1].numpy() > 0
    held = banding.holds(judged.truth["y"].numpy() - asked["y"], reach)
    assert [held[own].mean() for own in (hard, ~hard)] == pytest.approx([0.9, 0.9], abs=0.06)
    assert reach[hard].sum(axis=1).mean() > 2 * reach[~hard].sum(axis=1).mean()
    assert reach[hard, 1].mean() > 1.5 * reach[hard, 0].mean()  # what is off upwards is off by more


def test_nothing_but_the_margins_is_learned_and_the_same_each_time(learned):
    network, before = learned
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"margins.0.weight", "margins.0.offset", "margins.0.scale"}
    again = Network(PLAN)
    again.load_state_dict(before)
    margins.learn(again, rows(0), 0)
    assert all(torch.equal(values, after[name]) for name, values in again.state_dict().items())


def test_weights_are_drawn_alike_with_margins_and_without():
    networks = []
    for plan in (PLAN, replace(PLAN, margins=False)):
        torch.manual_seed(3)
        networks.append(Network(plan).state_dict())
    assert all(torch.equal(values, networks[0][name]) for name, values in networks[1].items())


def test_rows_that_count_nothing_teach_nothing_and_few_rows_leave_margins_alike(learned):
    _, before = learned
    weighed = replace(rows(0), weights={"y": (rows(0).inputs["scalar"][:, 1] <= 0).float()})
    for batch in (weighed, rows(0, 60)):
        network = Network(PLAN)
        network.load_state_dict(before)
        margins.learn(network, batch, 0)
        asked = told(network, rows(3))[margins_of("y")]
        if batch is weighed:
            assert asked.mean() < 0.5  # only easy rows were met
        else:
            assert np.ptp(asked) == 0.0


def test_a_pruned_network_reads_its_margins_from_the_units_that_are_left(learned):
    network, _ = learned
    asked = rows(3, 50)
    whole, half = (told(pruned(network, share).eval(), asked)[margins_of("y")] for share in (1.0, 0.5))
    assert whole == pytest.approx(told(network, asked)[margins_of("y")], rel=1e-5)
    assert half.shape == whole.shape


def test_a_committee_tells_the_mean_of_its_margins_and_how_far_all_members_are_apart(learned):
    network, _ = learned
    torch.manual_seed(9)
    other = Network(PLAN).eval()
    asked = rows(3, 20)
    both, first, second = (told(one, asked) for one in (Committee([network, other]), network, other))
    name = margins_of("y")
    assert both[name] == pytest.approx((first[name] + second[name]) / 2, rel=1e-5)
    within = (first[spread_of("y")] ** 2 + second[spread_of("y")] ** 2) / 2
    between = ((first["y"] - second["y"]) / 2) ** 2
    assert both[spread_of("y")] == pytest.approx(np.sqrt(within + between), rel=1e-4)


def test_members_of_one_mind_are_not_apart_and_one_member_tells_nothing():
    logits = torch.randn(5, 1, 3)
    assert category.spread(logits.expand(-1, 4, -1)).abs().max() < 1e-6
    differ = category.spread(torch.tensor([[[50.0, 0.0], [0.0, 50.0]]]))
    assert differ.item() == pytest.approx(np.log(2), rel=1e-5)  # which member is asked says it all
    alone = Network(replace(PLAN, trunk="mlp", trunk_options={"width": 8})).eval()
    assert spread_of("y") not in told(alone, rows(3, 5))
