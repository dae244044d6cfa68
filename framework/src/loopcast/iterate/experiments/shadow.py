"""The analysis of a shadow: what it answered beside the champion, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import (
    ForecastSchema,
    Judged,
    Kpi,
    LogicalModel,
    MetricDefinition,
    Outcome,
    ScoreOutcome,
    VersionId,
)
from loopcast.develop.compare import Difference, compare
from loopcast.iterate.experiments.units import logged
from loopcast.monitor.observed import answered, outcome_of, weights
from loopcast.monitor.performance import of_top
from loopcast.monitor.summed import known_outcomes
from loopcast.store.event_keys import forecast_keys
from loopcast.store.truth import join

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial

CHAMPION = "champion"


_OWN = pa.array(["served", "flagged", "adjusted", "nothing"])
"""Actions by which a version's own answer was given, whether within its domain or beyond it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Answers of the champion and of one shadow to the same questions.

    Attributes
    ----------
    champion, shadow
        Their events, row by row, joined with the outcome.
    block : ndarray, shape (n,)
        Pairs of one block depend on each other: those of a forecast's origin, of an entity.
    known : ndarray, shape (n,)
        Whether the outcome counts.
    """

    champion: pa.Table
    shadow: pa.Table
    block: NDArray[np.int64]
    known: NDArray[np.bool_]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(np.unique(self.block))

    @property
    def known_blocks(self) -> int:
        """How many blocks have a pair whose outcome is known."""
        return len(np.unique(self.block[self.known]))


def pairs_of(
    trial: Trial, model: LogicalModel, home: Home, now: datetime
) -> dict[VersionId, Pairs]:
    """Return the pairs of each shadow.

    Of a forecast, those of its top at its finest step, which the KPI is about: the outcomes of
    longer intervals are theirs summed.
    What has a key that cannot be read is in no pair.
    """
    events = logged(trial, home, now)
    if isinstance(model.schema, ForecastSchema):
        keys = forecast_keys(events["key"])
        judged = (keys["step"] == model.schema.step) & of_top(keys, model.schema)
        events = events.filter(pa.array(judged.to_numpy()))
    events = events.filter(answered(events, model))
    events = join(events, known_outcomes(home, model), task=model.task)
    champion, *shadows = trial.experiment.arms
    return {shadow: _pairs(events, champion, shadow, model) for shadow in shadows}


def _pairs(events: pa.Table, champion: VersionId, shadow: VersionId, model: LogicalModel) -> Pairs:
    """Match answers by key and moment, where both are the version's own."""
    served = pc.and_(pc.equal(events["role"], CHAMPION), pc.is_in(events["action"], _OWN))
    one = events.filter(pc.and_(served, pc.equal(events["version"], champion)))
    heard = pc.and_(pc.equal(events["role"], "shadow"), pc.equal(events["version"], shadow))
    two = events.filter(heard)
    place = _index(two).get_indexer(_index(one))
    both = np.flatnonzero(place >= 0)
    one, two = one.take(pa.array(both)), two.take(pa.array(place[both]))
    has = pc.or_(pc.is_valid(one["value"]), pc.is_valid(one["text"])).to_numpy()
    by = "time" if isinstance(model.schema, ForecastSchema) else "key"
    block, _ = pd.factorize(one[by].to_pandas())
    chosen = one["labelling"].to_numpy() > 0.0
    return Pairs(champion=one, shadow=two, block=block.astype(np.int64), known=has & chosen)


def _index(events: pa.Table) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([events["key"].to_pandas(), events["time"].to_pandas()])


def compare_pairs(
    pairs: Pairs,
    shadow: VersionId,
    model: LogicalModel,
    metrics: Sequence[MetricDefinition],
    kpi: Kpi,
    *,
    blocks: int,
    confidence: float,
) -> tuple[Difference, ...]:
    """Compare a shadow with the champion, metric by metric, on its first blocks of pairs.

    Parameters
    ----------
    kpi
        The metric of the experiment with its direction and minimum effect.
    """
    known = np.flatnonzero(pairs.known)
    first = np.isin(pairs.block[known], np.unique(pairs.block[known])[:blocks])
    rows = pa.array(known[first])
    # Either event may be left out by a rule of sampling; both are kept with the smaller chance,
    # since the choice follows from their common key.
    weight = np.maximum(*(weights(t.take(rows)) for t in (pairs.champion, pairs.shadow)))
    outcomes = {
        CHAMPION: _weighted(outcome_of(pairs.champion.take(rows), model), weight),
        shadow: _weighted(outcome_of(pairs.shadow.take(rows), model), weight),
    }
    count = len(weight)
    judged = Judged(
        keys=(pd.Categorical(np.arange(count)),),
        block=pairs.block[known[first]],
        overall=np.ones(count, dtype=bool),
        attributes={},
        outcomes=outcomes,
    )
    return compare(judged, CHAMPION, shadow, metrics, kpi, confidence=confidence, weight=weight)


def _weighted(outcome: Outcome, weight: NDArray[np.float64]) -> Outcome:
    return replace(outcome, weight=weight) if isinstance(outcome, ScoreOutcome) else outcome
