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
from loopcast.store.truth import TRUTH_SCHEMA, join

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
    state it comes to the same. An outcome above zero is a success: a click, or a purchase of any
    amount.
    """
    if not trials:
        return {}
    since = [trial.bandit.until if trial.bandit else _begun(trial) for trial in trials]
    seen = impressions(trials, home, now, since=since)
    happened = (seen.reward > 0.0).astype(np.float64)
    forgetting = np.array([_settings(trial).forgetting for trial in trials])
    new = discounted(seen.population, seen.arm, happened, forgetting, seen.served.shape[1])
    kept = forgetting ** np.bincount(seen.population, minlength=len(trials))
    found: dict[Segment, BanditState] = {}
    for (settings, arms), places in _alike(trials).items():
        before = _before([trials[place] for place in places], arms)
        won, lost = (
            kept[places, None] * old + counts[places, :arms]
            for old, counts in zip(before, new, strict=True)
        )
        share = shares(won, lost, settings)
        for row, place in enumerate(places):
            trial = trials[place]
            found[trial.experiment.segment] = BanditState(
                updated=now,
                updates=trial.bandit.updates + 1 if trial.bandit else 1,
                until=max(since[place], _ripe(trial, now)),
                successes=tuple(won[row].tolist()),
                failures=tuple(lost[row].tolist()),
                shares=tuple(share[row].tolist()),
            )
    return found


def _begun(trial: Trial) -> datetime:
    assert trial.begun is not None
    return trial.begun


def _ripe(trial: Trial, now: datetime) -> datetime:
    """Return the moment before which the wait of impressions is over."""
    return min(now - timedelta(days=trial.experiment.wait_days), trial.ended or now)


def _before(trials: Sequence[Trial], arms: int) -> NDArray[np.float64]:
    """Return what was known before: successes and failures, shape (2, trials, arms)."""
    nothing = ((0.0,) * arms,) * 2
    return np.array(
        [
            (trial.bandit.successes, trial.bandit.failures) if trial.bandit else nothing
            for trial in trials
        ]
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


def impressions(
    trials: Sequence[Trial], home: Home, now: datetime, *, since: Sequence[datetime] | None = None
) -> Impressions:
    """Return what the arms of bandits of one logical model have served, with what came of it.

    An outcome belongs to the last impression of its key before it, and not to one that is older
    than ``wait_days``. Impressions that are younger stay out, whatever is known of them: successes
    are often heard of before failures.

    Parameters
    ----------
    since
        From when on, of each trial; from its begin by default.
    """
    model = home.catalog.logical_model(trials[0].experiment.logical_model)
    starts = [_begun(trial) for trial in trials] if since is None else list(since)
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
    rows = _joined(events, home.truth.history(model.name), _waits(trials)[own[:, 0]])
    spans = [(start, _ripe(t, now)) for start, t in zip(starts, trials, strict=True)]
    return _mature(rows, own, trials, spans, model)


def _waits(trials: Sequence[Trial]) -> NDArray[np.int64]:
    return np.array([trial.experiment.wait_days for trial in trials])


def _joined(events: pa.Table, history: pa.Table, wait: NDArray[np.int64]) -> pa.Table:
    """Give each impression the last outcome of its key until the next one, or its wait is over.

    Of several at the same moment it is the largest, as in the ground truth itself.
    """
    if not events.num_rows or not history.num_rows:
        return join(events, TRUTH_SCHEMA.empty_table())
    known = history.select(["segment", "key", "observed", "value", "text"]).to_pandas()
    asked = pd.DataFrame(
        {
            "segment": events["segment"].to_pandas(),
            "key": events["key"].to_pandas(),
            "time": events["time"].to_pandas(),
            "place": np.arange(events.num_rows),
            "wait": wait,
        }
    )
    found = pd.merge_asof(
        known.sort_values(["observed", "value"], na_position="first"),
        asked.sort_values("time"),
        left_on="observed",
        right_on="time",
        by=["segment", "key"],
    ).dropna(subset=["place"])
    took = (found["observed"] - found["time"]).dt.total_seconds() / _DAY
    found = found[(took <= found["wait"]) | (found["wait"] == 0)].drop_duplicates(
        "place", keep="last"
    )
    own = found.set_index(found["place"].astype(np.int64)).reindex(asked["place"])
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
