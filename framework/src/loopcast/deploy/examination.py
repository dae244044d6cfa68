"""Examining a version in memory: what gates see of it, without a store that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    DomainVerdict,
    ForecastQuery,
    GateResult,
    Judged,
    MetricDefinition,
    Production,
    Ranker,
    Ranking,
    RankQuery,
    RankSchema,
    Scenario,
    Scores,
    Subject,
    Template,
    VersionId,
)
from loopcast.deploy.limits import domain_verdict, read_limits
from loopcast.develop.engine import LocalEngine
from loopcast.develop.judged import champion_label
from loopcast.validate.run import Demand, run_gates

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.deploy.loaded import LoadedVersion

Rival = tuple[Judged | None, str]
"""The champion and a version on the same rows, in this order, or why there are none."""

_SCENARIOS = "scenarios/"


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What gates found of a version while it was in memory.

    Attributes
    ----------
    champion
        Beside whom it was examined; ``None`` where nobody served.
    """

    champion: VersionId | None
    results: tuple[GateResult, ...]


def examine(
    loaded: LoadedVersion,
    demanded: tuple[Demand, ...],
    champion: VersionId | None,
    *,
    metrics: Iterable[MetricDefinition],
    find: Callable[[str], Template[Any, Any]],
) -> Examination | None:
    """Run gates on a version in memory; no store is asked.

    Parameters
    ----------
    champion
        Who serves.
    find
        Returns the template of a name.

    Returns
    -------
    Examination or None
        ``None`` where gates look at production, or the champion's judged rows are not at hand.
    """
    judged = loaded.judged()
    rival = rival_at_hand(loaded.version.id, judged, champion)
    if rival is None or any(demand.gate.production for demand in demanded):
        return None
    subject = subject_from(loaded, judged, rival, metrics=metrics, find=find)
    return Examination(champion=champion, results=run_gates(subject, demanded, LocalEngine()))


def subject_from(
    loaded: LoadedVersion,
    judged: Judged,
    rival: Rival,
    *,
    metrics: Iterable[MetricDefinition],
    find: Callable[[str], Template[Any, Any]],
    production: Production | None = None,
) -> Subject:
    """Put together what gates examine of a version.

    Parameters
    ----------
    find
        Returns the template of a name.
    production
        What it was asked lately, where a gate looks at that.
    """
    return Subject(
        version=loaded.version.id,
        logical_model=loaded.logical_model,
        manifest=loaded.manifest,
        models=_models(loaded),
        scenarios=tuple(_scenarios(loaded)),
        judged=judged,
        metrics={metric.name: metric for metric in metrics},
        rival=rival[0],
        rival_note=rival[1],
        production=production,
        domain=_domain(loaded, find),
    )


def rival_at_hand(version: VersionId, judged: Judged, champion: VersionId | None) -> Rival | None:
    """Return the champion beside a version; ``None`` where only a store could say.

    Parameters
    ----------
    champion
        Who serves; ``None`` where nobody does.
    """
    if champion is None:
        return None, "there is no champion"
    if champion == version:
        return None, "it is the champion"
    beside = judged.outcomes.get(champion_label(champion))
    if beside is None:
        return None
    own = next(iter(judged.outcomes.values()))
    return replace(judged, outcomes={champion: beside, version: own}), ""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Served:
    """A ranker as it is served: lists filled up, and without scores below the minimum."""

    model: Ranker
    schema: RankSchema
    template: str

    def predict(self, query: RankQuery) -> Ranking:
        from loopcast.develop.rank.query import ranked

        return ranked(self.model, query, self.schema, self.template)


def _models(loaded: LoadedVersion) -> Mapping[str, Any]:
    if loaded.logical_model.task != "rank":
        return loaded.models
    schema = loaded.schema
    assert isinstance(schema, RankSchema)
    return {"": _Served(model=loaded.model, schema=schema, template=loaded.template.name)}


def _domain(
    loaded: LoadedVersion, find: Callable[[str], Template[Any, Any]]
) -> Callable[[ForecastQuery | pd.DataFrame], DomainVerdict] | None:
    if loaded.logical_model.task == "rank":
        return None
    limits = read_limits(loaded.bundle.files, find)
    if not limits.domains:
        return None
    return partial(
        domain_verdict, replace(limits, stand_ins={}), loaded.logical_model.applicability
    )


def _scenarios(loaded: LoadedVersion) -> Iterable[Scenario]:
    files = loaded.bundle.files
    if loaded.scenario is not None:
        yield loaded.scenario
    elif loaded.logical_model.task == "forecast":
        from loopcast.deploy import forecast_scenario

        for name in loaded.models:
            yield forecast_scenario.read_scenario(name, files[f"{_SCENARIOS}{name}.npz"])
    elif loaded.logical_model.task == "score":
        from loopcast.deploy import score_bundle

        rows, expected = score_bundle.read_scenario(files)
        yield Scenario(name="", inputs=rows, answer=Scores(probability=expected))
    else:
        from loopcast.deploy import rank_bundle

        query, ranking = rank_bundle.read_scenario(files)
        yield Scenario(name="", inputs=query, answer=ranking)
