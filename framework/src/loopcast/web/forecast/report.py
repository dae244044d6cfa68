"""What the report of one forecast tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import pandas as pd

from loopcast.api import (
    DataError,
    Dataset,
    Effect,
    Evaluation,
    ForecastSchema,
    LogicalModel,
    Surface,
    Version,
)
from loopcast.develop.forecast.panel import heads_of, members_of

FORECAST_COLUMNS = ("time", "series", "step", "mean", "0.05", "0.95", "total")
ERROR_COLUMNS = ("contender", "series", "step", "time", "lead", "actual", "mean", "low", "high")
RECENT_DAYS = 14


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastReport:
    """All that the report of a forecast tells.

    Attributes
    ----------
    logical_model, version, stage, dataset
        What was forecast, by which version, and from which data.
    template_summary, hyperparameters
        The method in one sentence, and its settings.
    origin
        First time of the forecast: a local midnight with its time zone.
    created
        When the forecast was made.
    forecast : DataFrame
        Columns ``time`` (with time zone), ``series``, ``step``, ``mean``, quantiles ``0.05`` to
        ``0.95``, all in the schema's unit, and ``total``, the amount over the interval: value
        times hours where the target is a rate, else the value. One block of rows for each step
        (resolution) and series.
    recent : DataFrame, shape (time, series)
        The latest actuals at the schema's step; may be empty.
    evaluations
        Of the version first, then of each baseline, on the same data. ``mape`` is in percent,
        ``coverage`` a share of one; ``rmse``, ``mae`` and ``pinball`` are in the unit.
    errors : DataFrame
        The backtest at the schema's step: ``contender``, ``series``, ``step``, ``time`` (with
        time zone), ``lead``, ``actual``, ``mean``, ``low``, ``high``; may be empty.
    effects
        What the model learned; may be empty.
    coherence_error
        Largest relative difference between a sum of forecasts and the forecast of the sum.
    notes
        What a reader must know to judge the numbers.
    seconds
        Of each stage of the run.
    seed, environment
        What is needed to make it again: seed, and versions by package.

    Raises
    ------
    DataError
        Where a table lacks a column or rows, or the logical model is not a forecast.
    """

    logical_model: LogicalModel
    version: Version
    stage: str
    dataset: Dataset
    template_summary: str
    hyperparameters: Mapping[str, object]
    origin: pd.Timestamp
    created: datetime
    forecast: pd.DataFrame
    recent: pd.DataFrame
    evaluations: tuple[Evaluation, ...]
    errors: pd.DataFrame
    effects: tuple[Effect | Surface, ...]
    coherence_error: float
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    seed: int
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.logical_model.task != "forecast":
            raise DataError(
                f"{self.logical_model.name}: a forecast report of a logical model whose task is "
                f"{self.logical_model.task}"
            )
        _require_columns("forecast", self.forecast, FORECAST_COLUMNS)
        if not self.errors.empty:
            _require_columns("errors", self.errors, ERROR_COLUMNS)
        if self.forecast.loc[self.forecast["step"] == self.schema.step].empty:
            raise DataError(f"forecast: no row with step {self.schema.step}, the schema's step")

    @property
    def schema(self) -> ForecastSchema:
        """The logical model's schema."""
        schema = self.logical_model.schema
        if not isinstance(schema, ForecastSchema):
            raise DataError(f"{self.logical_model.name}: its schema is not a forecast's")
        return schema

    @property
    def series(self) -> tuple[str, ...]:
        """Series in reading order: the tops, then other sums, then all others."""
        names = [str(name) for name in self.forecast["series"].unique()]
        sums = self.schema.aggregates
        return tuple(sorted(names, key=lambda name: (name not in self.heads, name not in sums)))

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Sums that are part of no other, which overall values are about; there may be none."""
        return heads_of(members_of(self.schema))

    @property
    def champion(self) -> Evaluation | None:
        """Evaluation of the version."""
        return self.evaluations[0] if self.evaluations else None

    @property
    def baselines(self) -> tuple[Evaluation, ...]:
        """Evaluations of the baselines."""
        return self.evaluations[1:]

    def rows(self, series: str, step: str) -> pd.DataFrame:
        """Return the forecast of one series at one step, in local time."""
        chosen = self.forecast["series"].eq(series) & self.forecast["step"].eq(step)
        rows = self.forecast.loc[chosen].sort_values("time")
        return rows.assign(time=pd.DatetimeIndex(rows["time"]).tz_convert(self.schema.timezone))

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps that were forecast, the finest first."""
        present = set(self.forecast["step"])
        return tuple(s for s in self.schema.resolutions or (self.schema.step,) if s in present)


def _require_columns(table: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            f"{table}: column {missing[0]!r} is absent; it needs {', '.join(columns)} "
            f"and has {', '.join(map(str, frame.columns))}"
        )
