"""Business KPIs of a logical model, day by day, and whether the last days are worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import BusinessKpi, LogicalModel, ScoreSchema
from loopcast.develop.inference import Estimate, mean_influence, serial_error
from loopcast.monitor.bins import Floats
from loopcast.monitor.observed import column, numbers
from loopcast.monitor.performance import change

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECENT = 7
FEWEST_BEFORE = 14
CHANCE = 0.01


@dataclass(frozen=True, eq=False, kw_only=True)
class KpiCourse:
    """One business KPI over time.

    Attributes
    ----------
    values : ndarray, shape (days,)
        NaN where nothing is known.
    before, recent
        Mean of the days before the last seven known ones, and of these; NaN where they are too few.
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


def business_kpis(
    joined: pa.Table, model: LogicalModel, days: pd.DatetimeIndex
) -> tuple[KpiCourse, ...]:
    """Compute the business KPIs of a logical model.

    Parameters
    ----------
    joined
        Events that served, as :func:`loopcast.store.truth.join` returns them.
    days
        In UTC.
    """
    place = days.get_indexer(pd.DatetimeIndex(joined["time"].to_pandas()).normalize())
    weight = 1.0 / joined["inclusion"].to_numpy()
    return tuple(
        _course(name, kpi, _daily(_values(joined, kpi), weight, place, kpi, len(days)))
        for name, kpi in model.watch.items()
    )


def input_columns(model: LogicalModel) -> list[str]:
    """Return the columns of events with inputs that outcomes are looked at by, beside outputs.

    Scores are judged by categories among their inputs too, and a KPI may be of an input.
    """
    of_input = any(kpi.of.startswith("input.") for kpi in model.watch.values())
    texts = of_input or isinstance(model.schema, ScoreSchema)
    return ["inputs"] * of_input + ["input_texts"] * texts


def _values(joined: pa.Table, kpi: BusinessKpi) -> Floats:
    """Return one number for each event, NaN where it is not known."""
    if isinstance(kpi.equal, str):
        return _shares(pc.equal(_texts(joined, kpi.of), kpi.equal))
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
    known = np.isfinite(values) & (place >= 0)
    weights = np.bincount(place[known], weight[known], minlength=days)
    sums = np.bincount(place[known], (weight * values)[known], minlength=days)
    divisor = weights if kpi.statistic != "sum" else np.ones(days)
    return np.asarray(np.divide(sums, divisor, out=np.full(days, np.nan), where=weights > 0))


def _course(name: str, kpi: BusinessKpi, values: Floats) -> KpiCourse:
    known = values[np.isfinite(values)]
    before, recent, p_value = np.nan, np.nan, 1.0
    if len(known) >= FEWEST_BEFORE + RECENT:
        then, now = _mean(known[:-RECENT]), _mean(known[-RECENT:])
        before, recent = then.value, now.value
        p_value = change(then, now).p_value() or 0.0
    return KpiCourse(
        name=name, kpi=kpi, values=values, before=before, recent=recent, p_value=p_value
    )


def _mean(values: Floats) -> Estimate:
    """Return the mean of days that follow each other."""
    error, freedom = serial_error(mean_influence(values, np.ones(len(values))))
    return Estimate(value=float(values.mean()), error=error, freedom=freedom)
