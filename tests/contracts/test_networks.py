"""Every encoder, trunk and head keeps its contract, in every combination."""

import itertools
from dataclasses import replace

import pytest
import torch

from fathom.errors import OptionError
from fathom.networks.encoders import ENCODERS, encoder_named
from fathom.networks.encoders.contract import Features
from fathom.networks.heads import HEADS
from fathom.networks.network import Network, NetworkPlan
from fathom.networks.trunks import TRUNKS, trunk_named
from fathom.networks.trunks.contract import Summary
from fathom.shapes import Part, margins_of, spread_of
from fathom.training.batching import Batch
from fathom.training.objectives import predict

SCALARS = (
    Part("age", "value", "scalar", knots=(-1.0, 0.0, 1.0)),
    Part("age", "missing", "scalar", knots=(0.0, 1.0)),
    Part("day.of.week", "value", "scalar", knots=(-2.0, -1.0, 0.5, 2.0)),
)
CODES = (Part("job", "value", "code", codes=7), Part("smoker", "value", "code", codes=4))
PRICE = Part("price", "value", "scalar", knots=(0.0, 1.0))
GRADE = Part("grade", "value", "code", codes=3)
SMALL = {
    "tabm": {"members": 3, "width": 24},
    "mlp": {"width": 24},
    "transformer": {"width": 24, "heads": 4, "layers": 2},
}
ROWS = 11


def some_rows(rows: int = ROWS) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        {
            "scalar": torch.randn(rows, len(SCALARS), generator=generator),
            "code": torch.stack(
                [torch.randint(0, part.codes, (rows,), generator=generator) for part in CODES], 1
            ).int(),
        },
        {"price": torch.randn(rows, generator=generator), "grade": torch.randint(0, 3, (rows,), generator=generator)},
    )


def every_plan():
    for trunk, scalar in itertools.product(TRUNKS, [e for e in ENCODERS if e.READS == "scalar"]):
        yield NetworkPlan(SCALARS + CODES, (PRICE, GRADE), trunk.NAME, 8, SMALL[trunk.NAME], {"scalar": scalar.NAME})


@pytest.fixture(params=[*every_plan()], ids=lambda plan: f"{plan.trunk}-{plan.encoders['scalar']}")
def network(request):
    torch.manual_seed(0)
    return Network(request.param)


def test_answers_have_the_shape_of_their_target_and_are_finite(network):
    network.eval()
    answers = network.answer(some_rows().inputs)
    assert answers["price"].shape == (ROWS,)
    assert answers["grade"].shape == (ROWS, 3)
    assert torch.isfinite(answers["price"]).all()
    torch.testing.assert_close(answers["grade"].sum(1), torch.ones(ROWS))


def test_what_is_told_beside_answers_has_its_shape_and_margins_are_above_zero(network):
    torch.manual_seed(0)
    telling = Network(replace(network.plan, margins=True)).eval()
    with torch.no_grad():
        told, answers = telling.tell(some_rows().inputs), telling.answer(some_rows().inputs)
    assert all(torch.equal(told[name], answers[name]) for name in answers)
    beside = {name: values for name, values in told.items() if name not in answers}
    expected = {margins_of("price"): (ROWS, 2)}
    if telling.trunk.members > 1:
        expected |= {spread_of(name): (ROWS,) for name in answers}
    assert {name: tuple(values.shape) for name, values in beside.items()} == expected
    assert all(values.isfinite().all() and values.min() > 0 for values in beside.values())


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.NAME)
def test_the_spread_is_none_where_members_agree_and_of_many_networks_that_of_all_their_members(head):
    generator = torch.Generator().manual_seed(0)
    part = next(part for part in (PRICE, GRADE) if part.shape == head.WRITES)
    size = head.build(part, 5, 4)(Summary(torch.zeros(ROWS, 4, 5), Features(torch.zeros(ROWS, 1, 5)))).shape
    outputs = [2 * torch.randn(size, generator=generator) for _ in range(3)]
    agreed = outputs[0][:, :1].expand(size)
    assert head.spread(agreed).abs().max() < 1e-5 < head.spread(outputs[0]).min()
    answers, spreads = (torch.stack([say(one) for one in outputs]) for say in (head.read_out, head.spread))
    together = head.spread(torch.cat(outputs, dim=1))
    assert torch.allclose(head.spread_of_many(answers, spreads), together, rtol=1e-4)


