"""Fit a scorecard: bins, their weights, and the pools that experts and readers ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from loopcast.api import ScoreData
from loopcast_credit.additive.card import Card
from loopcast_credit.additive.effects import centred_effect, pooled
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scorer import AdditiveScorer
from loopcast_credit.bins.bins import Bins, NumericBins
from loopcast_credit.bins.make import make_bins
from loopcast_credit.bins.options import BinOptions
from loopcast_credit.scorecard.hyperparameters import ScorecardParameters
from loopcast_credit.scorecard.monotone import monotone_starts
from loopcast_credit.scorecard.woe import fit_woe
from loopcast_credit.smooth.design import Design
from loopcast_credit.smooth.fit import Fit, fit_bins
from loopcast_credit.smooth.penalty import penalties

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Fitted(NamedTuple):
    """Bins, the training rows in them, and their weights."""

    bins: Sequence[Bins]
    design: Design
    fit: Fit


def fit_scorecard(data: ScoreData, p: ScorecardParameters) -> AdditiveScorer:
    """Fit a scorecard to the rows whose outcome is known.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConfigurationError
        Where an expert's word does not fit the features.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    fitted = fit_monotone(features, event, weight, np.zeros(len(event)), p)
    return AdditiveScorer(make_card(fitted, p, str(data.schema.event)))


def fit_monotone(
    features: pd.DataFrame,
    event: NDArray[np.float64],
    weight: NDArray[np.float64],
    offset: NDArray[np.float64],
    p: ScorecardParameters,
) -> Fitted:
    """Fit the weights of bins, pooling intervals until risk moves as it should."""
    columns = {str(name): column for name, column in features.items()}
    bins = make_bins(columns, event, weight, p)
    codes = [one.codes(columns[one.name]) for one in bins]
    while True:
        sizes = tuple(one.size for one in bins)
        design = Design(tuple(codes), sizes, event, weight, offset)
        fit = fit_woe(design, p.ridge) if p.weights == "woe" else fit_bins(design, penalties(bins))
        fewer = [_monotone(one, *_own(design, fit, at), p) for at, one in enumerate(bins)]
        if fewer == bins:
            return Fitted(bins, design, fit)
        for at, (old, new) in enumerate(zip(bins, fewer, strict=True)):
            if old != new:
                codes[at] = new.codes(columns[new.name])
        bins = fewer


def _own(design: Design, fit: Fit, at: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    place = slice(design.starts[at], design.starts[at + 1])
    return fit.beta[place], fit.information[place]


def _monotone(
    bins: Bins, values: NDArray[np.float64], information: NDArray[np.float64], options: BinOptions
) -> Bins:
    direction = options.monotone_of(bins.name)
    if direction == "none" or not isinstance(bins, NumericBins):
        return bins
    body = slice(bins.body)
    return pooled(bins, monotone_starts(values[body], information[body], direction))


def make_card(fitted: Fitted, p: ScorecardParameters, event: str) -> Card:
    """Return the fit as a card whose values are zero for the average row of training.

    Intervals that an expert has cut stay as they are; others become one where their values
    differ by less than the resolution.
    """
    bins, design, fit = fitted
    tolerance = p.resolution / p.scale.factor
    intercept = float(fit.beta[0])
    rows, events = design.rows, design.events
    effects = []
    for at, one in enumerate(bins):
        place = slice(design.starts[at], design.starts[at + 1])
        fixed = p.characteristics.get(one.name)
        own = 0.0 if fixed is not None and fixed.cuts is not None else tolerance
        effect, level = centred_effect(one, fit.beta[place], rows[place], events[place], own)
        effects.append(effect)
        intercept += level
    return Card(event=event, intercept=intercept, effects=tuple(effects), scale=p.scale)
