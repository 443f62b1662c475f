"""A network's graph in eight bits: weights always; what flows between them not at all (weights), by its range in some rows (static) or as it comes (dynamic).

With weights alone, the graph computes what it did, and no row hangs on another: it is never slower than it was. Look-ups that are pooled are in eight bits whatever flows (`fathom.bundle.graph.lookups`).
Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018 (https://arxiv.org/abs/1712.05877); the work is ONNX Runtime's.
"""

import contextlib
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fathom.bundle.graph.lookups import with_pooled_lookups
from fathom.errors import require

Arrays = Mapping[str, npt.NDArray[Any]]
How = Literal["weights", "static", "dynamic"]
OPERATORS: dict[How, tuple[str, ...]] = {
    "weights": (),
    "static": ("Conv", "MatMul", "Gemm"),
    "dynamic": ("MatMul", "Gemm"),
}
LEAST_TABLE = 1_024  # numbers of what is stored smaller; less is not worth more nodes
SHORTEST_ROW = 8  # numbers with a scale of their own
HIGHEST_HALF = 6e4  # the largest number of sixteen bits is 65,504
CALIBRATION_ROWS = 32  # of a batch


def quantised(graph: bytes, how: How, batches: Sequence[Arrays] = ()) -> bytes:
    """Return a graph with its weights in eight bits.

    ``batches`` of encoded rows say which ranges the numbers between the nodes have, where ``how`` is static.
    Raises ExtraError without ``onnx``.
    """
    onnx = require("onnx", "train")
    library = require("onnxruntime.quantization", "train")
    if how == "weights":
        return _plain(_stored_small(with_pooled_lookups(onnx.load_model_from_string(graph))))
    with tempfile.TemporaryDirectory(prefix="fathom-") as room, _quiet():
        place = Path(room)
        prepared, out = place / "prepared.onnx", place / "out.onnx"
        (place / "in.onnx").write_bytes(graph)
        library.quant_pre_process(
            str(place / "in.onnx"), str(prepared), skip_symbolic_shape=True, skip_optimization=True
        )
        model = onnx.load(str(prepared))
        del model.graph.value_info[:]  # the exporter's shapes and the quantiser's differ in the names of axes
        common = {
            "per_channel": not _has_stacked_weights(model),
            "weight_type": library.QuantType.QInt8,
            "op_types_to_quantize": list(OPERATORS[how]),
        }
        if how == "dynamic":
            library.quantize_dynamic(model, str(out), **common)
        else:
            library.quantize_static(
                model,
                str(out),
                _reader(library, batches),
                activation_type=library.QuantType.QUInt8,
                extra_options={"CalibMovingAverage": True},
                **common,
            )
        return _plain(_stored_small(with_pooled_lookups(onnx.load(str(out)))))


def _has_stacked_weights(model: Any) -> bool:
    """Say whether a matrix product has weights of three axes, as those of an ensemble: ONNX Runtime has no zero point a channel for them."""
    stacked = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) > 2}
    return any(node.op_type == "MatMul" and set(node.input) & stacked for node in model.graph.node)


