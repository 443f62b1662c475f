"""What a probe, a map and an exciting row say of layers whose contents are known."""

import numpy as np
import pytest

from fathom.evidence import layers

RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.integers(0, 3, 300)
NOISE = RANDOM.normal(size=(300, 5))
TELLING = np.column_stack([NOISE, np.eye(3)[TRUTH] + 0.1 * RANDOM.normal(size=(300, 3))])


def test_a_probe_reads_what_a_layer_holds_and_no_more():
    blind, knowing = layers.probes({"first": NOISE, "last": TELLING}, TRUTH, 3)
    assert (blind["stage"], blind["units"], blind["metric"]) == ("first", 5, "accuracy")
    assert blind["low"] < 1 / 3 + 0.1 and blind["high"] > 1 / 3 - 0.1
    assert knowing["value"] > 0.95 > blind["high"]


def test_a_number_is_probed_by_the_share_of_its_variance():
    number = NOISE[:, 0] * 2 + 5
    blind, knowing = layers.probes({"first": NOISE[:, 1:], "last": NOISE}, number, 0)
    assert knowing["metric"] == "r2"
    assert knowing["value"] > 0.99
    assert blind["value"] < 0.1


def test_what_a_layer_merely_remembers_of_a_row_does_not_help_its_probe():
    memory = np.eye(
        300
    )  # every row has an output of its own: a probe scored on the rows it was fitted on would be right
    assert layers.probes({"memory": memory}, TRUTH, 3)[0]["value"] < 0.5


def test_a_few_rows_are_not_probed():
    assert layers.probes({"last": TELLING[:30]}, TRUTH[:30], 3) == []


def test_rows_of_one_class_lie_together_on_the_map():
    places = layers.together(10 * TELLING[:, 5:])
    middles = np.stack([places[code == TRUTH].mean(0) for code in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(1)
    assert (nearest == TRUTH).mean() > 0.95
    assert np.abs(places).max() == pytest.approx(1)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_map_has_two_directions_whatever_the_layer_has(width):
    assert layers.together(NOISE[:, :width]).shape == (300, 2)


def test_the_units_that_tell_classes_apart_come_first_with_the_rows_that_excite_them():
    found = layers.exciting(TELLING, TRUTH, 3)
    assert {unit["unit"] for unit in found[:3]} == {5, 6, 7}
    for unit in found[:3]:
        assert set(TRUTH[unit["rows"]]) == {unit["unit"] - 5}
