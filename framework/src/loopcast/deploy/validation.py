"""Validation of registered versions: what their policy demands, run on what their bundles hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from loopcast.api import (
    DomainVerdict,
    ForecastQuery,
    GateResult,
    Judged,
    LogicalModel,
    NotFoundError,
    Policy,
    PolicyRow,
    Ranker,
    Ranking,
    RankQuery,
    RankSchema,
    Scenario,
    Scores,
    Segment,
    Subject,
    Validation,
    Version,
    VersionId,
)
from loopcast.deploy.comparison import judged_of
from loopcast.deploy.forecast_scenario import read_scenario
from loopcast.deploy.limits import domain_verdict, read_limits
from loopcast.deploy.loaded import LoadedVersion, load_version
from loopcast.deploy.production import recent_production
from loopcast.develop.compare import comparable, pair
from loopcast.develop.engine import LocalEngine
from loopcast.develop.judged import champion_label
from loopcast.validate.run import Demand, demands, run_gates

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Engine
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home

_SCENARIOS = "scenarios/"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the catalog holds around versions, read once for thousands of segments.

    Attributes
    ----------
    models
        By name.
    champions
        By logical model and segment, where there is one.
    """

    models: Mapping[str, LogicalModel]
    champions: Mapping[tuple[str, Segment], Version]

    def champion(self, version: Version) -> Version | None:
        """Return the champion where a version belongs."""
        return self.champions.get((version.logical_model, version.segment))


def surroundings(home: Home, versions: Iterable[Version]) -> Surroundings:
    """Read the logical models and champions of versions.

    Raises
    ------
    NotFoundError
        Where a logical model is not in the catalog.
    """
    segments: dict[str, list[Segment]] = defaultdict(list)
    for version in versions:
        segments[version.logical_model].append(version.segment)
    return Surroundings(
        models={name: home.catalog.logical_model(name) for name in segments},
        champions={
            (name, segment): champion
            for name, wanted in segments.items()
            for segment, champion in home.catalog.champions(name, wanted).items()
        },
    )


def validate_versions(
    home: Home,
    plugins: PluginManager,
    policy: Policy,
    versions: Iterable[Version],
    engine: Engine,
    *,
    by: str,
    at_hand: Mapping[VersionId, LoadedVersion] | None = None,
) -> tuple[Validation, ...]:
    """Run on each version the gates of its risk class, and store all that they found.

    Parameters
    ----------
    at_hand
        Versions that need not be read, since they were written a moment ago.

    Raises
    ------
    ConfigurationError
        Where the policy gives a gate an option that it does not have.
    PluginError
        Where it demands a gate that is not installed.
    IntegrityError
        Where the bundle of a version is damaged.
    """
    wanted, loaded = list(versions), at_hand or {}
    around = surroundings(home, wanted)
    rows = {name: policy.row(model) for name, model in around.models.items()}
    gates = {name: demanded(row, plugins) for name, row in rows.items()}
    jobs = (
        _Job(
            subject=subject_for(
                home,
                plugins,
                version,
                gates[version.logical_model],
                around,
                at_hand=loaded.get(version.id),
            ),
            demanded=gates[version.logical_model],
        )
        for version in wanted
    )
    results = _results(jobs, engine, many=len(wanted) > 1)
    found = tuple(
        Validation(
            version=version.id,
            at=datetime.now(UTC),
            by=by,
            policy=rows[version.logical_model].digest,
            results=of_version,
        )
        for version, of_version in zip(wanted, results, strict=True)
    )
    home.catalog.put_policy(policy, by=by)
    home.catalog.put_validations(found)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    subject: Subject
    demanded: tuple[Demand, ...]


def _results(
    jobs: Iterator[_Job], engine: Engine, *, many: bool
) -> Iterator[tuple[GateResult, ...]]:
    """Run gates in parallel: those of one version, or versions beside each other where many."""
    if many:
        yield from engine.map(_run, jobs)
    else:
        yield from (run_gates(job.subject, job.demanded, engine) for job in jobs)


def _run(job: _Job) -> tuple[GateResult, ...]:
    return run_gates(job.subject, job.demanded, LocalEngine())


