"""Variation of codes leaves steps out and swaps neighbours, and never makes a row say nothing or something new."""

import pytest
import torch

import fathom
from fathom.baselines import constant
from fathom.errors import OptionError
from fathom.training.augmentations import codes


def rows():
    lengths = torch.tensor([[12], [7], [1], [0], [2]])
    values = torch.arange(1, 13).repeat(5, 1).int()
    return torch.where(torch.arange(12) < lengths, values, 0)


@pytest.mark.parametrize("options", [codes.Options(dropped=0.5), codes.Options(swapped=0.5), codes.Options(0.3, 0.3)])
def test_what_is_left_was_there_and_stands_first(options):
    before = rows()
    after = codes.vary(options, before, torch.Generator().manual_seed(3))
    assert after.shape == before.shape and after.dtype == before.dtype
    for old, new in zip(before.tolist(), after.tolist(), strict=True):
        left = [code for code in new if code]
        assert new[: len(left)] == left
        assert set(left) <= set(old) and len(set(left)) == len(left)
        assert bool(left) == any(old)
    assert not torch.equal(before, after)
    assert torch.equal(after, codes.vary(options, before, torch.Generator().manual_seed(3)))


def test_a_swap_moves_a_step_by_a_few_places_and_loses_none():
    after = codes.vary(codes.Options(swapped=0.2), rows(), torch.Generator().manual_seed(0))
    assert torch.equal(after.sort(dim=1).values, rows().sort(dim=1).values)
    assert (after[0] - rows()[0]).abs().max() <= 6


def test_as_many_steps_are_left_out_as_were_asked_for():
    many = torch.ones(400, 50, dtype=torch.int32)
    left = (codes.vary(codes.Options(dropped=0.3), many, torch.Generator().manual_seed(0)) != 0).float().mean()
    assert left == pytest.approx(0.7, abs=0.01)


def test_nothing_is_varied_unless_asked_for():
    assert codes.choose(None, None, None, None, None) == codes.Options()
    assert torch.equal(codes.vary(codes.Options(), rows(), torch.Generator()), rows())


def test_a_fit_takes_it_by_name_and_a_table_without_text_does_not():
    texts = [f"{'good' if row % 2 else 'bad'} room number {row % 9} by the sea" for row in range(120)]
    table = {"remark": texts, "size": [row % 7 for row in range(120)], "kind": [row % 2 for row in range(120)]}
    settings = {"target": "kind", "effort": "quick", "epochs": 1, "baselines": (constant,), "keep": "network"}
    model = fathom.fit(table, columns={"remark": "text"}, augment="dropped=0.1,swapped=0.1", **settings)
    assert model.result["training"]["plan"]["augment"] == {"codes_0": {"dropped": 0.1, "swapped": 0.1}}
    with pytest.raises(OptionError, match="varies no column"):
        fathom.fit({"size": table["size"], "kind": table["kind"]}, augment="dropped=0.1", **settings)
