"""Residuals of an additive model: daily and weekly persistence, then ARIMA.

With ``r`` the residuals and lags ``s_k`` of whole days,

    r_t = Σ_k φ_k r_{t - s_k} + u_t,        u_t ~ ARIMA(p, d, q).

The φ are least squares estimates: at lead times of some hours, when the memory of ``u`` is gone,
the sum alone is the forecast, and least squares makes it the best. ``u`` is estimated by maximum
likelihood in state space form (statsmodels; Durbin & Koopman 2012, chapters 4 and 7). This is a
multiplicative seasonal ARIMA in two steps (Box, Jenkins, Reinsel & Ljung 2015, chapter 9) with a
state of length max(p, q + 1) instead of a week. At an origin the state is filtered over recent
``u`` with fixed parameters, and

    r̂_{t+h} = Σ_k φ_k r̂_{t+h - s_k} + û_{t+h},    r̂_s = r_s for s ≤ t.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ConvergenceError

if TYPE_CHECKING:
    from statsmodels.tsa.arima.model import ARIMA

Floats = NDArray[np.float64]
Order = tuple[int, int, int]

LEAST_ROWS = 24  # per parameter
SETTLING = 1000  # steps after which a gain stands still
OPTIMISERS: tuple[dict[str, Any], ...] = (
    {"method": "lbfgs", "maxiter": 200},
    {"method": "powell", "maxiter": 200},
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ResidualModel:
    """A fitted residual model of one series.

    Attributes
    ----------
    lags
        Lags ``s_k`` in steps.
    phi : ndarray, shape (len(lags),)
    order
        ``(p, d, q)``.
    params : ndarray, shape (p + q + 1,)
        As statsmodels orders them; the last is the variance.
    """

    lags: tuple[int, ...]
    phi: Floats
    order: Order
    params: Floats

    def forecast(self, residuals: Floats, steps: int) -> Floats:
        """Forecast the steps after the last residual.

        Parameters
        ----------
        residuals : ndarray, shape (n,)
            NaN where one is missing. It counts as zero where it is a lag.
        steps : int

        Returns
        -------
        ndarray, shape (steps,), float64
        """
        short = _arima(seasonal_remainder(residuals, self.lags, self.phi), self.order)
        ahead = short.filter(self.params).forecast(int(steps))
        return _recurse(np.nan_to_num(residuals), ahead, self.lags, self.phi)


@dataclass(frozen=True, eq=False, kw_only=True)
class Space:
    """The ARIMA of a residual model in state space form, its gain in the steady state.

    Attributes
    ----------
    model
        Of which it is.
    design : ndarray, shape (1, s)
        Z.
    transition : ndarray, shape (s, s)
        T.
    gain : ndarray, shape (s,)
        K.
    """

    model: ResidualModel
    design: Floats
    transition: Floats
    gain: Floats

    def ahead(self, steps: int) -> Floats:
        """Return what forecasts 1 to ``steps`` steps from a predicted state, shape (steps, s)."""
        rows = [self.design[0]]
        for _ in range(steps - 1):
            rows.append(rows[-1] @ self.transition)
        return np.array(rows)

    def filtered(self, remainder: Floats) -> Floats:
        """Return the state predicted after values, shape (s,); zeros after none."""
        if not len(remainder):
            return np.zeros(len(self.gain))
        found = _arima(remainder, self.model.order).filter(self.model.params)
        return np.asarray(found.filter_results.predicted_state[:, -1], dtype=np.float64)


def steady_state(model: ResidualModel) -> Space:
    """Return the state space form of a residual model, filtered until its gain stands still."""
    short = _arima(np.zeros(SETTLING), model.order)
    gain = short.filter(model.params).filter_results.kalman_gain[:, 0, -1]
    return Space(
        model=model,
        design=np.array(short.ssm["design"][:1]),
        transition=np.array(short.ssm["transition"]),
        gain=np.array(gain),
    )


def fit_residuals(
    residuals: Floats, lags: Sequence[int], order: Order, window: int
) -> ResidualModel:
    """Estimate a residual model.

    Parameters
    ----------
    residuals : ndarray, shape (n,)
        NaN where one is missing. The φ are estimated on all of them.
    lags : sequence of int
        Seasonal lags in steps.
    order : tuple
        ``(p, d, q)``; lowered where there are too few residuals.
    window : int
        ARIMA is estimated on this many last residuals.

    Raises
    ------
    ConvergenceError
        Where no optimiser finds the maximum of the likelihood.
    """
    phi = seasonal_coefficients(residuals, lags)
    remainder = seasonal_remainder(residuals, lags, phi)[-window:]
    supported = supported_order(order, int(np.isfinite(remainder).sum()))
    params = _maximum_likelihood(remainder, supported)
    return ResidualModel(lags=tuple(lags), phi=phi, order=supported, params=params)


def seasonal_coefficients(residuals: Floats, lags: Sequence[int]) -> Floats:
    """Return the least squares φ; zero where there are too few residuals."""
    if len(residuals) <= max(lags, default=0):
        return np.zeros(len(lags))
    lagged = _lagged(residuals, lags)
    present = np.isfinite(lagged).all(axis=1) & np.isfinite(residuals)
    if present.sum() < LEAST_ROWS * len(lags):
        return np.zeros(len(lags))
    return np.asarray(np.linalg.lstsq(lagged[present], residuals[present])[0], dtype=np.float64)


def seasonal_remainder(residuals: Floats, lags: Sequence[int], phi: Floats) -> Floats:
    """Return ``u``, from the first residual on that has all its lags."""
    longest = min(max(lags, default=0), len(residuals))
    remainder = residuals - np.nan_to_num(_lagged(residuals, lags)) @ phi
    return remainder[longest:]


def _lagged(residuals: Floats, lags: Sequence[int]) -> Floats:
    lagged = np.full((len(residuals), len(lags)), np.nan)
    for column, lag in enumerate(lags):
        lagged[lag:, column] = residuals[: max(len(residuals) - lag, 0)]
    return lagged


def _recurse(past: Floats, ahead: Floats, lags: Sequence[int], phi: Floats) -> Floats:
    n = len(past)
    values = np.concatenate([past, ahead])
    # Blocks no longer than the shortest lag need nothing of themselves.
    block = min(lags, default=len(ahead))
    for start in range(n, len(values), max(block, 1)):
        rows = np.arange(start, min(start + block, len(values)))
        for lag, weight in zip(lags, phi, strict=True):
            source = rows - lag
            values[rows] += weight * np.where(source >= 0, values[source], 0.0)
    return values[n:]


def _maximum_likelihood(values: Floats, order: Order) -> Floats:
    model = _arima(values, order)
    notes = []
    for optimiser in OPTIMISERS:
        with warnings.catch_warnings():
            # Convergence is read from the result below; starting values are the optimiser's.
            warnings.simplefilter("ignore")
            result = model.fit(
                method_kwargs={**optimiser, "disp": False}, cov_type="none", low_memory=True
            )
        params = np.asarray(result.params, dtype=np.float64)
        if result.mle_retvals["converged"] and np.isfinite(params).all():
            return params
        notes.append(str(optimiser["method"]))
    raise ConvergenceError(
        f"ARIMA{order} on {np.isfinite(values).sum()} residuals did not converge "
        f"({', then '.join(notes)}); try a lower order"
    )


def _arima(values: Floats, order: Order) -> ARIMA:
    from statsmodels.tsa.arima.model import ARIMA

    return ARIMA(values, order=order, trend="n")


def supported_order(order: Order, rows: int) -> Order:
    """Lower p and q, the larger first, until each parameter has enough residuals.

    Examples
    --------
    >>> supported_order((3, 0, 3), 50)
    (1, 0, 1)
    """
    p, d, q = order
    while p + q and (p + q) * LEAST_ROWS > rows:
        p, q = (p - 1, q) if p > q else (p, q - 1)
    return p, d, q
