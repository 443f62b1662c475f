"""Variation of grids changes pictures and not what they are, hangs on seed, epoch and step alone, and is chosen by the rows."""

import numpy as np
import pytest
import torch

from fathom.errors import OptionError
from fathom.networks.network import Network, NetworkPlan
from fathom.shapes import Part
from fathom.training.augmentations import augmented, check_names, grid, parsed, planned
from fathom.training.batching import Batch
from fathom.training.objectives import predict

PHOTO = Part("photo", "value", "grid", size=(1, 12, 12), centre=(100.0,), spread=(50.0,))
AGE = Part("age", "value", "scalar", knots=(-1.0, 1.0))
GRADE = Part("grade", "value", "code", codes=2)
EVERY = {"flip": 1.0, "shift": 0.2, "rotate": 20.0, "colour": 0.3, "cutout": 0.3, "mixup": 0.4}


def pictures(rows: int, seed: int = 0, handed: bool = False) -> Batch:
    """Class 0 has a bright bar above, class 1 below; ``handed``: left and right."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 2, (rows,), generator=generator)
    values = torch.randint(1, 60, (rows, 1, 12, 12), generator=generator, dtype=torch.uint8)
    place = 1 + 8 * truth
    for row in range(rows):
        at = slice(int(place[row]), int(place[row]) + 2)
        if handed:
            values[row, :, :, at] = 250
        else:
            values[row, :, at] = 250
    return Batch({"grid_0": values}, {"grade": truth})


def varied(**options) -> torch.Tensor:
    return grid.vary(grid.Options(**options), pictures(40).inputs["grid_0"], torch.Generator().manual_seed(3))


def test_the_same_step_is_varied_alike_and_another_otherwise():
    plan, batch = {"grid_0": EVERY}, pictures(40)
    one, again = augmented(batch, plan, 0, 2, 5), augmented(batch, plan, 0, 2, 5)
    assert torch.equal(one.inputs["grid_0"], again.inputs["grid_0"])
    assert one.mixed.share == again.mixed.share
    for other in ((1, 2, 5), (0, 3, 5), (0, 2, 6)):
        assert not torch.equal(one.inputs["grid_0"], augmented(batch, plan, *other).inputs["grid_0"])
    assert torch.equal(batch.inputs["grid_0"], pictures(40).inputs["grid_0"])


@pytest.mark.parametrize("name", EVERY)
def test_each_variation_changes_rows_and_keeps_type_and_nothing(name):
    batch = pictures(40)
    batch.inputs["grid_0"][7] = 0
    after = augmented(batch, {"grid_0": {name: EVERY[name]}}, 0, 1, 1).inputs["grid_0"]
    assert after.dtype == torch.uint8 and after.shape == batch.inputs["grid_0"].shape
    assert (after != batch.inputs["grid_0"]).any()
    if name != "mixup":
        assert not after[7].any()


def test_nothing_planned_changes_nothing():
    batch = pictures(4)
    assert augmented(batch, {}, 0, 1, 1) is batch


def test_moving_is_by_whole_pixels_and_goes_on_as_the_edge_was():
    before, after = pictures(40).inputs["grid_0"], varied(shift=0.2)
    shifts = []
    for row in range(40):
        found = [
            (down, across)
            for down in range(-2, 3)
            for across in range(-2, 3)
            if torch.equal(after[row, 0, 2 + down : 10 + down, 2 + across : 10 + across], before[row, 0, 2:10, 2:10])
        ]
        assert len(found) == 1
        shifts += found
    assert len(set(shifts)) > 10
    assert (after > 0).all()


def test_mirroring_is_from_left_to_right_and_of_about_half():
    before, after = pictures(40).inputs["grid_0"], varied(flip=1.0)
    same = [torch.equal(after[row], before[row]) for row in range(40)]
    assert 10 < sum(same) < 30
    assert all(same[row] or torch.equal(after[row], before[row].flip(-1)) for row in range(40))


def test_mirrored_pictures_are_taken_where_the_rows_say_that_it_is_safe():
    for handed in (False, True):
        train, validation = pictures(300, 1, handed), pictures(100, 2, handed)
        plan = planned("auto", (PHOTO,), train, validation)
        assert plan["grid_0"]["flip"] == (0.0 if handed else 1.0)


def test_what_is_told_wins_and_off_is_nothing():
    train, validation = pictures(300, 1), pictures(100, 2)
    assert planned("off", (PHOTO,), train, validation) == {}
    plan = planned("flip=0,rotate=45", (PHOTO,), train, validation)["grid_0"]
    assert plan["flip"] == 0.0 and plan["rotate"] == 45.0 and plan["shift"] == 0.05


def test_rows_are_mixed_only_where_all_columns_are():
    train = pictures(60, 1)
    beside = Batch({"scalar": torch.zeros(60, 1), **train.inputs}, train.truth)
    assert planned("mixup=0.3", (PHOTO,), train, train)["grid_0"]["mixup"] == 0.3
    assert planned("mixup=0.3", (AGE, PHOTO), beside, beside)["grid_0"]["mixup"] == 0.0


def test_the_loss_of_mixed_rows_is_that_of_both_by_their_shares():
    torch.manual_seed(0)
    network = Network(NetworkPlan((PHOTO,), (GRADE,), "mlp", 8, {"width": 16, "layers": 1}))
    network.eval()
    batch = augmented(pictures(16), {"grid_0": {"mixup": 1.0}}, 0, 1, 1)
    own = predict.loss(network, Batch(batch.inputs, batch.truth), torch.Generator())[0]
    other = predict.loss(
        network, Batch(batch.inputs, {"grade": batch.truth["grade"][batch.mixed.rows]}), torch.Generator()
    )[0]
    share = batch.mixed.share
    assert 0.5 <= share < 1
    assert predict.loss(network, batch, torch.Generator())[0].item() == pytest.approx(
        (share * own + (1 - share) * other).item(), rel=1e-5
    )


def test_a_setting_that_cannot_be_is_refused():
    for setting, said in (("flip", "auto, off, or NAME=NUMBER"), ("flip=yes", "NAME=NUMBER"), ("=1", "names ''")):
        with pytest.raises(OptionError, match=said):
            check_names(setting, (PHOTO,))
    with pytest.raises(OptionError, match=r"names 'rotat'.*Did you mean 'rotate'"):
        check_names("rotat=3", (PHOTO,))
    with pytest.raises(OptionError, match="varies no column of this table"):
        check_names("flip=1", (AGE,))
    check_names("off", (AGE,))
    assert parsed("off") is None


def test_turning_by_nothing_changes_nothing():
    values = pictures(8).inputs["grid_0"]
    turned = grid._turned(values, 1e-6, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(turned.numpy(), values.numpy())


def test_a_turned_picture_gets_no_dark_edge_from_the_nothing_beside_it():
    values = torch.full((8, 3, 16, 16), 200, dtype=torch.uint8)
    values[:, :, :, 12:] = 0
    turned = grid._turned(values, 30.0, torch.Generator().manual_seed(0))
    assert set(turned.unique().tolist()) == {0, 200}
