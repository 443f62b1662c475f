"""Spiking neurons in a graph: while it is exported they are one node (`fathom.networks.spikes.NEURONS`); here their moments are written out in ONNX's own operators.

A bundle's graph repeats nothing by itself (`fathom.bundle.guard.operators` has no ``Loop`` and no ``Scan``), so each moment has nodes of its own. Were they traced through torch, a network of 64 moments
would take its exporter half a minute of a processor; written here, they take milliseconds.

Voltages are counted in steps of their grid, whole numbers below 2^24, so that nothing is lost by it: the spikes are those of the network, bit for bit.
"""

from typing import Any

import numpy as np

from fathom.networks.spikes import LARGEST, NEURONS, VOLTAGE_GRID

DOMAIN, OPERATOR = NEURONS.split("::")


def unroll(model: Any) -> None:
    """Replace each node that stands for spiking neurons, in place, and take their domain off the model. Raises ValueError where the number of moments is not told."""
    moments = {value.name: _moments(value) for value in (*model.graph.value_info, *model.graph.output)}
    nodes = []
    for node in model.graph.node:
        if (node.domain, node.op_type) == (DOMAIN, OPERATOR):
            nodes += _written_out(model, node, moments.get(node.output[0], 0))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    kept = [entry for entry in model.opset_import if entry.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _moments(value: Any) -> int:
    """Return the length of the second axis, 0 where it is not told."""
    axes = value.type.tensor_type.shape.dim
    return int(axes[1].dim_value) if len(axes) > 1 else 0


def _written_out(model: Any, neurons: Any, moments: int) -> list[Any]:
    """Return the nodes that do what `fathom.networks.spikes.Neurons` does, from the currents ``(row, moment, …)`` to the spikes."""
    from onnx import helper, numpy_helper

    if moments < 1:
        raise ValueError(f"{neurons.name}: the graph does not tell of how many moments its currents are")
    name, currents, spikes = neurons.name, neurons.input[0], neurons.output[0]
    leak = next(attribute.f for attribute in neurons.attribute if attribute.name == "leak")
    constants = {
        "leak": np.float32(leak),
        "one": np.float32(VOLTAGE_GRID),
        "nothing": np.float32(0),
        "lowest": np.float32(-LARGEST * VOLTAGE_GRID),
        "highest": np.float32(LARGEST * VOLTAGE_GRID),
        "moments": np.ones(moments, np.int64),
    }
    named = {key: f"{name}.{key}" for key in constants}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), named[key]) for key, value in constants.items()
    )
    nodes: list[Any] = []

    def step(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        node = helper.make_node(operator, inputs, [f"{name}.{output}"], f"{name}.{output}", **attributes)
        nodes.append(node)
        return str(node.output[0])

    counted = step("Mul", [currents, named["one"]], "counted")
    arriving = [f"{name}.current_{moment}" for moment in range(moments)]
    nodes.append(helper.make_node("Split", [counted, named["moments"]], arriving, f"{name}.split", axis=1))
    voltage, sent = "", []
    for moment, current in enumerate(arriving):
        if voltage:
            left = step("Mul", [voltage, named["leak"]], f"leaked_{moment}")
            left = step("Clip", [left, named["lowest"], named["highest"]], f"held_{moment}")
            left = step("Round", [left], f"left_{moment}")
            current = step("Add", [left, current], f"voltage_{moment}")
        enough = step("GreaterOrEqual", [current, named["one"]], f"enough_{moment}")
        sent.append(step("Where", [enough, named["one"], named["nothing"]], f"sent_{moment}"))
        voltage = step("Sub", [current, sent[-1]], f"after_{moment}")
    nodes.pop()  # nobody asks for the voltage after the last moment
    together = step("Concat", sent, "together", axis=1)
    nodes.append(helper.make_node("Div", [together, named["one"]], [spikes], name))
    return nodes
