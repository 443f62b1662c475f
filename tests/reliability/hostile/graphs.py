"""Graphs that reach outside, that never end, that are another's: ONNX against our own rules (row C5)."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from fathom.bundle.packing import packed
from tests.reliability.hostile.making import Case, files_of, with_file


def graphs(full: bool) -> Iterator[Case]:
    """What ONNX can say and a bundle may not."""
    original = onnx.load_model_from_string(files_of()["network.onnx"])

    def model(change: Callable[[onnx.ModelProto], None]) -> bytes:
        copy = onnx.ModelProto()
        copy.CopyFrom(original)
        change(copy)
        return copy.SerializeToString()

    def outside(location: str, **more: str) -> Callable[[onnx.ModelProto], None]:
        def change(copy: onnx.ModelProto) -> None:
            tensor = copy.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in {"location": location, **more}.items():
                tensor.external_data.add(key=key, value=value)

        return change

    def node(operator: str, domain: str = "", **attributes: Any) -> Callable[[onnx.ModelProto], None]:
        return lambda copy: copy.graph.node.insert(
            0, helper.make_node(operator, [copy.graph.initializer[0].name], ["new"], domain=domain, **attributes)
        )

    body = helper.make_graph([], "body", [], [])
    changes: dict[str, Callable[[onnx.ModelProto], Any]] = {
        f"external data at {where}": outside(where)
        for where in ("../x", "a/../../x", "/etc/passwd", "link", "folder/link", "/dev/zero", "hard", "x", "")
    }
    changes |= {
        "external data, negative offset": outside("x", offset="-8"),
        "external data of 2^50": outside("x", length=str(2**50)),
        "external data past the end": outside("x", offset=str(2**40)),
        "external data and bytes": lambda copy: copy.graph.initializer[0].external_data.add(key="location", value="x"),
        "external data, injected": outside("x", __class__="os.system"),
        "dims of 2^40": lambda copy: copy.graph.initializer[0].dims.__setitem__(0, 2**40),
        "negative dims": lambda copy: copy.graph.initializer[0].dims.__setitem__(0, -1),
        "dims that overflow": lambda copy: copy.graph.initializer[0].dims.extend([2**62, 4]),
        "a custom domain": node("Evil", "com.evil"),
        "python": node("PyOp", "com.microsoft.extensions", module="os", name="system"),
        "a Microsoft operator": node("FusedMatMul", "com.microsoft"),
        "an unknown operator": node("Evil"),
        "a class for an operator": node("os.system"),
        "If": node("If", then_branch=body, else_branch=body),
        "Loop": node("Loop", body=body),
        "Scan": node("Scan", body=body, num_scan_inputs=1),
        "a graph inside a plain node": node("Relu", body=body),
        "graphs inside a plain node": node("Relu", body=[body, body]),
        "Constant": node("Constant", value=helper.make_tensor("v", 1, [1], [1.0])),
        "ConstantOfShape": node("ConstantOfShape"),
        "Range": node("Range"),
        "Tile": node("Tile"),
        "Resize to 10^12": lambda copy: grown(copy, "Resize", [10**6, 10**6]),
        "StringNormalizer": node("StringNormalizer"),
        "an attribute that it does not have": node("Relu", evil=1),
        "an attribute twice": lambda copy: [
            copy.graph.node[0].attribute.append(helper.make_attribute("axis", 1)) for _ in range(2)
        ],
        "functions": lambda copy: copy.functions.append(
            helper.make_function("evil", "f", [], [], [], [helper.make_opsetid("", 20)])
        ),
        "training": lambda copy: copy.training_info.add(),
        "notes": lambda copy: copy.metadata_props.add(key="x", value="y"),
        "a domain": lambda copy: copy.opset_import.append(helper.make_opsetid("com.evil", 1)),
        "an operator set of 10^6": lambda copy: copy.opset_import.append(helper.make_opsetid("", 10**6)),
        "a file format of 99": lambda copy: setattr(copy, "ir_version", 99),
        "a sparse constant": lambda copy: copy.graph.sparse_initializer.add(),
        "quantisation notes": lambda copy: copy.graph.quantization_annotation.add(tensor_name="x"),
        "text constants": lambda copy: copy.graph.initializer.append(helper.make_tensor("t", 8, [1], [b"x"])),
        "numbers elsewhere": lambda copy: copy.graph.initializer.append(helper.make_tensor("t", 1, [1], [1.0])),
        "a constant twice": lambda copy: copy.graph.initializer.append(copy.graph.initializer[0]),
        "a cycle": lambda copy: copy.graph.node.insert(0, helper.make_node("Relu", ["later"], ["later"])),
        "from nowhere": lambda copy: copy.graph.node.insert(0, helper.make_node("Relu", ["nowhere"], ["new"])),
        "written twice": lambda copy: copy.graph.node.append(copy.graph.node[-1]),
        "a name of no type": lambda copy: copy.graph.input.append(onnx.ValueInfoProto(name="none")),
        "a sequence": lambda copy: copy.graph.input.append(helper.make_tensor_sequence_value_info("s", 1, [1])),
        "a deep type": lambda copy: copy.graph.input.append(deep_type()),
        "an input of 2^40": lambda copy: copy.graph.input.append(helper.make_tensor_value_info("i", 1, [2**40])),
        "an output from nowhere": lambda copy: copy.graph.output.append(helper.make_tensor_value_info("o", 1, [1])),
        "a name of a megabyte": lambda copy: setattr(copy.graph, "name", "x" * 10**6),
        "zero strides": lambda copy: conv(copy, strides=[0, 0]),
        "great pads": lambda copy: conv(copy, pads=[2**30] * 4),
        "great dilations": lambda copy: conv(copy, dilations=[2**40, 1]),
        "Expand to 10^12": lambda copy: grown(copy, "Expand", [10**6, 10**6]),
        "Pad by 10^12": lambda copy: grown(copy, "Pad", [0, 10**6, 0, 10**6]),
        "an outer product": outer,
        "doubled 60 times": doubled,
        "two graphs": lambda copy: None,
        f"{10**6 if full else 10**5:,} nodes": lambda copy: copy.graph.node.extend(
            [helper.make_node("Relu", ["x"], ["y"])] * (10**6 if full else 10**5)
        ),
    }
    for name, change in changes.items():
        content = model(change)
        if name == "two graphs":
            content += b"\x3a\x00"
        yield Case("C5", name, with_file("network.onnx", content))
    good = files_of()["network.onnx"]
    raw = {
        "empty": b"",
        "cut off": good[:-1],
        "cut in half": good[: len(good) // 2],
        "bytes behind": good + b"\xff",
        "a group": b"\x0b" + good,
        "a long number": b"\x08" + b"\xff" * 20 + good,
        "a length past the end": b"\x3a\xff\xff\xff\xff\x0f",
        "a field 0": b"\x00\x01" + good,
        "a pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "a zip": packed(files_of()),
        "a thousand graphs within each other": deep_graph(),
    }
    for name, content in raw.items():
        yield Case("C5", name, with_file("network.onnx", content))
    for name, content in odd_trees():
        yield Case("C5", f"trees: {name}", with_file("baseline.onnx", content))


def deep_type() -> onnx.ValueInfoProto:
    info = onnx.ValueInfoProto(name="deep")
    kind = info.type
    for _ in range(20):
        kind = kind.sequence_type.elem_type
    kind.tensor_type.elem_type = 1
    return info


def deep_graph() -> bytes:
    inner = b""
    for _ in range(1_000):  # attribute g of a node of a graph
        attribute = b"\x32" + length(inner) + inner
        node = b"\x2a" + length(attribute) + attribute
        inner = b"\x0a" + length(node) + node
    return b"\x08\x0a\x3a" + length(inner) + inner


def length(content: bytes) -> bytes:
    size, out = len(content), b""
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size])


def conv(copy: onnx.ModelProto, **attributes: Any) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "k"))
    copy.graph.node.append(helper.make_node("Conv", [copy.graph.input[0].name, "k"], ["conv"], **attributes))


def grown(copy: onnx.ModelProto, operator: str, sizes: list[int]) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.array(sizes), "sizes"))
    copy.graph.node.append(
        helper.make_node(
            operator, [copy.graph.input[0].name, *(["", ""] if operator == "Resize" else []), "sizes"], ["grown"]
        )
    )


def outer(copy: onnx.ModelProto) -> None:
    for name, shape in (("left", (100_000, 1)), ("right", (1, 100_000))):
        copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))
    copy.graph.node.append(helper.make_node("MatMul", ["left", "right"], ["outer"]))


def doubled(copy: onnx.ModelProto) -> None:
    copy.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(8, np.float32), "d0"))
    for step in range(60):
        copy.graph.node.append(helper.make_node("Concat", [f"d{step}", f"d{step}"], [f"d{step + 1}"], axis=0))


def odd_trees() -> Iterator[tuple[str, bytes]]:
    original = onnx.load_model_from_string(files_of("table-trees")["baseline.onnx"])

    def changed_tree(name: str, change: Callable[[Any], None]) -> bytes:
        copy = onnx.ModelProto()
        copy.CopyFrom(original)
        node = next(node for node in copy.graph.node if node.op_type == "TreeEnsemble")
        change(next(attribute for attribute in node.attribute if attribute.name == name))
        return copy.SerializeToString()

    for name, value in itertools.product(
        (
            "nodes_featureids",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "tree_roots",
            "leaf_targetids",
            "nodes_trueleafs",
        ),
        (-1, 10**9, 2**62),
    ):
        yield f"{name} {value}", changed_tree(name, lambda a, value=value: a.ints.__setitem__(0, value))
    node = next(node for node in original.graph.node if node.op_type == "TreeEnsemble")
    leafs = next(attribute.ints for attribute in node.attribute if attribute.name == "nodes_trueleafs")
    last = max(place for place, leaf in enumerate(leafs) if not leaf)
    yield "one split leads back", changed_tree("nodes_truenodeids", lambda a: a.ints.__setitem__(last, 0))
    yield (
        "two splits lead to one",
        changed_tree("nodes_truenodeids", lambda a: a.ints.__setitem__(last, a.ints[list(leafs).index(0)])),
    )
    yield "fewer features", changed_tree("nodes_featureids", lambda a: a.ints.pop())
    yield (
        "fewer leaves",
        changed_tree(
            "leaf_weights", lambda a: (a.t.dims.__setitem__(0, 1), setattr(a.t, "raw_data", a.t.raw_data[:8]))
        ),
    )
    yield "odd questions", changed_tree("nodes_modes", lambda a: setattr(a.t, "raw_data", b"\x63" * len(a.t.raw_data)))
    yield "no targets", changed_tree("n_targets", lambda a: setattr(a, "i", 0))
    yield "10^9 targets", changed_tree("n_targets", lambda a: setattr(a, "i", 10**9))
    yield "odd sum", changed_tree("aggregate_function", lambda a: setattr(a, "i", 77))
