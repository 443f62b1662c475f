"""Attention and gates tell what a layer takes of each step; what they tell is checked against torch's own, and on steps that are known to matter."""

import pytest
import torch

from fathom.networks.attention import Block
from fathom.networks.encoders import ENCODERS
from fathom.networks.encoders.bert import Block as BertBlock
from fathom.networks.network import Network, NetworkPlan
from fathom.networks.sequences import gru, lstm
from fathom.networks.sequences.both_ways import GatedStates
from fathom.networks.stages import noticed
from fathom.shapes import Part
from tests.contracts.test_deep_encoders import AGE, GRADE, PARTS, rows_for

TELLING = {"transformer": "attention", "lstm": "gate", "gru": "gate", "vit": "attention", "bert": "attention"}


def test_the_attention_of_a_block_is_that_of_torch():
    torch.manual_seed(0)
    block = Block(16, 4, 0.0).eval()
    tokens, mask = torch.randn(3, 7, 16), torch.arange(7) < torch.tensor([[7], [4], [1]])
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True).eval()
    theirs.in_proj_weight.data.copy_(block.attention.queries_keys_values.weight)
    theirs.in_proj_bias.data.copy_(block.attention.queries_keys_values.bias)
    normal = block.attention_norm(tokens)
    _, looks = theirs(normal, normal, normal, key_padding_mask=~mask)  # (row, asking, asked), the mean over heads
    expected = torch.where(mask.unsqueeze(2), looks, 0.0).sum(1)
    assert torch.allclose(block.noticed(tokens, mask), expected, atol=1e-5)
    assert torch.allclose(block.noticed(tokens, mask).sum(1), mask.sum(1).float(), atol=1e-4)


def test_a_step_that_all_keys_answer_to_is_noticed_most():
    torch.manual_seed(0)
    block = BertBlock(8, 16, 2)
    with torch.no_grad():
        block.query.weight.zero_(), block.query.bias.fill_(1.0)
        block.key.weight.zero_(), block.key.bias.zero_()
        block.key.weight[:, 0] = 1.0
    steps = torch.zeros(1, 5, 8)
    steps[0, 3, 0] = 4.0
    assert int(block.noticed(steps, torch.ones(1, 5, dtype=torch.bool)).argmax()) == 3


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_a_gate_is_the_one_of_the_equations_step_by_step(kind):
    torch.manual_seed(0)
    cell = kind(3, 5, batch_first=True)
    steps = torch.randn(2, 6, 3)
    gate, inverted = (0, False) if kind is torch.nn.LSTM else (1, True)
    operator = (lstm if kind is torch.nn.LSTM else gru).OPERATOR
    told = GatedStates(cell, operator, gate, inverted).opened(steps).squeeze(2)
    weights = dict(cell.named_parameters())
    state = torch.zeros(2, 5)
    for step in range(6):
        both = steps[:, step] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        both = both + state @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
        level = both[:, 5 * gate : 5 * gate + 5].sigmoid()
        expected = (1 - level if inverted else level).mean(1)
        assert torch.allclose(told[:, step], expected, atol=1e-6)
        state = cell(steps[:, : step + 1])[0][:, -1]


@pytest.mark.parametrize(
    "encoder", [one for one in ENCODERS if one.READS in PARTS], ids=lambda one: f"{one.READS}-{one.NAME}"
)
def test_encoders_with_attention_or_gates_tell_and_the_others_do_not(encoder):
    torch.manual_seed(0)
    part: Part = PARTS[encoder.READS]
    array = f"{encoder.READS}_0"
    network = Network(NetworkPlan((AGE, part), (GRADE,), encoders={array: encoder.NAME}))
    batch = rows_for(encoder)
    told = noticed(network, batch.inputs).get(array, {})
    assert {one.by for one in told.values()} == ({TELLING[encoder.NAME]} if encoder.NAME in TELLING else set())
    for one in told.values():
        assert one.strength.shape[0] == batch.rows
        assert torch.isfinite(one.strength[:-1]).all()
        if encoder.READS == "codes":
            assert not one.strength[:-1][batch.inputs[array][:-1] == 0].any()  # padding is not noticed
