"""A fitted hybrid as a graph: features and the last response in, the forecast out.

The state of a call begins with what the additive part said of the last interval, and whether it
said anything: from these and the last response follows the last residual, with which the residual
step goes on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import DeviceCall, ForecastData, ModelError, Portable
from loopcast.api import graph as g
from loopcast_forecasting.portable.memory import Seen, minus
from loopcast_forecasting.portable.recipe import site_recipe
from loopcast_forecasting.portable.terms import additive_block

if TYPE_CHECKING:
    from loopcast_forecasting.additive.model import HybridModel, HybridSite

OWN = 2  # columns of the state before those of the residual step


def portable(model: HybridModel, known: ForecastData, series: str) -> Portable:
    """Return the model of a series as a graph, with its recipe."""
    site, place = _found(model, known, series)
    names, log = site.design.feature_names, bool(site.series.log[place])
    recipe = site_recipe(model.spec, names, known.sites[site.site], series, log=log)
    fitted, level = additive_block(site.design, site.series.coef[:, place])
    memory = site.residual.memory(place, model.spec.steps_per_day)
    size = OWN + memory.size
    own = g.Columns(g.State(), tuple(range(OWN, size)))
    last = g.Sum((g.First(g.Columns(g.Features(), (len(names),))), g.Constant((-level,))))
    seen = _seen(g.State(), last, names.index("hour"))
    ahead, following = memory.blocks(own, seen)
    response = g.Sum((fitted, ahead))
    next_state = g.Joined((g.First(fitted), g.Constant((1.0,)), following))
    graph = g.Graph(
        features=recipe.columns,
        output=_inverted(response, level, log=log),
        outputs=("mean",),
        state=size,
        next_state=next_state,
    )
    return Portable(graph=graph, recipe=recipe)


def _inverted(response: g.Block, level: float, *, log: bool) -> g.Block:
    """Return what has a response, whose level is added last: single precision is best near zero."""
    if not log:
        return g.Sum((response, g.Constant((level,))))
    return g.Product(g.Constant((math.exp(level),)), g.Exponential(response))


def _seen(state: g.Block, last: g.Block, hour: int) -> Seen:
    said, called = g.Columns(state, (0,)), g.Columns(state, (1,))
    apart = g.Sum((last, minus(said)))
    observed = g.Product(called, g.Sum((g.Constant((1.0,)), minus(g.Missing(apart)))))
    return Seen(
        residual=g.Product(called, g.Filled(apart)),
        observed=observed,
        hour=g.Columns(g.Features(), (hour,)),
    )


def device_call(
    model: HybridModel, known: ForecastData, horizon: pd.DatetimeIndex, series: str
) -> DeviceCall:
    """Return what a device has before it at an origin."""
    site, place = _found(model, known, series)
    given, additive = site.at_origin(known, model.spec, horizon)
    said = additive[len(given.residuals) - 1, place]
    _, level = additive_block(site.design, site.series.coef[:, place])
    features = np.full((len(horizon), given.X.shape[1] + 1), np.nan)
    features[:, :-1] = given.X[-len(horizon) :]
    features[0, -1] = given.residuals[-1, place] + said
    memory = site.residual.memory(place, model.spec.steps_per_day)
    state = np.concatenate([[said - level, 1.0], memory.state(given)])
    return DeviceCall(features=features, state=state[None])


def _found(model: HybridModel, known: ForecastData, series: str) -> tuple[HybridSite, int]:
    """Return the site of a series, and its place there.

    Raises
    ------
    ModelError
        Where the series has no model, or none that a device can carry on.
    """
    for site in model.sites:
        if series in site.series.names:
            zone = known.sites[site.site].timezone
            if zone != known.timezone:
                raise ModelError(
                    f"series {series!r} is of a site in {zone}, and forecasts are made by the day "
                    f"of {known.timezone}; a device knows one zone"
                )
            if model.spec.steps_per_day == 1:
                raise ModelError(
                    f"series {series!r} has steps of a day; a device forecasts shorter ones"
                )
            return site, site.series.names.index(series)
    reason = model.failures.get(series, "it never changed, or was not in training")
    raise ModelError(f"series {series!r} has no graph: {reason}")
