"""Flights as a client writes them."""


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
