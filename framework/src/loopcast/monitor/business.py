"""Business KPIs of a logical model, day by day, and whether the last days are worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import BusinessKpi, LogicalModel, Release, ScoreSchema, Segment
from loopcast.develop.inference import Estimate, mean_influence, serial_error
from loopcast.monitor.bins import Floats
from loopcast.monitor.counted import used
from loopcast.monitor.counting import hours_of
from loopcast.monitor.kpi import RESULT_COLUMNS
from loopcast.monitor.observed import column, happened, numbers, weights
from loopcast.monitor.performance import change
from loopcast.monitor.summed import known_outcomes
from loopcast.store.event_table import once
from loopcast.store.truth import join

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.store.home import Home

RECENT = 7
BASE = 14
"""The last seven days are compared with the first fourteen after the release."""

CHANCE = 0.01


@dataclass(frozen=True, eq=False, kw_only=True)
class KpiCourse:
    """One business KPI over time.

    Attributes
    ----------
    values : ndarray, shape (days,)
        NaN where nothing is known.
    before, recent
        The registered value, or else the mean of the first days after the release, and that of the
        last seven known days; NaN where they are too few.
    p_value
        Of the hypothesis that both are the same; 1 where it cannot be told.
    """

    name: str
    kpi: BusinessKpi
    values: Floats
    before: float
    recent: float
    p_value: float

    def worse(self, share: float) -> bool:
        """Whether the last days are worse by more than a share, and that is no chance."""
        fall = (
            self.before - self.recent
            if self.kpi.direction == "higher"
            else self.recent - self.before
        )
        return bool(fall > share * abs(self.before)) and self.p_value <= CHANCE


def watched_kpis(
    home: Home,
    model: LogicalModel,
    joined: pa.Table,
    days: pd.DatetimeIndex,
    segments: Sequence[Segment],
) -> dict[Segment, tuple[KpiCourse, ...]]:
    """Compute the business KPIs of segments, with the first days after their releases.

    Parameters
    ----------
    joined
        What served in these days, with its outcomes.
    """
    if not model.watch:
        return {}
    first, end = days[0].date(), (days[-1] + timedelta(days=1)).to_pydatetime()
    history = home.catalog.history(model.name, segments[0] if len(segments) == 1 else None)
    released = dict.fromkeys(segments, first) | base_releases(history, end)
    early = list(first_days(home, model, released, first))
    if early:
        truth = known_outcomes(home, model)
        found = [join(each, truth, task=model.task).select(joined.column_names) for each in early]
        joined = pa.concat_tables([joined, *found])
    return business_kpis(joined, model, days, released)


def business_kpis(
    joined: pa.Table,
    model: LogicalModel,
    days: pd.DatetimeIndex,
    released: Mapping[Segment, date],
) -> dict[Segment, tuple[KpiCourse, ...]]:
    """Compute the business KPIs of each segment.

    Parameters
    ----------
    joined
        Events that served, as :func:`loopcast.store.truth.join` returns them, of these days and of
        the first ones after each release.
    days
        In UTC.
    released
        When the version was released whose first days each segment is compared with.
    """
    if not model.watch or not released:
        return {}
    first = min(days[0], pd.Timestamp(min(released.values()), tz="UTC"))
    all_days = pd.date_range(first, days[-1], freq="D")
    names = pd.Index(sorted(released))
    begun = [(released[name] - first.date()).days for name in names]
    group = pc.index_in(joined["segment"], value_set=pa.array(names)).fill_null(-1).to_numpy()
    day = pc.days_between(pa.scalar(first, joined["time"].type), joined["time"]).to_numpy()
    inside = (group >= 0) & (day >= 0) & (day < len(all_days))
    place = np.where(inside, group.astype(np.intp) * len(all_days) + day, -1)
    daily = {
        name: _daily(
            _values(joined, kpi, model),
            _weight(joined, kpi),
            place,
            kpi,
            len(names) * len(all_days),
        )
        for name, kpi in model.watch.items()
    }
    return {
        segment: tuple(
            _course(name, kpi, daily[name].reshape(len(names), -1)[number, begun[number] :], days)
            for name, kpi in model.watch.items()
        )
        for number, segment in enumerate(names)
    }


def base_releases(history: Iterable[Release], end: datetime) -> dict[Segment, date]:
    """Return when each segment got the champion whose first days later ones are compared with.

    That is the last one which has been there for long enough to tell, else the first.
    """
    long_ago = end - timedelta(days=BASE + RECENT)
    found: dict[Segment, date] = {}
    for release in history:
        if release.stage == "champion" and (
            release.segment not in found or release.since <= long_ago
        ):
            found[release.segment] = release.since.astimezone(UTC).date()
    return found


def first_days(
    home: Home, model: LogicalModel, released: Mapping[Segment, date], until: date
) -> Iterator[pa.Table]:
    """Read what served on the first days after each release, as far as they are before a day."""
    columns = [*RESULT_COLUMNS, *input_columns(model)]
    for day in sorted({day for day in released.values() if day < until}):
        start, _ = hours_of(day)
        end, _ = hours_of(min(day + timedelta(days=BASE), until))
        events = home.events.read(model.name, start, end, columns=columns)
        own = pa.array([segment for segment, since in released.items() if since == day])
        yield once(used(events.filter(pc.is_in(events["segment"], own))))


def input_columns(model: LogicalModel) -> list[str]:
    """Return the columns of events with inputs that outcomes are looked at by, beside outputs.

    Scores are judged by categories among their inputs too, and a KPI may be of an input.
    """
    of_input = any(kpi.of.startswith("input.") for kpi in model.watch.values())
    texts = of_input or isinstance(model.schema, ScoreSchema)
    return ["inputs"] * of_input + ["input_texts"] * texts


def _weight(joined: pa.Table, kpi: BusinessKpi) -> Floats:
    """Return how many events each stands for; where outcomes count, as it was to be labelled."""
    if kpi.of != "outcome":
        return np.asarray(1.0 / joined["inclusion"].to_numpy())
    chosen = joined["labelling"].to_numpy() > 0.0
    found = np.zeros(joined.num_rows)
    found[chosen] = weights(joined.filter(pa.array(chosen)))
    return found


def _values(joined: pa.Table, kpi: BusinessKpi, model: LogicalModel) -> Floats:
    """Return one number for each event, NaN where it is not known."""
    if isinstance(kpi.equal, str):
        return _shares(pc.equal(_texts(joined, kpi.of), kpi.equal))
    if kpi.of == "outcome" and kpi.statistic != "share" and isinstance(model.schema, ScoreSchema):
        known = pc.or_(pc.is_valid(joined["value"]), pc.is_valid(joined["text"])).to_numpy()
        return np.where(known, happened(joined, model.schema), np.nan)
    values = _numbers(joined, kpi.of)
    if kpi.statistic != "share":
        return values
    said = values > kpi.above if kpi.above is not None else values == kpi.equal
    return np.where(np.isfinite(values), said, np.nan)


def _numbers(joined: pa.Table, of: str) -> Floats:
    if of == "outcome":
        return np.asarray(joined["value"].to_pandas(), dtype=np.float64)
    source, _, name = of.partition(".")
    return numbers(joined[f"{source}s"], name)


def _texts(joined: pa.Table, of: str) -> pa.Array | pa.ChunkedArray:
    if of in ("action", "outcome"):
        return joined["action" if of == "action" else "text"]
    source, _, name = of.partition(".")
    return column(joined[f"{source}_texts"], name)


def _shares(said: pa.Array | pa.ChunkedArray) -> Floats:
    return np.asarray(said.cast(pa.float64()).to_pandas(), dtype=np.float64)


def _daily(
    values: Floats, weight: Floats, place: NDArray[np.intp], kpi: BusinessKpi, days: int
) -> Floats:
    """Return the value of each day, NaN where there is none."""
    known = np.isfinite(values) & (place >= 0) & (weight > 0.0)
    weights = np.bincount(place[known], weight[known], minlength=days)
    sums = np.bincount(place[known], (weight * values)[known], minlength=days)
    divisor = weights if kpi.statistic != "sum" else np.ones(days)
    return np.asarray(np.divide(sums, divisor, out=np.full(days, np.nan), where=weights > 0))


def _course(name: str, kpi: BusinessKpi, values: Floats, days: pd.DatetimeIndex) -> KpiCourse:
    """Compare the last days with what was registered, else with the first days."""
    known = values[np.isfinite(values)]
    before, recent, p_value = np.nan, np.nan, 1.0
    if len(known) >= BASE + RECENT:
        first = _mean(known[:BASE])
        agreed = Estimate(value=kpi.registered or 0.0, error=0.0, freedom=1)
        then, now = first if kpi.registered is None else agreed, _mean(known[-RECENT:])
        before, recent = then.value, now.value
        p_value = change(then, now).p_value() or 0.0
    shown = np.full(len(days), np.nan)
    shown[len(days) - len(values[-len(days) :]) :] = values[-len(days) :]
    return KpiCourse(
        name=name, kpi=kpi, values=shown, before=before, recent=recent, p_value=p_value
    )


def _mean(values: Floats) -> Estimate:
    """Return the mean of days that follow each other."""
    error, freedom = serial_error(mean_influence(values, np.ones(len(values))))
    return Estimate(value=float(values.mean()), error=error, freedom=freedom)
