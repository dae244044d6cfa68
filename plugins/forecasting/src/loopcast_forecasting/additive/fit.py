"""The additive model of each series, with λ by REML from rows that count as independent."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from math import ceil, gcd
from typing import TYPE_CHECKING

from loopcast_forecasting.features import FeatureSpec
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import Fixed, PanelGam, Reml, fit_panel

if TYPE_CHECKING:
    from pygam.terms import TermList

INDEPENDENT_HOURS = 3.5  # residuals further apart count as independent in the choice of λ


def stride(spec: FeatureSpec) -> int:
    """Return how many steps apart the rows are from which λ is chosen.

    Residuals of neighbouring steps are alike, and REML would take them for independent evidence
    and smooth too little. A stride that shares no factor with the day visits every time of day.

    Examples
    --------
    >>> [stride(FeatureSpec(step=s, trained_until="", temperature=False)) for s in ("30min", "1D")]
    [7, 1]
    """
    if spec.steps_per_day == 1:
        return 1
    steps = ceil(INDEPENDENT_HOURS / spec.step_hours)
    return next(k for k in range(steps, steps + 64) if gcd(k, spec.steps_per_day) == 1)


def fit_additive(
    terms: TermList,
    X: Floats,
    Y: Floats,
    *,
    features: Sequence[str],
    series: Sequence[str],
    apart: int,
) -> list[PanelGam]:
    """Fit the additive model of each series, with λ by REML on every ``apart``-th row.

    The λ for all rows is ``apart`` times as large, so that the fit is as smooth as REML chose
    (the ``gamma`` of mgcv in another form; Wood 2017, section 6.2).

    Returns
    -------
    list of PanelGam
        One for each series, with its failure in it if it has no fit.
    """
    chosen = fit_panel(
        terms, X[::apart], Y[::apart], smoothing=Reml(), feature_names=features, series=series
    )
    return [
        _one(chosen, k)
        if k in chosen.failures
        else fit_panel(
            with_lam(terms, chosen.lam[k] * apart),
            X,
            Y[:, k : k + 1],
            smoothing=Fixed(),
            feature_names=features,
            series=series[k : k + 1],
        )
        for k in range(len(series))
    ]


def _one(gam: PanelGam, k: int) -> PanelGam:
    return replace(gam, failures={0: gam.failures[k]})


def with_lam(terms: TermList, lam: Floats) -> TermList:
    """Return terms with other smoothing parameters, in the order of the panel's penalties."""
    changed = deepcopy(terms)
    values = iter(lam.tolist())
    for term in changed:
        for marginal in term if term.istensor else [term]:
            marginal.lam = [next(values) for _ in marginal.lam]
    return changed
