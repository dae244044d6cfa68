"""The settings of a run as typed records, and the conversion that makes them from plain data.

Nothing here knows where the data comes from; ``loopcast.config`` composes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from loopcast.api import ForecastSchema, LogicalModel, Name, Policy, Record, ScoreSchema
from loopcast.settings.checks import CheckSettings
from loopcast.settings.contenders import PreparationSettings, TemplateSettings
from loopcast.settings.conversion import SettingError, convert, unknown
from loopcast.settings.judging import BacktestSettings, CalibrationSettings, HoldoutSettings
from loopcast.settings.retrain import RetrainSettings
from loopcast.settings.rules import RuleSettings
from loopcast.settings.tables import DataSettings, ForecastTable, RankTable, ScoreTable
from loopcast.settings.work import (
    BudgetSettings,
    EngineSettings,
    JobSettings,
    PluginSettings,
    StoreSettings,
)

__all__ = [
    "BacktestSettings",
    "BudgetSettings",
    "CalibrationSettings",
    "CheckSettings",
    "DataSettings",
    "EngineSettings",
    "ForecastTable",
    "HoldoutSettings",
    "JobSettings",
    "PluginSettings",
    "PreparationSettings",
    "RankTable",
    "RetrainSettings",
    "RuleSettings",
    "RunSettings",
    "ScoreTable",
    "SettingError",
    "StoreSettings",
    "TemplateSettings",
    "convert",
    "parse",
    "unknown",
]


class RunSettings(Record, frozen=True):
    """Everything that one run was told.

    Attributes
    ----------
    baselines
        Templates that the champion is compared with, by their label in the comparison.
    fallback
        Template that answers beyond the domain of applicability, where the logical model says
        so, and forecasts the series that the others cannot be fitted to; with ``None``, such a
        series stops the run.
    preparation
        What the rows of a score pass before any contender learns from them.
    backtest, holdout
        How contenders are judged: forecasts by the one, scores and rankings by the other.
    checks
        What data must satisfy before anything is trained on it.
    calibration
        How the probabilities of a score are calibrated.
    rules
        Over the lists of a ranking: what is hidden, pinned or limited.
    policy
        What is demanded of versions, by the risk class of the logical model.
    retrain
        When the job ``retrain`` trains again.
    reconciliation
        Name of the reconciler that makes forecasts add up; empty for none.
    seed
        The only source of randomness.
    """

    job: JobSettings
    logical_model: LogicalModel
    data: DataSettings
    template: TemplateSettings
    engine: EngineSettings
    store: StoreSettings
    policy: Policy
    baselines: dict[Name, TemplateSettings] = {}
    fallback: TemplateSettings | None = None
    preparation: PreparationSettings = PreparationSettings()
    backtest: BacktestSettings = BacktestSettings()
    holdout: HoldoutSettings = HoldoutSettings()
    checks: CheckSettings = CheckSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    retrain: RetrainSettings = RetrainSettings()
    rules: RuleSettings | None = None
    reconciliation: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    budget: BudgetSettings = BudgetSettings()
    plugins: PluginSettings = PluginSettings()

    def check(self) -> None:
        """The table has what the schema asks for."""
        model, table = self.logical_model, self.data.table
        self.require(
            self.data.task == model.task,
            f"logical model {model.name} is for the task {model.task}, and data.table for "
            f"{self.data.task}; choose data whose table has task: {model.task}",
        )
        if isinstance(model.schema, ScoreSchema) and isinstance(table, ScoreTable):
            self.require(
                model.schema.time is not None or (table.since is None and table.until is None),
                f"data.table.since and until need a time, and the schema of {model.name} names "
                "none; set logical_model.schema.time",
            )
        self.require(
            self.preparation.name is None or model.task == "score",
            f"preparation {self.preparation.name} is for scores, and logical model {model.name} "
            f"has the task {model.task}",
        )
        self.require(
            self.job.table is None or model.task == "rank",
            f"job.table is for the lists of a ranking, and logical model {model.name} has the task "
            f"{model.task}, whose answers always are a table",
        )
        self.require(
            self.rules is None or model.task == "rank",
            f"rules are over the lists of a ranking, and logical model {model.name} has the task "
            f"{model.task}",
        )
        self.require(
            not model.applicability.falls_back or self.fallback is not None or bool(model.fallback),
            f"logical model {model.name} falls back beyond its domain of applicability, and there "
            "is nothing to fall back on; set fallback to a template, or logical_model.fallback to "
            "what callers do",
        )
        if isinstance(model.schema, ForecastSchema) and isinstance(table, ForecastTable):
            self._check_forecast(model.schema, table)
        if isinstance(model.schema, ScoreSchema) and self.calibration.by is not None:
            usable = model.schema.groupings
            self.require(
                self.calibration.by in usable,
                f"calibration.by {self.calibration.by!r} is no category that the score uses; it "
                f"may be one of: {', '.join(usable) or 'none'}",
            )

    def _check_forecast(self, schema: ForecastSchema, table: ForecastTable) -> None:
        absent = sorted(set(schema.covariates) - set(table.covariates))
        self.require(
            not absent,
            f"logical model {self.logical_model.name} needs the covariates "
            f"{', '.join(absent)}, for which data.table.covariates names no column",
        )
        self.require(
            len(schema.series) < 2 or table.series is not None,
            f"logical model {self.logical_model.name} has {len(schema.series)} series, and "
            "data.table.series names no column that tells them apart",
        )


def parse(config: Mapping[str, object]) -> RunSettings:
    """Make the settings of a run from plain data.

    A table that does not say its task is laid out for that of the logical model.

    Raises
    ------
    SettingError
        For the first key that does not exist, is missing or has a value it cannot take.
    """
    task = _inside(config, "logical_model", "schema").get("task")
    data, table = _inside(config, "data"), _inside(config, "data", "table")
    if table and "task" not in table:
        config = {**config, "data": {**data, "table": {"task": task, **table}}}
    settings: RunSettings = convert(config, RunSettings)
    return settings


def _inside(config: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    """Return a part of plain data, empty where it is absent or of another kind."""
    part: object = config
    for key in keys:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}
