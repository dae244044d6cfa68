"""How far what one version answers to has moved from its training: by window and subset too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError, Drift, LogicalModel, StoreError, Version
from loopcast.monitor.bins import Floats
from loopcast.monitor.counted import (
    chosen_rows,
    columns_of,
    count_rows,
    counting_rows,
    joined,
    on_day_before,
    subsets_of,
)
from loopcast.monitor.drift import (
    Limits,
    Measured,
    Window,
    adjusted,
    drifts,
    exceeding,
    measure,
    measure_pair,
)
from loopcast.monitor.measures import Pair
from loopcast.monitor.performance import Every, period_codes
from loopcast.monitor.reference import (
    MONTHS,
    OUTPUT,
    Reference,
    in_season,
    recent_design,
    take_rows,
)
from loopcast.monitor.sketch import Sketch, concatenated

if TYPE_CHECKING:
    from loopcast.monitor.classifier import Separation

DAY_CHANCE = 1e-4
"""The rate of false alarms about the values of a day."""

DAY_LIMITS = {"missing": 0.05, "outside": 0.05}


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
    """The events of one version, and what they are compared with.

    Attributes
    ----------
    window
        Whose they are, and the span.
    complete
        Midnight in UTC: days before it are over.
    """

    model: LogicalModel
    reference: Reference
    events: pa.Table
    window: Window
    complete: datetime


def drifted(own: Own, limits: Limits, every: Every, *, separate: bool) -> Drifted:
    """Compare the events of a version with its reference.

    Parameters
    ----------
    separate
        Whether to ask the domain classifier, which takes a second or two.
    """
    months = np.bincount(pc.month(own.events["time"]).to_numpy() - 1, minlength=MONTHS)
    season = in_season(own.reference, months.astype(np.float64))
    compared = replace(own, reference=season)
    _, days = _counted(compared, "day")
    design = recent_design(season, days)
    measured, names = _with_subsets(compared, design)
    windows, groups = _counted(compared, every)
    in_windows = measure(season, groups, design)
    numeric = np.isfinite(in_windows.ks)
    separation, untold = _separation(own, design) if separate else (None, "")
    return Drifted(
        measured=measured,
        records=tuple(
            drifts(measured, [replace(own.window, subset=name) for name in names], limits)
        ),
        last_day=_last_day(compared, design),
        windows=windows,
        window_ks=np.where(numeric, in_windows.ks, in_windows.jensen_shannon),
        season=_said(own.reference),
        separation=separation,
        untold=untold,
    )


def _said(reference: Reference) -> str:
    if all(name.startswith(OUTPUT) for name in reference.bins.names):
        return ""
    if len(reference.seasons.counts):
        return "Inputs are compared with the same months of the training."
    return "The training spans no year, so that inputs are compared with all of it in any season."


def _counted(own: Own, every: Every) -> tuple[pd.DatetimeIndex, Sketch]:
    """Return the starts of windows, and a group of counts for each."""
    codes, starts = period_codes(own.events["time"].to_pandas(), every)
    base = chosen_rows(own.events, np.zeros(len(codes), dtype=np.intp), codes)
    return starts, count_rows(own.events, own.model, [own.reference], base, len(starts))


def _with_subsets(own: Own, design: Floats) -> tuple[Measured, tuple[str, ...]]:
    """Measure all rows and each subpopulation; p-values are adjusted over all of them."""
    reference, nothing = own.reference, np.zeros(own.events.num_rows, dtype=np.intp)
    base = chosen_rows(own.events, nothing, nothing)
    subsets = subsets_of(own.events, [reference], base)
    names = ("", *(name for _, name in subsets.names))
    everything = joined([base, replace(subsets.chosen, group=subsets.chosen.group + 1)])
    recent = count_rows(own.events, own.model, [reference], base, len(names), inputs=everything)
    then = concatenated([reference.sketch, reference.subset_sketch])
    both = Pair(
        reference=then,
        recent=recent,
        edges=np.broadcast_to(reference.bins.edges, (len(names), *reference.bins.edges.shape)),
        sizes=(then.size / reference.design, recent.size / design),
    )
    found = measure_pair(reference.bins.names, both, reference.effect, reference.bins.centres)
    return adjusted([found])[0], names


def _last_day(own: Own, design: Floats) -> tuple[Drift, ...]:
    """Return what is missing or strange on the last complete day, far more than by chance."""
    day = replace(own, events=on_day_before(own.events, own.complete))
    if not day.events.num_rows:
        return ()
    _, groups = _counted(day, "day")
    limits = Limits(inputs=DAY_LIMITS, outputs=DAY_LIMITS, significance=DAY_CHANCE)
    window = replace(own.window, start=own.complete - timedelta(days=1), end=own.complete)
    return tuple(exceeding(measure(own.reference, groups, design), [window], limits))


def _separation(own: Own, design: Floats) -> tuple[Separation | None, str]:
    """Ask the domain classifier about the inputs of rows that have some."""
    from loopcast.monitor.classifier import separation

    names = own.reference.bins.names
    inputs = [place for place, name in enumerate(names) if not name.startswith(OUTPUT)]
    if not inputs:
        return None, "the model has no inputs that are logged"
    nothing = np.zeros(own.events.num_rows, dtype=np.intp)
    base = chosen_rows(own.events, nothing, nothing)
    rows = np.flatnonzero(counting_rows(own.events, own.model, [own.reference], base)[0])
    columns = columns_of(own.events, names, own.reference.bins.numeric)
    recent = {names[place]: take_rows(columns[names[place]], rows) for place in inputs}
    try:
        return separation(own.reference, recent, design=float(design[inputs].max())), ""
    except (DataError, StoreError) as error:
        return None, str(error)


def window_of(model: LogicalModel, version: Version, start: datetime, end: datetime) -> Window:
    """Return the window of a version."""
    return Window(
        logical_model=model.name,
        segment=version.segment,
        version=version.id,
        start=start,
        end=end,
    )
