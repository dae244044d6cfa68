"""An additive model for each time of day.

What one model says with products of smooths of the time of day, forty-eight say with simple
smooths each, at the price of noise: Fan & Hyndman 2012, IEEE Transactions on Power Systems 27.
Their mean with the one is better than either. λ is by REML for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.additive.terms import BOTH
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.features.site import DAYS, TEMPERATURE
from loopcast_forecasting.gam import PanelGam, fit_panel
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.crossfit import cross_fit

if TYPE_CHECKING:
    from pygam.terms import Term, TermList

DAY_KINDS = (*DAYS, "holiday", "day_before_holiday", "day_after_holiday", "year_end_workday")
CURVES = ("day_mean", "day_minimum", "day_maximum", "warm_spell")
EXTREMES = ("previous_day_maximum", "previous_day_minimum")
Slots = NDArray[np.intp]


@dataclass(frozen=True, eq=False, kw_only=True)
class SlotModels:
    """Fitted models of N series.

    Attributes
    ----------
    design
        Common to all times of day.
    coef : ndarray, shape (slots, p, N)
        NaN where a time of day has no model.
    """

    design: Design
    coef: Floats

    def predict(self, X: Floats, slot: Slots) -> Floats:
        """Return what the model of each row's time of day says.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
        slot : ndarray, shape (n,)
            Time of day of each row.

        Returns
        -------
        ndarray, shape (n, N)
            NaN where there is no model.
        """
        columns = self.design.matrix(self.design.check(X))
        predicted = np.empty((len(X), self.coef.shape[2]))
        for k in np.unique(slot):
            rows = np.flatnonzero(slot == k)
            predicted[rows] = columns[rows] @ self.coef[k]
        return predicted


def fit_slots(
    inputs: Mapping[str, Floats], Y: Floats, slot: Slots, fold: Slots, *, whole_year: bool
) -> tuple[SlotModels, Floats]:
    """Fit each time of day.

    Parameters
    ----------
    inputs : mapping of str to ndarray, shape (n,)
    Y : ndarray, shape (n, N)
        NaN where a value is missing.
    slot : ndarray, shape (n,)
    fold : ndarray, shape (n,)
        Rows that are left out together in turn.
    whole_year : bool
        Whether training covers a year; if not, the season is hardly more than one wave.

    Returns
    -------
    SlotModels
    ndarray, shape (n, N)
        What each row is predicted to be without its fold; NaN where its value is missing or there
        is no model.
    """
    X, names = np.column_stack(list(inputs.values())), tuple(inputs)
    terms = slot_terms(inputs, whole_year=whole_year)
    left_out = np.full(Y.shape, np.nan)
    fitted: dict[int, PanelGam] = {}
    for k in np.unique(slot):
        rows = np.flatnonzero(slot == k)
        gam = fit_panel(terms, X[rows], Y[rows], feature_names=names)
        fitted[int(k)] = gam
        kept = np.setdiff1d(np.arange(Y.shape[1]), list(gam.failures))
        if len(kept):
            here = np.ix_(rows, kept)
            left_out[here] = Y[here] - cross_fit(
                gam.only(kept.tolist()), X[rows], Y[here], fold[rows]
            )
    design = next(iter(fitted.values())).design
    coef = np.full((max(fitted) + 1, design.n_coefs, Y.shape[1]), np.nan)
    for k, gam in fitted.items():
        coef[k] = gam.coef
    return SlotModels(design=design, coef=coef), left_out


def slot_terms(inputs: Mapping[str, Floats], *, whole_year: bool) -> TermList:
    """Return the terms of the model of a time of day, with knots over all times of day."""
    from pygam.terms import TermList

    build = _Builder(inputs)
    terms = [build.line(name) for name in (*DAY_KINDS, "years") if build.varies(name)]
    terms.append(build.season(12 if whole_year else 4))
    if whole_year:
        terms.append(build.season(6, by="weekend"))
    if whole_year and build.varies("christmas"):
        terms.append(build.curve("days_from_christmas", 8, by="christmas"))
    if build.varies(TEMPERATURE):
        smoothed = [name for name in inputs if name.startswith("temperature_smoothed")]
        terms += [build.curve(name, 8) for name in (TEMPERATURE, *smoothed)]
        terms += [build.curve(name, 6) for name in (*EXTREMES, *CURVES) if build.varies(name)]
    if build.varies(TEMPERATURE) and whole_year:
        terms.append(build.product(build.curve(TEMPERATURE, 5), build.season(5)))
    return TermList(*terms)


class _Builder:
    """Terms of named inputs; their ranges are those of all rows."""

    def __init__(self, inputs: Mapping[str, Floats]) -> None:
        self._names: Sequence[str] = list(inputs)
        self._ranges = {name: (float(v.min()), float(v.max())) for name, v in inputs.items()}

    def varies(self, name: str) -> bool:
        low, high = self._ranges.get(name, (0.0, 0.0))
        return low < high

    def line(self, name: str) -> Term:
        from pygam import l

        return l(self._names.index(name), penalties="l2")

    def curve(self, name: str, size: int, by: str | None = None) -> Term:
        return self._smooth(name, size, self._ranges[name], by)

    def season(self, size: int, by: str | None = None) -> Term:
        return self._smooth("day_of_year", size, (0.0, 1.0), by, basis="cp")

    def product(self, first: Term, second: Term) -> Term:
        from pygam import te

        return te(first, second)

    def _smooth(
        self,
        name: str,
        size: int,
        edges: tuple[float, float],
        by: str | None,
        basis: str = "ps",
    ) -> Term:
        from pygam import s

        return s(
            self._names.index(name),
            n_splines=size,
            edge_knots=list(edges),
            basis=basis,
            by=None if by is None else self._names.index(by),
            **({} if by is None else {"penalties": BOTH, "lam": [0.6, 0.6]}),
        )
