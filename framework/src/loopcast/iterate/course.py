"""From settings to the course of a training: every name looked up with the plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopcast.api import ConfigurationError, ForecastSchema
from loopcast.develop.course import Contender, Course
from loopcast.develop.decision import decision_for
from loopcast.develop.holdout import Holdout
from loopcast.develop.score.prepared import ChosenPreparation, PreparedTemplate
from loopcast.settings import convert

if TYPE_CHECKING:
    from loopcast.develop.forecast.course import ForecastCourse
    from loopcast.develop.score.region import Region
    from loopcast.iterate.settings_file import TrainingSettings
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings, TemplateSettings


def course_of(
    settings: RunSettings | TrainingSettings,
    plugins: PluginManager,
    region: Region | None = None,
) -> Course[Any]:
    """Find in the plugins what settings name.

    Parameters
    ----------
    region
        What an earlier logical model refuses, where one decides before.

    Raises
    ------
    PluginError, ConfigurationError
        Where something does not exist or a hyperparameter has the wrong type.
    """
    if isinstance(settings.logical_model.schema, ForecastSchema):
        return forecast_course(settings, plugins, settings.logical_model.schema)
    holdout = settings.holdout
    plan = Holdout(method=holdout.method, share=holdout.share, count=holdout.count)
    return Course(plan=plan, region=region, **_common(settings, plugins))


def forecast_course(
    settings: RunSettings | TrainingSettings, plugins: PluginManager, schema: ForecastSchema
) -> ForecastCourse:
    """Return the course of a forecast; raises as :func:`course_of` does."""
    from loopcast.develop.forecast.course import ForecastCourse, Plan
    from loopcast.develop.forecast.hierarchy import BottomUp

    backtest = settings.backtest
    return ForecastCourse(
        schema=schema,
        reconciler=(
            plugins.reconciler(settings.reconciliation) if settings.reconciliation else BottomUp()
        ),
        plan=Plan(
            origins=backtest.origins,
            calibration=backtest.calibration,
            every=backtest.every,
            refit_every=backtest.refit_every,
        ),
        **_common(settings, plugins),
    )


def _common(settings: RunSettings | TrainingSettings, plugins: PluginManager) -> dict[str, Any]:
    """Return what the course of every task has."""
    model, name = settings.logical_model, settings.template.name
    fallback = settings.fallback
    if plugins.template(name).task != model.task:
        raise ConfigurationError(
            f"logical model {model.name} has the task {model.task}, and template {name} the task "
            f"{plugins.template(name).task}; a run needs both to be the same"
        )
    label = name.rpartition(".")[2]
    chosen = _chosen(settings, plugins)
    if label in settings.baselines:
        raise ConfigurationError(
            f"baselines.{label} has the label of the template {name}; give the baseline another"
        )
    return {
        "logical_model": model,
        "candidate": _contender(_labelled(label, chosen), settings.template, plugins, chosen),
        "baselines": tuple(
            _contender(label, baseline, plugins, None if chosen and chosen.settles else chosen)
            for label, baseline in settings.baselines.items()
        ),
        "preparation": chosen,
        "origin": plugins.origin(name),
        "metrics": plugins.metrics_of(model),
        "seed": settings.seed,
        "checks": settings.checks,
        "calibration": settings.calibration,
        "fallback": _contender("fallback", fallback, plugins) if fallback else None,
    }


def _contender(
    label: str,
    settings: TemplateSettings,
    plugins: PluginManager,
    chosen: ChosenPreparation | None = None,
) -> Contender:
    template = plugins.template(settings.name)
    parameters: Any = convert(
        settings.hyperparameters, template.hyperparameters, f"{settings.name}.hyperparameters"
    )
    if chosen is not None:
        template = PreparedTemplate(template, chosen)
    return Contender(label=label, template=template, hyperparameters=parameters)


def _labelled(label: str, chosen: ChosenPreparation | None) -> str:
    """Return a candidate's label, which says where its version is an alternative."""
    return f"{label}, {chosen.alternative}" if chosen and chosen.alternative else label


def _chosen(
    settings: RunSettings | TrainingSettings, plugins: PluginManager
) -> ChosenPreparation | None:
    name, options = settings.preparation.name, settings.preparation.options
    if name is None:
        return None
    preparation = plugins.preparation(name)
    typed = convert(options, preparation.options, f"{name}.options")
    chosen = ChosenPreparation(preparation, typed, decision_for(settings.logical_model))
    if chosen.settles and settings.calibration.method != "none":
        raise ConfigurationError(
            f"preparation {name} settles decisions at the cut-off of the scores, and calibration "
            f"{settings.calibration.method} would move them across it; set calibration=none"
        )
    return chosen
