"""The correction of an additive model by other members.

With ``f`` the additive model, ``f₀`` the same as if at the end of training, ``m_k`` the members
and ``w`` weights of all, the additive model's included,

    c(x) = Σ_k w_k ( m_k(x) - f₀(x) ),

so that ``f + c`` is the weighted mean of the additive model and the members. The trend is the
additive model's own: members learn what the series would have been at the end of training, since
trees cannot continue a trend. Weights come from the errors on days that a member was not fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.site import YEAR_DAYS, AdditiveSite
from loopcast_forecasting.boosted.inputs import member_inputs
from loopcast_forecasting.boosted.slots import SlotModels, Slots, fit_slots
from loopcast_forecasting.boosted.trees import SeriesTrees, fit_trees
from loopcast_forecasting.boosted.weights import combination_weights
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.crossfit import cross_fit


@dataclass(frozen=True, eq=False, kw_only=True)
class Correction:
    """Members of N series, fitted.

    Attributes
    ----------
    design, coef
        The additive model.
    per_day
        Steps of a day.
    slots, trees
        The members.
    weights : ndarray, shape (3, N)
        Of the additive model, the models by time of day and the trees.
    """

    design: Design
    coef: Floats
    per_day: int
    slots: SlotModels
    trees: SeriesTrees
    weights: Floats

    def predict(self, X: Floats, day: Slots) -> Floats:
        """Return the correction.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Features of the additive model.
        day : ndarray, shape (n,)
            Number of each row's day by the clock of the panel, from 0.

        Returns
        -------
        ndarray, shape (n, N)
        """
        inputs = member_inputs(X, self.design.feature_names, day, self.per_day)
        settled = self.design.matrix(_at_end(X, self.design)) @ self.coef
        slots = self.slots.predict(_matrix(inputs), time_of_day(inputs["hour"], self.per_day))
        trees = self.trees.predict(inputs)
        return _weighted(self.weights, slots - settled, trees - settled)

    def encode(self, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return values for JSON, with the arrays set aside."""
        arrays[f"site_{site}_weights"] = self.weights
        arrays[f"site_{site}_slots"] = self.slots.coef
        return {
            "per_day": self.per_day,
            "slots": self.slots.design.to_dict(),
            "trees": {"inputs": self.trees.inputs, "boosters": self.trees.to_text()},
        }

    @classmethod
    def decode(
        cls, values: Mapping[str, Any], design: Design, coef: Floats, site: int, arrays: Arrays
    ) -> Correction:
        """Rebuild what `encode` returned."""
        trees = values["trees"]
        return cls(
            design=design,
            coef=coef,
            per_day=values["per_day"],
            slots=SlotModels(
                design=Design.from_dict(values["slots"]), coef=arrays[f"site_{site}_slots"]
            ),
            trees=SeriesTrees.from_text(tuple(trees["inputs"]), trees["boosters"]),
            weights=arrays[f"site_{site}_weights"],
        )


def fit_correction(
    additive: AdditiveSite, day: Slots, fold: Slots, rounds: int
) -> tuple[Correction, Floats]:
    """Fit the members and their weights.

    Parameters
    ----------
    additive : AdditiveSite
    day, fold : ndarray, shape (n,)
        Day, and rows that are left out together, of each row.
    rounds : int
        Trees of a series.

    Returns
    -------
    Correction
    ndarray, shape (n, N)
        Residuals of the weighted mean, each row's by models fitted without the row's fold.
    """
    X, Y, design = additive.X, np.asarray(additive.Y, np.float64), additive.gam.design
    coef, per_day = additive.series.coef, additive.spec.steps_per_day
    inputs = member_inputs(X, design.feature_names, day, per_day)
    trend = design.matrix(design.check(X)) @ coef - design.matrix(_at_end(X, design)) @ coef
    slots, by_slots = fit_slots(
        inputs,
        Y - trend,
        time_of_day(inputs["hour"], per_day),
        fold,
        whole_year=(additive.data.times[-1] - additive.data.times[0]).days >= YEAR_DAYS,
    )
    trees, by_trees = fit_trees(inputs, Y - trend, fold, rounds)
    residuals = cross_fit(additive.gam, X, additive.Y, fold)
    errors = np.stack([residuals, Y - trend - by_slots, Y - trend - by_trees])
    weights = np.column_stack([combination_weights(errors[:, :, k].T) for k in range(Y.shape[1])])
    correction = Correction(
        design=design, coef=coef, per_day=per_day, slots=slots, trees=trees, weights=weights
    )
    departures = residuals - errors[1:]
    return correction, residuals - _weighted(weights, *departures)


def _weighted(weights: Floats, slots: Floats, trees: Floats) -> Floats:
    """Return the weighted departures from the additive model; a time without a model has none."""
    return np.asarray(np.where(np.isnan(slots), 0.0, slots) * weights[1] + trees * weights[2])


def time_of_day(hour: Floats, per_day: int) -> NDArray[np.intp]:
    """Return the place of each time in its day by the wall clock of the site.

    Examples
    --------
    >>> time_of_day(np.array([0.0, 0.5, 23.5]), 48)
    array([ 0,  1, 47])
    """
    return np.floor(hour * per_day / 24 + 1e-9).astype(np.intp)


def _at_end(X: Floats, design: Design) -> Floats:
    """Return features as if at the end of training."""
    settled = X.copy()
    settled[:, design.feature_names.index("years")] = 0.0
    return settled


def _matrix(inputs: Mapping[str, Floats]) -> Floats:
    return np.column_stack(list(inputs.values()))
