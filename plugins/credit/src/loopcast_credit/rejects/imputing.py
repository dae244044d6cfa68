"""Reject inference by outcomes that rejected applicants are taken to have had."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import ConfigurationError, DataError, ScoreData
from loopcast_credit.bins.make import is_number
from loopcast_credit.rejects.bands import band_of, score_bands
from loopcast_credit.rejects.options import ExternalOptions, FuzzyOptions, ParcellingOptions
from loopcast_credit.rejects.population import (
    applicants,
    joined,
    probability_of,
    scored,
    with_outcomes,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


STRANGE = 0.2
"""Largest share of the rejected of whom external data says what it says of no accepted one."""


def parcel_fuzzily(data: ScoreData, options: FuzzyOptions, seed: int) -> ScoreData:
    """Count each rejected applicant as both outcomes, by what a model of the accepted says.

    Source: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), chapter 8.

    Raises
    ------
    DataError, ConfigurationError
        As :func:`applicants` does, or where too few outcomes are known.
    """
    both = applicants(data)
    _, rejected = scored(both.known, both.rejected)
    probability = probability_of(rejected, options.odds)
    return joined(both.known, with_outcomes(both.rejected, probability))


def parcel(data: ScoreData, options: ParcellingOptions, seed: int) -> ScoreData:
    """Give rejected applicants outcomes by lot, at the event rate of their score band.

    Source: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), chapter 8.

    Raises
    ------
    DataError, ConfigurationError
        As :func:`applicants` does, or where too few outcomes are known.
    """
    both = applicants(data)
    known, rejected = scored(both.known, both.rejected)
    edges = score_bands(np.concatenate([known, rejected]), known, options.bands)
    band, size = band_of(known, edges), len(edges) + 1
    weight = both.known.weight
    events = np.bincount(band, weight * both.known.target, minlength=size)
    rate = np.minimum(options.rate * events / np.bincount(band, weight, minlength=size), 1.0)
    draw = np.random.default_rng(seed).random(len(rejected))
    outcome = (draw < rate[band_of(rejected, edges)]).astype(np.float64)
    return joined(both.known, replace(both.rejected, target=outcome))


def calibrate_externally(data: ScoreData, options: ExternalOptions, seed: int) -> ScoreData:
    """Count each rejected applicant as both outcomes, by what an external column says.

    A scorecard of that column alone is fitted to the accepted, and read for the rejected.

    Raises
    ------
    DataError, ConfigurationError
        As :func:`applicants` does; where the column is no feature, too few outcomes are known,
        or it says of too many of the rejected what it says of no accepted one.
    """
    both = applicants(data)
    known, rejected = (_only(part, options.column) for part in (both.known, both.rejected))
    strange = float(np.mean(_strange(known.features.iloc[:, 0], rejected.features.iloc[:, 0])))
    if strange > STRANGE:
        raise DataError(
            f"column {options.column!r}: {strange:.0%} of the rejected rows have no value such as "
            f"accepted rows have; calibration on external data allows {STRANGE:.0%}"
        )
    _, log_odds = scored(known, rejected)
    return joined(both.known, with_outcomes(both.rejected, probability_of(log_odds)))


def _strange(known: pd.Series[Any], rejected: pd.Series[Any]) -> NDArray[np.bool_]:
    """Return which values are missing, or beyond all that are known, shape (rows,)."""
    if is_number(known):
        return ~rejected.between(known.min(), known.max()).to_numpy()
    return ~rejected.isin(known.dropna().unique()).to_numpy()


def _only(data: ScoreData, column: str) -> ScoreData:
    """Return rows with one column in place of the features."""
    for frame in (data.features, data.attributes):
        if frame is not None and column in frame.columns:
            return replace(data, features=frame[[column]])
    names = ", ".join(data.schema.features)
    raise ConfigurationError(
        f"preparation.options.column: {column!r} is no feature; there are {names}"
    )
