"""Validation of registered versions: what their policy demands, run on what their bundles hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loopcast.api import (
    GateResult,
    IntegrityError,
    Judged,
    LogicalModel,
    NotFoundError,
    Policy,
    PolicyRow,
    Segment,
    Subject,
    Validation,
    Version,
    VersionId,
)
from loopcast.deploy.comparison import judged_of
from loopcast.deploy.examination import Examination, Rival, rival_at_hand, subject_from
from loopcast.deploy.loaded import load_version
from loopcast.develop.engine import LocalEngine
from loopcast.develop.pairing import comparable, pair
from loopcast.validate.run import Demand, demands, run_gates

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


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
    examined: Mapping[VersionId, Examination] | None = None,
    around: Surroundings | None = None,
) -> tuple[Validation, ...]:
    """Run on each version the gates of its risk class, and store all that they found.

    Parameters
    ----------
    examined
        What the gates found of versions while they were in memory; of others, and where another
        champion serves by now, they are run here.
    around
        What the catalog holds around them, where that was read already.

    Raises
    ------
    ConfigurationError
        Where the policy gives a gate an option that it does not have.
    PluginError
        Where it demands a gate that is not installed.
    IntegrityError
        Where the bundle of a version is damaged.
    """
    wanted = list(versions)
    around = around or surroundings(home, wanted)
    rows = {name: policy.row(model) for name, model in around.models.items()}
    gates = {name: demanded(row, plugins) for name, row in rows.items()}
    results = _still_true(examined or {}, wanted, around)
    left = [version for version in wanted if version.id not in results]
    jobs = (
        _Job(
            subject=subject_for(home, plugins, version, gates[version.logical_model], around),
            demanded=gates[version.logical_model],
        )
        for version in left
    )
    fresh = _results(jobs, engine, many=len(left) > 1)
    results |= {version.id: found for version, found in zip(left, fresh, strict=True)}
    found = tuple(
        Validation(
            version=version.id,
            at=datetime.now(UTC),
            by=by,
            policy=rows[version.logical_model].digest,
            results=results[version.id],
        )
        for version in wanted
    )
    home.catalog.put_policy(policy, by=by)
    home.catalog.put_validations(found)
    return found


def _still_true(
    examined: Mapping[VersionId, Examination], wanted: Iterable[Version], around: Surroundings
) -> dict[VersionId, tuple[GateResult, ...]]:
    """Return what was found of versions beside those who still serve."""
    return {
        version.id: examined[version.id].results
        for version in wanted
        if version.id in examined
        and examined[version.id].champion == _id_of(around.champion(version))
    }


def _id_of(version: Version | None) -> VersionId | None:
    return None if version is None else version.id


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
) -> Subject:
    """Read what the demanded gates examine of a version; see :func:`subject_of`."""
    production = any(demand.gate.production for demand in demanded)
    return subject_of(home, plugins, version, around, production=production)


def subject_of(
    home: Home,
    plugins: PluginManager,
    version: Version,
    around: Surroundings | None = None,
    *,
    production: bool = False,
) -> Subject:
    """Read what gates examine of a version, and the champion that it would follow.

    Parameters
    ----------
    around
        What the catalog holds around it, where that was read for many versions at once.
    production
        Whether to read what production asked lately, too.
    """
    from loopcast.deploy.production import recent_production

    around = around or surroundings(home, [version])
    model = around.models[version.logical_model]
    loaded = load_version(home, plugins, version, model)
    judged = loaded.judged()
    return subject_from(
        loaded,
        judged,
        _rival_or_why(home, version, judged, around.champion(version)),
        metrics=plugins.metrics_of(loaded.logical_model),
        find=plugins.template,
        production=recent_production(home, loaded) if production else None,
    )


def _rival_or_why(home: Home, version: Version, judged: Judged, champion: Version | None) -> Rival:
    """Return the rival of a version; gates are told of a champion that is damaged or gone."""
    try:
        return rival_of(home, version, judged, champion)
    except (IntegrityError, NotFoundError) as error:
        return None, f"champion {_id_of(champion)} cannot be compared: {error}"


def rival_of(home: Home, version: Version, judged: Judged, champion: Version | None) -> Rival:
    """Put the champion's judged rows beside the version's, or say why there are none.

    Raises
    ------
    IntegrityError, NotFoundError
        Where the champion's bundle is damaged or gone.
    """
    at_hand = rival_at_hand(version.id, judged, _id_of(champion))
    if at_hand is not None:
        return at_hand
    assert champion is not None
    try:
        comparable(home.catalog.evaluations(champion.id), home.catalog.evaluations(version.id))
    except NotFoundError:
        return None, f"champion {champion.id} was judged on other data"
    theirs = judged_of(home, champion)
    return pair(theirs, judged, (champion.id, version.id)), ""
