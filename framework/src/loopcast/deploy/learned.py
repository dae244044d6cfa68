"""What a version learned of each input, as far as its models can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.api import Effect, ExplainedForecaster, ScoreSchema

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.explain.dependence import Dependence

MOST_SERIES = 1
MOST_FEATURES = 12


def effects_of(loaded: LoadedVersion) -> Sequence[Effect]:
    """Return a forecaster's own effects, or the partial dependence of a scorer on its numbers.

    Of a forecast, those of the head of its hierarchy at the finest step.
    """
    schema = loaded.schema
    if isinstance(schema, ScoreSchema):
        from loopcast.deploy.explained import probability_of
        from loopcast.deploy.score_bundle import read_scenario
        from loopcast.develop.explain.dependence import dependences

        rows, _ = read_scenario(loaded.bundle.files)
        numbers = [n for n in rows.columns if schema.features[str(n)].kind == "numeric"]
        found = dependences(probability_of(loaded), rows, schema, only=numbers[:MOST_FEATURES])
        return tuple(map(_effect, found))
    if loaded.forecast is None:
        return ()
    hierarchy = loaded.forecast.preparation.hierarchy
    model = loaded.forecast.models[hierarchy.steps[0]].model
    if not isinstance(model, ExplainedForecaster):
        return ()
    own = model.effects(hierarchy.heads[:MOST_SERIES])
    return tuple(effect for effect in own if isinstance(effect, Effect))


def _effect(found: Dependence) -> Effect:
    mean = found.mean
    return Effect(
        title=found.title, unit=found.unit, series="", x=found.x, value=mean, low=mean, high=mean
    )
