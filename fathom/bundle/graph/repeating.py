"""A graph and its weights: that of one network is traced once, filled with other weights of its plan, and for a committee repeated with those of each, with the mean of their answers and how far all members are apart.

To trace a network of a few dozen nodes and translate it takes torch's exporter a second, and the networks of a committee differ in their weights alone. So the first is traced, before
anything in its graph is reckoned out, so that every weight still stands there under its own name; what does not hang on weights is joined again when the whole is tidied up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = Mapping[str, npt.NDArray[Any]]

ANSWER, SPREAD = "answer_", "spread_"  # before the number of a target (`fathom.shapes.outputs_of`)
LEAST = 1e-30  # probability, whose logarithm is taken: that of `fathom.networks.heads.category`
MEMBER = "networks."  # before the name of everything that belongs to one network, and its number


def with_weights(model: Any, weights: Weights) -> Any:
    """Return the ONNX model of a network with these weights in place of those that it was traced with, which have the same names. Raises ValueError where one is of another shape."""
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(_weight(tensor, weights[tensor.name], tensor.name))
    return model


def repeat(model: Any, networks: Sequence[Weights], answers: Sequence[str]) -> Any:
    """Return the ONNX model of a committee, from that of one network whose initializers have the names of its weights.

    ``networks`` hold the weights of each network by these names; initializers that are in none are constants, the same in all. ``answers`` are the outputs, of which the mean is taken; a spread is how far the members of all networks are apart (`spread_of_many` of the heads).
    Raises ValueError where a weight is of another shape than in the graph.

    >>> from onnx import TensorProto, helper, numpy_helper
    >>> tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["row", 2])
    >>> weight = numpy_helper.from_array(np.zeros(2, np.float32), "weight")
    >>> graph = helper.make_graph([helper.make_node("Add", ["x", "weight"], ["y"])], "one", [tensor("x")], [tensor("y")], [weight])
    >>> both = repeat(helper.make_model(graph), [{"weight": np.ones(2, np.float32)}, {"weight": np.zeros(2, np.float32)}], ["y"])
    >>> [node.op_type for node in both.graph.node], [each.name for each in both.graph.initializer][:2]
    (['Add', 'Add', 'Unsqueeze', 'Unsqueeze', 'Concat', 'ReduceMean'], ['networks.0.weight', 'networks.1.weight'])
    """
    import onnx
    from onnx import helper, numpy_helper

    one = model.graph
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for field in ("node", "initializer", "value_info"):
        whole.graph.ClearField(field)
    for number, weights in enumerate(networks):
        own = {tensor.name: f"{MEMBER}{number}.{tensor.name}" for tensor in one.initializer if tensor.name in weights}
        own |= {name: f"{MEMBER}{number}.{name}" for node in one.node for name in node.output if name}
        for tensor in one.initializer:
            if tensor.name in weights:
                whole.graph.initializer.append(_weight(tensor, weights[tensor.name], own[tensor.name]))
            elif not number:
                whole.graph.initializer.append(tensor)
        for node in one.node:
            copy = whole.graph.node.add()
            copy.CopyFrom(node)
            copy.name = f"{MEMBER}{number}.{node.name}"
            copy.ClearField("input")
            copy.input.extend(own.get(name, name) for name in node.input)
            copy.ClearField("output")
            copy.output.extend(own.get(name, name) for name in node.output)
        for value in (*one.value_info, *one.output):
            if value.name in own:
                whole.graph.value_info.add().CopyFrom(value)
                whole.graph.value_info[-1].name = own[value.name]
    first = numpy_helper.from_array(np.zeros(1, np.int64), f"{MEMBER}axis")
    whole.graph.initializer.append(first)
    for answer in answers:
        each = [f"{MEMBER}{number}.{answer}" for number in range(len(networks))]
        stood = [f"{name}.of_many" for name in each]
        for name, output in zip(each, stood, strict=True):
            whole.graph.node.append(helper.make_node("Unsqueeze", [name, first.name], [output], output))
        whole.graph.node.append(helper.make_node("Concat", stood, [f"{answer}.of_many"], f"{answer}.of_many", axis=0))
        if not answer.startswith(SPREAD):
            mean = helper.make_node(
                "ReduceMean", [f"{answer}.of_many", first.name], [answer], f"{answer}.mean", keepdims=0
            )
            whole.graph.node.append(mean)
    ranks = {output.name: len(output.type.tensor_type.shape.dim) for output in one.output}
    for spread in [name for name in answers if name.startswith(SPREAD)]:
        answer = ANSWER + spread.removeprefix(SPREAD)
        nodes, constants = (_of_numbers if ranks[answer] == 1 else _of_classes)(spread, answer, first.name)
        whole.graph.node.extend(nodes)
        whole.graph.initializer.extend(constants)
    return whole


def _of_numbers(spread: str, answer: str, first: str) -> tuple[list[Any], list[Any]]:
    """Return the nodes of `fathom.networks.heads.number.spread_of_many`, and their constants."""
    steps = [
        ("Sub", [f"{answer}.of_many", answer], "off"),
        ("Mul", [f"{spread}.off"] * 2, "squares"),
        ("Mul", [f"{spread}.of_many"] * 2, "within"),
        ("Add", [f"{spread}.squares", f"{spread}.within"], "whole"),
        ("ReduceMean", [f"{spread}.whole", first], "mean"),
        ("Sqrt", [f"{spread}.mean"], ""),
    ]
    return _nodes(spread, steps), []


def _of_classes(spread: str, answer: str, first: str) -> tuple[list[Any], list[Any]]:
    """Return the nodes of `fathom.networks.heads.category.spread_of_many`, and their constants."""
    from onnx import numpy_helper

    values: dict[str, npt.NDArray[Any]] = {
        "least": np.array(LEAST, np.float32),
        "last": np.array([-1], np.int64),
        "nothing": np.array(0, np.float32),
    }
    constants = [numpy_helper.from_array(value, f"{spread}.{name}") for name, value in values.items()]
    steps = [
        ("Max", [answer, f"{spread}.least"], "together"),
        ("Log", [f"{spread}.together"], "together_log"),
        ("Max", [f"{answer}.of_many", f"{spread}.least"], "chances"),
        ("Log", [f"{spread}.chances"], "log"),
        ("Sub", [f"{spread}.log", f"{spread}.together_log"], "apart"),
        ("Mul", [f"{answer}.of_many", f"{spread}.apart"], "told"),
        ("ReduceSum", [f"{spread}.told", f"{spread}.last"], "sum"),
        ("ReduceMean", [f"{spread}.sum", first], "mean"),
        ("Max", [f"{spread}.mean", f"{spread}.nothing"], "between"),
        ("ReduceMean", [f"{spread}.of_many", first], "within"),
        ("Add", [f"{spread}.within", f"{spread}.between"], ""),
    ]
    return _nodes(spread, steps), constants


def _nodes(output: str, steps: Sequence[tuple[str, Sequence[str], str]]) -> list[Any]:
    """Return a node for each operator, its inputs, and the name of what it makes after that of the output; the last makes the output itself."""
    from onnx import helper

    made = []
    for operator, inputs, name in steps:
        own = f"{output}.{name}" if name else output
        attributes: dict[str, Any] = {"keepdims": 0} if operator.startswith("Reduce") else {}
        made.append(helper.make_node(operator, inputs, [own], own, **attributes))
    return made


def _weight(place: Any, value: npt.NDArray[Any], name: str) -> Any:
    """Return a weight as the tensor that takes the place of another."""
    from onnx import numpy_helper

    if list(value.shape) != list(place.dims):
        raise ValueError(f"{place.name}: {value.shape} where the graph has {tuple(place.dims)}")
    return numpy_helper.from_array(np.ascontiguousarray(value), name)
