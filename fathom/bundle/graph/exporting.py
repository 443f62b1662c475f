"""A network becomes one ONNX graph, from encoded columns to answers."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fathom.bundle.graph.repeating import repeat, with_weights
from fathom.bundle.graph.unrolling import unroll
from fathom.errors import require
from fathom.networks.committee import Committee
from fathom.networks.network import Network
from fathom.shapes import KINDS, outputs_of, row_size

OPSET = 20


class _Answers(nn.Module):
    """The network with its inputs as arguments, in the order of its arrays, and what it tells as a tuple."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.tell(dict(zip(self.network.arrays, inputs, strict=True))).values())


def network_onnx(network: Network | Committee) -> bytes:
    """Return the network as ONNX: inputs named as its arrays, ``(row, …)``; outputs as `fathom.shapes.outputs_of` names them.

    Raises ExtraError without onnxscript.
    """
    return drawn(traced(network.eval()), network)


def traced(network: Network | Committee) -> Any:
    """Return the ONNX model of a network, of a committee that of its first, as torch traces it: nothing is reckoned out yet, and weights have their own names, so that it hangs on the plan alone."""
    one: Any = network if isinstance(network, Network) else network.networks[0]
    program = _program(_Answers(one.eval()), _example(network), list(network.arrays), _outputs(one))
    return program.model_proto


def drawn(model: Any, network: Network | Committee) -> bytes:
    """Return a network as ONNX, from what `traced` returned of one of the same plan and its own weights."""
    every = [network] if isinstance(network, Network) else network.networks
    weights = [{f"network.{name}": weight.numpy() for name, weight in one.state_dict().items()} for one in every]
    if len(weights) == 1:
        return _finished(with_weights(model, weights[0]))
    return _finished(repeat(model, weights, _outputs(network)))


def _example(network: Network | Committee) -> tuple[Tensor, ...]:
    """Return rows of nothing, as the arrays that a network reads."""
    kinds = {shape: torch.from_numpy(np.empty(0, kind)).dtype for shape, kind in KINDS.items()}
    return tuple(torch.zeros(3, *row_size(parts), dtype=kinds[parts[0].shape]) for parts in network.arrays.values())


def _outputs(network: Any) -> list[str]:
    """Return the names of the outputs, of what there may be those that the network tells."""
    with torch.inference_mode():
        found = network.tell(dict(zip(network.arrays, _example(network), strict=True)))
    named = outputs_of([part.column for part in network.plan.targets])
    return [output for output, name in named.items() if name in found]


def body_onnx(body: nn.Module, example: Tensor) -> bytes:
    """Return what reads one array, such as the body of a reader that was taught elsewhere, as ONNX: ``rows`` like those of ``example (row, …)`` to ``made (row, width)``.

    Raises ExtraError without onnxscript.
    """
    return _exported(_Made(body.eval()), (example,), ["rows"], ["made"])


class _Made(nn.Module):
    """A body with its array as the one of several arguments, as the exporter wants them."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (self.body(*inputs),)


def _exported(module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]) -> bytes:
    """Return a module whose arguments are arrays of rows as ONNX, for any number of rows."""
    return _finished(_program(module, example, inputs, outputs).model_proto)


def _program(module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]) -> Any:
    """Return what torch writes of a module, with nothing reckoned out yet: its initializers have the names of the module's weights."""
    require("onnxscript", "train")
    row = torch.export.Dim("row")
    with _quiet(), torch.no_grad():  # as a network answers: what rounds so that it can learn rounds a little otherwise
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=(tuple({0: row} for _ in example),),
            verbose=False,
            optimize=False,
        )
    assert program is not None
    return program


def _finished(model: Any) -> bytes:
    """Return a model with all reckoned out that can be, spiking neurons written out, and nothing in it that tells of the machine that exported it."""
    from onnx_ir import serde

    with _quiet():
        program = torch.onnx.ONNXProgram(serde.deserialize_model(model), None)
        program.optimize()
    model = program.model_proto
    unroll(model)
    model.ClearField("metadata_props")
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        part.ClearField("metadata_props")  # they hold the places of our source files on the machine that exported
        part.ClearField("doc_string")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks, which are for its developers, off the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
