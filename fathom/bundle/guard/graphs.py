"""An ONNX graph is looked at before ONNX Runtime is: no file beside it, no function, no control flow, no operator but the listed, nothing that is larger than its bytes.

No single checker of ONNX refuses all of these (onnx 1.23.2 lets sizes through that its tensors do not have, onnxruntime 1.31.1 follows hard links and trusts the places that a
tree names), so these rules are narrower than the standard and stand on their own. Source of the fields: onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fathom.bundle.guard import operators, trees
from fathom.bundle.guard.protobuf import BYTES, FIXED32, VARINT, Budget, MalformedError, fields, packed_numbers
from fathom.errors import BundleError

MOST_NODES = 50_000
MOST_AXES = 8
MOST_NUMBERS = 1 << 28  # of a tensor that nodes make of constants alone, which ONNX Runtime does as it opens the graph
MOST_SIZE = 1 << 24  # by which a node may enlarge a tensor
MOST_NAME = 1_000  # bytes
FLOAT, INT, STRING, TENSOR, FLOATS, INTS = 1, 2, 3, 4, 6, 7  # kinds of attributes

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tensor:
    """A constant: its kind, its dimensions, its bytes."""

    name: str
    kind: int
    dims: tuple[int, ...]
    raw: memoryview

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Its numbers, flat, if they say a size or a scale; of another kind, none."""
        kind = {1: "<f4", 6: "<i4", 7: "<i8", 11: "<f8"}.get(self.kind)
        return np.frombuffer(self.raw, kind or "u1").astype(np.float64) if kind else np.zeros(0)


@dataclass(frozen=True)
class Node:
    """An operator with the names of what it reads and writes; an attribute is a number, a text, whole numbers or a Tensor."""

    domain: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass
