"""The additive models of a site's series, with λ by REML from rows that count as independent."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, gcd
from typing import TYPE_CHECKING

from loopcast_forecasting.features import FeatureSpec
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam, Reml, RemlGrid, fit_panel
from loopcast_forecasting.gam.gram import Panel

if TYPE_CHECKING:
    from pygam.terms import TermList

INDEPENDENT_HOURS = 3.5  # residuals further apart count as independent in the choice of λ
FEW = 16  # series of a site, up to which each has a λ of its own for every term


def rows_apart(spec: FeatureSpec) -> int:
    """Return how many rows count as one independent observation in the choice of λ.

    Residuals of neighbouring steps are alike, and REML would take them for independent evidence
    and smooth too little. Rounded up to a number that shares no factor with the steps of a day,
    as if every so many rows were looked at and every time of day among them.

    Examples
    --------
    >>> daily, half_hourly = (
    ...     FeatureSpec(step=step, trained_until="", temperature=False) for step in ("1D", "30min")
    ... )
    >>> rows_apart(daily), rows_apart(half_hourly)
    (1, 7)
    """
    if spec.steps_per_day == 1:
        return 1
    steps = ceil(INDEPENDENT_HOURS / spec.step_hours)
    return next(k for k in range(steps, steps + 64) if gcd(k, spec.steps_per_day) == 1)


def fit_additive(
    terms: TermList,
    X: Floats,
    Y: Panel,
    *,
    features: Sequence[str],
    series: Sequence[str],
    apart: int,
) -> PanelGam:
    """Fit the additive models of all series together, ``apart`` rows counting as one.

    Few series have a λ of their own for every term. Of many, each multiplies the λ that suits
    them together by a number of its own: a search for each would take most of the time, and
    what a term needs is alike among series of a site.
    """
    few = Y.shape[1] <= FEW
    return fit_panel(
        terms,
        X,
        Y,
        smoothing=Reml(apart=apart) if few else RemlGrid(apart=apart),
        feature_names=features,
        series=series,
    )
