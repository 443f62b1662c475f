"""The loop learns, stops when it should, keeps the best epoch, and does the same twice."""

import dataclasses

import pytest
import torch

from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training.batching import Batch, shuffled
from fathom.training.loop import TrainingPlan, rate_at, train, validation_loss
from fathom.training.objectives import predict

PARTS = tuple(Part(f"x{i}", "value", "scalar", knots=(-2.0, -0.5, 0.0, 0.5, 2.0)) for i in range(3))
TARGET = Part("y", "value", "scalar", knots=(0.0, 1.0))
PLAN = TrainingPlan(epochs=6, batch_rows=32, learning_rate=1e-2, patience=6)


def rows(count: int, seed: int) -> Batch:
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return Batch({"scalar": x}, {"y": x[:, 0] - x[:, 1].abs() + 0.1 * x[:, 2]})


def noise() -> Batch:
    return Batch(rows(256, 0).inputs, {"y": torch.randn(256, generator=torch.Generator().manual_seed(3))})


def learn(plan: TrainingPlan, trunk: str = "tabm", train_rows: Batch | None = None):
    torch.manual_seed(7)
    network = Network(NetworkPlan(PARTS, (TARGET,), trunk, 8, {"width": 16}))
    history = train(network, train_rows or rows(256, 0), rows(128, 1), plan, predict)
    return network, history


def weights_of(network: Network) -> list[float]:
    return torch.cat([weight.flatten() for weight in network.state_dict().values()]).tolist()


def test_training_lowers_the_loss_far_below_that_of_a_constant():
    _, history = learn(dataclasses.replace(PLAN, epochs=30, patience=30))
    variance = rows(128, 1).truth["y"].var().item()
    assert history.epochs[-1].validation_loss < 0.1 * variance


@pytest.mark.parametrize("trunk", ["tabm", "mlp", "transformer"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(trunk):
    assert weights_of(learn(PLAN, trunk)[0]) == weights_of(learn(PLAN, trunk)[0])
    assert weights_of(learn(PLAN, trunk)[0]) != weights_of(learn(dataclasses.replace(PLAN, seed=1), trunk)[0])


def test_the_weights_kept_are_those_of_the_best_epoch():
    network, history = learn(dataclasses.replace(PLAN, epochs=20, patience=20), train_rows=noise())
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best_epoch == losses.index(min(losses)) + 1 < len(losses)
    assert validation_loss(network, rows(128, 1), predict, torch.Generator()) == pytest.approx(min(losses), rel=1e-6)


def test_training_stops_when_the_validation_rows_are_not_predicted_better():
    _, history = learn(dataclasses.replace(PLAN, epochs=200, patience=3), train_rows=noise())
    assert len(history.epochs) == history.best_epoch + 3 < 200
    assert history.stopped == "no better on the validation rows for 3 epochs"


def test_training_stops_when_the_loss_on_the_validation_rows_keeps_rising():
    plan = dataclasses.replace(PLAN, epochs=200, patience=200, averaging=0.9, rises=5)
    _, history = learn(plan, train_rows=noise())
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.stopped == "ever worse on the validation rows for 5 epochs"
    assert losses[-6:] == sorted(losses[-6:]) and losses[-1] > 1.02 * min(losses)
    _, learning = learn(dataclasses.replace(plan, epochs=12))
    assert learning.stopped == "all epochs were used"


def test_training_stops_when_its_time_is_used_up():
    _, history = learn(dataclasses.replace(PLAN, epochs=100_000, patience=100_000, seconds=1.0))
    assert 0.5 < history.epochs[-1].seconds < 3.0
    assert history.epochs[-1].learning_rate < 0.2 * PLAN.learning_rate
    assert history.stopped == "the time for training, 1 s, was used up"


def test_each_field_of_the_plan_changes_what_is_learned():
    changes = {
        "optimizer": "sgd", "learning_rate": 2e-2, "weight_decay": 0.5, "batch_rows": 64, "epochs": 7,
        "warm_up": 0.5, "clip_norm": 0.01, "averaging": 0.9, "seed": 5,
    }  # fmt: skip
    before = weights_of(learn(PLAN)[0])
    for name, value in changes.items():
        assert weights_of(learn(dataclasses.replace(PLAN, **{name: value}))[0]) != before, name
    sgd = dataclasses.replace(PLAN, optimizer="sgd")
    assert weights_of(learn(sgd)[0]) != weights_of(learn(dataclasses.replace(sgd, momentum=0.0))[0])
    assert {field.name for field in dataclasses.fields(PLAN)} == {
        *changes,
        "adversary",
        "augment",
        "momentum",
        "patience",
        "rises",
        "seconds",
        "threads",
    }


def test_rows_that_count_nothing_teach_nothing():
    batch = rows(64, 0)
    weights = torch.tensor([2.0] * 32 + [0.0] * 32)
    wrong = batch.truth["y"].clone()
    wrong[32:] = 1e3
    spoiled = Batch(batch.inputs, {"y": wrong}, {"y": weights})
    sound = Batch(batch.inputs, batch.truth, {"y": weights})
    assert weights_of(learn(PLAN, train_rows=spoiled)[0]) == weights_of(learn(PLAN, train_rows=sound)[0])


def test_an_epoch_meets_every_row_once_in_a_new_order():
    batch = Batch({}, {"y": torch.arange(1_000)})
    generator = torch.Generator().manual_seed(0)
    first = [rows.truth["y"] for rows in shuffled(batch, 64, generator)]
    second = torch.cat([rows.truth["y"] for rows in shuffled(batch, 64, generator)])
    assert torch.cat(first).sort().values.tolist() == list(range(1_000))
    assert torch.cat(first).tolist() != second.tolist()
    assert min(map(len, first)) >= 32


def test_the_rate_rises_and_then_falls_to_nothing():
    rates = [rate_at(step / 100, TrainingPlan(learning_rate=1.0, warm_up=0.1)) for step in range(101)]
    assert rates[0] == 0 and rates[10] == 1.0 and rates[100] < 1e-9
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)
