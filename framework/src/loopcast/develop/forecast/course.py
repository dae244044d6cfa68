"""The course of a forecast's training: rolling origins, and a hierarchy that adds up."""

from __future__ import annotations

from dataclasses import dataclass

from loopcast.api import ForecastSchema, Reconciler
from loopcast.develop.course import Course


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How forecasts are judged.

    Attributes
    ----------
    origins
        Scored backtest origins.
    calibration
        Origins before them, from which weights and intervals are first learned.
    every
        Days between origins.
    refit_every
        Origins between fits in the backtest.
    """

    origins: int
    calibration: int
    every: int
    refit_every: int

    def describe(self, horizon: str) -> str:
        """Say it in words; equal words are a condition for comparing versions."""
        return (
            f"rolling origin, {self.origins} origins, one every {_days(self.every)}, after "
            f"{self.calibration} for calibration; horizon {horizon}; refit every "
            f"{self.refit_every} origins; realised covariates"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastCourse(Course[Plan]):
    """What decides the training of a forecast.

    Attributes
    ----------
    schema
        Of the logical model.
    reconciler
        Shared by all contenders.
    """

    schema: ForecastSchema
    reconciler: Reconciler

    def decisive(self) -> dict[str, object]:
        """Return what decides the result beside the parts that every task has."""
        return {**super().decisive(), "reconciliation": self.reconciler.name}

    def work_units(self) -> int:
        """Return how many fits a training takes, for its progress."""
        steps = len(self.schema.resolutions or (self.schema.step,))
        blocks = -(-(self.plan.calibration + self.plan.origins) // self.plan.refit_every)
        return len(self.contenders) * steps * blocks + steps


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count} days"
