"""Performance in the world: metrics of events whose outcome is known, by window and subset.

Rows that were sampled or chosen to be labelled count by the inverse of their probability. What
was labelled without being chosen stays out: nobody knows what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    ForecastSchema,
    LogicalModel,
    MetricDefinition,
    Outcome,
    Rows,
    ScoreOutcome,
    ScoreSchema,
    take,
)
from loopcast.develop.forecast.panel import heads_of, members_of
from loopcast.develop.inference import (
    Estimate,
    block_sums,
    independent_error,
    jackknife_error,
    mean_influence,
    serial_error,
)
from loopcast.develop.metrics import mean_of_rows
from loopcast.monitor.bins import Floats
from loopcast.monitor.observed import (
    answered,
    column,
    lead_days,
    outcome_of,
    weights,
)
from loopcast.monitor.reference import MOST_ATTRIBUTES, MOST_VALUES
from loopcast.store.event_keys import forecast_keys
from loopcast.store.feedback import FEEDBACK

Every = Literal["day", "week", "month"]

SERIES = "series"

_PERIODS: dict[Every, str] = {"day": "D", "week": "W-SUN", "month": "M"}


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One metric of one subset and window.

    Attributes
    ----------
    subset
        ``attribute=value``; empty for all.
    start, end
        The window; the whole span where a metric is about all of it.
    value, low, high
        With its 95 % interval; ``None`` where it is undefined or there is too little to tell.
    predictions
        Number of events.
    labelled
        Those of them that the metric was computed from.
    error, freedom
        Standard error and its degrees of freedom.
    """

    metric: str
    subset: str
    start: datetime
    end: datetime
    value: float | None
    low: float | None
    high: float | None
    predictions: int
    labelled: int
    error: float | None = None
    freedom: int = 0


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What the labels cover.

    Attributes
    ----------
    predictions, labelled
        Number of events, and of those with an outcome that count.
    chosen
        Events that were chosen to be labelled, where not all are.
    volunteered
        Events with an outcome that were not chosen; they do not count.
    """

    predictions: int
    chosen: int
    labelled: int
    volunteered: int

    @property
    def share(self) -> float:
        """Share of the chosen events whose outcome is known."""
        return self.labelled / self.chosen if self.chosen else 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """Events of a logical model, and the outcomes of those that have one.

    Attributes
    ----------
    time : Series, shape (events,)
        When each was made.
    known : ndarray, shape (labelled,)
        Positions of the events that have an outcome and count.
    outcome, segment
        Of the known ones.
    weight, block : ndarray, shape (labelled,)
    attributes
        Subpopulations of all events.
    overall : ndarray, shape (events,)
        Which events overall metrics are about, as in the contest: of a forecast with aggregates
        its top, else all.
    serial
        Whether blocks follow each other in time.
    """

    time: pd.Series[pd.Timestamp]
    known: NDArray[np.intp]
    outcome: Outcome
    segment: NDArray[np.object_]
    weight: Floats
    block: NDArray[np.int64]
    attributes: Mapping[str, pd.Categorical[str]]
    overall: NDArray[np.bool_]
    serial: bool
    coverage: Coverage

    @property
    def only_of_parts(self) -> bool:
        """Whether outcomes are known, and none that overall metrics are about."""
        return bool(len(self.known)) and not self.overall[self.known].any()

    def take(self, rows: Rows) -> Labelled:
        """Return some of the labelled events; what is said of all events stays."""
        return replace(
            self,
            known=self.known[rows],
            outcome=take(self.outcome, rows),
            segment=self.segment[rows],
            weight=self.weight[rows],
            block=self.block[rows],
        )


def labelled_events(joined: pa.Table, model: LogicalModel) -> Labelled:
    """Lay out events that were joined with their outcomes.

    Of a forecast, those of its finest step: the outcomes of longer intervals are theirs summed.
    Events without an answer have no performance, and those whose key cannot be read neither.

    Parameters
    ----------
    joined
        As :func:`loopcast.store.truth.join` returns it, of one role.
    """
    is_forecast = isinstance(model.schema, ForecastSchema)
    joined = joined.filter(answered(joined, model))
    keys = forecast_keys(joined["key"]) if is_forecast else None
    if keys is not None and isinstance(model.schema, ForecastSchema):
        finest = (keys["step"] == model.schema.step).to_numpy()
        joined, keys = joined.filter(pa.array(finest)), keys[finest].reset_index(drop=True)
        overall = of_top(keys, model.schema)
    else:
        overall = np.ones(joined.num_rows, dtype=bool)
    has = pc.or_(pc.is_valid(joined["value"]), pc.is_valid(joined["text"])).to_numpy()
    if model.task == "rank":
        has = has & ~_number_of_feedback(joined)
    chosen = joined["labelling"].to_numpy() > 0.0
    known = np.flatnonzero(has & chosen)
    rows = joined.take(pa.array(known))
    time = joined["time"].to_pandas()
    return Labelled(
        time=time,
        known=known,
        outcome=outcome_of(rows, model),
        segment=rows["segment"].to_numpy(),
        weight=weights(rows),
        block=_blocks(rows["key"], time.iloc[known], serial=is_forecast),
        attributes=_attributes(joined, keys, time) | _categories(joined, model),
        overall=overall,
        serial=is_forecast,
        coverage=Coverage(
            predictions=joined.num_rows,
            chosen=int(chosen.sum()),
            labelled=len(known),
            volunteered=int((has & ~chosen).sum()),
        ),
    )


def of_top(keys: pd.DataFrame, schema: ForecastSchema) -> NDArray[np.bool_]:
    """Tell which keys of a forecast are of its top; all are where nothing sums its series."""
    heads = heads_of(members_of(schema))
    return np.asarray(keys["series"].isin(heads) if heads else np.ones(len(keys), dtype=bool))


def _number_of_feedback(joined: pa.Table) -> NDArray[np.bool_]:
    """Tell which outcomes say of a list whether something came of it, and name no item."""
    told = pc.fill_null(pc.equal(joined["told_by"], FEEDBACK), False)
    return np.asarray(pc.and_(told, pc.is_null(joined["text"])).to_numpy(), dtype=bool)


def _blocks(
    key: pa.ChunkedArray, time: pd.Series[pd.Timestamp], *, serial: bool
) -> NDArray[np.int64]:
    """Return one number for each moment of forecasts, which share an origin, else for each key.

    Whoever is asked about twice has one outcome all the same.
    """
    if not serial:
        return np.asarray(key.combine_chunks().dictionary_encode().indices, dtype=np.int64)
    return np.asarray(pd.factorize(time, sort=True)[0], dtype=np.int64)


def _attributes(
    events: pa.Table, keys: pd.DataFrame | None, time: pd.Series[pd.Timestamp]
) -> dict[str, pd.Categorical[str]]:
    found = {
        name: pd.Categorical(events[name].to_pandas())
        for name in ("segment", "version", "source", "action")
    }
    if keys is not None:
        found[SERIES] = pd.Categorical(keys["series"])
        days = lead_days(keys["start"], time)
        found["lead_days"] = pd.Categorical(days, sorted(np.unique(days), key=int))
    return {name: values for name, values in found.items() if len(values.categories) > 1}


def _categories(events: pa.Table, model: LogicalModel) -> dict[str, pd.Categorical[str]]:
    """Return the logged inputs of a score that are categories of few values, protected ones first.

    None where the events were read without their inputs.
    """
    if not isinstance(model.schema, ScoreSchema) or "input_texts" not in events.column_names:
        return {}
    features = model.schema.features
    wanted = [n for n, f in features.items() if f.kind == "category" and f.used and f.pii is None]
    found = {
        name: pd.Categorical(column(events["input_texts"], name).to_pandas())
        for name in sorted(wanted, key=lambda name: not features[name].protected)
    }
    few = {name: v for name, v in found.items() if 1 < len(v.categories) <= MOST_VALUES}
    return dict(list(few.items())[:MOST_ATTRIBUTES])


def performance(
    labelled: Labelled, metrics: Sequence[MetricDefinition], every: Every = "week"
) -> list[Performance]:
    """Measure each metric overall, by window, and by subpopulation."""
    if not len(labelled.time):
        return []
    subsets = dict(_subsets(labelled, every))
    return [
        _measured(labelled, definition, name, span, rows)
        for definition in metrics
        for (name, span), rows in subsets.items()
    ]


Span = tuple[datetime, datetime]


def _subsets(labelled: Labelled, every: Every) -> Iterator[tuple[tuple[str, Span], Rows]]:
    """Yield positions of events: all, by window, by subpopulation.

    Each series has a line of its own; everything else is of those that overall metrics are about.
    """
    time, overall = labelled.time, labelled.overall
    whole = (time.min().to_pydatetime(), time.max().to_pydatetime() + timedelta(microseconds=1))
    yield ("", whole), np.flatnonzero(overall)
    for name, values in labelled.attributes.items():
        among = overall | (name == SERIES)
        for number, value in enumerate(values.categories):
            yield (f"{name}={value}", whole), np.flatnonzero((values.codes == number) & among)
    codes, starts = period_codes(time, every)
    for number, start in enumerate(starts):
        end = (start.tz_localize(None).to_period(_PERIODS[every]) + 1).start_time
        span = (start.to_pydatetime(), end.tz_localize("UTC").to_pydatetime())
        yield ("", span), np.flatnonzero((codes == number) & overall)


def period_codes(
    time: pd.Series[pd.Timestamp], every: Every
) -> tuple[NDArray[np.intp], pd.DatetimeIndex]:
    """Return the number of each moment's window, and the start of each window in UTC."""
    moments = pd.DatetimeIndex(time).tz_convert("UTC").tz_localize(None)
    codes, windows = pd.factorize(moments.to_period(_PERIODS[every]), sort=True)
    return codes, pd.PeriodIndex(windows).start_time.tz_localize("UTC")