def demanded(
    row: PolicyRow, plugins: PluginManager, only: Collection[str] = ()
) -> tuple[Demand, ...]:
    """Return the gates that a row of the policy demands, with their options.

    Parameters
    ----------
    only
        These gates instead, with the options of the policy where it has some.
    """
    names = only or row.gates
    gates = {name: plugins.gate(name) for name in names}
    return demands({name: row.gates.get(name, {}) for name in names}, gates)


def subject_for(
    home: Home,
    plugins: PluginManager,
    version: Version,
    demanded: tuple[Demand, ...],
    around: Surroundings | None = None,
    *,
    at_hand: LoadedVersion | None = None,
) -> Subject:
    """Read what the demanded gates examine of a version; see :func:`subject_of`."""
    production = any(demand.gate.production for demand in demanded)
    return subject_of(home, plugins, version, around, at_hand=at_hand, production=production)


def subject_of(
    home: Home,
    plugins: PluginManager,
    version: Version,
    around: Surroundings | None = None,
    *,
    at_hand: LoadedVersion | None = None,
    production: bool = False,
) -> Subject:
    """Read what gates examine of a version, and the champion that it would follow.

    Parameters
    ----------
    around
        What the catalog holds around it, where that was read for many versions at once.
    at_hand
        The version, where it need not be read.
    production
        Whether to read what production asked lately, too.
    """
    around = around or surroundings(home, [version])
    model = around.models[version.logical_model]
    loaded = at_hand or load_version(home, plugins, version, model)
    judged = loaded.judged()
    rival, note = rival_of(home, version, judged, around.champion(version))
    return Subject(
        version=version.id,
        logical_model=loaded.logical_model,
        manifest=loaded.manifest,
        models=_models(loaded),
        scenarios=tuple(_scenarios(loaded)),
        judged=judged,
        metrics={metric.name: metric for metric in plugins.metrics_of(loaded.logical_model)},
        rival=rival,
        rival_note=note,
        production=recent_production(home, loaded) if production else None,
        domain=_domain(loaded, plugins),
    )


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
    if isinstance(loaded.schema, RankSchema):
        name = loaded.template.name
        return {"": _Served(model=loaded.model, schema=loaded.schema, template=name)}
    return loaded.models


def _domain(
    loaded: LoadedVersion, plugins: PluginManager
) -> Callable[[ForecastQuery | pd.DataFrame], DomainVerdict] | None:
    limits = read_limits(loaded.bundle.files, plugins.template)
    if not limits.domains or loaded.logical_model.task == "rank":
        return None
    return partial(
        domain_verdict, replace(limits, stand_ins={}), loaded.logical_model.applicability
    )


def _scenarios(loaded: LoadedVersion) -> Iterable[Scenario]:
    files = loaded.bundle.files
    if loaded.logical_model.task == "forecast":
        for name in loaded.models:
            yield read_scenario(name, files[f"{_SCENARIOS}{name}.npz"])
    elif loaded.logical_model.task == "score":
        from loopcast.deploy import score_bundle

        rows, expected = score_bundle.read_scenario(files)
        yield Scenario(name="", inputs=rows, answer=Scores(probability=expected))
    else:
        from loopcast.deploy import rank_bundle

        query, ranking = rank_bundle.read_scenario(files)
        yield Scenario(name="", inputs=query, answer=ranking)


def rival_of(
    home: Home, version: Version, judged: Judged, champion: Version | None
) -> tuple[Judged | None, str]:
    """Put the champion's judged rows beside the version's, or say why there are none."""
    if champion is None:
        return None, "there is no champion"
    if champion.id == version.id:
        return None, "it is the champion"
    beside = judged.outcomes.get(champion_label(champion.id))
    if beside is not None:
        own = next(iter(judged.outcomes.values()))
        return replace(judged, outcomes={champion.id: beside, version.id: own}), ""
    try:
        comparable(home.catalog.evaluations(champion.id), home.catalog.evaluations(version.id))
    except NotFoundError:
        return None, f"champion {champion.id} was judged on other data"
    theirs = judged_of(home, champion)
    return pair(theirs, judged, (champion.id, version.id)), ""
