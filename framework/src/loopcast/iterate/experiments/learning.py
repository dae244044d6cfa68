"""What bandits learn from events and outcomes: nightly, in batches, for all segments at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import BanditSettings, BanditState, LogicalModel, Segment
from loopcast.iterate.experiments.bandit import discounted, shares
from loopcast.iterate.experiments.measures import outcomes
from loopcast.iterate.experiments.units import COLUMNS, SERVED, arms_of, units_of
from loopcast.store.truth import TRUTH_SCHEMA

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

_DAY = 86_400.0  # seconds


@dataclass(frozen=True, eq=False, kw_only=True)
class Impressions:
    """What bandits served and what came of it, in the order of time.

    Attributes
    ----------
    population, arm : ndarray, shape (n,)
        Number of the trial, and of the arm within it.
    reward, propensity, weight : ndarray, shape (n,)
        The weight is the inverse of the probability that it was logged and labelled.
    entity : ndarray, shape (n,)
        Number of the entity: its impressions depend on each other.
    served : ndarray, shape (trials, arms)
        How many impressions there were, those too whose outcome is not known.
    """

    population: NDArray[np.intp]
    arm: NDArray[np.intp]
    reward: NDArray[np.float64]
    propensity: NDArray[np.float64]
    weight: NDArray[np.float64]
    entity: NDArray[np.int64]
    served: NDArray[np.int64]


def learn(trials: Sequence[Trial], home: Home, now: datetime) -> Mapping[Segment, BanditState]:
    """Return what the bandits of one logical model know by now.

    Each goes on from what it knew, with the impressions whose wait is over since; from an empty
    state it comes to the same. Where outcomes came in after they were due, or were corrected, it
    counts from its begin. An outcome above zero is the event: a click, a purchase of any amount, a
    default. It is a success where a higher outcome is better, and a failure where a lower one is.
    """
    if not trials:
        return {}
    known, seen, told = _new(trials, home, now)
    starts = _starts(trials, known)
    until = [max(start, _ripe(trial, now)) for start, trial in zip(starts, trials, strict=True)]
    heard, posteriors = _heard(trials, until, told), _posteriors(trials, known, seen)
    return {
        trial.experiment.segment: BanditState(
            updated=now,
            updates=trial.bandit.updates + 1 if trial.bandit else 1,
            until=until[place],
            successes=posteriors[place][0],
            failures=posteriors[place][1],
            shares=posteriors[place][2],
            heard=heard[place],
        )
        for place, trial in enumerate(trials)
    }


def _new(
    trials: Sequence[Trial], home: Home, now: datetime
) -> tuple[list[BanditState | None], Impressions, pd.DataFrame]:
    """Return what each bandit goes on from, what was served since, and all outcomes."""
    known = [trial.bandit for trial in trials]
    seen, told = _seen(trials, home, now, _starts(trials, known))
    still = _still_true(trials, told)
    if still != known:
        seen, told = _seen(trials, home, now, _starts(trials, still))
    return still, seen, told


def _posteriors(
    trials: Sequence[Trial], known: Sequence[BanditState | None], seen: Impressions
) -> Mapping[int, tuple[tuple[float, ...], ...]]:
    """Return successes, failures and shares of the arms of each trial, by its place."""
    forgetting = np.array([_settings(trial).forgetting for trial in trials])
    success = _successes(seen, trials)
    new = discounted(seen.population, seen.arm, success, forgetting, seen.served.shape[1])
    kept = forgetting ** np.bincount(seen.population, minlength=len(trials))
    found: dict[int, tuple[tuple[float, ...], ...]] = {}
    for (settings, arms), places in _alike(trials).items():
        before = _counts([known[place] for place in places], arms)
        won, lost = (
            kept[places, None] * old + counts[places, :arms]
            for old, counts in zip(before, new, strict=True)
        )
        rows = zip(places, won, lost, shares(won, lost, settings), strict=True)
        found |= {place: tuple(tuple(n.tolist()) for n in numbers) for place, *numbers in rows}
    return found


def _starts(trials: Sequence[Trial], known: Sequence[BanditState | None]) -> list[datetime]:
    """Return from when on each bandit has impressions to count."""
    return [s.until if s else _begun(t) for s, t in zip(known, trials, strict=True)]


def _still_true(trials: Sequence[Trial], told: pd.DataFrame) -> list[BanditState | None]:
    """Return what each bandit knew, where it had heard all that it knows from."""
    known = [trial.bandit for trial in trials]
    heard = _heard(trials, _starts(trials, known), told)
    return [s if s and s.heard == count else None for s, count in zip(known, heard, strict=True)]


def _heard(trials: Sequence[Trial], until: Sequence[datetime], told: pd.DataFrame) -> list[int]:
    """Count the outcomes that may be those of impressions before a moment of each trial."""
    segments = [trial.experiment.segment for trial in trials]
    before = told["segment"].map(pd.Series(until, segments, "datetime64[us, UTC]"))
    wait = told["segment"].map(pd.Series(_waits(trials), segments))
    due = (told["observed"] <= before + pd.to_timedelta(wait, unit="D")) | (wait == 0)
    counts = (due & ~(told["time"] >= before)).groupby(told["segment"]).sum()
    return [int(count) for count in counts.reindex(segments, fill_value=0)]


def _successes(seen: Impressions, trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Tell of which impressions came what is welcome."""
    higher = np.array([trial.experiment.direction == "higher" for trial in trials])
    return np.asarray((seen.reward > 0.0) == higher[seen.population], dtype=np.float64)


