"""Rows that are pushed in training: within their reach, the same again after an interruption, and to some use where small pushes hurt."""

import dataclasses
import io
import time

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import fathom
from fathom.baselines import constant
from fathom.errors import OptionError
from fathom.evidence.attacking import Attack
from fathom.networks.network import Network, NetworkPlan
from fathom.report.card import card
from fathom.shapes import Part
from fathom.training.batching import Batch
from fathom.training.checkpointing import Checkpoints
from fathom.training.hardening import planned, pushed
from fathom.training.loop import TrainingPlan, train
from fathom.training.objectives import predict

WEAK = 24
PARTS = tuple(Part(f"x{i}", "value", "scalar", knots=(-3.0, -1.0, 0.0, 1.0, 3.0)) for i in range(WEAK + 1))
TARGET = Part("y", "value", "code", codes=2)
PUSH = {"scalar": {"reach": 0.5, "steps": 1, "parts": list(range(WEAK + 1))}}
PLAN = TrainingPlan(epochs=5, batch_rows=64, learning_rate=1e-2, patience=5)


def rows(count, seed):
    """One number that is right nine times of ten, and many that lean a little to the right side: Tsipras et al., "Robustness May Be at Odds with Accuracy", ICLR 2019, section 2.1."""
    random = np.random.default_rng(seed)
    side = random.choice([-1.0, 1.0], count)
    strong = side * np.where(random.random(count) < 0.9, 1.0, -1.0)
    weak = random.normal(0, 1, (count, WEAK)) + 0.4 * side[:, None]
    x = torch.from_numpy(np.c_[strong, weak].astype(np.float32))
    return Batch({"scalar": x}, {"y": torch.from_numpy((side > 0).astype(np.int64))})


def network():
    torch.manual_seed(7)
    return Network(NetworkPlan(PARTS, (TARGET,), "mlp", 8, {"width": 32}))


def learn(adversary, checkpoints=None, on_epoch=lambda epoch, epochs: None):
    made = network()
    plan = dataclasses.replace(PLAN, adversary=adversary)
    train(made, rows(800, 0), rows(200, 1), plan, predict, on_epoch, checkpoints)
    return made


def right(made, batch):
    with torch.no_grad():
        return float((made.answer(batch.inputs)["y"].argmax(1) == batch.truth["y"]).float().mean())


def test_a_network_that_was_pushed_holds_where_one_that_was_not_falls_and_pays_for_it():
    asked, attack = rows(600, 2), {"scalar": {**PUSH["scalar"], "steps": 10}}
    plain, taught = learn({}), learn(PUSH)
    held = [right(one, pushed(one, asked, attack, predict, (0, 0, 0))) for one in (plain, taught)]
    assert held[1] > held[0] + 0.1, held
    assert right(plain, asked) > right(taught, asked) > 0.85


def test_what_is_pushed_stays_within_reach_and_hangs_on_seed_epoch_and_step():
    made, batch = network().eval(), rows(50, 0)
    some = {"scalar": {"reach": 0.2, "steps": 3, "parts": [0, 2]}}
    one, again, other = (pushed(made, batch, some, predict, seed) for seed in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    apart = (one.inputs["scalar"] - batch.inputs["scalar"]).abs()
    assert 0 < apart[:, [0, 2]].max() <= 0.2 + 1e-6 and apart[:, [1, *range(3, WEAK + 1)]].max() == 0
    assert torch.equal(one.inputs["scalar"], again.inputs["scalar"])
    assert not torch.equal(one.inputs["scalar"], other.inputs["scalar"])
    assert all(weight.grad is None for weight in made.parameters())
    assert pushed(made, batch, {}, predict, (0, 0, 0)) is batch


def test_training_that_was_interrupted_goes_on_bit_for_bit(tmp_path):
    whole = learn(PUSH)

    def stop(epoch, epochs):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(PUSH, Checkpoints(tmp_path, "run", seconds=0.0), stop)
    again = learn(PUSH, Checkpoints(tmp_path, "run", seconds=0.0))
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), again.parameters(), strict=True))


def test_the_plan_names_what_is_pushed_and_a_setting_that_says_nothing_is_an_error():
    parts = (*PARTS[:2], Part("x0", "missing", "scalar"), Part("photo", "value", "grid", size=(1, 8, 8)))
    kinds = {"x0": "number", "x1": "date", "photo": "image"}
    assert planned("off", parts, kinds) == {}
    assert planned("number=0.3,image=2,steps=4", parts, kinds) == {
        "scalar": {"reach": 0.3, "steps": 4, "parts": [0]},
        "grid_0": {"reach": 2.0, "steps": 4},
    }
    table = {"word": [f"{word} {row}" for row in range(20) for word in ("a", "b", "c")], "kind": ["x", "y", "y"] * 20}
    with pytest.raises(OptionError, match="pushes columns of kind number, and the table has none"):
        fathom.fit(table, target="kind", columns={"word": "category"}, adversarial="number=0.1")
    for wrong in ("picture=3", "number=far", "number=-1", "steps=2", "number=0.1,steps=0.5"):
        with pytest.raises(OptionError, match="--adversarial"):
            planned(wrong, parts, kinds)


