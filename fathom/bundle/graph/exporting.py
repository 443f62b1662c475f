"""A network becomes one ONNX graph, from encoded columns to answers."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fathom.bundle.graph.repeating import repeat
from fathom.bundle.graph.unrolling import unroll
from fathom.errors import require
from fathom.networks.committee import Committee
from fathom.networks.network import Network
from fathom.shapes import KINDS, outputs_of, row_size

OPSET = 20


class _Answers(nn.Module):
    """The network with its inputs as arguments, in the order of its arrays, and what it tells as a tuple."""

    def __init__(self, network: Network | Committee) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.tell(dict(zip(self.network.arrays, inputs, strict=True))).values())


def network_onnx(network: Network | Committee) -> bytes:
    """Return the network as ONNX: inputs named as its arrays, ``(row, …)``; outputs as `fathom.shapes.outputs_of` names them.

    Raises ExtraError without onnxscript.
    """
    network.eval()
    kinds = {shape: torch.from_numpy(np.empty(0, kind)).dtype for shape, kind in KINDS.items()}
    example = tuple(torch.zeros(3, *row_size(parts), dtype=kinds[parts[0].shape]) for parts in network.arrays.values())
    outputs = outputs_of([part.column for part in network.plan.targets])

    def told(one: Network | Committee) -> list[str]:
        with torch.inference_mode():
            found = one.tell(dict(zip(network.arrays, example, strict=True)))
        return [output for output, name in outputs.items() if name in found]

    if isinstance(network, Network):
        return _exported(_Answers(network), example, list(network.arrays), told(network))
    every = [_Answers(one) for one in network.networks]  # type: ignore[arg-type]
    program = _program(every[0], example, list(network.arrays), told(every[0].network))
    weights = [{name: weight.numpy() for name, weight in one.state_dict().items()} for one in every]
    return _finished(repeat(program.model_proto, weights, told(network)))


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
