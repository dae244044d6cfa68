"""What the arms of bandits have served, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import LogicalModel
from loopcast.iterate.experiments.measures import outcomes
from loopcast.iterate.experiments.told import told_after, until_next
from loopcast.iterate.experiments.units import COLUMNS, arms_of, assigned, units_of
from loopcast.iterate.feedback import SHOWN
from loopcast.store.event_table import once

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

_Moments = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Impressions:
    """What bandits served and what came of it, in the order of time.

    Attributes
    ----------
    population, arm : ndarray, shape (n,)
        Number of the trial, and of the arm within it.
    time : ndarray, shape (n,), datetime64[us]
        In UTC.
    reward, propensity, weight : ndarray, shape (n,)
        The weight is the inverse of the probability that it was logged and labelled.
    entity : ndarray, shape (n,)
        Number of the entity: its impressions depend on each other.
    served : ndarray, shape (trials, arms)
        How many impressions there were, those too whose outcome is not known.
    """

    population: NDArray[np.intp]
    arm: NDArray[np.intp]
    time: NDArray[np.datetime64]
    reward: NDArray[np.float64]
    propensity: NDArray[np.float64]
    weight: NDArray[np.float64]
    entity: NDArray[np.int64]
    served: NDArray[np.int64]


def impressions(trials: Sequence[Trial], home: Home, now: datetime) -> Impressions:
    """Return what the arms of bandits of one logical model have served, with what came of it.

    An outcome belongs to the last impression of its key before it, and not to one that is older
    than ``wait_days``. Impressions that are younger stay out, whatever is known of them: successes
    are often heard of before failures.
    """
    starts, ends = [begun(trial) for trial in trials], [trial.ended or now for trial in trials]
    spans = moments(starts), moments([ripe(trial, now) for trial in trials])
    return served(trials, home, spans, (min(starts), max(ends)))


def moments(values: Sequence[datetime]) -> _Moments:
    """Return moments in UTC, as times of events are: datetime64[us], without a time zone."""
    plain = [value.astimezone(UTC).replace(tzinfo=None) for value in values]
    return np.array(plain, dtype="datetime64[us]")


def begun(trial: Trial) -> datetime:
    """Return when a trial began that did."""
    assert trial.begun is not None
    return trial.begun


def ripe(trial: Trial, now: datetime) -> datetime:
    """Return the moment before which the wait of impressions is over."""
    return min(now - timedelta(days=trial.experiment.wait_days), trial.ended or now)


def served(
    trials: Sequence[Trial],
    home: Home,
    spans: tuple[_Moments, _Moments],
    read: tuple[datetime, datetime | None],
) -> Impressions:
    """Return what was served in the span of each trial.

    Parameters
    ----------
    spans : ndarray, ndarray, shape (trials,), datetime64[us]
        First moment of each trial, and the one after its last.
    read
        The first moment of events and outcomes that are read, and the one after the last: not
        before the wait of the last impressions is over, and ``None`` where it never is.
    """
    model = home.catalog.logical_model(trials[0].experiment.logical_model)
    events = home.events.read(model.name, *read, columns=COLUMNS)
    waits = {trial.experiment.segment: trial.experiment.wait_days for trial in trials}
    seen = pc.is_in(events["segment"], pa.array(list(waits)))
    seen = pc.and_(seen, pc.is_in(events["role"], pa.array(SHOWN)))
    # What came of another's answer, while nothing was left to chance, is no outcome of an arm's.
    events = once(events.filter(seen)).sort_by([("time", "ascending"), ("key", "ascending")])
    wait = events["segment"].to_pandas().map(waits).to_numpy(np.int64)
    history = home.truth.history(model.name, *read)
    events = until_next(events, told_after(events, history, exactly=model.task != "rank"), wait)
    places = {v: (n, arm) for n, t in enumerate(trials) for arm, v in enumerate(t.experiment.arms)}
    events = assigned(events, list(places))
    place = np.array(list(places.values()), dtype=np.intp).reshape(-1, 2)
    return _mature(events, place[arms_of(events, list(places))], trials, spans, model)


def _mature(
    rows: pa.Table,
    place: NDArray[np.intp],
    trials: Sequence[Trial],
    spans: tuple[_Moments, _Moments],
    model: LogicalModel,
) -> Impressions:
    """Keep what was served in the span of each trial and is known, and lay it out."""
    population, arm = place.T
    time, (start, end) = rows["time"].to_numpy(), spans
    inside = (time >= start[population]) & (time < end[population])
    silence = np.array([trial.experiment.silence_counts for trial in trials])[population]
    units = units_of(rows, arm, waited=inside & silence)
    kept = np.flatnonzero(units.known & inside)
    own = units.take(kept)
    who = pd.MultiIndex.from_arrays([population[kept], own.rows["key"].to_pandas()])
    arms = max(len(trial.experiment.arms) for trial in trials)
    cells = np.bincount(population * arms + arm, minlength=len(trials) * arms)
    return Impressions(
        population=population[kept],
        arm=arm[kept],
        time=time[kept],
        reward=outcomes(own, model),
        propensity=own.rows["propensity"].to_numpy(),
        weight=own.weight,
        entity=pd.factorize(who)[0],
        served=cells.reshape(len(trials), arms),
    )
