"""A scorecard in two stages: some characteristics have their say before the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from loopcast.api import ConfigurationError, ScoreData
from loopcast_credit.additive.card import Card
from loopcast_credit.additive.known import known_rows
from loopcast_credit.additive.scorer import AdditiveScorer
from loopcast_credit.scorecard.fit import fit_monotone, make_card
from loopcast_credit.scorecard.hyperparameters import TwoStageParameters

if TYPE_CHECKING:
    import pandas as pd


def fit_two_stages(data: ScoreData, p: TwoStageParameters) -> AdditiveScorer:
    """Fit a scorecard of the first features, and one of the others beside what the first says.

    The log-odds of the first stage are the second one's offset, so the points of the first do
    not depend on which other features there are.

    Raises
    ------
    DataError
        Where too few rows have the event, or have it not.
    ConfigurationError
        Where ``first`` names no feature, one that there is not, or all.
    """
    features, event, weight = known_rows(data, p.minimum_events)
    first, rest = _parted(features, p)
    name = str(data.schema.event)
    none = np.zeros(len(event))
    early = make_card(fit_monotone(first, event, weight, none, _options(p, first)), p, name)
    offset = AdditiveScorer(early).log_odds(first)
    late = make_card(fit_monotone(rest, event, weight, offset, _options(p, rest)), p, name)
    card = Card(
        event=name,
        intercept=early.intercept + late.intercept,
        effects=(*early.effects, *late.effects),
        scale=p.scale,
    )
    return AdditiveScorer(card)


def _parted(features: pd.DataFrame, p: TwoStageParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    known = ", ".join(map(str, features.columns))
    for name in (*p.first, *p.characteristics):
        if name not in features.columns:
            raise ConfigurationError(f"first, characteristics: {name!r} is none of {known}")
    rest = features.columns.difference(list(p.first), sort=False)
    if not p.first or not len(rest):
        raise ConfigurationError(f"first: name some of the features, and not all: {known}")
    return features[list(p.first)], features[rest]


def _options(p: TwoStageParameters, features: pd.DataFrame) -> TwoStageParameters:
    own = {name: said for name, said in p.characteristics.items() if name in features.columns}
    return msgspec.structs.replace(p, characteristics=own)
