"""The course of a training: who contends, on which problem, judged how."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from loopcast.api import (
    Dataset,
    ForecastSchema,
    LogicalModel,
    MetricDefinition,
    PluginOrigin,
    Reconciler,
    Template,
)
from loopcast.api.formats import json_bytes
from loopcast.develop.environment import package_versions


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A template with its hyperparameters, under the name that a comparison shows."""

    label: str
    template: Template[Any, Any]
    hyperparameters: Any


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How versions are judged.

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
class Course:
    """Everything that decides what training gives, but for the data.

    Attributes
    ----------
    schema
        Of the logical model, for the task *forecast*.
    candidate, baselines
        The template that is to become a version, and those that it has to beat.
    origin
        The package that provides the candidate.
    metrics, reconciler
        Shared by all contenders.
    """

    logical_model: LogicalModel
    schema: ForecastSchema
    candidate: Contender
    baselines: tuple[Contender, ...]
    origin: PluginOrigin
    metrics: Sequence[MetricDefinition]
    reconciler: Reconciler
    plan: Plan
    seed: int
    segment: str = ""

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The candidate, then the baselines."""
        return (self.candidate, *self.baselines)

    def recipe(self, dataset: Dataset) -> str:
        """Return the digest of the course and the content of a dataset."""
        parts = {
            "logical_model": msgspec.to_builtins(self.logical_model),
            "segment": self.segment,
            "contenders": [
                [c.label, c.template.name, msgspec.to_builtins(c.hyperparameters)]
                for c in self.contenders
            ],
            "plugin": msgspec.to_builtins(self.origin),
            "core": package_versions("loopcast")["loopcast"],
            "dataset": dataset.fingerprint,
            "plan": dataclasses.astuple(self.plan),
            "reconciliation": self.reconciler.name,
            "seed": self.seed,
        }
        return hashlib.sha256(json_bytes(parts)).hexdigest()

    def work_units(self) -> int:
        """Return how many fits a training takes, for its progress."""
        steps = len(self.schema.resolutions or (self.schema.step,))
        blocks = -(-(self.plan.calibration + self.plan.origins) // self.plan.refit_every)
        return len(self.contenders) * steps * blocks + steps


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count} days"
