"""Look-ups of a graph in eight bits whose vectors are averaged over the steps of a row, or of which the largest is taken: no vector is written out in full precision.

A bag of words looks up some hundred vectors for a row and makes two of them; what that takes is moving the vectors. With one scale for each number of a vector, sums and maxima of codes are
sums and maxima of numbers: codes are looked up, added as integers and compared as bytes, and only the two results are multiplied out. That is exact but for the rounding of the table. The same idea at work in
recommenders: Guan et al., "Post-Training 4-bit Quantization on Embedding Tables", 2019 (https://arxiv.org/abs/1911.02079), who scale each row of a table, so that its codes cannot be added as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.errors import require

ZERO = 128  # the code of 0; code 0 itself is lower than that of any number and stands for "no step"
HIGHEST = 127


@dataclass(frozen=True)
class Pooled:
    """A look-up whose vectors are only summed or maximised over steps: its node ``looked_up``, the nodes ``masked`` that blank padding, the sums and maxima ``gathered``, and the name of the array that says which steps are ``known``."""

    looked_up: Any
    masked: Sequence[Any]
    gathered: Sequence[Any]
    known: str


def with_pooled_lookups(model: Any) -> Any:
    """Return a model (an ``onnx`` one, changed in its place) whose pooled look-ups are in eight bits; all others are left as they are."""
    onnx = require("onnx", "train")
    for number, found in enumerate(_pooled(model, onnx)):
        _rewrite(model, found, f"lookup_{number}", onnx)
    return model


def _pooled(model: Any, onnx: Any) -> list[Pooled]:
    """Return the look-ups whose every vector is blanked where the code is 0, and then summed or maximised over steps."""
    made = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    answers = {each.name for each in model.graph.output}
    found = []
    for node in model.graph.node:
        table = values.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or len(readers[table.name]) > 1 or node.output[0] in answers:
            continue
        masked = readers.get(node.output[0], [])
        gathered = [reader for mask in masked for reader in readers.get(mask.output[0], [])]
        known = {_known_steps(mask, node, made, values, onnx) for mask in masked}
        sums = all(reader.op_type in ("ReduceSum", "ReduceMax") for reader in gathered)
        once = len(gathered) == len(masked) > 0 and all(_over_steps(reader, values, onnx) for reader in gathered)
        if sums and once and len(known) == 1 and (name := known.pop()) is not None:
            found.append(Pooled(node, masked, gathered, name))
    return found


def _known_steps(
    mask: Any, looked_up: Any, made: Mapping[str, Any], values: Mapping[str, Any], onnx: Any
) -> str | None:
    """Return what says which steps are there, ``(row, step)``, where a node blanks all steps of a look-up whose code is 0, else ``None``."""
    if mask.op_type != "Where" or mask.input[1] != looked_up.output[0] or mask.input[2] not in values:
        return None
    wide = made.get(mask.input[0])
    there = made.get(wide.input[0]) if wide is not None and wide.op_type == "Unsqueeze" else None
    same = made.get(there.input[0]) if there is not None and there.op_type == "Not" else None
    if there is None or same is None or same.op_type != "Equal" or same.input[0] != looked_up.input[1]:
        return None
    nothing = values.get(same.input[1])
    if nothing is None or np.any(onnx.numpy_helper.to_array(nothing)):
        return None
    return str(there.output[0])


def _over_steps(node: Any, values: Mapping[str, Any], onnx: Any) -> bool:
    """Say whether a node gathers over the steps, axis 1, and leaves no axis behind."""
    axes = values.get(node.input[1]) if len(node.input) > 1 else None
    keeps = next((each.i for each in node.attribute if each.name == "keepdims"), 1)
    return axes is not None and onnx.numpy_helper.to_array(axes).reshape(-1).tolist() == [1] and not keeps


def _codes(table: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return a table's codes, the first row, of what is no step, all 0, and the scale of each of its columns."""
    scale = (np.maximum(np.abs(table).max(axis=0), 1e-7) / HIGHEST).astype(np.float32)
    codes = (np.clip(np.round(table / scale), -HIGHEST, HIGHEST) + ZERO).astype(np.uint8)
    codes[0] = 0
    return codes, scale


def _rewrite(model: Any, found: Pooled, name: str, onnx: Any) -> None:
    make, kinds, graph = onnx.helper.make_node, onnx.TensorProto, model.graph
    table = next(tensor for tensor in graph.initializer if tensor.name == found.looked_up.input[0])
    codes, scale = _codes(onnx.numpy_helper.to_array(table))
    constants = {
        "table": codes,
        "scale": scale,
        "zero": np.array(ZERO, np.uint8),
        "lower": np.array(ZERO, np.float32),
        "steps": np.array([1], np.int64),
    }
    graph.initializer.remove(table)
    graph.initializer.extend(onnx.numpy_helper.from_array(value, f"{name}/{key}") for key, value in constants.items())
    looked_up = make("Gather", [f"{name}/table", found.looked_up.input[1]], [f"{name}/codes"])
    new: dict[int, list[Any]] = {id(mask): [] for mask in found.masked}
    new[id(found.looked_up)] = [looked_up]
    for number, node in enumerate(found.gathered):
        own, answer = f"{name}/{number}", node.output[0]
        if node.op_type == "ReduceMax":
            new[id(node)] = [
                make("ReduceMax", [looked_up.output[0], f"{name}/steps"], [f"{own}/highest"], keepdims=0),
                make("Cast", [f"{own}/highest"], [f"{own}/whole"], to=kinds.FLOAT),
                make("Sub", [f"{own}/whole", f"{name}/lower"], [f"{own}/number"]),
            ]
        else:  # (row, 1, step) x (row, step, width): what is no step counts for nothing
            new[id(node)] = [
                make("Cast", [found.known], [f"{own}/there"], to=kinds.UINT8),
                make("Unsqueeze", [f"{own}/there", f"{name}/steps"], [f"{own}/row"]),
                make("MatMulInteger", [f"{own}/row", looked_up.output[0], "", f"{name}/zero"], [f"{own}/sums"]),
                make("Squeeze", [f"{own}/sums", f"{name}/steps"], [f"{own}/sum"]),
                make("Cast", [f"{own}/sum"], [f"{own}/number"], to=kinds.FLOAT),
            ]
        new[id(node)].append(make("Mul", [f"{own}/number", f"{name}/scale"], [answer]))
    nodes = [each for node in graph.node for each in new.get(id(node), [node])]
    del graph.node[:]
    graph.node.extend(nodes)
