"""Look up what settings name with the plugins, and type what plugins define."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from loopcast.api import ConfigurationError, PluginError, Policy
from loopcast.plugins import PluginManager
from loopcast.settings import (
    PreparationSettings,
    RuleSettings,
    RunSettings,
    SettingError,
    TemplateSettings,
    convert,
    unknown,
)

DISABLE_VARIABLE = "LOOPCAST_DISABLE_PLUGINS"
CONFIG_DIR_VARIABLE = "LOOPCAST_CONFIG_DIR"


def look_up(settings: RunSettings, plugins: PluginManager) -> RunSettings:
    """Look up every name with the plugins, and type what plugins define."""
    _check_disabled(settings, plugins)
    reader = _offered(plugins.reader, settings.data.reader, "data.reader")
    options = _typed(settings.data.options, reader.options, "data.options")
    if settings.reconciliation:
        _offered(plugins.reconciler, settings.reconciliation, "reconciliation")
    model = settings.logical_model
    metrics = [metric.name for metric in plugins.metrics_of(model)]
    if model.kpi.metric not in metrics:
        problem = unknown(f"no metric {model.kpi.metric!r}", model.kpi.metric, metrics)
        raise SettingError("logical_model.kpi.metric", problem)

    policy = look_up_policy(settings.policy, plugins)
    try:
        policy.risk_class(model.risk)
    except ConfigurationError as error:
        raise SettingError("logical_model.risk", str(error)) from None

    def template(chosen: TemplateSettings, key: str) -> TemplateSettings:
        return _template(chosen, key, settings, plugins)

    return msgspec.structs.replace(
        settings,
        data=msgspec.structs.replace(settings.data, options=options),
        policy=policy,
        template=template(settings.template, "template"),
        preparation=_preparation(settings.preparation, plugins),
        baselines={
            name: template(chosen, f"baselines.{name}")
            for name, chosen in settings.baselines.items()
        },
        rules=settings.rules and _rules(settings.rules, plugins),
        fallback=settings.fallback and template(settings.fallback, "fallback"),
    )


def look_up_policy(policy: Policy, plugins: PluginManager) -> Policy:
    """Look up every gate of a policy, and complete its options by their defaults."""
    return msgspec.structs.replace(
        policy,
        classes={
            name: msgspec.structs.replace(
                row, gates=_gates(row.gates, f"policy.classes.{name}.gates", plugins)
            )
            for name, row in policy.classes.items()
        },
    )


def _gates(
    wanted: Mapping[str, Mapping[str, object]], key: str, plugins: PluginManager
) -> dict[str, dict[str, object]]:
    return {
        name: _typed(
            options, _offered(plugins.gate, name, f"{key}.{name}").options, f"{key}.{name}"
        )
        for name, options in wanted.items()
    }


def _check_disabled(settings: RunSettings, plugins: PluginManager) -> None:
    imported = {info.name for info in plugins.plugins if info.status != "disabled"}
    for name in settings.plugins.disable:
        if name in imported:
            raise SettingError(
                "plugins.disable",
                f"plugin {name!r} is imported by now; disable it in the primary config.yaml, on "
                f"the command line, or with {DISABLE_VARIABLE}",
            )


def _template(
    chosen: TemplateSettings, key: str, settings: RunSettings, plugins: PluginManager
) -> TemplateSettings:
    template = _offered(plugins.template, chosen.name, f"{key}.name")
    task = settings.logical_model.task
    if template.task != task:
        problem = f"{chosen.name} is for the task {template.task}, the logical model is a {task}"
        raise SettingError(f"{key}.name", problem)
    return msgspec.structs.replace(
        chosen,
        hyperparameters=_typed(
            chosen.hyperparameters, template.hyperparameters, f"{key}.hyperparameters"
        ),
    )


def _preparation(chosen: PreparationSettings, plugins: PluginManager) -> PreparationSettings:
    if chosen.name is None:
        return chosen
    preparation = _offered(plugins.preparation, chosen.name, "preparation.name")
    options = _typed(chosen.options, preparation.options, "preparation.options")
    return msgspec.structs.replace(chosen, options=options)


def _rules(chosen: RuleSettings, plugins: PluginManager) -> RuleSettings:
    reader = _offered(plugins.reader, chosen.reader, "rules.reader")
    options = _typed(chosen.options, reader.options, "rules.options")
    return msgspec.structs.replace(chosen, options=options)


def _offered(get: Callable[[str], Any], name: str, key: str) -> Any:
    try:
        return get(name)
    except PluginError as error:
        raise SettingError(key, str(error)) from None


def _typed(given: Mapping[str, object], kind: type[Any], key: str) -> dict[str, object]:
    """Complete plain data by the defaults of its type."""
    typed: dict[str, object] = msgspec.to_builtins(convert(given, kind, key))
    return typed
