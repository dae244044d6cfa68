"""Deciding whether a version has to be trained, and carrying a new one to its release.

A recipe is everything that decides what training gives. Where the catalog holds a version with
the recipe of a run, that version is used; otherwise one is trained, judged, registered and, if
it passes its gates and the champion on the same data, released.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import (
    ConfigurationError,
    Dataset,
    ForecastData,
    ForecastSchema,
    Manifest,
    Stage,
    Version,
)
from loopcast.deploy.bundle import read_bundle, version_of, write_bundle
from loopcast.deploy.forecast_bundle import pack
from loopcast.develop.course import Advance, Contender
from loopcast.develop.documentation import document
from loopcast.develop.environment import package_versions
from loopcast.develop.forecast.course import ForecastCourse, Plan
from loopcast.develop.forecast.hierarchy import BottomUp
from loopcast.develop.forecast.train import Trained, train
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.settings import convert
from loopcast.store.registration import Registration

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.deploy.bundle import Bundle
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings, TemplateSettings
    from loopcast.store.home import Home


def course_of(settings: RunSettings, plugins: PluginManager) -> ForecastCourse:
    """Find in the plugins what settings name.

    Raises
    ------
    PluginError, ConfigurationError
        Where something does not exist or a hyperparameter has the wrong type.
    """
    schema, name = settings.logical_model.schema, settings.template.name
    if not isinstance(schema, ForecastSchema) or plugins.template(name).task != schema.task:
        raise ConfigurationError(
            f"logical model {settings.logical_model.name} has the task {schema.task}, and template "
            f"{name} the task {plugins.template(name).task}; a run needs both to be forecast"
        )
    label = name.rpartition(".")[2]
    if label in settings.baselines:
        raise ConfigurationError(
            f"baselines.{label} has the label of the template {name}; give the baseline another"
        )
    candidate = _contender(label, settings.template, plugins)
    baselines = [
        _contender(label, baseline, plugins) for label, baseline in settings.baselines.items()
    ]
    return ForecastCourse(
        logical_model=settings.logical_model,
        schema=schema,
        candidate=candidate,
        baselines=tuple(baselines),
        origin=plugins.origin(name),
        metrics=plugins.metrics("forecast"),
        reconciler=(
            plugins.reconciler(settings.reconciliation) if settings.reconciliation else BottomUp()
        ),
        plan=Plan(
            origins=settings.backtest.origins,
            calibration=settings.backtest.calibration,
            every=settings.backtest.every,
            refit_every=settings.backtest.refit_every,
        ),
        seed=settings.seed,
        checks=settings.checks,
    )


def _contender(label: str, settings: TemplateSettings, plugins: PluginManager) -> Contender:
    template = plugins.template(settings.name)
    parameters: Any = convert(
        settings.hyperparameters, template.hyperparameters, f"{settings.name}.hyperparameters"
    )
    return Contender(label=label, template=template, hyperparameters=parameters)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedVersion:
    """A registered version, with its bundle.

    Attributes
    ----------
    stage
        Where it stands in its life.
    fresh
        Whether this run trained it.
    repeated
        Whether training gave a version that was registered before, to the last bit.
    """

    version: Version
    bundle: Bundle
    stage: Stage
    fresh: bool
    repeated: bool = False


def find_version(course: ForecastCourse, dataset: Dataset, home: Home) -> TrainedVersion | None:
    """Return the version that was trained by the same recipe, if there is one."""
    recipes = {course.segment: course.recipe(dataset)}
    version = home.catalog.find(course.logical_model.name, recipes).get(course.segment)
    if version is None:
        return None
    return TrainedVersion(
        version=version,
        bundle=read_bundle(home.artifacts, version.manifest),
        stage=home.catalog.stage(version.id),
        fresh=False,
    )


def train_version(
    course: ForecastCourse,
    data: ForecastData,
    dataset: Dataset,
    home: Home,
    engine: Engine,
    *,
    advance: Advance = lambda _: None,
) -> TrainedVersion:
    """Train, judge, register and, where it has earned it, release a version.

    Parameters
    ----------
    data
        Actuals until the end of training, and covariates over the same time.
    """
    trained = train(course, data, dataset.fingerprint, engine, advance)
    manifest, digest = write_bundle(
        home.artifacts, _manifest(course, dataset), _files(course, trained, data, dataset)
    )
    version = version_of(manifest, digest, datetime.now(UTC))
    evaluations = trained.contest.evaluations
    home.catalog.put_logical_model(course.logical_model)
    new = home.catalog.register(
        [
            Registration(
                version=version,
                datasets=(dataset,),
                evaluations=evaluations[:1],
                baselines=evaluations[1:],
                gates=trained.gates,
            )
        ]
    )
    stage = release_if_better(course, version, trained, home)
    bundle = read_bundle(home.artifacts, digest)
    return TrainedVersion(version=version, bundle=bundle, stage=stage, fresh=True, repeated=not new)


def _files(
    course: ForecastCourse, trained: Trained, data: ForecastData, dataset: Dataset
) -> dict[str, bytes]:
    candidate = course.candidate
    files = pack(trained, candidate, data, course.schema)
    files[JUDGED_FILE] = judged_bytes(trained.contest.judged)
    files["documentation.md"] = document(
        course.logical_model,
        template=candidate.template.name,
        summary=candidate.template.summary,
        hyperparameters=msgspec.to_builtins(candidate.hyperparameters),
        dataset=dataset,
        evaluations=trained.contest.evaluations,
        gates=trained.gates,
    )
    return files


def _manifest(course: ForecastCourse, dataset: Dataset) -> Manifest:
    return Manifest(
        logical_model=course.logical_model.name,
        segment=course.segment,
        template=course.candidate.template.name,
        plugin=course.origin,
        hyperparameters=msgspec.to_builtins(course.candidate.hyperparameters),
        recipe=course.recipe(dataset),
        seed=course.seed,
        datasets=(dataset,),
        environment=package_versions("loopcast", course.origin.package),
        files={},
    )


def release_if_better(
    course: ForecastCourse, version: Version, trained: Trained, home: Home
) -> Stage:
    """Make a version champion if it has earned it, else challenger, else leave it a candidate.

    It has to pass its gates, and to beat the champion on the key metric where both were judged
    on the same data in the same way. A champion that was judged on other data gives way: the
    new version has beaten its baselines on the data that counts now.
    """
    if not all(gate.passed for gate in trained.gates):
        return home.catalog.stage(version.id)
    champion = home.catalog.champion(course.logical_model.name, course.segment)
    if champion is not None and champion.id == version.id:
        return "champion"
    stage, reason = _verdict(course, trained, champion, home)
    home.catalog.release(
        course.logical_model.name,
        course.segment,
        version.id,
        stage=stage,
        by="loopcast",
        reason=reason,
    )
    return stage


def _verdict(
    course: ForecastCourse, trained: Trained, champion: Version | None, home: Home
) -> tuple[Stage, str]:
    if champion is None:
        return "champion", "first version to pass its gates"
    own = trained.contest.evaluations[0]
    rivals = [
        rival
        for rival in home.catalog.evaluations(champion.id)
        if (rival.dataset, rival.protocol) == (own.dataset, own.protocol)
    ]
    if not rivals:
        return "champion", f"champion {champion.id} was judged on other data"
    kpi = course.logical_model.kpi
    mine, theirs = own.value(kpi.metric), rivals[0].value(kpi.metric)
    better = mine is not None and theirs is not None and kpi.better(mine, theirs)
    reason = f"{kpi.metric} {mine} against {theirs} of champion {champion.id}"
    return ("champion" if better else "challenger"), reason
