"""Reject inference by weights: accepted applicants stand for rejected ones who look like them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ScoreData
from loopcast_credit.rejects.bands import band_of, score_bands
from loopcast_credit.rejects.options import AugmentationOptions, ReweightingOptions
from loopcast_credit.rejects.population import applicants, probability_of, scored

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reweight(data: ScoreData, options: ReweightingOptions, seed: int) -> ScoreData:
    """Weight accepted applicants by the inverse of their probability of acceptance.

    Source: J. Banasik and J. Crook, Reject inference, augmentation, and sample selection,
    European Journal of Operational Research 183 (2007), section 3. The probability is a
    scorecard's, of all applicants by all features.

    Raises
    ------
    DataError, ConfigurationError
        As :func:`applicants` does, or where too few were accepted or rejected.
    """
    both = applicants(data)
    everybody = both.everybody
    accepted = np.arange(len(everybody.target)) < len(both.known.target)
    log_odds, *_ = scored(replace(everybody, target=accepted.astype(np.float64)))
    probability = probability_of(log_odds[accepted])
    return weighted(both.known, 1.0 / np.maximum(probability, options.least))


def augment(data: ScoreData, options: AugmentationOptions, seed: int) -> ScoreData:
    """Weight accepted applicants by all applicants for each accepted one in their score band.

    Source: D. C. Hsia, Credit scoring and the Equal Credit Opportunity Act, Hastings Law Journal
    30 (1978).

    Raises
    ------
    DataError, ConfigurationError
        As :func:`applicants` does, or where too few outcomes are known.
    """
    both = applicants(data)
    known, rejected = scored(both.known, both.rejected)
    edges = score_bands(np.concatenate([known, rejected]), known, options.bands)
    band = band_of(known, edges)
    size = len(edges) + 1
    mine = np.bincount(band, both.known.weight, minlength=size)
    others = np.bincount(band_of(rejected, edges), both.rejected.weight, minlength=size)
    return weighted(both.known, ((mine + others) / mine)[band])


def weighted(known: ScoreData, factor: NDArray[np.float64]) -> ScoreData:
    """Multiply weights, whose sum stays, so that few rows do not pass for much evidence."""
    weight = known.weight * factor
    return replace(known, weight=weight * (known.weight.sum() / weight.sum()))
