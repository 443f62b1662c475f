"""Bundles and servers that the tests of the service and of what it survives share; tests/conftest.py takes them in."""

import numpy as np
import pytest

import fathom
from fathom.baselines import constant, linear
from tests.service.flights import as_json
from tests.service.running import running


@pytest.fixture(scope="session")
def late_bundle(late_network, tmp_path_factory):
    """A network that says whether a flight is late."""
    return late_network.save(tmp_path_factory.mktemp("served") / "late")


@pytest.fixture(scope="session")
def late(late_bundle):
    """A server of that network."""
    with running({"late": late_bundle}) as found:
        yield found


@pytest.fixture(scope="session")
def rows(flights):
    """Flights as JSON has them, without the target."""
    return as_json(flights)


@pytest.fixture(scope="session")
def two_bundles(tmp_path_factory):
    """Two models of the same columns that always say something else, and their versions."""
    folder = tmp_path_factory.mktemp("two")
    bundles = []
    for name in ("A", "B"):
        rows = {"x": np.sqrt(np.arange(80.0)), "says": [name if place % 10 else "other" for place in range(80)]}
        model = fathom.fit(rows, "says", keep="baseline", effort="quick", baselines=(constant, linear))
        bundles.append(model.save(folder / name))
    return bundles