def _begun(trial: Trial) -> datetime:
    assert trial.begun is not None
    return trial.begun


def _ripe(trial: Trial, now: datetime) -> datetime:
    """Return the moment before which the wait of impressions is over."""
    return min(now - timedelta(days=trial.experiment.wait_days), trial.ended or now)


def _counts(states: Sequence[BanditState | None], arms: int) -> NDArray[np.float64]:
    """Return what was known before: successes and failures, shape (2, trials, arms)."""
    nothing = ((0.0,) * arms,) * 2
    return np.array(
        [(state.successes, state.failures) if state else nothing for state in states]
    ).transpose(1, 0, 2)


def _settings(trial: Trial) -> BanditSettings:
    settings = trial.experiment.bandit
    assert settings is not None
    return settings


def _alike(trials: Sequence[Trial]) -> Mapping[tuple[BanditSettings, int], list[int]]:
    """Return the places of bandits that learn alike and have as many arms."""
    found: dict[tuple[BanditSettings, int], list[int]] = defaultdict(list)
    for place, trial in enumerate(trials):
        found[_settings(trial), len(trial.experiment.arms)].append(place)
    return found


def impressions(trials: Sequence[Trial], home: Home, now: datetime) -> Impressions:
    """Return what the arms of bandits of one logical model have served, with what came of it.

    An outcome belongs to the last impression of its key before it, and not to one that is older
    than ``wait_days``. Impressions that are younger stay out, whatever is known of them: successes
    are often heard of before failures.
    """
    seen, _ = _seen(trials, home, now, [_begun(trial) for trial in trials])
    return seen


def _seen(
    trials: Sequence[Trial], home: Home, now: datetime, starts: Sequence[datetime]
) -> tuple[Impressions, pd.DataFrame]:
    """Return what was served since the start of each trial, and all outcomes (:func:`_told`)."""
    model = home.catalog.logical_model(trials[0].experiment.logical_model)
    ends = [trial.ended or now for trial in trials]
    events = home.events.read(model.name, min(starts), max(ends), columns=COLUMNS)
    places = {v: (n, arm) for n, t in enumerate(trials) for arm, v in enumerate(t.experiment.arms)}
    assigned = pc.and_(
        pc.is_in(events["role"], pa.array(SERVED)), pc.less(events["propensity"], 1.0)
    )
    ours = pc.and_(assigned, pc.is_in(events["version"], pa.array(list(places))))
    events = events.filter(ours).sort_by([("time", "ascending"), ("key", "ascending")])
    place = np.array(list(places.values()), dtype=np.intp).reshape(-1, 2)
    own = place[arms_of(events, list(places))]
    told = _told(events, home.truth.history(model.name))
    rows = _joined(events, told, _waits(trials)[own[:, 0]])
    spans = [(start, _ripe(t, now)) for start, t in zip(starts, trials, strict=True)]
    return _mature(rows, own, trials, spans, model), told


def _waits(trials: Sequence[Trial]) -> NDArray[np.int64]:
    return np.array([trial.experiment.wait_days for trial in trials])


def _told(events: pa.Table, history: pa.Table) -> pd.DataFrame:
    """Return each outcome with place and time of the last impression of its key before it.

    Those without one have neither.
    """
    known: pd.DataFrame = history.select(
        ["segment", "key", "observed", "value", "text"]
    ).to_pandas()
    if not events.num_rows or known.empty:
        never = pd.Series(pd.NaT, known.index, known["observed"].dtype)
        return known.assign(place=np.nan, time=never)
    asked = pd.DataFrame(
        {
            "segment": events["segment"].to_pandas(),
            "key": events["key"].to_pandas(),
            "time": events["time"].to_pandas(),
            "place": np.arange(events.num_rows),
        }
    )
    found: pd.DataFrame = pd.merge_asof(
        known.sort_values(["observed", "value"], na_position="first"),
        asked.sort_values("time"),
        left_on="observed",
        right_on="time",
        by=["segment", "key"],
    )
    return found


def _joined(events: pa.Table, told: pd.DataFrame, wait: NDArray[np.int64]) -> pa.Table:
    """Give each impression the last outcome of its key until the next one, or its wait is over.

    Of several at the same moment it is the largest, as in the ground truth itself.
    """
    found = told.dropna(subset=["place"])
    place = found["place"].astype(np.int64)
    took = (found["observed"] - found["time"]).dt.total_seconds() / _DAY
    inside = (took <= wait[place]) | (wait[place] == 0)
    own = found.set_index(place)[inside.to_numpy()]
    own = own[~own.index.duplicated(keep="last")].reindex(np.arange(events.num_rows))
    for name in ("value", "text", "observed"):
        field = TRUTH_SCHEMA.field(name)
        column = pa.array(own[name], type=field.type, from_pandas=True)
        events = events.append_column(field, column)
    return events


def _mature(
    rows: pa.Table,
    place: NDArray[np.intp],
    trials: Sequence[Trial],
    spans: Sequence[tuple[datetime, datetime]],
    model: LogicalModel,
) -> Impressions:
    """Keep what was served in the span of each trial and is known, and lay it out."""
    population, arm = place.T
    time = rows["time"].to_pandas()
    start, ripe = (pd.DatetimeIndex([s[end] for s in spans]).tz_convert("UTC") for end in (0, 1))
    inside = ((time >= start[population]) & (time < ripe[population])).to_numpy()
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
        reward=outcomes(own, model),
        propensity=own.rows["propensity"].to_numpy(),
        weight=own.weight,
        entity=pd.factorize(who)[0],
        served=cells.reshape(len(trials), arms),
    )