def _stored_small(model: Any) -> Any:
    """Store what is left in full precision in eight bits, each row with a scale of its own, or in sixteen; ONNX Runtime multiplies it out once, as it opens the graph.

    Edges that numbers are compared with stay as they are: a number beside the edge of a bin would fall into another.
    """
    onnx = require("onnx", "train")
    make, kinds = onnx.helper.make_node, onnx.TensorProto
    compared, scales = _compared(model), _scales(model)
    nodes: list[Any] = []
    stored: list[Any] = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor) if tensor.data_type == kinds.FLOAT else np.zeros(0)
        if (
            values.size < LEAST_TABLE
            or tensor.name in compared
            or math.prod(values.shape[axis] for axis in _row_of(values)) < 4
            or not np.isfinite(values).all()
        ):
            stored.append(tensor)
            continue
        name = tensor.name
        row = _row_of(values)
        scale = np.maximum(np.abs(values).max(axis=row, keepdims=True) / 127, 1e-7).astype(np.float16)
        if values.ndim > 1 and values.size >= SHORTEST_ROW * scale.size and name not in scales:
            codes = np.clip(np.round(values / scale.astype(np.float32)), -127, 127).astype(np.int8)
            stored += [
                onnx.numpy_helper.from_array(codes, f"{name}_int8"),
                onnx.numpy_helper.from_array(scale, f"{name}_rows"),
            ]
            nodes += [
                make("Cast", [f"{name}_int8"], [f"{name}_codes"], to=kinds.FLOAT),
                make("Cast", [f"{name}_rows"], [f"{name}_scale"], to=kinds.FLOAT),
                make("Mul", [f"{name}_codes", f"{name}_scale"], [name]),
            ]
        elif np.abs(values).max() < HIGHEST_HALF:
            stored.append(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            nodes.append(make("Cast", [f"{name}_half"], [name], to=kinds.FLOAT))
        else:
            stored.append(tensor)
    nodes += list(model.graph.node)
    del model.graph.node[:]
    del model.graph.initializer[:]
    read = {name for node in nodes for name in node.input}
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensor for tensor in stored if tensor.name in read)
    return model


def _row_of(values: npt.NDArray[Any]) -> tuple[int, ...]:
    """Return the axes over which one scale holds: the last, of a convolution's filters all but the first."""
    return tuple(range(1, values.ndim)) if values.ndim == 4 else (values.ndim - 1,)


def _compared(model: Any) -> set[str]:
    """Return the names of all that is compared with numbers, and of what that is made of by looking up and laying out."""
    asks = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")
    lays = ("Gather", "Slice", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Cast", "Identity", "Concat")
    found = {name for node in model.graph.node if node.op_type in asks for name in node.input}
    for node in reversed(model.graph.node):
        if node.op_type in lays and set(node.output) & found:
            found |= set(node.input)
    return found


def _scales(model: Any) -> set[str]:
    """Return the names of scales of what is in eight bits already."""
    quantising = ("QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger")
    return {name for node in model.graph.node if node.op_type in quantising for name in node.input[1:]}


def _plain(model: Any) -> bytes:
    """Return a model without notes and without operator sets that it does not use."""
    used = {node.domain for node in model.graph.node}
    kept = [each for each in model.opset_import if each.domain in used or each.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ClearField("metadata_props")
    model.ClearField("functions")
    del model.graph.value_info[:]
    model.graph.ClearField("quantization_annotation")
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    numpy_helper = require("onnx.numpy_helper", "train")
    for index, tensor in enumerate(model.graph.initializer):  # numbers stand as bytes, wherever the library put them
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")
        tensor.ClearField("doc_string")
        if not tensor.HasField("raw_data"):
            model.graph.initializer[index].CopyFrom(
                numpy_helper.from_array(np.array(numpy_helper.to_array(tensor), order="C"), tensor.name)
            )
    _shorten_names(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _shorten_names(model: Any) -> None:
    """Give everything but what goes in and out a name of a few letters: of a small graph, names are a tenth of the bytes."""
    graph = model.graph
    kept = {each.name for each in (*graph.input, *graph.output)} | {""}
    written = [tensor.name for tensor in graph.initializer] + [name for node in graph.node for name in node.output]
    short = {name: f"_{number:x}" for number, name in enumerate(dict.fromkeys(written)) if name not in kept}
    for tensor in graph.initializer:
        tensor.name = short.get(tensor.name, tensor.name)
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [short.get(name, name) for name in names]


def _reader(library: Any, batches: Sequence[Arrays]) -> Any:
    class Reader(library.CalibrationDataReader):  # type: ignore[misc]
        """Hands out the batches one by one, as the library wants them."""

        def __init__(self) -> None:
            self.left: Iterator[Arrays] = iter(batches)

        def get_next(self) -> dict[str, Any] | None:
            """Return the next batch, ``None`` at the end."""
            batch = next(self.left, None)
            return None if batch is None else dict(batch)

    return Reader()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's advice, which is for its developers, off the user's terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
