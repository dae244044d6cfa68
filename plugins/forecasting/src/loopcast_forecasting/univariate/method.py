"""What a model for one series offers, and how its likelihood is maximised."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from loopcast.api import ConvergenceError
from loopcast_forecasting.features.clock import Floats

ITERATIONS = 300
LEAST_WINDOW = 200  # steps


class Method(Protocol):
    """A kind of model with its hyperparameters."""

    @property
    def window(self) -> int:
        """Return how many last steps of a series it looks at."""
        ...

    def scale(self, values: Floats) -> tuple[float, float]:
        """Return by what values are shifted, then divided, so that an optimiser can do its work."""
        ...

    def fit(self, values: Floats, X: Floats) -> Floats:
        """Return the parameters of a series.

        Parameters
        ----------
        values : ndarray, shape (n,), float64
            NaN where one is missing.
        X : ndarray, shape (n, k)
            Regressors; k may be 0.

        Raises
        ------
        ConvergenceError
            Where no maximum of the likelihood is found.
        DataError
            Where the values do not suffice.
        """
        ...

    def forecast(self, params: Floats, values: Floats, X: Floats, steps: int) -> Floats:
        """Return the steps after the last value, shape (steps,), at given parameters.

        Parameters
        ----------
        params : ndarray
        values : ndarray, shape (n,)
        X : ndarray, shape (n + steps, k)
        steps : int

        Raises
        ------
        DataError
            Where the values do not suffice.
        """
        ...


def maximum_likelihood(name: str, fit: Callable[[], Any]) -> Floats:
    """Return the parameters that a statsmodels fit finds; anything but convergence is an error.

    Raises
    ------
    ConvergenceError
        Where the optimiser or statsmodels say that it has not converged, or numbers overflow.
    """
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # What else is warned of concerns starting values; convergence is judged below.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            result = fit()
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise ConvergenceError(f"{name} did not converge: {error}") from error
    params = np.asarray(result.params, dtype=np.float64)
    if not (result.mle_retvals["converged"] and np.isfinite(params).all()):
        raise ConvergenceError(f"{name} did not converge in {ITERATIONS} iterations")
    return params
