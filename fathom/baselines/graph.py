"""Writes ONNX: a drawing collects nodes and constants, and fragments are put together into one checked model.

The operator sets are pinned: main set 20 and ``ai.onnx.ml`` 5 (the first with ``TreeEnsemble``, in double and with
set membership), file format 10. Source: https://onnx.ai/onnx/operators/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.contract import Fragment
from fathom.errors import require

MAIN_OPERATORS = 20
TREE_OPERATORS = 5
TREE_DOMAIN = "ai.onnx.ml"
FILE_FORMAT = 10


@dataclass(frozen=True)
class Drawing:
    """Nodes and constants in the order in which they were added; every name starts with ``prefix``.

    >>> drawing = Drawing("price")
    >>> twice = drawing.node("Mul", "features", drawing.constant(np.array(2.0)))
    >>> twice, [initializer.name for initializer in drawing.fragment().initializers]
    ('price/Mul_0', ['price/constant_0'])
    """

    prefix: str
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)

    def constant(self, values: npt.ArrayLike) -> str:
        """Add an array and return its name."""
        name = f"{self.prefix}/constant_{len(self.initializers)}"
        numpy_helper = require("onnx.numpy_helper", "train")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name))
        return name

    def node(
        self,
        operation: str,
        *inputs: str,
        attributes: Mapping[str, Any] | None = None,
        domain: str = "",
        output: str | None = None,
        of: int = 1,
    ) -> str:
        """Add a node and return the name of its last output.

        ``of`` is the number of its outputs. Attributes are numbers, short lists, whole-number arrays, or ``onnx`` tensors.
        """
        onnx = require("onnx", "train")
        name = output or f"{self.prefix}/{operation}_{len(self.nodes)}"
        outputs = [f"{name}/{number}" for number in range(of - 1)] + [name]
        node = onnx.helper.make_node(operation, list(inputs), outputs, domain=domain)
        for key, value in (attributes or {}).items():
            node.attribute.append(
                _whole_numbers(key, value) if isinstance(value, np.ndarray) else onnx.helper.make_attribute(key, value)
            )
        self.nodes.append(node)
        return name

    def repeat(self, source: str, values: npt.NDArray[np.float64], output: str | None = None) -> str:
        """Add nodes that answer each row of ``source`` with the same ``values (1,)`` or ``(1, output)``."""
        rows = self.node("Shape", source, attributes={"start": 0, "end": 1})
        if values.ndim == 2:
            rows = self.node("Concat", rows, self.constant(np.array([1])), attributes={"axis": 0})
        return self.node("Expand", self.constant(values), rows, output=output)

    def link(self, scores: str, classes: int, *, output: str) -> str:
        """Add the last node: probabilities of the ``scores (row, class)``, or the one score ``(row, 1)`` as ``(row,)``."""
        if classes:
            return self.node("Softmax", scores, attributes={"axis": 1}, output=output)
        return self.node("Squeeze", scores, self.constant(np.array([1])), output=output)

    def fragment(self) -> Fragment:
        """Return what was drawn."""
        return Fragment(nodes=tuple(self.nodes), initializers=tuple(self.initializers))


def _whole_numbers(name: str, values: npt.NDArray[Any]) -> Any:
    """Make an attribute of many whole numbers; ``make_attribute`` would look at each of them three times."""
    onnx = require("onnx", "train")
    attribute = onnx.AttributeProto()
    attribute.name = name
    attribute.type = onnx.AttributeProto.INTS
    attribute.ints.extend(values.tolist())
    return attribute


def mean_of(fragments: Sequence[tuple[Fragment, str]], answer: str) -> Fragment:
    """Join fragments, each with the name of its output, into one whose output ``answer`` is the mean of theirs.

    One fragment stays as it is; its output must be called ``answer`` already.
    """
    if len(fragments) == 1:
        return fragments[0][0]
    drawing = Drawing(answer)
    total = drawing.node("Sum", *(output for _, output in fragments))
    drawing.node("Mul", total, drawing.constant(np.array(1.0 / len(fragments))), output=answer)
    mean = drawing.fragment()
    parts = [*(fragment for fragment, _ in fragments), mean]
    return Fragment(
        tuple(node for part in parts for node in part.nodes),
        tuple(initializer for part in parts for initializer in part.initializers),
    )


def onnx_model(fragments: Sequence[tuple[Fragment, str, int]], feature_count: int) -> bytes:
    """Put fragments together into one model, check it, and return it as bytes.

    Each fragment comes with the name of its output and its number of classes (0: scalars). The input is ``features``, double
    ``(row, feature_count)``, NaN where not known; the outputs, double ``(row,)`` or ``(row, class)``, keep the order given.
    Rows may be many, but neighbours hold ``row x 4,000`` numbers at a time: ask for about a thousand rows at once.

    Raises ExtraError when ``onnx`` is not installed.

    >>> from fathom.baselines import constant
    >>> from fathom.baselines.contract import Fitted
    >>> fitted = Fitted("constant", 0, {"answer": np.array([0.5])})
    >>> model = onnx_model([(constant.nodes(fitted, "features", "price"), "price", 0)], feature_count=3)
    >>> import onnxruntime
    >>> onnxruntime.InferenceSession(model).run(None, {"features": np.zeros((2, 3))})[0].tolist()
    [0.5, 0.5]
    """
    onnx = require("onnx", "train")
    helper = onnx.helper
    answers = [answer for _, answer, _ in fragments]
    if len(set(answers)) != len(answers) or "features" in answers:
        raise AssertionError(f"Each fragment needs a name of its own, other than 'features', not {answers}.")
    double = onnx.TensorProto.DOUBLE
    graph = helper.make_graph(
        [node for fragment, _, _ in fragments for node in fragment.nodes],
        "baselines",
        [helper.make_tensor_value_info("features", double, ["row", feature_count])],
        [
            helper.make_tensor_value_info(answer, double, ["row", classes] if classes else ["row"])
            for _, answer, classes in fragments
        ],
        [initializer for fragment, _, _ in fragments for initializer in fragment.initializers],
    )
    operators = [helper.make_opsetid("", MAIN_OPERATORS), helper.make_opsetid(TREE_DOMAIN, TREE_OPERATORS)]
    model = helper.make_model(graph, opset_imports=operators, ir_version=FILE_FORMAT, producer_name="fathom")
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
