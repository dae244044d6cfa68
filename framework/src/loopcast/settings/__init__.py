"""The settings of a run as typed records, and the conversion that makes them from plain data.

Nothing here knows where the data comes from; ``config.py`` composes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from loopcast.api import (
    ForecastSchema,
    LogicalModel,
    Name,
    Policy,
    Record,
    ScoreSchema,
    TemplateName,
)
from loopcast.settings.checks import CheckSettings
from loopcast.settings.conversion import LocalDate, SettingError, convert, is_day, unknown
from loopcast.settings.retrain import RetrainSettings
from loopcast.settings.tables import DataSettings, ForecastTable, RankTable, ScoreTable, Text

__all__ = [
    "BacktestSettings",
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
    "RunSettings",
    "ScoreTable",
    "SettingError",
    "StoreSettings",
    "TemplateSettings",
    "convert",
    "parse",
    "unknown",
]

Days = Annotated[int, msgspec.Meta(ge=1)]
OpenShare = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class JobSettings(Record, frozen=True):
    """What to do.

    Attributes
    ----------
    name
        ``predict`` trains only where no version was trained on the same data with the same
        settings; ``train`` always trains; ``serve`` never does, and takes the released version;
        ``retrain`` trains again what is due, and predicts nothing.
    origin
        The first local day to forecast; the last one whose covariates are known where it is
        ``None``.
    at
        The moment of the run where it is not now: a replay of the past says it. A day in UTC, or
        a moment with a time zone.
    """

    name: Literal["predict", "train", "serve", "retrain"]
    origin: LocalDate | None = None
    at: Text | None = None

    def check(self) -> None:
        """The origin is a day of the calendar, and the moment is one."""
        self.require(is_day(self.origin), f"origin {self.origin} is not a day of the calendar")
        try:
            zoned = self.at is None or self.moment.tzinfo is not None
        except ValueError:
            zoned = False
        self.require(
            zoned, f"at {self.at} is no moment; expected 2014-12-31, or 2014-12-31T06:00:00Z"
        )

    @property
    def moment(self) -> datetime:
        """The moment of the run."""
        if self.at is None:
            return datetime.now(UTC)
        found = datetime.fromisoformat(self.at)
        return found.replace(tzinfo=UTC) if len(self.at) == len("2014-12-31") else found


class TemplateSettings(Record, frozen=True):
    """A template by its name, with hyperparameters as plain data.

    After :func:`loopcast.config.compose`, they are complete and of the template's types.
    """

    name: TemplateName
    hyperparameters: dict[str, object] = {}


class PreparationSettings(Record, frozen=True):
    """What rows of a score pass before a template learns from them.

    Attributes
    ----------
    name
        Of a preparation; ``None`` for none.
    options
        Of its own type, as plain data.
    """

    name: TemplateName | None = None
    options: dict[str, object] = {}

    def check(self) -> None:
        """Options are those of something."""
        self.require(
            self.name is not None or not self.options,
            f"options {', '.join(self.options)} of no preparation; name one",
        )


class BacktestSettings(Record, frozen=True):
    """How forecasts are judged.

    Attributes
    ----------
    origins
        Rolling origins to judge on, up to the end of the actuals.
    calibration
        Origins before them whose errors calibrate the first intervals.
    every
        Days between origins. Three days meet every weekday in turn and, with the same number
        of origins, three times as much of the year.
    refit_every
        Origins between refits; models between refits see new actuals without a refit.
    """

    origins: Days = 28
    calibration: Days = 28
    every: Days = 3
    refit_every: Days = 10


class HoldoutSettings(Record, frozen=True):
    """How scores and rankings are judged: on which part of the data, which training never saw.

    Attributes
    ----------
    method
        ``time``: the last part, by the schema's column of times. ``random``: a part drawn by the
        run's seed, where there is no such column or on request. ``last``: of a ranking, the last
        choices of each entity.
    share
        How large the part is.
    count
        For ``last``: how many choices of each entity.
    """

    method: Literal["time", "random", "last"] = "time"
    share: OpenShare = 0.25
    count: Days = 5


class CalibrationSettings(Record, frozen=True):
    """How a scorer's probabilities are calibrated, on rows that its models had not seen.

    Attributes
    ----------
    method
        ``platt``: a sigmoid of the log-odds, two parameters; ``beta``: three, for scores that are
        skewed; ``isotonic``: any rising curve, for thousands of events; ``none``.
    by
        Feature of categories that have a calibration of their own.
    folds
        Parts of the training data, each scored by a model that was fitted without it.
    minimum
        Fewest rows with the event, and without it, of a calibration. A smaller group takes that
        of all rows, and a smaller segment keeps the probabilities of its template.
    """

    method: Literal["none", "platt", "isotonic", "beta"] = "none"
    by: Text | None = None
    folds: Annotated[int, msgspec.Meta(ge=2)] = 5
    minimum: Annotated[int, msgspec.Meta(ge=1)] = 30


class EngineSettings(Record, frozen=True):
    """Where work runs, and on how many workers.

    Attributes
    ----------
    name
        ``local``: processes of this machine; ``dask``: a Dask cluster.
    workers
        Processes to start, of one thread each; an existing scheduler brings its own.
    address
        An existing Dask scheduler; with ``None``, a cluster is started here for the run.
    timeout
        Seconds to wait for an existing scheduler, and for its first worker.
    """

    name: Literal["local", "dask"]
    workers: Annotated[int, msgspec.Meta(ge=1)]
    address: Text | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 30.0

    def check(self) -> None:
        """An address is one of a Dask scheduler."""
        if self.address is not None:
            self.require(self.name == "dask", f"address is for engine=dask, not {self.name}")
            fits = "://" in self.address
            self.require(fits, f"address {self.address} does not look like tcp://host:8786")


class StoreSettings(Record, frozen=True):
    """Where state lives: the home folder of runs, and the URL of each store."""

    home: Text
    catalog: Text
    artifacts: Text
    events: Text


class ExperimentSettings(Record, frozen=True):
    """The budget of the runs of one multirun; what is left when it is spent is skipped.

    Attributes
    ----------
    fits
        Runs that may train; one that finds its version costs nothing. Any number where ``None``.
    minutes
        After which no further run begins; any time where ``None``.
    """

    fits: Annotated[int, msgspec.Meta(ge=1)] | None = None
    minutes: Annotated[float, msgspec.Meta(gt=0.0)] | None = None


class PluginSettings(Record, frozen=True):
    """Plugins that are not imported at all, by name."""

    disable: tuple[str, ...] = ()


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
    reconciliation: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    experiment: ExperimentSettings = ExperimentSettings()
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
