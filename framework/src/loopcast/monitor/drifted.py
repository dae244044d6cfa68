"""How far what one version answers to has moved from its training: by window and subset too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.api import DataError, Drift, LogicalModel, StoreError, Version
from loopcast.monitor.bins import Floats
from loopcast.monitor.compare import compare
from loopcast.monitor.counted import chosen_rows, columns_of, counting_rows
from loopcast.monitor.counting import hours_of
from loopcast.monitor.daily import Day
from loopcast.monitor.drift import (
    Limits,
    Measured,
    Window,
    drifts,
    exceeding,
    limits_of_day,
    measure,
)
from loopcast.monitor.performance import Every, period_codes
from loopcast.monitor.reference import MONTHS, OUTPUT, SAMPLE, Reference, in_season
from loopcast.monitor.resemblance import places
from loopcast.monitor.sketch import Sketch, concatenated
from loopcast.monitor.totals import Total, totals

if TYPE_CHECKING:
    from loopcast.monitor.classifier import Separation
    from loopcast.store.home import Home

ENOUGH = 4
"""So many times the rows that a reference keeps are read for the domain classifier."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Drifted:
    """What has drifted.

    Attributes
    ----------
    measured
        Of the whole span, then of each subpopulation.
    records
        Of all of them, those that do not count included.
    last_day
        What is wrong with the values of the last complete day alone.
    windows, window_ks : ndarray, shape (windows, inputs)
        Starts of the windows, and the Kolmogorov–Smirnov statistic of numbers, the
        Jensen–Shannon distance of categories, in each.
    season
        What recent inputs are compared with, in a sentence; empty where there are none.
    separation, untold
        What the domain classifier found; where it cannot tell, why.
    """

    measured: Measured
    records: tuple[Drift, ...]
    last_day: tuple[Drift, ...]
    windows: pd.DatetimeIndex
    window_ks: Floats
    season: str
    separation: Separation | None
    untold: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Own:
    """What was counted of one version, and what it is compared with.

    Attributes
    ----------
    days
        Counted days of its segment within the window, in order.
    window
        Whose they are, and the span.
    complete
        Midnight in UTC: days before it are over.
    """

    reference: Reference
    days: Sequence[tuple[date, Day]]
    window: Window
    complete: datetime

    def total(self, days: Sequence[tuple[date, Day]]) -> Total | None:
        """Add up the version's groups over some days, all rows first; ``None`` without any."""
        if not days:
            return None
        wanted = self.window.version, self.reference.bins.digest
        for each in totals(days, days[0][0], days[-1][0]):
            own = [n for n, g in enumerate(each.groups) if (g.version, g.bins) == wanted]
            if own:
                return each.take(sorted(own, key=lambda n: each.groups[n].subset))
        return None


def drifted(
    own: Own,
    limits: Limits,
    every: Every,
    *,
    day_share: float,
    rows: Callable[[], pa.Table] | None = None,
) -> Drifted | None:
    """Compare the counts of a version with its reference; ``None`` where nothing was counted.

    Parameters
    ----------
    day_share
        From where on missing or strange values of the last complete day count.
    rows
        Reads events of the version with their inputs, for the domain classifier, which takes a
        second or two; it is not asked where this is left out.
    """
    total = own.total(own.days)
    if total is None:
        return None
    months = [day.month - 1 for day in _span(own.days)]
    season = in_season(own.reference, total.rows[0] @ np.eye(MONTHS)[months])
    design = _design(own.reference, total)
    [found] = compare([total], {own.window.version: own.reference}, months)
    windows, sketch = _windows(own, every)
    in_windows = measure(season, sketch, design)
    numeric = np.isfinite(in_windows.ks)
    separation, untold = (None, "") if rows is None else _separation(own, rows(), design)
    return Drifted(
        measured=found.measured,
        records=tuple(
            drifts(
                found.measured,
                [replace(own.window, subset=group.subset) for group in found.groups],
                limits,
            )
        ),
        last_day=_last_day(replace(own, reference=season), design, day_share),
        windows=windows,
        window_ks=np.where(numeric, in_windows.ks, in_windows.jensen_shannon),
        season=_said(own.reference),
        separation=separation,
        untold=untold,
    )


