"""Calibration in the large: whether as many events happened as scores had said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import LogicalModel, ScoreOutcome, take
from loopcast.develop.calibration.reliability import gap_allowed
from loopcast.develop.fairness.measures import surplus_of
from loopcast.develop.inference import Estimate

if TYPE_CHECKING:
    from loopcast.monitor.performance import Labelled

CHANCE = 0.01
"""The rate of false alarms."""


@dataclass(frozen=True, kw_only=True)
class Large:
    """What was said, and what happened, of predictions that are old enough to be judged.

    Attributes
    ----------
    said, happened
        Mean probability, and share of events.
    outcomes
        How many are known.
    difference
        Happened minus said, with its error.
    """

    said: float
    happened: float
    outcomes: int
    difference: Estimate

    @property
    def p_value(self) -> float:
        """Of the hypothesis that scores are right in the mean; 1 where it cannot be told."""
        found = self.difference.p_value()
        return 1.0 if found is None else found

    def gaps(self, gap: float) -> float:
        """Return the difference in gaps, which are smaller where the event is rare."""
        return abs(self.difference.value) / max(gap_allowed(gap, self.said), 1e-12)

    def broken(self, gap: float) -> bool:
        """Tell whether the two differ by more than a gap, and by no chance."""
        return self.gaps(gap) > 1.0 and self.p_value <= CHANCE


def calibration_in_the_large(labelled: Labelled, model: LogicalModel, at: datetime) -> Large | None:
    """Compare scores with what happened; ``None`` where they are none, or nothing is known.

    Where outcomes take their time, what is younger is left out: of those, the events are known
    before it is known that others will have none.

    Parameters
    ----------
    at
        Now.
    """
    outcome = labelled.outcome
    if not isinstance(outcome, ScoreOutcome):
        return None
    ripe = pd.Timestamp(at - timedelta(days=model.truth_delay_days))
    rows = np.flatnonzero(labelled.time.array[labelled.known] <= ripe)
    outcome, block = take(outcome, rows), labelled.block[rows]
    if not len(rows):
        return None
    found = surplus_of(outcome, block, np.arange(len(rows)))
    said = float(np.average(outcome.probability, weights=outcome.weight))
    return Large(said=said, happened=said + found.value, outcomes=len(rows), difference=found)