def test_every_weight_gets_a_gradient(network):
    loss, parts = predict.loss(network, some_rows(), torch.Generator())
    torch.testing.assert_close(loss, parts["price"] + parts["grade"])
    loss.backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


def test_a_row_is_answered_alike_alone_and_among_others(network):
    network.eval()
    batch = some_rows()
    together = network.answer(batch.inputs)
    alone = network.answer(batch.take(torch.tensor([4])).inputs)
    torch.testing.assert_close(together["grade"][4:5], alone["grade"], rtol=0, atol=1e-6)
    torch.testing.assert_close(together["price"][4:5], alone["price"], rtol=0, atol=1e-6)


def test_the_answer_depends_on_every_input(network):
    network.eval()
    if "piecewise" in network.plan.encoders.values():
        with torch.no_grad():
            network.encoders["scalar"].steps.normal_()
    batch = some_rows()
    before = network.answer(batch.inputs)["grade"]
    for shape, count in (("scalar", len(SCALARS)), ("code", len(CODES))):
        for part in range(count):
            changed = {name: values.clone() for name, values in batch.inputs.items()}
            changed[shape][:, part] = 1 - changed[shape][:, part].clamp(0, 1)
            assert not torch.equal(network.answer(changed)["grade"], before), (shape, part)


def test_eight_rows_can_be_learned_by_heart(network):
    torch.manual_seed(1)
    batch = some_rows(8)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(300):
        loss, _ = predict.loss(network, batch, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            break
    network.eval()
    assert (network.answer(batch.inputs)["grade"].argmax(1) == batch.truth["grade"]).all()
    assert (network.answer(batch.inputs)["price"] - batch.truth["price"]).abs().max() < 0.6


def test_a_network_built_again_from_its_plan_is_the_same(network):
    again = Network(NetworkPlan.from_json(network.plan.to_json()))
    again.load_state_dict(network.state_dict())
    batch = some_rows()
    network.eval(), again.eval()
    assert torch.equal(again.answer(batch.inputs)["grade"], network.answer(batch.inputs)["grade"])


@pytest.mark.parametrize("inputs", [SCALARS, CODES], ids=["only scalars", "only codes"])
def test_a_table_of_one_shape_is_enough(inputs):
    network = Network(NetworkPlan(inputs, (PRICE,), "mlp", 8)).eval()
    assert network.answer(some_rows().inputs)["price"].shape == (ROWS,)


def test_every_member_names_its_source():
    for member in (*ENCODERS, *TRUNKS, *HEADS):
        assert member.SOURCE.startswith("https://"), member.__name__
        assert member.SUMMARY and member.NAME


def test_unknown_names_and_options_are_errors_with_a_suggestion():
    with pytest.raises(
        OptionError, match=r"^There is no trunk 'tabn'\. Did you mean 'tabm'\? There are: tabm, mlp, transformer\.$"
    ):
        trunk_named("tabn")
    with pytest.raises(
        OptionError,
        match=r"^There is no encoder 'periodical' for scalar columns\. Did you mean 'periodic'\? There are: piecewise, periodic\.$",
    ):
        encoder_named("periodical", "scalar")
    with pytest.raises(
        OptionError,
        match=r"^The trunk 'mlp' has no option 'witdh'\. Did you mean 'width'\? It has: layers, width, dropout, skip\.$",
    ):
        Network(NetworkPlan(SCALARS, (PRICE,), "mlp", 8, {"witdh": 3}))


def test_each_option_of_a_trunk_changes_the_network():
    changes = {
        "tabm": {"members": 4, "layers": 3, "width": 40, "dropout": 0.5, "skip": True},
        "mlp": {"layers": 3, "width": 40, "dropout": 0.5, "skip": True},
        "transformer": {"layers": 1, "width": 48, "heads": 2, "dropout": 0.5},
    }
    for trunk in TRUNKS:
        base = SMALL[trunk.NAME]
        outputs = {}
        for name, value in [("", None), *changes[trunk.NAME].items()]:
            torch.manual_seed(0)
            options = {**base, **({name: value} if name else {})}
            network = Network(NetworkPlan(SCALARS + CODES, (PRICE,), trunk.NAME, 8, options))
            outputs[name] = predict_price(network)
        for name in changes[trunk.NAME]:
            assert outputs[name] != outputs[""], (trunk.NAME, name)


def predict_price(network: Network) -> list[float]:
    torch.manual_seed(0)
    return network(some_rows().inputs)["price"].mean(1).flatten().tolist()
