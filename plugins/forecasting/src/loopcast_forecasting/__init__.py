"""Forecasting for loopcast: additive models, residual models, reconciliation.

This module is the plugin: it names what the package offers and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loopcast.api import Reconciler, Template, hookimpl
from loopcast_forecasting.reconcilers import RECONCILERS
from loopcast_forecasting.templates.ets import Ets
from loopcast_forecasting.templates.gam_ar import GamAr
from loopcast_forecasting.templates.gam_arima import GamArima
from loopcast_forecasting.templates.gam_boosted import GamBoosted
from loopcast_forecasting.templates.gam_ridge import GamRidge
from loopcast_forecasting.templates.sarimax import Sarimax
from loopcast_forecasting.templates.seasonal_naive import SeasonalNaive

LOOPCAST_CONTRACT = (1, 0)


@hookimpl
def loopcast_templates() -> Sequence[Template[Any, Any]]:
    """Offer the forecasting templates."""
    return [Ets(), GamAr(), GamArima(), GamBoosted(), GamRidge(), Sarimax(), SeasonalNaive()]


@hookimpl
def loopcast_reconcilers() -> Sequence[Reconciler]:
    """Offer minimum-trace reconciliation."""
    return RECONCILERS