def pictures(count, seed):
    """A bright upper or lower half, and a pattern of a few steps of 255 that says the same."""
    random = np.random.default_rng(seed)
    made, words = [], []
    for _ in range(count):
        up = bool(random.integers(2))
        pixels = random.normal(110, 25, (8, 8))
        pixels[:4] += 12 if up else -12
        held = io.BytesIO()
        Image.fromarray(np.clip(pixels, 1, 255).astype(np.uint8)).save(held, "PNG")
        made.append(held.getvalue())
        words.append("up" if up else "down")
    return pa.table({"photo": pa.array(made, pa.binary()), "half": words})


@pytest.fixture(scope="module")
def pushed_pictures():
    """A network of pictures that was taught against pushes, and its finding."""
    return fathom.fit(
        pictures(100, 0), "half", test=pictures(32, 1), keep="network", effort="quick", epochs=2, baselines=(constant,),
        adversarial="image=4", encoder={"photo": "vgg"}, trunk="mlp", threads=1,
    )  # fmt: skip


def test_the_price_of_pushes_stands_in_the_finding_of_a_fit(pushed_pictures):
    result = pushed_pictures.result
    assert result["training"]["plan"]["adversary"] == {"grid_0": {"reach": 4.0, "steps": 1}}
    found = next(one for one in result["findings"] if one["name"] == "adversarial")
    assert "s of training in place of" in found["clocked"] and "on rows as they are" in found["sentence"]
    assert found["clocked"] in card(result) and found["clocked"] not in card(result, lasting=True)
    assert {line["attack"] for line in found["rows"]} == {"chance", "black box", "FGSM", "PGD", "all together"}
    assert all(0 <= line["plain"] <= 1 for line in found["rows"])


def test_equal_fits_with_pushes_have_equal_bundles_whatever_the_clock_says(monkeypatch):
    random = np.random.default_rng(0)
    x = random.normal(size=240)
    rows = {"x": x.tolist(), "y": [("no", "yes")[int(one)] for one in x + 0.3 * random.normal(size=240) > 0]}

    def fitted():
        return fathom.fit(
            rows,
            "y",
            keep="network",
            effort="quick",
            epochs=1,
            baselines=(constant,),
            adversarial="number=0.1",
            trunk="mlp",
            threads=1,
        )

    first, real = fitted(), time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: 1_000 * real())  # a machine that takes a thousand times as long
    second = fitted()
    one, other = (next(each for each in model.result["findings"] if each["name"] == "adversarial") for model in (first, second))  # fmt: skip
    assert one["clocked"] != other["clocked"] and one["sentence"] == other["sentence"]
    assert dict(first.files) == dict(second.files)


def test_a_step_along_the_gradient_of_a_picture_is_that_of_the_paper_and_many_find_no_less(pushed_pictures):
    model = pushed_pictures
    attack = Attack(model.description, model.files["weights.safetensors"], "half", "grid_0")
    table = fathom.read(pictures(40, 2))
    arrays = attack.encode(table)
    target = model.description.targets[0]
    truth = target.kind.encode(target.state, table.column("half"))[:, 0]
    before = arrays["grid_0"].astype(float)

    grid = torch.from_numpy(arrays["grid_0"]).float().requires_grad_(True)
    answer = attack.network.answer({"grid_0": grid})["half"]
    loss = torch.nn.functional.nll_loss(answer.log(), torch.from_numpy(truth).long(), reduction="sum")
    slope = torch.autograd.grad(loss, grid)[0].numpy()
    one = attack.fgsm(arrays, truth, 3.0)
    moved = one["grid_0"] - before
    grew = np.abs(moved).reshape(40, -1).max(axis=1) > 0
    free = (before + 3 <= 255) & (before - 3 >= 1) & (slope != 0)
    assert grew.mean() > 0.8 and np.array_equal(moved[grew][free[grew]], 3 * np.sign(slope)[grew][free[grew]])

    def losses(changed):
        return -np.log(attack.answer(changed)[np.arange(40), truth])

    many = attack.pgd(arrays, truth, 3.0)
    assert np.abs(many["grid_0"] - before).max() <= 3 and many["grid_0"].min() >= 1 and many["grid_0"].max() <= 255
    assert losses(many).mean() >= losses(one).mean() - 1e-2 and losses(one).mean() > losses(arrays).mean()