def _span(days: Sequence[tuple[date, Day]]) -> pd.DatetimeIndex:
    return pd.date_range(days[0][0], days[-1][0], freq="D")


def _design(reference: Reference, total: Total) -> Floats:
    """Return the design effect of recent rows, at least that of the reference.

    A few days show too little of how much their rows resemble each other.
    """
    shown = total.design(places(reference.sketch.counts))[0]
    return np.asarray(np.maximum(shown, reference.design))


def _said(reference: Reference) -> str:
    if all(name.startswith(OUTPUT) for name in reference.bins.names):
        return ""
    if len(reference.seasons.counts):
        return "Inputs are compared with the same months of the training."
    return "The training spans no year, so that inputs are compared with all of it in any season."


def _windows(own: Own, every: Every) -> tuple[pd.DatetimeIndex, Sketch]:
    """Return the starts of windows in which there are events, and a group of counts for each."""
    moments = pd.Series(pd.DatetimeIndex([day for day, _ in own.days], tz="UTC"))
    codes, starts = period_codes(moments, every)
    found = [
        own.total([day for day, code in zip(own.days, codes, strict=True) if code == number])
        for number in range(len(starts))
    ]
    there = [number for number, total in enumerate(found) if total is not None]
    sketches = [total.sketch.take([0]) for total in found if total is not None]
    return starts[there], concatenated(sketches)


def _last_day(own: Own, design: Floats, share: float) -> tuple[Drift, ...]:
    """Return what is missing or strange on the last complete day, far more than by chance."""
    start = own.complete - timedelta(days=1)
    total = own.total([each for each in own.days if each[0] == start.date()])
    if total is None:
        return ()
    window = replace(own.window, start=start, end=own.complete)
    measured = measure(own.reference, total.sketch.take([0]), design)
    return tuple(exceeding(measured, [window], limits_of_day(share)))


def _separation(own: Own, events: pa.Table, design: Floats) -> tuple[Separation | None, str]:
    """Ask the domain classifier about the inputs of rows that have some."""
    from loopcast.monitor.classifier import separation

    names = own.reference.bins.names
    inputs = [place for place, name in enumerate(names) if not name.startswith(OUTPUT)]
    if not inputs:
        return None, "the model has no inputs that are logged"
    wanted = [names[place] for place in inputs]
    columns = columns_of(
        events, wanted, sum(place < own.reference.bins.numeric for place in inputs)
    )
    try:
        return separation(own.reference, columns, design=float(design[inputs].max())), ""
    except (DataError, StoreError) as error:
        return None, str(error)


def rows_with_inputs(own: Own, model: LogicalModel, home: Home) -> pa.Table:
    """Read events of a version that have inputs, of all its days or of some all over the span.

    A classifier looks at a sample: a few times as many rows as the reference has are enough.
    """
    columns = ["key", "outputs", "inputs", "input_texts", "inclusion"]
    found = [
        home.events.read(
            model.name,
            *hours_of(day),
            segment=own.window.segment,
            version=own.window.version,
            columns=columns,
        )
        for day in _spread(own)
    ]
    events = pa.concat_tables(found)
    nothing = np.zeros(events.num_rows, dtype=np.intp)
    base = chosen_rows(events, nothing, nothing)
    return events.filter(pa.array(counting_rows(events, model, [own.reference], base)[0]))


def _spread(own: Own) -> list[date]:
    """Return days at even distances that have enough rows together."""
    total = own.total(own.days)
    assert total is not None
    active = _span(own.days)[total.rows[0] > 0]
    every = max(int(total.rows[0].sum() // (ENOUGH * SAMPLE)), 1)
    return [day.date() for day in active[::-1][::every]]


def window_of(model: LogicalModel, version: Version, start: datetime, end: datetime) -> Window:
    """Return the window of a version."""
    return Window(
        logical_model=model.name,
        segment=version.segment,
        version=version.id,
        start=start,
        end=end,
    )
