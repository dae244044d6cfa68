from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import DataError, Effect, ForecastData, ModelError, Surface
from loopcast_forecasting.direct.model import HISTORY_DAYS, GamRidgeModel
from loopcast_forecasting.features import feature_matrix

from .conftest import ZONE

ORIGIN = pd.Timestamp("2014-05-12", tz=ZONE)


def horizon(origin: pd.Timestamp = ORIGIN, days: int = 1) -> pd.DatetimeIndex:
    return pd.date_range(
        origin, origin + pd.DateOffset(days=days), freq="1h", inclusive="left"
    )


def known(panel: ForecastData, steps: pd.DatetimeIndex) -> ForecastData:
    return panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))
