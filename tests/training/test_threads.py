"""Threads are taken where they are quicker and change no bit, and given back when the cores are busy."""

import time

import numpy as np
import pytest
import torch

from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training.batching import as_batch
from fathom.training.loop import TrainingPlan, train
from fathom.training.objectives import predict
from fathom.training.threads import SLOW_STEPS, USUAL_STEPS, Exercise, NetworkRehearsal, Pace, counts, quickest


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Pretended:
    """A step that takes a given time with each number of threads, and gives bits of their own to some."""

    def __init__(self, milliseconds, odd=()):
        self.milliseconds, self.odd = milliseconds, odd
        self.seen = []

    def step(self):
        count = torch.get_num_threads()
        self.seen.append(count)
        time.sleep(self.milliseconds[count] / 1000)
        return (torch.tensor(1.0 + (count in self.odd)),)

    bits = step


def a_case(trunk="tabm", rows=600):
    random = np.random.default_rng(0)
    inputs = tuple(Part(f"x{i}", "value", "scalar", knots=tuple(np.linspace(-2, 2, 9).tolist())) for i in range(6))
    torch.manual_seed(0)
    options = {"members": 4, "layers": 2, "width": 64} if trunk == "tabm" else {"layers": 1, "width": 32}
    network = Network(NetworkPlan(inputs, (Part("y", "value", "scalar"),), trunk, 8, options))
    x = random.normal(size=(rows, 6)).astype(np.float32)
    return network, as_batch({"scalar": x}, {"y": np.sin(3 * x[:, 0])})


def test_more_threads_are_taken_when_they_are_quicker():
    choice = quickest(Pretended({1: 8, 2: 4}), 2)
    assert (choice.threads, choice.why) == (2, "quickest")
    assert torch.get_num_threads() == 2
    assert choice.milliseconds[1] > choice.milliseconds[2]


def test_a_small_gain_is_not_worth_a_core():
    assert quickest(Pretended({1: 10, 2: 9.8}), 2).threads == 1
    assert torch.get_num_threads() == 1


def test_threads_that_wait_for_each_other_are_left_after_one_step():
    rehearsal = Pretended({1: 2, 2: 250})
    assert quickest(rehearsal, 2).threads == 1
    assert rehearsal.seen.count(2) == 1


def test_more_threads_that_change_a_bit_are_not_taken():
    choice = quickest(Pretended({1: 8, 2: 4}, odd={2}), 2)
    assert (choice.threads, choice.why) == (1, "same bits")


def test_with_many_cores_powers_of_two_are_tried_until_they_get_slower():
    rehearsal = Pretended({1: 8, 2: 4, 4: 2, 8: 5, 16: 1})
    assert counts(16) == [1, 2, 4, 8, 16]
    assert quickest(rehearsal, 16).threads == 4
    assert 16 not in rehearsal.seen


def test_choosing_takes_less_than_half_a_second():
    network, rows = a_case()
    started = time.process_time()
    quickest(NetworkRehearsal(network, rows, rows, predict, 64), 2)
    quickest(Exercise(), 2)
    assert time.process_time() - started < 2 * 2 * 0.5  # CPU seconds of two threads, twice


def test_threads_are_chosen_anew_when_steps_turn_five_times_slower():
    milliseconds = {1: 3, 2: 1}
    with Pace(lambda: Pretended(milliseconds)) as pace:
        assert torch.get_num_threads() == 2
        for _ in range(USUAL_STEPS):
            time.sleep(0.001)
            pace.tick()
        milliseconds[2] = 100  # a neighbour comes
        time.sleep(0.05)
        pace.tick()
        assert torch.get_num_threads() == 2, "one slow step may have been a checkpoint"
        for _ in range(SLOW_STEPS - 1):
            time.sleep(0.05)
            pace.tick()
        assert torch.get_num_threads() == 1
    assert [(choice.threads, choice.after) for choice in pace.choices] == [(2, 0), (1, USUAL_STEPS + SLOW_STEPS)]
    assert torch.get_num_threads() == 2


def test_threads_are_looked_at_again_after_a_while_because_neighbours_leave(monkeypatch):
    monkeypatch.setattr("fathom.training.threads.SECONDS_BETWEEN", 0.02)
    milliseconds = {1: 2, 2: 50}
    with Pace(lambda: Pretended(milliseconds)) as pace:
        assert torch.get_num_threads() == 1
        milliseconds[2] = 0.5
        time.sleep(0.03)
        pace.tick()
        assert torch.get_num_threads() == 2


def test_a_number_that_was_told_is_kept():
    with Pace(lambda: Pretended({}), 1) as pace:
        assert torch.get_num_threads() == 1
        for _ in range(USUAL_STEPS + 5):
            pace.tick()
    assert [(choice.threads, choice.why) for choice in pace.choices] == [(1, "told")]


def test_the_number_is_put_back_when_training_breaks():
    with pytest.raises(ValueError, match="broken"), Pace(lambda: Pretended({1: 1, 2: 9})):
        assert torch.get_num_threads() == 1
        raise ValueError("broken")
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("trunk", ["tabm", "mlp", "transformer"])
def test_a_rehearsal_leaves_no_trace(trunk):
    network, rows = a_case(trunk)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    quickest(NetworkRehearsal(network, rows, rows, predict, 64), 2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("trunk", ["tabm", "mlp", "transformer"])
def test_a_fit_gives_the_same_bits_whatever_is_chosen(trunk, monkeypatch):
    """Whether one thread looked quicker, or two, or now one and now the other."""
    weights = []
    for milliseconds in ({1: 2, 2: 1}, {1: 1, 2: 2}):

        class Faked(NetworkRehearsal):
            def step(self, milliseconds=milliseconds):
                time.sleep(milliseconds[torch.get_num_threads()] / 100)
                return super().step()

        monkeypatch.setattr("fathom.training.loop.NetworkRehearsal", Faked)
        network, rows = a_case(trunk, rows=2_000)
        history = train(network, rows, rows, TrainingPlan(batch_rows=128, epochs=2, averaging=0.9), predict)
        weights.append([value.clone() for value in network.state_dict().values()])
        assert history.threads
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_a_fit_writes_down_how_many_threads_it_took_and_for_whom():
    import fathom

    random = np.random.default_rng(0)
    x = random.normal(size=300)
    table = {"x": x, "z": random.normal(size=300), "y": 3 * x + random.normal(size=300)}
    own = fathom.fit(table, "y", effort="quick", epochs=1).result
    told = fathom.fit(table, "y", effort="quick", epochs=1, threads=1).result
    assert own["training"]["threads"][0]["why"] in ("quickest", "same bits")
    assert set(own["training"]["threads"][0]["milliseconds"]) == {"1", "2"}
    assert told["training"]["threads"] == [{"threads": 1, "milliseconds": {}, "why": "told", "after": 0}]
    assert own["training"]["epochs"][0]["validation_loss"] == told["training"]["epochs"][0]["validation_loss"]
    assert torch.get_num_threads() == 2
