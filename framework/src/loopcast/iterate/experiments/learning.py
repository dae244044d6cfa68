"""What bandits learn from events and outcomes: nightly, in batches, for all segments at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import BanditSettings, BanditState, Segment
from loopcast.iterate.experiments.bandit import shares
from loopcast.iterate.experiments.counting import counted, settings_of
from loopcast.iterate.experiments.impressions import begun, ripe
from loopcast.iterate.experiments.tallies import Tally

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

_Floats = NDArray[np.float64]


def learn(trials: Sequence[Trial], home: Home, now: datetime) -> Mapping[Segment, BanditState]:
    """Return what the bandits of one logical model know by now.

    It is the sum of their days, of the impressions whose wait is over. A day is counted once, and
    again where events or outcomes that concern it have come in since, however late. An outcome
    above zero is the event: a click, a purchase of any amount, a default. It is a success where a
    higher outcome is better, and a failure where a lower one is.
    """
    if not trials:
        return {}
    until = [max(begun(trial), ripe(trial, now)) for trial in trials]
    won, lost, heard = _sums(trials, counted(trials, home, until))
    share = _shares(trials, won, lost)
    return {
        trial.experiment.segment: BanditState(
            updated=now,
            updates=trial.bandit.updates + 1 if trial.bandit else 1,
            until=until[place],
            successes=tuple(won[place, : len(share[place])].tolist()),
            failures=tuple(lost[place, : len(share[place])].tolist()),
            shares=share[place],
            heard=int(heard[place]),
        )
        for place, trial in enumerate(trials)
    }


def _sums(
    trials: Sequence[Trial], days: Sequence[Tally]
) -> tuple[_Floats, _Floats, NDArray[np.int64]]:
    """Return successes, failures, and how many outcomes there were.

    Each day is discounted by the outcomes of those that came after it.
    """
    forgetting = np.array([settings_of(trial).forgetting for trial in trials])
    shape = (len(trials), max(len(trial.experiment.arms) for trial in trials))
    won, lost, heard = np.zeros(shape), np.zeros(shape), np.zeros(len(trials), np.int64)
    for day in days:
        new = day.outcomes.sum(axis=1)
        kept = (forgetting**new)[:, None]
        won, lost, heard = kept * won + day.successes, kept * lost + day.failures, heard + new
    return won, lost, heard


def _shares(trials: Sequence[Trial], won: _Floats, lost: _Floats) -> list[tuple[float, ...]]:
    """Return the shares of the arms of each trial."""
    found: dict[int, tuple[float, ...]] = {}
    for (settings, arms), places in _alike(trials).items():
        rows = shares(won[places, :arms], lost[places, :arms], settings)
        found |= {place: tuple(row.tolist()) for place, row in zip(places, rows, strict=True)}
    return [found[place] for place in range(len(trials))]


def _alike(trials: Sequence[Trial]) -> Mapping[tuple[BanditSettings, int], list[int]]:
    """Return the places of bandits that learn alike and have as many arms."""
    found: dict[tuple[BanditSettings, int], list[int]] = defaultdict(list)
    for place, trial in enumerate(trials):
        found[settings_of(trial), len(trial.experiment.arms)].append(place)
    return found