class Graph:
    """What was found in a graph that keeps the rules."""

    bytes: int = 0
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)  # with their dimensions, 0 where they are free
    outputs: list[str] = field(default_factory=list)

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator stands in the graph, by its name."""
        names = [node.operator for node in self.nodes]
        return {name: names.count(name) for name in sorted(set(names))}


def check(content: bytes, file: str) -> Graph:
    """Return what a graph is made of. Raises BundleError, naming ``file``, unless it keeps the rules."""
    try:
        graph = _model(memoryview(content), Budget())
        graph.bytes = len(content)
        _check_names(graph)
        _check_growth(graph)
        for node in graph.nodes:
            if node.operator == operators.TREES:
                trees.check(node, graph)
    except MalformedError as error:
        raise BundleError(
            f"{file} is not a graph that Fathom writes: {error}. Copy the bundle again, whole; a graph from elsewhere cannot be used.",
            file=file,
        ) from None
    return graph


def _refuse(what: str) -> NoReturn:
    raise MalformedError(what)


def _model(message: memoryview, budget: Budget) -> Graph:
    found: list[Graph] = []
    for number, wire, value in fields(message, budget):
        if number == 7 and wire == BYTES:
            found.append(_graph(value, budget))
        elif number == 8 and wire == BYTES:
            _operator_set(value, budget)
        elif number == 1 and wire == VARINT:
            if not 3 <= _one(value) <= 13:
                _refuse(f"it is of the file format {_one(value)}")
        elif number in (2, 3, 4, 6) and wire == BYTES:
            _text(value)
        elif number == 5 and wire == VARINT:
            pass
        else:
            known = {20: "training steps", 25: "functions of its own", 14: "notes"}
            _refuse(f"it holds {known.get(number, f'a part {number}')}, which no bundle has")
    if len(found) != 1:
        _refuse(f"it holds {len(found)} graphs, where one is expected")
    return found[0]


def _operator_set(message: Any, budget: Budget) -> None:
    domain, version = "", 0
    for number, wire, value in fields(message, budget):
        if number == 1 and wire == BYTES:
            domain = _text(value)
        elif number == 2 and wire == VARINT:
            version = _one(value)
        else:
            _refuse("an operator set is not named as ONNX names one")
    if domain not in operators.DOMAINS or version not in operators.DOMAINS[domain]:
        _refuse(f"it needs the operators {domain[:60]!r} {version}, where ONNX's own are the only ones")


def _graph(message: Any, budget: Budget) -> Graph:
    graph = Graph()
    for number, wire, value in fields(message, budget):
        if wire != BYTES:
            _refuse(f"its graph holds a part {number}, which no bundle has")
        if number == 1:
            if len(graph.nodes) == MOST_NODES:
                _refuse(f"it has more than {MOST_NODES:,} nodes")
            graph.nodes.append(_node(value, budget))
        elif number == 5:
            tensor = _tensor(value, budget)
            if not tensor.name or tensor.name in graph.constants:
                _refuse(f"the constant {tensor.name!r} stands twice or has no name")
            graph.constants[tensor.name] = tensor
        elif number in (11, 12, 13):
            name, dims = _value_info(value, budget)
            if number == 11:
                graph.inputs[name] = dims
            if number == 12:
                graph.outputs.append(name)
        elif number in (2, 10):
            _text(value)
        else:
            _refuse(f"its graph holds a part {number}, which no bundle has")
    return graph


def _node(message: Any, budget: Budget) -> Node:
    inputs, outputs, attributes = [], [], {}
    operator = domain = ""
    for number, wire, value in fields(message, budget):
        if wire != BYTES or number not in (1, 2, 3, 4, 5, 6, 7):
            _refuse(f"a node holds a part {number}, which no bundle has")
        if number == 5:
            name, held = _attribute(value, budget)
            if name in attributes:
                _refuse(f"the attribute {name!r} stands twice on a node")
            attributes[name] = held
            continue
        text = _text(value)
        if number == 1:
            inputs.append(text)
        elif number == 2:
            outputs.append(text)
        elif number == 4:
            operator = text
        elif number == 7:
            domain = text
    allowed = operators.OPERATORS.get((domain, operator))
    if allowed is None:
        _refuse(f"it uses the operator {f'{domain}.{operator}'.lstrip('.')[:80]!r}, which no bundle may")
    for name, held in attributes.items():
        if name not in allowed:
            _refuse(f"the operator {operator!r} has an attribute {name[:60]!r}, which it may not")
        if operator != operators.TREES:
            _check_attribute(operator, name, held)
    return Node(domain, operator, tuple(inputs), tuple(outputs), attributes)


def _check_attribute(operator: str, name: str, held: Any) -> None:
    if isinstance(held, Tensor):
        _refuse(f"the attribute {name!r} of {operator!r} holds an array")
    if isinstance(held, (int, np.ndarray)):
        numbers = np.atleast_1d(np.asarray(held, np.int64))
        least = 1 if name in operators.POSITIVE else -operators.MOST_ATTRIBUTE
        free = name == "end"  # of Shape: the largest number there is
        if len(numbers) > 64 or (((numbers < least).any() or (numbers > operators.MOST_ATTRIBUTE).any()) and not free):
            _refuse(f"the attribute {name!r} of {operator!r} is out of range")


def _attribute(message: Any, budget: Budget) -> tuple[str, Any]:
    name, kind = "", 0
    held: dict[int, Any] = {}
    value: Any
    numbers: list[Ints] = []
    for number, wire, value in fields(message, budget):
        if number in (1, 13) and wire == BYTES:
            text = _text(value)
            name = text if number == 1 else name
        elif number == 20 and wire == VARINT:
            kind = _one(value)
        elif number == 2 and wire == FIXED32:
            held[FLOAT] = float(np.frombuffer(value, "<f4")[0])
        elif number == 3 and wire == VARINT:
            held[INT] = _signed(_one(value))
        elif number == 4 and wire == BYTES:
            held[STRING] = _text(value)
        elif number == 5 and wire == BYTES:
            held[TENSOR] = _tensor(value, budget)
        elif number == 8 and wire in (VARINT, BYTES):
            numbers.append(packed_numbers(value) if wire == BYTES else _many(value))
        elif number == 9 and wire == BYTES:
            held[STRING] = _text(value)
        else:
            inner = {
                6: "a graph inside a node (If, Loop, Scan)",
                11: "graphs inside a node",
                21: "a function's attribute",
            }
            _refuse(f"it has {inner.get(number, f'an attribute with a part {number}')}, which no bundle has")
    if numbers or kind == INTS:
        held[INTS] = np.concatenate([np.zeros(0, np.int64), *numbers])
    if kind == 8 and STRING in held:
        kind = STRING  # the activations of a recurrent network
    if len(held) > 1 or (held and kind not in held) or kind not in (FLOAT, INT, STRING, TENSOR, INTS):
        _refuse(f"the attribute {name[:60]!r} is of the kind {kind}, or holds several")
    return name, held.get(kind, {INT: 0, FLOAT: 0.0, STRING: ""}.get(kind))


def _tensor(message: Any, budget: Budget) -> Tensor:
    name, kind, raw = "", 0, memoryview(b"")
    dims: list[Ints] = []
    for number, wire, value in fields(message, budget):
        if number == 1 and wire in (VARINT, BYTES):
            dims.append(packed_numbers(value) if isinstance(value, memoryview) else _many(value))
        elif number == 2 and wire == VARINT:
            kind = _one(value)
        elif number in (8, 12) and wire == BYTES:
            text = _text(value)
            name = text if number == 8 else name
        elif number == 9 and wire == BYTES and isinstance(value, memoryview):
            raw = value
        else:
            outside = {13: "keeps its numbers in another file", 14: "keeps its numbers in another file"}
            _refuse(f"a constant {outside.get(number, f'holds a part {number}')}, which no bundle does")
    sizes = tuple(int(size) for each in dims for size in each)
    if kind not in operators.KINDS or len(sizes) > MOST_AXES or any(not 0 <= size < 1 << 40 for size in sizes):
        _refuse(f"the constant {name[:60]!r} is of the kind {kind} and the size {sizes[:MOST_AXES]}")
    if prod(sizes) * operators.KINDS[kind] != len(raw):
        _refuse(f"the constant {name[:60]!r} of the size {sizes} has {len(raw):,} bytes")
    return Tensor(name, kind, sizes, raw)


def _value_info(message: Any, budget: Budget) -> tuple[str, tuple[int, ...]]:
    name: str = ""
    dims: tuple[int, ...] | None = None
    for number, wire, value in fields(message, budget):
        if number in (1, 3) and wire == BYTES:
            text = _text(value)
            name = text if number == 1 else name
        elif number == 2 and wire == BYTES:
            dims = _type(value, budget)
        else:
            _refuse(f"a name is described by a part {number}, which no bundle has")
    if dims is None:
        _refuse(f"{name[:60]!r} is of no type")
    return name, dims


def _type(message: Any, budget: Budget) -> tuple[int, ...]:
    """Return the dimensions of an ordinary tensor; sequences, maps and options are refused."""
    dims: list[int] = []
    kinds = 0
    for _, _, tensor in _only(message, budget, {1: BYTES}):
        for part, wire, value in fields(tensor, budget):
            if part == 1 and wire == VARINT:
                kinds += 1
                if _one(value) not in operators.KINDS:
                    _refuse(f"something is of the kind {_one(value)}")
            elif part == 2 and wire == BYTES:
                for _, _, size in _only(value, budget, {1: BYTES}):
                    known = 0
                    for which, how, content in fields(size, budget):
                        if which == 1 and how == VARINT:
                            known = _signed(_one(content))
                        elif which == 2 and how == BYTES:
                            _text(content)
                        else:
                            _refuse("a dimension is not said as ONNX says it")
                    if not 0 <= known < 1 << 32:
                        _refuse(f"something has a dimension of {known:,}")
                    dims.append(known)
            else:
                _refuse("something is no ordinary tensor")
    if len(dims) > MOST_AXES or not kinds:
        _refuse(f"something has {len(dims):,} dimensions, or no kind")
    return tuple(dims)


def _only(message: Any, budget: Budget, allowed: Mapping[int, int]) -> Iterator[tuple[int, int, Any]]:
    for number, wire, value in fields(message, budget):
        if allowed.get(number) != wire:
            _refuse("something is no ordinary tensor")
        yield number, wire, value


def _check_names(graph: Graph) -> None:
    """Every name is written once, before it is read: no cycle, nothing from elsewhere."""
    known = {*graph.constants, *graph.inputs, ""}
    if len(known) != len(graph.constants) + len(graph.inputs) + 1:
        _refuse("an input has the name of a constant")
    for node in graph.nodes:
        for name in node.inputs:
            if name not in known:
                _refuse(f"the operator {node.operator!r} reads {name[:60]!r} before anything has written it")
        for name in filter(None, node.outputs):
            if name in known:
                _refuse(f"{name[:60]!r} is written twice")
            known.add(name)
    for name in graph.outputs:
        if name not in known:
            _refuse(f"nothing writes its output {name[:60]!r}")


def _check_growth(graph: Graph) -> None:
    """What nodes make of constants alone, which ONNX Runtime does at once, stays small, and so does what sizes say."""
    sizes: dict[str, float] = {name: prod(tensor.dims) for name, tensor in graph.constants.items()}
    dims: dict[str, tuple[int, ...]] = {name: tensor.dims for name, tensor in graph.constants.items()}
    for node in graph.nodes:
        grows = 1.0
        for asked in operators.SIZED.get(node.operator, ()):
            said = graph.constants.get(node.inputs[asked]) if len(node.inputs) > asked else None
            if said is not None:
                grows = prod(np.maximum(np.abs(said.values), 1.0).tolist())
                if not grows <= MOST_SIZE:
                    _refuse(f"the operator {node.operator!r} makes something {grows:,.0f} times as large")
        read = [name for name in node.inputs if name]
        if not read or not all(name in sizes for name in read):
            continue
        shapes = [dims[name] for name in read if dims.get(name) is not None]
        try:
            alike = np.broadcast_shapes(*shapes) if len(shapes) == len(read) else None
        except ValueError:
            alike = None
        if node.operator in ("Concat", "Sum"):
            size: float = sum(sizes[name] for name in read)
        elif node.operator in operators.ALIKE:
            size = sizes[read[0]]
            if read[0] in dims:
                dims.update(dict.fromkeys(node.outputs, dims[read[0]]))
        elif node.operator in operators.NO_LARGER:
            size = int(sizes[read[0]] * grows)
        elif node.operator in operators.BROADCAST and alike is not None:
            size = prod(alike)
            dims.update(dict.fromkeys(node.outputs, tuple(alike)))
        else:
            size = int(prod(max(sizes[name], 1) for name in read) * grows)
        if size > MOST_NUMBERS:
            _refuse(f"the operator {node.operator!r} makes {size:,} numbers of constants")
        sizes.update(dict.fromkeys(node.outputs, size))


def _text(value: Any) -> str:
    if len(value) > MOST_NAME:
        _refuse(f"a name has {len(value):,} bytes")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        _refuse("a name is not text")


def _one(value: Any) -> int:
    """Return the number of a field, of several the last, as protobuf has it."""
    return int(value if isinstance(value, int) else value[-1])


def _many(value: Any) -> Ints:
    return np.array([_signed(value)], np.int64) if isinstance(value, int) else value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
