"""A second process draws the very graph that the fit would draw, and where it cannot the fit hears so at once."""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import fathom
from fathom.bundle.graph import drawing
from fathom.bundle.graph.exporting import network_onnx
from fathom.bundle.loading import network_weights
from fathom.networks.committee import built
from fathom.networks.network import NetworkPlan
from fathom.shapes import Part

PLAN = NetworkPlan(
    tuple(Part(f"x{number}", "value", "scalar", knots=(-1.0, 0.0, 1.0)) for number in range(400)),  # more than a pipe holds
    (Part("y", "value", "scalar"),),
    networks=2,
    margins=True,
)  # fmt: skip


@pytest.fixture
def draughtsman():
    one = drawing.Draughtsman()
    yield one
    one.end()


def test_the_graph_is_that_of_the_exporter_byte_by_byte(draughtsman) -> None:
    draughtsman.begin(PLAN.to_json())
    network = built(PLAN).eval()
    assert draughtsman.graph(PLAN.to_json(), network_weights(network)) == network_onnx(network)


def test_another_plan_than_was_begun_is_not_drawn(draughtsman) -> None:
    draughtsman.begin(PLAN.to_json())
    assert draughtsman.graph(replace(PLAN, width=8).to_json(), b"") is None


def test_a_process_that_died_draws_nothing(draughtsman) -> None:
    draughtsman.begin(PLAN.to_json())
    draughtsman.process.kill()
    assert draughtsman.graph(PLAN.to_json(), network_weights(built(PLAN))) is None


@pytest.mark.parametrize(("others", "cores", "loaded"), [(0, 1, False), (1, 2, False), (0, 2, True)])
def test_none_is_called_where_no_core_is_free_or_torch_is_there(monkeypatch, others, cores, loaded) -> None:
    monkeypatch.setattr(drawing, "busy", lambda: others)
    if not loaded:
        monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(drawing, "Draughtsman", lambda: pytest.fail("was called"))
    with drawing.beside(cores) as one:
        assert one is None


def test_one_that_is_called_ends_with_the_fit(monkeypatch) -> None:
    monkeypatch.setattr(drawing, "busy", lambda: 0)
    monkeypatch.delitem(sys.modules, "torch")
    with drawing.beside(cores=2) as one:
        assert one is not None and one.process.poll() is None
    assert one.process.poll() is not None


def test_a_fit_tells_the_plan_that_its_network_then_has(monkeypatch) -> None:
    class Listener:
        def begin(self, plan: Mapping[str, Any]) -> None:
            self.told = plan

        def graph(self, plan: Mapping[str, Any], weights: bytes) -> None:
            self.asked = plan

    listener = Listener()
    monkeypatch.setattr(drawing, "beside", lambda cores: contextlib.nullcontext(listener))
    rows = {"x": [x / 8 for x in range(200)], "y": [3.0 * (x % 7) + 0.25 * x for x in range(200)]}
    fathom.fit(rows, target="y", effort="quick", epochs=1)
    assert listener.told == listener.asked
