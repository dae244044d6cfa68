"""Penalised splines for panels: pyGAM's terms, one design and one pass for thousands of series.

A model is given as pyGAM terms. `fit_panel` fits it to all series that share covariates,
`fit_series` to one; both return a `PanelGam`.
"""

from loopcast_forecasting.gam.failure import Failure
from loopcast_forecasting.gam.fit import fit_panel, fit_series
from loopcast_forecasting.gam.model import PanelGam, TermEffect
from loopcast_forecasting.gam.smoothing import Fixed, GcvGrid, Reml, RemlGrid, Smoothing

__all__ = [
    "Failure",
    "Fixed",
    "GcvGrid",
    "PanelGam",
    "Reml",
    "RemlGrid",
    "Smoothing",
    "TermEffect",
    "fit_panel",
    "fit_series",
]
