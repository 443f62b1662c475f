"""The graph of a committee, made from that of one network: each copy has its own weights, what is constant stands once, and the answer is the mean."""

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fathom.bundle.graph.repeating import repeat
from fathom.networks.heads import Head, category, number

ROWS = np.array([[1.0, -2.0], [3.0, 0.5], [0.25, 8.0]], np.float32)


def one() -> ModelProto:
    """Return ``relu(x * weight + shift)``, whose shift is a constant."""
    tensors = {"weight": np.zeros(2, np.float32), "shift": np.array([0.5, 0.25], np.float32)}
    nodes = [
        helper.make_node("Mul", ["x", "weight"], ["scaled"], "scale"),
        helper.make_node("Add", ["scaled", "shift"], ["moved"], "move"),
        helper.make_node("Relu", ["moved"], ["answer_0"], "bend"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["row", 2]) for name in ("x", "answer_0")]
    weights = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "one", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def answers(model: ModelProto) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": ROWS})[0])


def test_the_answer_is_the_mean_of_the_networks() -> None:
    weights = [np.array(pair, np.float32) for pair in ([1, 2], [-3, 0.5], [0, 7])]
    whole = repeat(one(), [{"weight": weight} for weight in weights], ["answer_0"])
    shift = np.array([0.5, 0.25], np.float32)
    expected = np.stack([np.maximum(ROWS * weight + shift, 0) for weight in weights]).mean(axis=0)
    assert np.array_equal(answers(whole), expected)
    assert sorted(tensor.name for tensor in whole.graph.initializer) == [
        "networks.0.weight",
        "networks.1.weight",
        "networks.2.weight",
        "networks.axis",
        "shift",
    ]
    names = [node.name for node in whole.graph.node]
    assert len(set(names)) == len(names)


def test_a_weight_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weight: \(3,\) where the graph has \(2,\)"):
        repeat(one(), [{"weight": np.zeros(3, np.float32)}], ["answer_0"])


@pytest.mark.parametrize("head, classes", [(number, 0), (category, 4)], ids=["numbers", "classes"])
def test_the_spread_is_that_of_the_members_of_all_networks(head: Head, classes: int) -> None:
    """As if all members were those of one network."""
    generator = np.random.default_rng(0)
    shape = (3, 4, max(classes, 1))  # row, member, output
    outputs = [torch.from_numpy(generator.normal(0, 2, shape).astype(np.float32)) for _ in range(3)]
    told = [(head.read_out(output).numpy(), head.spread(output).numpy()) for output in outputs]
    size = ["row", classes] if classes else ["row"]
    ends = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (("x", ["row", 2]), ("answer_0", size), ("spread_0", ["row"]))
    }
    weights = [numpy_helper.from_array(value, name) for name, value in zip(("answer", "spread"), told[0], strict=True)]
    nodes = [helper.make_node("Identity", [name], [f"{name}_0"], f"say_{name}") for name in ("answer", "spread")]
    graph = helper.make_graph(nodes, "one", [ends["x"]], [ends["answer_0"], ends["spread_0"]], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    networks = [dict(zip(("answer", "spread"), one, strict=True)) for one in told]
    session = onnxruntime.InferenceSession(
        repeat(model, networks, ["answer_0", "spread_0"]).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    answer, spread = session.run(None, {"x": ROWS})
    every = torch.cat(outputs, dim=1)
    assert answer == pytest.approx(head.read_out(every).numpy(), rel=1e-5)
    assert spread == pytest.approx(head.spread(every).numpy(), rel=1e-4)
