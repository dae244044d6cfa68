"""Counting what bandits served, day by day: once, and again where something came in late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import BanditSettings
from loopcast.iterate.experiments.bandit import discounted
from loopcast.iterate.experiments.impressions import Impressions, begun, moments, served
from loopcast.iterate.experiments.tallies import Tally, tallies_of

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

_AT_ONCE = 14  # days whose events are in memory at once
_DAY = timedelta(days=1)


def settings_of(trial: Trial) -> BanditSettings:
    """Return the settings of a trial that is a bandit."""
    settings = trial.experiment.bandit
    assert settings is not None
    return settings


def counted(trials: Sequence[Trial], home: Home, until: Sequence[datetime]) -> list[Tally]:
    """Return the tallies of all days that have events, in order, and count those that changed.

    What is appended while a day is counted gives its source another name, so that the day is
    counted again the next time.

    Parameters
    ----------
    until
        Of each trial, the moment before which impressions count.
    """
    batch = _Batch(trials=trials, until=moments(until))
    tallies, sources = tallies_of(home), _sources(batch, home)
    found = dict[date, Tally]()
    for day, source in sources.items():
        known = tallies.read(batch.logical_model, day)
        mine = known.of(batch.salts, batch.arms) if known and known.source == source else None
        if mine and batch.has_reached(mine, day):
            found[day] = mine
    for days in _runs([day for day in sources if day not in found], batch.wait):
        new = _count(batch, home, {day: sources[day] for day in days})
        tallies.put(batch.logical_model, new)
        found |= new
    return [found[day] for day in sources]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Batch:
    """Bandits of one logical model, and until when each counts: ndarray of datetime64[us]."""

    trials: Sequence[Trial]
    until: NDArray[np.datetime64]

    @cached_property
    def begun(self) -> NDArray[np.datetime64]:
        return moments([begun(trial) for trial in self.trials])

    @cached_property
    def salts(self) -> tuple[str, ...]:
        return tuple(trial.experiment.salt for trial in self.trials)

    @property
    def logical_model(self) -> str:
        return self.trials[0].experiment.logical_model

    @property
    def arms(self) -> int:
        return max(len(trial.experiment.arms) for trial in self.trials)

    @property
    def wait(self) -> timedelta | None:
        """How long an outcome may take; ``None`` where it may come at any time."""
        waits = [trial.experiment.wait_days for trial in self.trials]
        return timedelta(days=max(waits)) if all(waits) else None

    def reached(self, day: date) -> NDArray[np.datetime64]:
        """Return how far each has come in a day."""
        return np.clip(self.until, np.datetime64(day, "us"), np.datetime64(day + _DAY, "us"))

    def has_reached(self, tally: Tally, day: date) -> bool:
        """Tell whether a tally counts as far as each has come that had begun by then."""
        later = self.begun >= np.datetime64(day + _DAY, "us")
        return bool((later | (tally.until == self.reached(day))).all())


def _sources(batch: _Batch, home: Home) -> dict[date, str]:
    """Name what is known of each day with events: what was logged and told until its wait is over.

    The wait of a day ends with that of its last impression. The schema says what outcomes mean.
    """
    first, last = batch.begun.min().astype("M8[D]").item(), batch.until.max().astype("M8[D]").item()
    logged = home.events.fingerprints(batch.logical_model, first)
    told = home.truth.counts(batch.logical_model)
    schema = home.catalog.logical_model(batch.logical_model).schema

    def name(day: date) -> str:
        end = date.max if batch.wait is None else day + batch.wait
        parts: list[Mapping[date, Any]] = [logged, told]
        known = [sorted((d.isoformat(), n) for d, n in p.items() if day <= d <= end) for p in parts]
        return sha256(repr((schema, known)).encode()).hexdigest()

    return {day: name(day) for day in logged if day <= last}


def _runs(days: Sequence[date], wait: timedelta | None) -> Iterator[list[date]]:
    """Yield the days that are counted in one go: not too many, and next to each other.

    Where an outcome may come at any time, all later events are read anyway: they are one run.
    """
    run = list[date]()
    for day in days:
        if run and wait is not None and (len(run) == _AT_ONCE or day - run[-1] > _DAY):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _count(batch: _Batch, home: Home, sources: Mapping[date, str]) -> dict[date, Tally]:
    """Count days that follow each other."""
    first, last = min(sources), max(sources)
    start, end = _midnight(first), _midnight(last + _DAY)
    inside = np.datetime64(first, "us"), np.datetime64(last + _DAY, "us")
    seen = served(
        batch.trials,
        home,
        (np.clip(batch.begun, *inside), np.clip(batch.until, *inside)),
        (start, None if batch.wait is None else end + batch.wait),
    )
    days = (last - first).days + 1
    outcomes, won, lost = _tallied(batch, seen, first, days)
    return {
        day: Tally(
            source=source,
            bandits=batch.salts,
            until=batch.reached(day),
            outcomes=outcomes[:, (day - first).days],
            successes=won[:, (day - first).days],
            failures=lost[:, (day - first).days],
        )
        for day, source in sources.items()
    }


def _tallied(
    batch: _Batch, seen: Impressions, first: date, days: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return outcomes, successes and failures, each of shape (trials, days, arms)."""
    shape = (len(batch.trials), days, batch.arms)
    cell = seen.population * days + (seen.time - np.datetime64(first)) // np.timedelta64(1, "D")
    forgetting = np.repeat([settings_of(trial).forgetting for trial in batch.trials], days)
    won, lost = discounted(cell, seen.arm, _successes(seen, batch.trials), forgetting, batch.arms)
    outcomes = np.bincount(cell * batch.arms + seen.arm, minlength=np.prod(shape))
    return outcomes.reshape(shape), won.reshape(shape), lost.reshape(shape)


def _successes(seen: Impressions, trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Tell of which impressions came what is welcome."""
    higher = np.array([trial.experiment.direction == "higher" for trial in trials])
    return np.asarray((seen.reward > 0.0) == higher[seen.population], dtype=np.float64)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
