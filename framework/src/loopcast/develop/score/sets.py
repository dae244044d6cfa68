"""Decision sets: which outcomes a score does not rule out, at a promised confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import Record, ScoreData, SetSettings
from loopcast.api.record import NonNegative, Share
from loopcast.api.score import BOTH, EVENT, OTHER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


class Bounds(Record, frozen=True):
    """Which probabilities leave which outcome possible.

    Attributes
    ----------
    event_from, other_to
        The event is in the set from the one on; that it does not happen, up to the other.
    """

    event_from: Share = 0.0
    other_to: Share = 1.0

    def codes(self, probability: FloatArray) -> NDArray[np.int8]:
        """Return the set of each row, shape (rows,).

        Where neither outcome is left, a case is unlike those of either, and both are given:
        somebody has to look at it.
        """
        found = EVENT * (probability >= self.event_from) + OTHER * (probability <= self.other_to)
        return np.where(found == 0, BOTH, found).astype(np.int8)


class DecisionSets(Record, frozen=True):
    """How the sets of a scorer are drawn.

    Attributes
    ----------
    confidence
        That was asked for.
    whole
        Of rows whose group has no bounds of its own.
    by, groups
        A feature that groups rows, and the bounds of each of its categories.
    rows, events
        Known outcomes that bounds were learned from, and how many of them had the event.
    """

    confidence: Share
    whole: Bounds
    rows: NonNegative
    events: NonNegative
    by: str | None = None
    groups: dict[str, Bounds] = {}

    def codes(self, probability: FloatArray, rows: pd.DataFrame) -> NDArray[np.int8]:
        """Return the set of each row, shape (rows,), as :attr:`loopcast.api.Scores.sets` has it."""
        found = self.whole.codes(probability)
        if self.by is None or not self.groups:
            return found
        group = rows[self.by].astype(object).to_numpy()
        for name, own in self.groups.items():
            inside = group == name
            found[inside] = own.codes(probability[inside])
        return found


def learn_sets(unseen: FloatArray, data: ScoreData, settings: SetSettings) -> DecisionSets:
    """Learn sets that hold what happens with the confidence, for either outcome and each group.

    Bounds are split conformal quantiles by outcome. Rows are scored by models that had not seen
    them, a fold at a time, and pooled; the promise then holds nearly, where a part that no fit had
    would make it exact and cost rows. What was realised is a metric. A group without enough rows
    to rule anything out has sets of both outcomes.

    Source: V. Vovk, A. Gammerman and G. Shafer (2005), Algorithmic Learning in a Random World,
    section 4.5 (label-conditional and Mondrian predictors); V. Vovk (2015), Cross-conformal
    predictors, Annals of Mathematics and Artificial Intelligence 74.

    Parameters
    ----------
    unseen : ndarray, shape (rows,)
        Probability of each row by a model that had not seen it; NaN where the outcome is unknown.
    data
        The same rows.
    """
    known = ~np.isnan(data.target)
    p, actual, weight = (a[known] for a in (unseen, data.target, data.weight))
    groups = {}
    if settings.by is not None:
        column = pd.Categorical(data.features[settings.by].array[known])
        for code, name in enumerate(column.categories):
            rows = column.codes == code
            if rows.any():
                groups[str(name)] = bounds(p[rows], actual[rows], weight[rows], settings.confidence)
    return DecisionSets(
        confidence=settings.confidence,
        whole=bounds(p, actual, weight, settings.confidence),
        rows=len(p),
        events=int(actual.sum()),
        by=settings.by,
        groups=groups,
    )


def bounds(p: FloatArray, actual: FloatArray, weight: FloatArray, confidence: float) -> Bounds:
    """Return the bounds of rows: quantiles of the probabilities of either outcome."""
    event, other = actual == 1.0, actual == 0.0
    event_from = 1.0 - _quantile(1.0 - p[event], weight[event], confidence)
    return Bounds(event_from=event_from, other_to=_quantile(p[other], weight[other], confidence))


def _quantile(score: FloatArray, weight: FloatArray, confidence: float) -> float:
    """Return the score that a share of rows does not exceed, one more of mean weight among them.

    Without weights it is the ⌈(n + 1) · confidence⌉-th smallest; 1 where there are too few.
    """
    if not len(score):
        return 1.0
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order])
    wanted = confidence * (reached[-1] + reached[-1] / len(score))
    place = int(np.searchsorted(reached, wanted * (1.0 - 1e-12)))
    return float(score[order[place]]) if place < len(score) else 1.0
