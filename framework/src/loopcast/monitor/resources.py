"""What predictions need to go on: free disk, a log that grows, batches on time, a database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import LoopcastError
from loopcast.develop.moments import in_utc

if TYPE_CHECKING:
    from loopcast.store.home import Home

LOOK_BACK = 14
"""So many days with events show how often batches come."""

RHYTHM = 3
"""On fewer days with events nobody knows how often batches come."""

LATE = 1.5
"""A batch is late after so many times the longest pause."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """One thing that was looked at.

    Attributes
    ----------
    name
        ``database``, ``disk``, ``event log`` or ``last batch``.
    found
        What was found, in a sentence.
    wrong
        Whether somebody should look.
    value
        The number behind it.
    """

    name: str
    found: str
    wrong: bool
    value: float = 0.0


def health(home: Home, logical_model: str, at: datetime, *, free: float) -> tuple[Health, ...]:
    """Look at the disks and the event log of a logical model.

    Parameters
    ----------
    free
        Share of a disk that has to be free.
    """
    return (*_disks(home, free), *_events(home, logical_model, at))


def database(home: Home, logical_model: str) -> Health:
    """Ask the catalog something, and tell how long it took."""
    try:
        home.catalog.segments(logical_model)  # the first question opens the catalog
        started = datetime.now(UTC)
        home.catalog.segments(logical_model)
    except LoopcastError as error:
        return Health(name="database", found=f"{home.catalog_name}: {error}", wrong=True)
    took = (datetime.now(UTC) - started) / timedelta(milliseconds=1)
    return Health(name="database", found=f"answers in {took:.0f} ms", wrong=False, value=took)


def _disks(home: Home, free: float) -> Iterator[Health]:
    """Yield each disk that local stores are on, once."""
    seen = set[int]()
    for url in (str(home.folder), home.artifacts_url, home.events_url):
        folder = next((p for p in (Path(url), *Path(url).parents) if p.exists()), None)
        if "://" in url or folder is None or folder.stat().st_dev in seen:
            continue
        seen.add(folder.stat().st_dev)
        usage = shutil.disk_usage(folder)
        share = usage.free / usage.total
        yield Health(
            name="disk",
            found=f"{usage.free / 1e9:,.1f} GB or {share:.0%} of the disk of {folder} are free",
            wrong=share < free,
            value=share,
        )


def _events(home: Home, logical_model: str, at: datetime) -> Iterator[Health]:
    size = home.events.size(logical_model)
    yield Health(name="event log", found=f"{size / 1e6:,.1f} MB", wrong=False, value=float(size))
    days = [day for day in home.events.days(logical_model) if day <= at.astimezone(UTC).date()]
    if len(days) < RHYTHM:
        return
    start = datetime.combine(days[-LOOK_BACK:][0], time(), UTC)
    moments = home.events.read(logical_model, start, at, columns=["time"])["time"]
    batches = np.sort(np.unique(moments.to_numpy().astype("datetime64[s]")))
    age = in_utc(at) - batches[-1]
    longest = np.diff(batches).max()
    hours = age / np.timedelta64(1, "h")
    usual = longest / np.timedelta64(1, "h")
    yield Health(
        name="last batch",
        found=f"{hours:,.1f} hours ago, where the longest pause was {usual:,.1f} hours",
        wrong=bool(age > LATE * longest),
        value=float(hours),
    )
