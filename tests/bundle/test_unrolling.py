"""Spiking neurons, written out in a graph, send the spikes that the network sends."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from fathom.bundle.graph.unrolling import DOMAIN, OPERATOR, unroll
from fathom.bundle.guard import graphs
from fathom.networks.spikes import Neurons

LEAK = 0.8  # no power of two: what is left has to be rounded


def standing_for_neurons(moments):
    """A graph as the exporter leaves it: one node, of a domain that no runtime knows."""
    node = helper.make_node(OPERATOR, ["currents"], ["spikes"], "neurons", domain=DOMAIN, leak=LEAK)
    currents = helper.make_tensor_value_info("currents", TensorProto.FLOAT, ["row", moments, 3])
    spikes = helper.make_tensor_value_info("spikes", TensorProto.FLOAT, ["row", moments, 3])
    sets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(
        helper.make_graph([node], "neurons", [currents], [spikes]), opset_imports=sets, ir_version=10
    )


@pytest.mark.parametrize("moments", [1, 64])
def test_the_spikes_are_those_of_the_network_to_the_last_one(moments):
    model = standing_for_neurons(moments)
    unroll(model)
    graph = model.SerializeToString()
    graphs.check(graph, "network.onnx")  # nothing that strangers' graphs may not hold, no domain of our own
    grid = np.random.default_rng(0).integers(-3_000, 9_000, (50, moments, 3)) / 4_096
    currents = np.concatenate([grid, 40.0 * grid]).astype(np.float32)  # some drive the voltage to its limits
    (sent,) = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {"currents": currents})
    with torch.no_grad():
        expected = Neurons(LEAK)(torch.from_numpy(currents)).numpy()
    assert np.array_equal(sent, expected)
    assert 0 < expected.mean() < 1


def test_neurons_of_who_knows_how_many_moments_cannot_be_written_out():
    with pytest.raises(ValueError, match="neurons: the graph does not tell of how many moments"):
        unroll(standing_for_neurons("moment"))
