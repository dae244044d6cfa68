"""What a version learned of each input, as far as its models can show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import Effect, ExplainedForecaster, ScoreSchema

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion

POINTS = 25
MOST_SERIES = 1
MOST_FEATURES = 12


def effects_of(loaded: LoadedVersion) -> Sequence[Effect]:
    """Return a forecaster's own effects, or the partial dependence of a scorer.

    Of a forecast, those of the head of its hierarchy at the finest step.
    """
    schema = loaded.schema
    if isinstance(schema, ScoreSchema):
        from loopcast.deploy.score_bundle import read_scenario

        rows, _ = read_scenario(loaded.bundle.files)
        return tuple(_partial_dependence(loaded, rows, schema))
    if loaded.forecast is None:
        return ()
    hierarchy = loaded.forecast.preparation.hierarchy
    model = loaded.forecast.models[hierarchy.steps[0]].model
    if not isinstance(model, ExplainedForecaster):
        return ()
    found = model.effects(hierarchy.heads[:MOST_SERIES])
    return tuple(effect for effect in found if isinstance(effect, Effect))


def _partial_dependence(
    loaded: LoadedVersion, rows: pd.DataFrame, schema: ScoreSchema
) -> Iterator[Effect]:
    """Yield the mean probability of the scenario's rows as each number runs over its range.

    Source: J. H. Friedman (2001), Greedy function approximation, Annals of Statistics 29,
    section 8.2.
    """
    numbers = [str(n) for n in rows.columns if schema.features[str(n)].kind == "numeric"]
    for name in numbers[:MOST_FEATURES]:
        known = rows[name].dropna()
        if known.nunique() < 2:
            continue
        grid = np.unique(np.quantile(known, np.linspace(0.02, 0.98, POINTS)))
        table = pd.concat([rows.assign(**{name: value}) for value in grid], ignore_index=True)
        mean = loaded.model.predict(table).probability.reshape(len(grid), -1).mean(axis=1)
        yield Effect(
            title=name,
            unit=schema.features[name].unit,
            series="",
            x=grid.astype(np.float64),
            value=mean,
            low=mean,
            high=mean,
        )
