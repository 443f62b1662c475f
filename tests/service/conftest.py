"""Servers that several tests ask."""

import pytest

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


def as_json(table):
    """Return the rows of a table of text as JSON has them: numbers as numbers, empty cells as null."""
    numbers = {
        "distance_miles",
        "aircraft_built",
        "aircraft_seats",
        "temperature_f",
        "humidity_percent",
        "wind_direction_degrees",
        "wind_speed_mph",
        "wind_gust_mph",
        "precipitation_inches",
        "pressure_mbar",
        "visibility_miles",
    }
    found = []
    for row in table.to_pylist():
        row = {name: cell or None for name, cell in row.items() if name != "late"}
        found.append({name: float(cell) if cell and name in numbers else cell for name, cell in row.items()})
    return found
