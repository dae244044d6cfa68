"""Odd panels: what a forecaster may be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import Forecast, ForecastData, ForecastQuery, ForecastSchema
from loopcast.validate.oddities.made import Oddity

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR = 3.0
"""How many times the range of a covariate without bounds an extreme lies beyond it."""


def odd_panels(
    query: ForecastQuery, answer: Forecast, schema: ForecastSchema, seed: int
) -> Iterator[Oddity]:
    """Yield odd variants of a forecaster's scenario."""
    yield from _missing(query)
    yield from _extreme(query, schema)
    yield from _constant(query)
    yield from _shuffled(query, answer, np.random.default_rng(seed))


def _with(query: ForecastQuery, **changes: object) -> ForecastQuery:
    known: ForecastData = replace(query.known, **changes)  # type: ignore[arg-type]
    return replace(query, known=known)


def _with_covariate(query: ForecastQuery, name: str, frame: pd.DataFrame) -> ForecastQuery:
    return _with(query, covariates={**query.known.covariates, name: frame})


def _missing(query: ForecastQuery) -> Iterator[Oddity]:
    target = query.known.target
    last_day = target.copy()
    last_day.loc[query.horizon[0] - pd.DateOffset(days=1) :] = np.nan
    inputs = {
        "the last day of actuals": last_day,
        "all actuals": target * np.nan,
        "one series": target.assign(**{str(target.columns[0]): np.nan}),
    }
    for name, frame in inputs.items():
        yield Oddity(kind="missing", name=f"missing {name}", inputs=_with(query, target=frame))
    for name, frame in query.known.covariates.items():
        ahead = frame.astype(np.float64)
        ahead.loc[query.horizon[0] :] = np.nan
        yield Oddity(
            kind="missing", name=f"missing {name}", inputs=_with_covariate(query, name, ahead)
        )


def _extreme(query: ForecastQuery, schema: ForecastSchema) -> Iterator[Oddity]:
    """Covariates at their bounds over the horizon, and a last day of ten times the actuals."""
    for name, frame in query.known.covariates.items():
        declared = schema.covariates.get(name)
        if declared is not None and declared.kind == "flag":
            continue
        low, high = float(np.nanmin(frame.to_numpy())), float(np.nanmax(frame.to_numpy()))
        far = FAR * (high - low)
        bounds = (declared.minimum, declared.maximum) if declared else (None, None)
        ends = {
            "lowest": low - far if bounds[0] is None else bounds[0],
            "highest": high + far if bounds[1] is None else bounds[1],
        }
        for word, value in ends.items():
            ahead = frame.astype(np.float64)
            ahead.loc[query.horizon[0] :] = value
            yield Oddity(
                kind="extreme",
                name=f"{word} {name}",
                inputs=_with_covariate(query, name, ahead),
                ordinary=False,
            )
    surge = query.known.target.copy()
    surge.loc[query.horizon[0] - pd.DateOffset(days=1) :] *= 10.0
    yield Oddity(
        kind="extreme",
        name="ten times the actuals on the last day",
        inputs=_with(query, target=surge),
        ordinary=False,
    )


def _constant(query: ForecastQuery) -> Iterator[Oddity]:
    target = query.known.target
    for word, values in (("constant", np.nanmean(target.to_numpy(), axis=0)), ("zero", 0.0)):
        frame = pd.DataFrame(
            np.broadcast_to(values, target.shape).copy(), target.index, target.columns
        )
        yield Oddity(kind="constant", name=f"{word} actuals", inputs=_with(query, target=frame))
    still = {name: frame * 0.0 + frame.mean() for name, frame in query.known.covariates.items()}
    if still:
        yield Oddity(
            kind="constant", name="constant covariates", inputs=_with(query, covariates=still)
        )


def _shuffled(query: ForecastQuery, answer: Forecast, rng: np.random.Generator) -> Iterator[Oddity]:
    target = query.known.target
    if target.shape[1] > 1:
        order = _moved(rng, target.shape[1])
        yield Oddity(
            kind="shuffled",
            name="series in another order",
            inputs=_with(query, target=target.iloc[:, order]),
            expected=Forecast(mean=answer.mean[:, order]),
        )
    frames = query.known.covariates
    if len(query.known.sites) > 1 and frames:
        moved = {name: frame.iloc[:, _moved(rng, frame.shape[1])] for name, frame in frames.items()}
        yield Oddity(
            kind="shuffled",
            name="sites in another order",
            inputs=_with(query, covariates=moved),
            expected=answer,
        )
    if len(frames) > 1:
        yield Oddity(
            kind="shuffled",
            name="covariates in another order",
            inputs=_with(query, covariates=dict(reversed(list(frames.items())))),
            expected=answer,
        )


def _moved(rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    """Return an order in which not everything is where it was."""
    order = rng.permutation(count)
    return np.roll(order, 1) if np.array_equal(order, np.arange(count)) else order
