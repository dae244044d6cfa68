"""Settings of judgements: what contenders are judged on, and how a score is calibrated before."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Record
from loopcast.settings.tables import Text

Count = Annotated[int, msgspec.Meta(ge=1)]
OpenShare = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class BacktestSettings(Record, frozen=True):
    """How forecasts are judged.

    Attributes
    ----------
    origins
        Rolling origins to judge on, up to the end of the actuals.
    calibration
        Origins before them whose errors calibrate the first intervals.
    every
        Days between origins. Three days meet every weekday in turn and, with the same number
        of origins, three times as much of the year.
    refit_every
        Origins between refits; models between refits see new actuals without a refit.
    """

    origins: Count = 28
    calibration: Count = 28
    every: Count = 3
    refit_every: Count = 10


class HoldoutSettings(Record, frozen=True):
    """How scores and rankings are judged: on which part of the data, which training never saw.

    Attributes
    ----------
    method
        ``time``: the last part, by the schema's column of times. ``random``: a part drawn by the
        run's seed, where there is no such column or on request. ``last``: of a ranking, the last
        choices of each entity.
    share
        How large the part is.
    count
        For ``last``: how many choices of each entity.
    """

    method: Literal["time", "random", "last"] = "time"
    share: OpenShare = 0.25
    count: Count = 5


class CalibrationSettings(Record, frozen=True):
    """How a scorer's probabilities are calibrated, on rows that its models had not seen.

    Attributes
    ----------
    method
        ``platt``: a sigmoid of the log-odds, two parameters; ``beta``: three, for scores that are
        skewed; ``isotonic``: any rising curve, for thousands of events; ``auto``: ``isotonic``
        where rows that no curve was learned from say that it is better than ``beta``, else that;
        ``none``.
    by
        Feature of categories that have a calibration of their own.
    folds
        Parts of the training data, each scored by a model that was fitted without it.
    minimum
        Fewest rows with the event, and without it, of a calibration. A smaller group takes that
        of all rows, and a smaller segment keeps the probabilities of its template.
    """

    method: Literal["none", "auto", "platt", "isotonic", "beta"] = "none"
    by: Text | None = None
    folds: Annotated[int, msgspec.Meta(ge=2)] = 5
    minimum: Annotated[int, msgspec.Meta(ge=1)] = 30
