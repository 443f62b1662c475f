"""What goes wrong in training is noticed on the same step, named and mended; and nothing is found where all is well."""

import dataclasses
import json
import math
import re

import pytest
import torch
from torch import nn

from fathom.errors import TrainingError
from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training import diagnosing
from fathom.training.averaging import RunningMean
from fathom.training.batching import Batch
from fathom.training.doctor import STEPS_BETWEEN_COPIES, TRIES, Doctor
from fathom.training.loop import TrainingPlan, make_optimizer, train, validation_loss
from fathom.training.objectives import predict

PARTS = tuple(Part(f"x{i}", "value", "scalar", knots=(-2.0, -0.5, 0.0, 0.5, 2.0)) for i in range(3))
TARGET = Part("y", "value", "scalar", knots=(0.0, 1.0))
EPOCHS, STEPS = 4, 8
PLAN = TrainingPlan(epochs=EPOCHS, batch_rows=32, learning_rate=1e-2, patience=EPOCHS, averaging=0.9)
NOT_FINITE = (math.nan, math.inf, -math.inf)


def rows(count: int = 256, seed: int = 0) -> Batch:
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return Batch({"scalar": x}, {"y": x[:, 0] - x[:, 1].abs() + 0.1 * x[:, 2]})


def a_network(trunk: str = "mlp", **options) -> Network:
    torch.manual_seed(7)
    return Network(NetworkPlan(PARTS, (TARGET,), trunk, 4, {"width": 8, "dropout": 0.0, **options}))


class Sabotage:
    """The objective ``predict``, but that at some steps, counted from 1, something is not finite."""

    def __init__(self, where: str, at: set[int], value: float = math.nan, place: int = 0) -> None:
        self.where, self.at, self.value, self.place, self.step = where, at, value, place, 0

    def loss(self, network, batch, generator):
        if not network.training:
            return predict.loss(network, batch, generator)
        self.step += 1
        wrong = self.step in self.at
        weights = list(network.parameters())
        weight = weights[self.place % len(weights)]
        if wrong and self.where == "input":
            spoiled = batch.inputs["scalar"].clone()
            spoiled.view(-1)[self.place % spoiled.numel()] = self.value
            batch = dataclasses.replace(batch, inputs={"scalar": spoiled})
        loss, parts = predict.loss(network, batch, generator)
        if wrong and self.where == "loss":
            loss = loss * self.value
        if wrong and self.where == "gradient":
            once = weight.register_hook(lambda gradient: (once.remove(), torch.full_like(gradient, self.value))[1])
        if wrong and self.where == "weight":
            weight.data.view(-1)[self.place % weight.numel()] = self.value
        return loss, parts


def finite(network: nn.Module) -> bool:
    return all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


