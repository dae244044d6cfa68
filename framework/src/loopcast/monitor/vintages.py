"""Performance on vintages, as their outcomes mature: by month of prediction and months on book.

What happens early is known early, while that nothing happens is known only at the end. So each
vintage is looked at up to the age that all of its cases have reached: of each case, whether the
event has happened by then is known, and none counts before its time. A vintage that has not
reached the end of the window is marked, and compared with what older ones had seen at its age.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import gammaincinv

from loopcast.api import (
    DataError,
    LogicalModel,
    MetricDefinition,
    ScoreOutcome,
    ScoreSchema,
    place_name,
)
from loopcast.develop.fairness.intervals import Interval
from loopcast.develop.score.metrics import auc
from loopcast.monitor.bins import Floats
from loopcast.monitor.counted import used
from loopcast.monitor.observed import answered, happened, numbers, weights
from loopcast.monitor.performance import estimate
from loopcast.store.event_table import once
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home

MONTH = pd.Timedelta(days=365.25 / 12)
"""A month on book."""

AUC = MetricDefinition(
    name="auc", title="AUC", task="score", direction="higher", whole=auc, within=(0.0, 1.0)
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cases:
    """What was scored when, and when the event happened.

    Attributes
    ----------
    made : Series of timestamps, shape (cases,)
    probability, weight : ndarray, shape (cases,)
    months : ndarray, shape (cases,)
        After how many months the event happened; infinite where it has not.
    """

    made: pd.Series[pd.Timestamp]
    probability: Floats
    weight: Floats
    months: Floats


@dataclass(frozen=True, kw_only=True)
class Vintage:
    """The cases of one calendar month.

    Attributes
    ----------
    month
        As ``2026-01``.
    age
        Whole months that all of its cases have been on book, up to the window.
    mature
        Whether that is the whole window.
    shares
        Share of events by 1, 2, … ``age`` months on book.
    said
        Mean probability of the event within the window.
    expected
        Share of events that was to be expected by its age, by what was said and how events of
        older vintages came in; ``None`` where no older one tells.
    ratio
        Share that happened over the one expected, with its 95 % interval.
    auc
        Of events by its age, with its 95 % interval; ``None`` where only one outcome occurred.
    """

    month: str
    cases: int
    age: int
    mature: bool
    shares: tuple[float, ...]
    said: float
    expected: float | None
    ratio: Interval | None
    auc: Interval | None


def vintages(cases: Cases, window: int, now: datetime) -> list[Vintage]:
    """Follow each month's cases up to the age that all of them have reached.

    How events come in is taken from vintages that are older, by the chain ladder. Source: T. Mack
    (1993), Distribution-free calculation of the standard error of chain ladder reserve estimates,
    ASTIN Bulletin 23; the interval of a ratio is that of a Poisson count: F. Garwood (1936),
    Fiducial limits for the Poisson distribution, Biometrika 28.

    Parameters
    ----------
    window
        Months on book within which the event is scored.
    """
    ages = ((pd.Timestamp(now) - cases.made) / MONTH).to_numpy()
    codes, names = pd.factorize(cases.made.dt.strftime("%Y-%m"), sort=True)
    groups = [np.flatnonzero(codes == code) for code in range(len(names))]
    age = [int(np.clip(np.floor(ages[rows].min()), 0, window)) for rows in groups]
    shares = [_shares(cases, rows, months) for rows, months in zip(groups, age, strict=True)]
    weight = np.array([cases.weight[rows].sum() for rows in groups])
    came = _incoming(shares, weight, window)
    return [
        _vintage(cases, str(name), rows, own, came)
        for name, rows, own in zip(names, groups, shares, strict=True)
    ]


def _shares(cases: Cases, rows: NDArray[np.intp], age: int) -> Floats:
    """Return the share of events by each month on book, shape (age,)."""
    by = cases.months[rows][:, None] <= np.arange(1, age + 1)
    return np.asarray(np.average(by, axis=0, weights=cases.weight[rows]))


def _incoming(shares: list[Floats], weight: Floats, window: int) -> Floats:
    """Return which share of the window's events happens by each month, NaN where none tells.

    Shape (window + 1,), from month 0 on.
    """
    factors = np.full(window, np.nan)
    for month in range(1, window):
        seen = [at for at, own in enumerate(shares) if len(own) > month]
        before = sum(weight[at] * shares[at][month - 1] for at in seen)
        after = sum(weight[at] * shares[at][month] for at in seen)
        factors[month] = after / before if before else np.nan
    to_the_end = np.cumprod(factors[:0:-1])[::-1]
    return np.concatenate([[0.0], 1.0 / to_the_end, [1.0]])


def _vintage(
    cases: Cases, name: str, rows: NDArray[np.intp], shares: Floats, came: Floats
) -> Vintage:
    age, weight = len(shares), cases.weight[rows]
    said = float(np.average(cases.probability[rows], weights=weight))
    expected = float(said * came[age])
    known = age > 0 and np.isfinite(expected) and expected > 0.0
    return Vintage(
        month=name,
        cases=len(rows),
        age=age,
        mature=age == len(came) - 1,
        shares=tuple(shares.tolist()),
        said=said,
        expected=expected if known else None,
        ratio=_ratio(float(shares[-1]), expected, weight) if known else None,
        auc=_auc(cases, rows, age) if age else None,
    )


def _ratio(share: float, expected: float, weight: Floats) -> Interval:
    rows = float(weight.sum() ** 2 / (weight @ weight))
    count = share * rows
    low = float(gammaincinv(count, 0.025)) if count else 0.0
    high = float(gammaincinv(count + 1.0, 0.975))
    return Interval(value=share / expected, low=low / rows / expected, high=high / rows / expected)


def _auc(cases: Cases, rows: NDArray[np.intp], age: int) -> Interval | None:
    actual = (cases.months[rows] <= age).astype(np.float64)
    if actual.min() == actual.max():
        return None
    outcome = ScoreOutcome(
        actual=actual, probability=cases.probability[rows], weight=cases.weight[rows]
    )
    found = estimate(outcome, AUC, outcome.weight, np.arange(len(rows)), serial=False)
    low, high = found.interval(0.95, AUC.within) or (np.nan, np.nan)
    return Interval(value=found.value, low=low, high=high)


def vintages_of(
    home: Home, model: LogicalModel, segment: str, window: int, now: datetime
) -> list[Vintage]:
    """Follow what served a segment, from the event log and the ground truth.

    An event counts from when it was observed; what was not chosen to be labelled is left out, and
    so is what went to a person without a score.

    Raises
    ------
    DataError
        Where there are no predictions, or the logical model is no score.
    """
    if not isinstance(model.schema, ScoreSchema):
        raise DataError(f"{model.name} is of the task {model.task}; only scores have vintages")
    events = home.events.read(model.name, segment=segment)
    served = once(used(events))
    joined = join(served.filter(answered(served, model)), home.truth.latest(model.name))
    joined = joined.filter(pc.greater(joined["labelling"], 0.0))
    if not joined.num_rows:
        raise DataError(
            f"{place_name(model.name, segment)} has no predictions to follow; predict first"
        )
    return vintages(_cases(joined, model.schema), window, now)


def _cases(joined: pa.Table, schema: ScoreSchema) -> Cases:
    made = joined["time"].to_pandas()
    took = ((joined["observed"].to_pandas() - made) / MONTH).to_numpy(np.float64)
    return Cases(
        made=made,
        probability=numbers(joined["outputs"], "probability"),
        weight=weights(joined),
        months=np.where(happened(joined, schema) == 1.0, took, np.inf),
    )
