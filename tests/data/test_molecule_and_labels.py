"""Molecules are read by their marks, labels as sets."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import labels, molecule
from fathom.errors import OptionError

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C"


def test_marks_of_several_characters_are_one_step() -> None:
    state = molecule.learn(pa.array(["[C@@H](Cl)Br", "C%12CC%12"] * 9))
    rows = molecule.encode(state, pa.array(["[C@@H](Cl)Br", "ClC", "[Xx]%12"]))
    assert (rows != 0).sum(1).tolist() == [5, 2, 2]
    assert rows[2, 0] == molecule.UNKNOWN and rows[2, 1] > 1


def test_what_simpler_models_see_of_a_molecule() -> None:
    state = molecule.learn(pa.array([ASPIRIN, CAFFEINE] * 9))
    made = molecule.features(state, pa.array([ASPIRIN, CAFFEINE, None]))
    seen = {name: made.matrix[:2, place].tolist() for place, name in enumerate(made.names)}
    assert seen["atoms"] == [13.0, 14.0] and seen["double bonds"] == [2.0, 2.0] and seen["ring marks"] == [2.0, 4.0]
    assert np.isnan(made.matrix[2]).all()


def test_words_and_numbers_are_no_molecules() -> None:
    for values in (["soon", "no", "icon"] * 20, [str(number) for number in range(60)], ["C1", "B2", "P3"] * 20):
        assert molecule.claim(pa.array(values)).confidence < 0.5


def test_a_set_is_the_same_in_any_order_and_named_twice() -> None:
    state = labels.learn(pa.array(["red;blue", "green", "blue; green"] * 9))
    rows = labels.encode(state, pa.array(["red; blue", "blue;red;red", "red", ";", "violet", None]))
    assert np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[0], rows[2])
    assert rows[3].tolist() == rows[4].tolist() == [labels.UNKNOWN, *[0] * (state.steps - 1)]
    assert not rows[5].any()


def test_lists_of_words_are_sets_too() -> None:
    values = pa.array([["red", "blue"], ["green"], [], None] * 9)
    state = labels.learn(values)
    assert labels.encode(state, values)[:4].any(1).tolist() == [True, True, False, False]
    assert labels.claim(values).confidence > 0.8
    assert labels.missing(values)[:4].tolist() == [False, False, True, True]
    assert labels.show(state, ["red", "blue"]) == "red, blue"
    assert labels.corrupt(values, 5, 0).type == pa.list_(pa.large_string())
    made = labels.features(state, values)
    assert made.names[0] == "labels" and made.matrix[0].tolist()[0] == 2.0


def test_names_with_a_comma_are_no_sets() -> None:
    people = pa.array([f"Name{number}, Given{number * 7}" for number in range(200)])
    assert labels.claim(people).confidence < 0.3


@pytest.mark.parametrize("kind", [labels, molecule])
def test_neither_can_be_predicted(kind) -> None:
    with pytest.raises(OptionError, match="cannot be predicted"):
        kind.decode(kind.learn(kind.sample(50, 0)), np.zeros((1, 3)))
