"""The closed tables hold what there is, no less and no more."""

from dataclasses import fields

import numpy as np
import pytest

from fathom.bundle.guard import graphs, schema, tensors, vocabulary
from fathom.data.modalities import MODALITIES
from fathom.errors import BundleError
from fathom.networks.encoders import ENCODERS
from fathom.networks.trunks import TRUNKS


def test_the_tables_name_the_networks_that_there_are():
    assert set(vocabulary.TRUNKS) == {trunk.NAME for trunk in TRUNKS}
    assert set(vocabulary.ENCODERS) == {encoder.NAME for encoder in ENCODERS}
    assert set(vocabulary.OPTIONS) == {each.name for member in (*TRUNKS, *ENCODERS) for each in fields(member.Options)}


@pytest.mark.parametrize("kind", MODALITIES, ids=lambda kind: kind.NAME)
def test_the_fields_of_a_column_are_all_checked(kind):
    """No field of what a column learns is of a type that anything fits."""
    from typing import get_type_hints

    hints = get_type_hints(kind.State)
    assert all(schema.of_annotation(hints[each.name]) is not schema.anything for each in fields(kind.State))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (schema.whole(0, 5), [0, 5], [-1, 6, True, 1.0, "1", None]),
        (schema.number(0, 1), [0, 0.5, 1], [2, float("nan"), True, "0"]),
        (schema.one_of(["a", 1]), ["a", 1], ["b", True, None]),
        (schema.label, ["boosted trees"], ["os.system", "../x", "", "a\n", "x" * 99, 3]),
        (
            schema.record({"a": schema.truth}, {"b": schema.truth}),
            [{"a": True}],
            [{}, {"b": True}, {"a": True, "c": 1}, []],
        ),
        (schema.of_annotation(tuple[tuple[float, ...], ...]), [[], [[1.0], []]], [[1.0], "x", [["x"]]]),
        (schema.of_annotation(int | None), [None, 3], [1.5, "3"]),
        (schema.of_annotation(dict[str, int]), [{"a": 1}], [{"a": "x"}, []]),
    ],
)
def test_a_check_lets_in_what_it_says_and_nothing_else(check, good, bad):
    for value in good:
        check(value, "here")
    for value in bad:
        with pytest.raises(BundleError, match=r"^here"):
            check(value, "here")


def test_weights_of_simpler_models_may_have_gaps_where_they_mean_something():
    from safetensors.numpy import save

    tensors.check(save({"0/0/split.threshold": np.array([np.inf]), "0/0/reference": np.array([[np.nan]])}), "w")
    with pytest.raises(BundleError, match=r"^w holds numbers in '0/0/coefficients' that are not finite\. "):
        tensors.check(save({"0/0/coefficients": np.array([np.nan])}), "w")


def test_a_graph_is_said_to_be_what_it_is():
    import onnx
    from onnx import helper

    nodes = [helper.make_node("Add", ["x", "one"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, 1, ["row", 2]) for name in "xy")
    one = onnx.numpy_helper.from_array(np.ones((1, 2), np.float32), "one")
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], [one]), opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    found = graphs.check(model.SerializeToString(), "network.onnx")
    assert (found.operators, found.inputs, found.outputs) == ({"Add": 1}, {"x": (0, 2)}, ["y"])
