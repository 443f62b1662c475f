"""Our networks against the papers' own code: same weights, same answers."""

import pytest
import torch

from fathom.networks.attention import Attention
from fathom.networks.encoders import periodic, piecewise
from fathom.networks.encoders.contract import Features
from fathom.networks.trunks import tabm, transformer
from fathom.shapes import Part

KNOTS = ((-2.0, -0.5, 0.0, 1.5), (-1.0, 0.25, 2.0), (0.0, 0.5, 1.0))
PARTS = [Part(f"column{i}", "value", "scalar", knots=knots) for i, knots in enumerate(KNOTS)]


def test_piecewise_linear_embeddings_are_those_of_the_authors():
    theirs_module = pytest.importorskip("rtdl_num_embeddings")
    theirs = theirs_module.PiecewiseLinearEmbeddings([torch.tensor(k) for k in KNOTS], 5, activation=False, version="B")
    ours = piecewise.build(piecewise.Options(), PARTS, 5)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 3, 5, generator=generator)
    with torch.no_grad():
        ours.steps.copy_(weights)
        theirs.linear0.weight.copy_(ours.slope)
        theirs.linear0.bias.copy_(ours.offset)
        # Their columns of fewer bins fill from the last; ours from the first.
        theirs.linear.weight.zero_()
        for column, knots in enumerate(KNOTS):
            count = len(knots) - 1
            theirs.linear.weight[column, : count - 1] = weights[column, : count - 1]
            theirs.linear.weight[column, -1] = weights[column, count - 1]
        x = torch.tensor([[-2.0, -1.0, 0.0], [-0.7, 0.3, 0.4], [1.2, 1.9, 1.0], [0.0, 0.25, 0.0]])
        torch.testing.assert_close(ours(x).tokens, theirs(x))


@pytest.mark.parametrize("bins", [1, 2, 3, 10, 128])
def test_one_bin_is_looked_up_as_all_bins_are_multiplied(bins):
    generator = torch.Generator().manual_seed(bins)
    knots = [torch.randn(count + 1, generator=generator).sort().values for count in (bins, 1, max(1, bins // 2))]
    parts = [Part(f"column{i}", "value", "scalar", knots=tuple(edge.tolist())) for i, edge in enumerate(knots)]
    module = piecewise.build(piecewise.Options(), parts, 4)
    torch.nn.init.normal_(module.steps, generator=generator)
    edges = torch.cat(knots)[:, None].expand(-1, 3)
    x = torch.cat([edges, edges + 1e-3, 3 * torch.randn(500, 3, generator=generator), torch.full((2, 3), 1e30)])
    x[-1] = -1e30
    with torch.no_grad():
        looked_up, multiplied = module.eval()(x).tokens, module.train()(x).tokens
    torch.testing.assert_close(looked_up, multiplied, atol=1e-4, rtol=1e-5)


def test_periodic_embeddings_are_those_of_the_authors():
    theirs_module = pytest.importorskip("rtdl_num_embeddings")
    theirs = theirs_module.PeriodicEmbeddings(3, 5, n_frequencies=4, frequency_init_scale=0.5, lite=False)
    ours = periodic.build(periodic.Options(frequencies=4, spread=0.5), PARTS, 5)
    with torch.no_grad():
        theirs.periodic.weight.copy_(ours.frequency)
        # They lay cosines before sines.
        theirs.linear.weight.copy_(torch.cat([ours.weight[:, 4:], ours.weight[:, :4]], 1))
        theirs.linear.bias.copy_(ours.offset)
        x = torch.randn(6, 3)
        torch.testing.assert_close(ours(x).tokens, theirs(x))


def test_the_shared_layers_are_those_of_tabm():
    theirs_module = pytest.importorskip("tabm")
    ours = tabm.build(tabm.Options(members=4, layers=2, width=7, dropout=0.0), 3, 2)
    theirs = theirs_module.MLPBackboneBatchEnsemble(
        d_in=6,
        n_blocks=2,
        d_block=7,
        dropout=0.0,
        k=4,
        tabm_init=True,
        scaling_init="normal",
        start_scaling_init_chunks=[2, 2, 2],
    )
    layers = [ours.layers[0], ours.layers[3]]
    blocks = [module for module in theirs.modules() if isinstance(module, theirs_module.LinearBatchEnsemble)]
    with torch.no_grad():
        for mine, other in zip(layers, blocks, strict=True):
            other.weight.copy_(mine.weight.T)
            other.r.copy_(mine.scale_in)
            other.s.copy_(mine.scale_out)
            other.bias.copy_(mine.offset)
        tokens = torch.randn(5, 3, 2)
        ours.eval(), theirs.eval()
        flat = tokens.flatten(1)[:, None].expand(-1, 4, -1)
        torch.testing.assert_close(ours(Features(tokens)).vector, theirs(flat))


def test_members_start_apart_by_one_number_a_token():
    trunk = tabm.build(tabm.Options(members=4, layers=2, width=7), 3, 2)
    first, second = trunk.layers[0].scale_in, trunk.layers[3].scale_in
    assert torch.equal(first[:, 0], first[:, 1])
    assert len(first.unique()) == 4 * 3
    assert (second == 1).all()


def test_attention_is_torchs_own_with_the_same_weights():
    ours = Attention(12, 3)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.queries_keys_values.weight)
        theirs.in_proj_bias.copy_(ours.queries_keys_values.bias)
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
        tokens = torch.randn(4, 5, 12)
        mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4, [True] * 4 + [False]])
        torch.testing.assert_close(ours(tokens, mask), theirs(tokens, tokens, tokens, key_padding_mask=~mask)[0])


def test_hidden_tokens_change_nothing():
    trunk = transformer.build(transformer.Options(layers=2, width=16, heads=2), 3, 4).eval()
    tokens = torch.randn(2, 5, 4)
    mask = torch.tensor([[True, True, True, False, False]] * 2)
    alone = trunk(Features(tokens[:, :3], mask[:, :3])).vector
    torch.testing.assert_close(trunk(Features(tokens, mask)).vector, alone)
