"""Makes ``flights.csv``: 10,000 flights out of New York in 2013 with the weather of the hour; was each one late?

Run from the root of the repository, with the dependency group ``bench`` installed::

    python -m examples.data.make_flights

The same packages give the same bytes. Origin and licence of the data: ``README.md`` beside this file.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import rdataset

OUT = Path(__file__).parent / "flights.csv"
ROWS = 10_000
LATE_MINUTES = 15  # a flight counts as late when it arrives 15 minutes or more after schedule: the US DOT's own rule
# The ten federal holidays of 2013, 5 U.S.C. 6103.
HOLIDAYS = (
    date(2013, 1, 1),
    date(2013, 1, 21),
    date(2013, 2, 18),
    date(2013, 5, 27),
    date(2013, 7, 4),
    date(2013, 9, 2),
    date(2013, 10, 14),
    date(2013, 11, 11),
    date(2013, 11, 28),
    date(2013, 12, 25),
)
COLUMNS = {
    "departure": "departure",
    "name": "airline",
    "origin": "origin",
    "dest": "destination",
    "distance": "distance_miles",
    "built": "aircraft_built",
    "manufacturer": "aircraft_maker",
    "seats": "aircraft_seats",
    "holiday": "holiday",
    "temp": "temperature_f",
    "humid": "humidity_percent",
    "wind_dir": "wind_direction_degrees",
    "wind_speed": "wind_speed_mph",
    "wind_gust": "wind_gust_mph",
    "precip": "precipitation_inches",
    "pressure": "pressure_mbar",
    "visib": "visibility_miles",
    "late": "late",
}


def flights() -> Any:
    """Return every flight of the year that arrived, joined with airline, aircraft and weather, as a frame."""
    import pandas as pd

    frame = rdataset("nycflights13", "flights")
    frame = frame[frame["arr_delay"].notna()]  # a cancelled or diverted flight has no arrival delay
    planes = rdataset("nycflights13", "planes").rename(columns={"year": "built"})
    weather = rdataset("nycflights13", "weather").drop(columns=["year", "month", "day", "hour"])
    frame = frame.merge(rdataset("nycflights13", "airlines"), on="carrier", validate="many_to_one")
    frame = frame.merge(planes, on="tailnum", how="left", validate="many_to_one")
    # The clock goes back once a year, so the weather has one hour twice: the first record is taken.
    weather = weather.drop_duplicates(["origin", "time_hour"])
    frame = frame.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    day = pd.to_datetime(frame[["year", "month", "day"]])
    clock = frame["hour"].astype(str).str.zfill(2) + ":" + frame["minute"].astype(str).str.zfill(2)
    frame["departure"] = day.dt.strftime("%Y-%m-%d") + " " + clock
    frame["holiday"] = np.where(day.dt.date.isin(HOLIDAYS), "yes", "no")
    frame["late"] = np.where(frame["arr_delay"] >= LATE_MINUTES, "yes", "no")
    whole = {"built": "Int64", "seats": "Int64", "wind_dir": "Int64"}
    return frame.astype(whole).round(
        {"temp": 1, "humid": 1, "wind_speed": 1, "wind_gust": 1, "precip": 2, "pressure": 1}
    )


def main() -> None:
    """Choose the rows, write the file, say how large it is."""
    frame = flights()
    chosen = np.sort(np.random.default_rng(2013).choice(len(frame), ROWS, replace=False))
    frame = frame.iloc[chosen].sort_values(["departure", "origin", "carrier", "flight"], kind="stable")
    frame[list(COLUMNS)].rename(columns=COLUMNS).to_csv(OUT, index=False)
    print(f"{OUT.name}: {ROWS:,} rows, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
