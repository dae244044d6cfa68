"""The contest of a version as a file: scored forecasts of every contender at the finest step."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast.api.formats import npz_bytes, read_npz
from loopcast.develop.forecast.intervals import LEVELS
from loopcast.develop.forecast.train import Contest

SHOWN = (LEVELS.index(0.05), LEVELS.index(0.95))


def contest_bytes(contest: Contest, step: str) -> bytes:
    """Encode what a report draws: actual, mean and 90 % interval of each scored step."""
    labels = list(contest.reconciled)
    first = contest.reconciled[labels[0]][step]
    rows = first.origin >= contest.first_scored
    times = first.times[rows]
    scored = {label: contest.reconciled[label][step] for label in labels}
    quantiles = np.stack([contest.quantiles[label][rows] for label in labels])
    return npz_bytes(
        {
            "contenders": np.array(labels),
            "series": np.array(first.series),
            "zone": np.array(str(times.tz)),
            "times": times.tz_convert("UTC").as_unit("s").asi8,
            "origin": first.origin[rows],
            "slot": first.slot[rows],
            "actual": first.actual[rows],
            "mean": np.stack([p.mean[rows] for p in scored.values()]),
            "low": quantiles[..., SHOWN[0]],
            "high": quantiles[..., SHOWN[1]],
        }
    )


def read_contest(content: bytes, step: str) -> pd.DataFrame:
    """Return one row for each contender, series and scored step.

    Returns
    -------
    DataFrame
        Columns contender, series, step, time (local), lead (steps from the origin), actual,
        mean, low, high.
    """
    arrays = read_npz(content)
    labels, series = arrays["contenders"], arrays["series"]
    zone = str(arrays["zone"])
    times = pd.DatetimeIndex(pd.to_datetime(arrays["times"], unit="s", utc=True)).tz_convert(zone)
    starts = np.flatnonzero(np.diff(arrays["origin"], prepend=-1))
    lead = np.arange(len(times)) - np.repeat(starts, np.diff([*starts, len(times)])) + 1
    width = len(series)
    frames = [
        pd.DataFrame(
            {
                "contender": str(label),
                "series": np.tile(series, len(times)),
                "step": step,
                "time": times.repeat(width),
                "lead": lead.repeat(width),
                "actual": arrays["actual"].ravel(),
                "mean": arrays["mean"][position].ravel(),
                "low": arrays["low"][position].ravel(),
                "high": arrays["high"][position].ravel(),
            }
        )
        for position, label in enumerate(labels)
    ]
    return pd.concat(frames, ignore_index=True)
