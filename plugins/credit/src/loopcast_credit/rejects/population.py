"""Accepted and rejected applicants apart, and a first model of those whose outcome is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConfigurationError, DataError, ScoreData
from loopcast_credit.additive.scorer import AdditiveScorer, logistic
from loopcast_credit.scorecard.fit import fit_scorecard
from loopcast_credit.scorecard.hyperparameters import ScorecardParameters

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Applicants:
    """Everybody who applied.

    Attributes
    ----------
    known
        Accepted, with an outcome.
    rejected
        Without one, since they were not accepted.
    """

    known: ScoreData
    rejected: ScoreData

    @property
    def everybody(self) -> ScoreData:
        """The known, then the rejected."""
        return joined(self.known, self.rejected)


def applicants(data: ScoreData) -> Applicants:
    """Tell accepted and rejected applicants apart; accepted ones without an outcome are left out.

    Raises
    ------
    ConfigurationError
        Where the schema does not say who was accepted, or says with which chance, which makes
        inference needless.
    DataError
        Where nobody was rejected.
    """
    if data.accepted is None:
        raise ConfigurationError(
            "reject inference needs logical_model.schema.accepted, the column that says who was"
        )
    if data.schema.chance is not None:
        raise ConfigurationError(
            "logical_model.schema.chance says with which chance rows were accepted, so that "
            "their weights stand for the rejected already; set preparation=none, or leave it out"
        )
    rejected = np.flatnonzero(~data.accepted)
    if not len(rejected):
        raise DataError(
            f"column {data.schema.accepted!r}: all {len(data.accepted)} rows were accepted; "
            "reject inference needs the applications that were rejected too"
        )
    known = np.flatnonzero(data.accepted & ~np.isnan(data.target))
    return Applicants(known=data.take(known), rejected=data.take(rejected))


def joined(*parts: ScoreData) -> ScoreData:
    """Put rows of the same columns one below the other."""
    import pandas as pd

    first = parts[0]
    attributes = [part.attributes for part in parts if part.attributes is not None]
    times = [part.time for part in parts if part.time is not None]
    accepted = [part.accepted for part in parts if part.accepted is not None]
    return replace(
        first,
        features=pd.concat([part.features for part in parts]),
        attributes=pd.concat(attributes) if attributes else None,
        target=np.concatenate([part.target for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        time=np.concatenate(times) if times else None,
        accepted=np.concatenate(accepted) if accepted else None,
    )


def scored(known: ScoreData, *others: ScoreData) -> list[NDArray[np.float64]]:
    """Return the log-odds of the event of rows by a scorecard of the known ones.

    Raises
    ------
    DataError
        Where too few of them have the event, or have it not.
    """
    card: AdditiveScorer = fit_scorecard(known, ScorecardParameters())
    return [card.log_odds(rows.features) for rows in (known, *others)]


def with_outcomes(rejected: ScoreData, probability: NDArray[np.float64]) -> ScoreData:
    """Return each row twice: with the event by its probability, and without it by the rest.

    Parameters
    ----------
    probability : ndarray, shape (rows,)
    """
    count = len(probability)
    twice = rejected.take(np.tile(np.arange(count), 2))
    return replace(
        twice,
        target=np.repeat([1.0, 0.0], count),
        weight=twice.weight * np.concatenate([probability, 1.0 - probability]),
    )


def probability_of(log_odds: NDArray[np.float64], odds: float = 1.0) -> NDArray[np.float64]:
    """Return log-odds as probabilities, of odds so many times higher."""
    return logistic(log_odds + np.log(odds))