def overall_estimate(labelled: Labelled, definition: MetricDefinition) -> Estimate:
    """Return one metric of the labelled events that overall metrics are about."""
    about = labelled.take(np.flatnonzero(labelled.overall[labelled.known]))
    return estimate(about.outcome, definition, about.weight, about.block, serial=about.serial)


def _measured(
    labelled: Labelled, definition: MetricDefinition, subset: str, span: Span, events: Rows
) -> Performance:
    inside = np.zeros(len(labelled.time), dtype=bool)
    inside[events] = True
    rows = np.flatnonzero(inside[labelled.known])
    found = estimate(
        take(labelled.outcome, rows),
        definition,
        labelled.weight[rows],
        labelled.block[rows],
        serial=labelled.serial,
    )
    known = bool(np.isfinite(found.value))
    interval = found.interval(0.95, definition.within) if known else None
    low, high = interval or (None, None)
    return Performance(
        metric=definition.name,
        subset=subset,
        start=span[0],
        end=span[1],
        value=found.value if known else None,
        low=low,
        high=high,
        predictions=len(events),
        labelled=len(rows),
        error=found.error if known and np.isfinite(found.error) else None,
        freedom=found.freedom,
    )


def estimate(
    outcome: Outcome,
    definition: MetricDefinition,
    weight: Floats,
    block: NDArray[np.int64],
    *,
    serial: bool,
) -> Estimate:
    """Estimate a metric with its error, from rows of unequal weight that depend on each other."""
    if not len(weight):
        return Estimate(value=np.nan, error=np.nan, freedom=0)
    if definition.whole is not None:
        whole = definition.whole
        error, freedom = jackknife_error(
            lambda left: whole(take(outcome, left)),
            block,
            serial=serial,
            kind=outcome.actual if isinstance(outcome, ScoreOutcome) else None,
        )
        return Estimate(value=float(whole(outcome)), error=error, freedom=freedom)
    assert definition.rows is not None
    values = definition.rows(outcome)
    heavy = outcome.weight if isinstance(outcome, ScoreOutcome) else weight
    value = mean_of_rows(values, heavy, root=definition.root)
    if not np.isfinite(value):
        return Estimate(value=np.nan, error=np.nan, freedom=0)
    moved = block_sums(mean_influence(values, heavy, root=definition.root), block)
    error, freedom = serial_error(moved) if serial else independent_error(moved)
    return Estimate(value=value, error=error, freedom=freedom)


def change(then: Estimate, now: Estimate) -> Estimate:
    """Return how far a metric has moved, of independent rows then and now.

    Degrees of freedom by B. L. Welch (1947), Biometrika 34.
    """
    variances = then.error**2, now.error**2
    total = sum(variances)
    parts = [v**2 / max(e.freedom, 1) for v, e in zip(variances, (then, now), strict=True)]
    freedom = int(total**2 / sum(parts)) if total > 0 and np.isfinite(total) else 0
    return Estimate(
        value=now.value - then.value, error=float(np.sqrt(total)), freedom=max(freedom, 1)
    )