@pytest.mark.parametrize("where", ["input", "loss", "gradient", "weight"])
@pytest.mark.parametrize("position", range(25))
def test_what_is_not_finite_is_noticed_on_the_same_step_and_mended(where, position):
    step = 1 + position * (EPOCHS * STEPS - 1) // 24  # from the first to the last
    network = a_network()
    fault = Sabotage(where, {step}, NOT_FINITE[position % 3], place=position)
    history = train(network, rows(), rows(128, 1), PLAN, fault)
    (mended,) = [finding for finding in history.findings if finding.name == "rolled back"]
    assert (mended.epoch, mended.step) == ((step - 1) // STEPS + 1, (step - 1) % STEPS + 1)
    assert mended.numbers == {"rate_share": 0.5}
    assert finite(network)
    assert history.best_epoch > 0 and len(history.epochs) == EPOCHS
    assert all(math.isfinite(epoch.train_loss) for epoch in history.epochs)
    untrained = validation_loss(a_network(), rows(128, 1), predict, torch.Generator())
    assert min(epoch.validation_loss for epoch in history.epochs) < 0.95 * untrained, "it went on learning"
    after = history.epochs[mended.epoch :]
    healthy = train(a_network(), rows(), rows(128, 1), PLAN, predict).epochs[mended.epoch :]
    assert [epoch.learning_rate for epoch in after] == [0.5 * epoch.learning_rate for epoch in healthy]


@pytest.mark.parametrize("where", ["input", "loss", "gradient", "weight"])
def test_what_cannot_be_mended_ends_after_three_tries_with_a_lesson_and_finite_weights(where):
    network = a_network()
    with pytest.raises(TrainingError) as caught:
        train(network, rows(), rows(128, 1), PLAN, Sabotage(where, set(range(5, 100))))
    what = {
        "input": "the loss was not finite",
        "loss": "the loss was not finite",
        "gradient": "the gradient was not finite",
        "weight": "a weight was not finite in the layer encoders.scalar",
    }[where]
    assert str(caught.value) == (
        f"Training goes wrong again and again: in step {5 + TRIES} of epoch 1 {what}. Going back and halving the learning rate 3 times did not "
        "help. Lower --learning-rate, ten times to begin with; if that does not help, look for extreme values in the columns."
    )
    assert finite(network)


def test_going_back_restores_the_last_proven_weights_bit_for_bit():
    seen = []

    class Watched(Sabotage):
        def loss(self, network, batch, generator):
            if network.training:
                seen.append([weight.detach().clone() for weight in network.parameters()])
            return super().loss(network, batch, generator)

    step = STEPS_BETWEEN_COPIES + 14
    train(a_network(), rows(64 * 32), rows(128, 1), PLAN, Watched("gradient", {step}))
    after, proven = seen[step], seen[STEPS_BETWEEN_COPIES + 1]  # what the step led to at which the copy was taken
    assert all(map(torch.equal, after, proven))
    assert not any(map(torch.equal, after, seen[step - 1]))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_step_that_fails_before_any_copy_goes_back_to_the_beginning(optimizer):
    plan = dataclasses.replace(PLAN, optimizer=optimizer)
    first = a_network()
    begun = [weight.detach().clone() for weight in first.parameters()]
    seen = []

    class Watched(Sabotage):
        def loss(self, network, batch, generator):
            seen.append([weight.detach().clone() for weight in network.parameters()])
            return super().loss(network, batch, generator)

    train(first, rows(), rows(128, 1), plan, Watched("gradient", {1}))
    assert all(map(torch.equal, seen[1], begun))
    assert finite(first)


@pytest.mark.parametrize("trunk", ["mlp", "tabm"])
def test_a_learning_rate_ten_thousand_times_too_high_is_noticed_and_told(trunk):
    network = a_network(trunk)
    plan = dataclasses.replace(PLAN, learning_rate=1e4 * PLAN.learning_rate)
    with pytest.raises(TrainingError) as caught:
        train(network, rows(), rows(128, 1), plan, predict)
    assert re.fullmatch(
        r"Training goes wrong again and again: in step \d of epoch 1 the (loss was [\d.e+]+, against 1\.\d* for a constant answer|gradient was not finite)\. Going back and "
        r"halving the learning rate 3 times did not help\. Lower --learning-rate, ten times to begin with; if that does not help, look for extreme "
        r"values in the columns\.",
        str(caught.value),
    )
    assert finite(network)


@pytest.mark.parametrize("epochs", [3, 6])
def test_one_row_of_1e38_is_named_and_never_reaches_the_weights(epochs):
    spoiled = rows()
    spoiled.inputs["scalar"][100, 1] = 1e38
    network = a_network()
    plan = dataclasses.replace(PLAN, epochs=epochs, patience=epochs)
    if epochs > TRIES:  # met once an epoch
        with pytest.raises(
            TrainingError, match=r"these rows hold 1e\+38 \(encoded\) in the column 'x1'.*Correct that value"
        ):
            train(network, spoiled, rows(128, 1), plan, predict)
    else:
        history = train(network, spoiled, rows(128, 1), plan, predict)
        assert len([finding for finding in history.findings if finding.name == "rolled back"]) == epochs
    assert finite(network)


def test_one_target_of_1e38_is_named():
    spoiled = rows()
    spoiled.truth["y"][100] = 1e38
    with pytest.raises(TrainingError, match=r"these rows hold 1e\+38 \(encoded\) in the column 'y'"):
        train(a_network(), spoiled, rows(128, 1), dataclasses.replace(PLAN, epochs=6), predict)


def test_validation_rows_that_cannot_be_answered_are_an_error_and_not_a_network_that_learned_nothing():
    spoiled = rows(128, 1)
    spoiled.inputs["scalar"][5, 0] = 1e38
    with pytest.raises(TrainingError) as caught:
        train(a_network(), rows(), spoiled, PLAN, predict)
    assert str(caught.value) == (
        "Training goes wrong again and again: in epoch 4 the loss on the validation rows was not finite. Going back and halving the learning rate 3 times "
        "did not help. Lower --learning-rate, ten times to begin with; if that does not help, look for extreme values in the columns."
    )
    with pytest.raises(TrainingError) as caught:
        train(a_network(), rows(), spoiled, dataclasses.replace(PLAN, epochs=2), predict)
    assert str(caught.value) == (
        "Training ended without one epoch whose loss on the validation rows was finite. Lower --learning-rate, ten times to begin with; if that does not "
        "help, look for extreme values in the columns."
    )


@pytest.mark.parametrize("trunk", ["mlp", "tabm"])
def test_a_healthy_network_has_no_finding_and_gradients_for_every_layer(trunk):
    network = a_network(trunk, width=32)
    history = train(network, rows(), rows(128, 1), dataclasses.replace(PLAN, epochs=20, patience=20), predict)
    assert history.findings == ()
    layers = ["encoders.scalar", "trunk.layers.0", "trunk.layers.3", "heads.0"]
    assert [[*norms] for norms in history.gradients.values()] == [layers, layers]
    assert next(iter(history.gradients)) == 1 < [*history.gradients][1] <= 20
    assert all(norm > 0 for norms in history.gradients.values() for norm in norms.values())


def test_the_rate_stays_halved_and_what_was_seen_is_kept_when_training_is_taken_up_again():
    network = a_network()
    made = [network, make_optimizer(network, PLAN), RunningMean(network, 0.9), rows(), 1.0]
    first, second = Doctor(*made), Doctor(*made)
    batch = rows(32)
    loss, _ = predict.loss(network, batch, torch.Generator())
    loss.backward()
    assert first.approves(1, 0, loss, torch.tensor(3.0), batch)
    assert not first.approves(1, 1, loss * math.nan, torch.tensor(1.0), batch)
    second.load(json.loads(json.dumps(first.state())))
    assert second.state() == first.state()
    assert second.rate_share == 0.5
    assert second.gradients == first.gradients != {}


# ---- each finding where it is planted, and not where all is well


def named(history, name):
    (finding,) = [finding for finding in history.findings if finding.name == name]
    assert finding.sentence.endswith(".") and finding.remedy.endswith(".")
    json.dumps(finding.numbers, allow_nan=False)
    return finding


def test_gradients_that_are_cut_at_every_step_by_far_are_exploding():
    scaled = rows()
    far = Batch(scaled.inputs, {"y": 300.0 * scaled.truth["y"]})
    found = named(train(a_network(), far, far, PLAN, predict), "exploding gradients")
    assert found.numbers["clipped"] == 1.0 and found.numbers["times"] > 100


def test_a_plain_network_of_forty_layers_has_vanishing_gradients_and_learns_nothing():
    history = train(a_network(layers=40, skip=False), rows(), rows(128, 1), PLAN, predict)
    found = named(history, "vanishing gradients")
    assert found.numbers["share"] < 1e-8 and found.numbers["layers"] == 42
    lost = named(history, "loss never fell")
    assert lost.numbers["last"] >= 0.999 * lost.numbers["constant"]


@pytest.mark.parametrize("trunk", ["mlp", "tabm"])
def test_forty_residual_layers_learn_and_nothing_is_found(trunk):
    history = train(a_network(trunk, layers=40, width=32), rows(), rows(128, 1), PLAN, predict)
    assert history.findings == ()
    assert history.epochs[-1].validation_loss < 0.5
    norms = list(history.gradients[1].values())
    assert len(norms) == 42 and min(norms) > 1e-3 * max(norms)


def test_units_that_never_fire_are_dead():
    network = a_network(width=32)
    with torch.no_grad():
        network.trunk.layers[0].bias[:20] = -100.0
    found = named(train(network, rows(), rows(128, 1), PLAN, predict), "dead units")
    assert found.numbers["layers"]["trunk.layers.1"] >= 20 / 32
    assert found.sentence.startswith("In the layer trunk.layers.1, 2")


def test_a_target_that_the_columns_say_nothing_about_never_falls():
    noise = Batch(rows(2_000).inputs, {"y": torch.randn(2_000, generator=torch.Generator().manual_seed(3))})
    plan = dataclasses.replace(PLAN, epochs=2, learning_rate=1e-4)
    assert named(train(a_network(), noise, noise, plan, predict), "loss never fell").numbers["constant"] > 0.5


def test_a_loss_that_rises_above_a_constants_has_diverged():
    plan = dataclasses.replace(PLAN, learning_rate=0.7, epochs=2, clip_norm=1e9)
    found = named(train(a_network(), rows(), rows(128, 1), plan, predict), "loss diverged")
    assert found.numbers["last"] > 2 * found.numbers["constant"]


class Normalised(nn.Module):
    """Batch normalisation in front of the heads, whose running statistics follow the batches slowly or at once."""

    members = 1

    def __init__(self, inputs: int, momentum: float) -> None:
        super().__init__()
        self.width = inputs
        self.norm = nn.BatchNorm1d(inputs, momentum=momentum)

    def forward(self, features):
        from fathom.networks.trunks.contract import Summary

        return Summary(self.norm(features.tokens.flatten(1)).unsqueeze(1), features)


@pytest.mark.parametrize(("momentum", "settled"), [(0.003, False), (0.1, True)])
def test_running_statistics_that_still_move_are_told(momentum, settled):
    network = a_network()
    network.trunk = Normalised(12, momentum)
    torch.manual_seed(1)
    network.heads[0] = type(network.heads[0])(1, 12, 1)
    with torch.no_grad():
        network.encoders["scalar"].offset += 30.0
    plan = dataclasses.replace(PLAN, epochs=12, patience=12, averaging=0.0)
    history = train(network, rows(), rows(128, 1), plan, predict)
    assert any(finding.name == "unsettled statistics" for finding in history.findings) is not settled
    if not settled:
        found = named(history, "unsettled statistics")
        assert found.epoch == 12 and found.numbers["layer"] == "trunk.norm" and found.numbers["mean_moved"] > 0.1


def test_a_constant_loses_the_spread_of_numbers_and_the_entropy_of_classes():
    y, c = torch.tensor([1.0, 1.0, 4.0, 2.0]), torch.tensor([0, 0, 1, 2])
    batch = Batch({}, {"y": y, "c": c})
    kind = Part("c", "value", "code", codes=3)
    spread = ((y - y.mean()) ** 2).mean().item()
    entropy = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert diagnosing.constant_loss((TARGET, kind), batch, batch) == pytest.approx(spread + entropy, rel=1e-6)
    weighted = Batch({}, {"y": y, "c": c}, {"c": torch.tensor([0.5, 0.5, 1.0, 1.0])})
    assert diagnosing.constant_loss((kind,), weighted, weighted) == pytest.approx(0.75 * math.log(3), rel=1e-6)
    assert diagnosing.constant_loss((Part("s", "value", "grid"),), batch, batch) is None
