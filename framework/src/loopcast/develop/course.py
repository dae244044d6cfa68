"""The course of a training: who contends, on which problem, judged how."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from loopcast.api import Dataset, LogicalModel, MetricDefinition, PluginOrigin, Template
from loopcast.api.formats import json_bytes
from loopcast.develop.environment import package_versions
from loopcast.settings import CalibrationSettings, CheckSettings

if TYPE_CHECKING:
    from loopcast.develop.score.prepared import ChosenPreparation
    from loopcast.develop.score.region import Region

PlanT = TypeVar("PlanT")

Advance = Callable[[str], None]
"""Called with a contender's label when a piece of its work is done."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A template with its hyperparameters, under the name that a comparison shows."""

    label: str
    template: Template[Any, Any]
    hyperparameters: Any


def described(contender: Contender) -> list[object]:
    """Return a contender as plain values."""
    parameters = msgspec.to_builtins(contender.hyperparameters)
    return [contender.label, contender.template.name, parameters]


@dataclass(frozen=True, eq=False, kw_only=True)
class Course(Generic[PlanT]):
    """Everything that decides what training gives, but for the data.

    Attributes
    ----------
    candidate, baselines
        The template that is to become a version, and those that it has to beat.
    origin
        The package that provides the candidate.
    metrics
        Shared by all contenders.
    plan
        How they are judged: a frozen dataclass of the task's own.
    region
        What an earlier logical model refuses, where one decides before a score.
    preparation
        What the rows of a score pass before any contender learns from them.
    checks
        What data must satisfy before anything is trained on it.
    calibration
        How the candidate's probabilities are calibrated, where it is a scorer.
    fallback
        Answers beyond the domain of the candidate, where the logical model says so; of a
        forecast, also for the series that a contender cannot be fitted to.
    """

    logical_model: LogicalModel
    candidate: Contender
    baselines: tuple[Contender, ...]
    origin: PluginOrigin
    metrics: Sequence[MetricDefinition]
    plan: PlanT
    seed: int
    segment: str = ""
    region: Region | None = None
    preparation: ChosenPreparation | None = None
    checks: CheckSettings = field(default_factory=CheckSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    fallback: Contender | None = None

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The candidate, then the baselines."""
        return (self.candidate, *self.baselines)

    @property
    def deciding(self) -> MetricDefinition:
        """The metric of the KPI, by which it is decided what becomes a version."""
        return next(m for m in self.metrics if m.name == self.logical_model.kpi.metric)

    @property
    def stand_in(self) -> Contender | None:
        """The fallback, where it answers for rows beyond the domain of the candidate."""
        return self.fallback if self.logical_model.applicability.falls_back else None

    def decisive(self) -> dict[str, object]:
        """Return what decides the result beside the parts that every task has."""
        return {
            "plan": dataclasses.asdict(self.plan),  # type: ignore[call-overload]
            "fallback": self.fallback and described(self.fallback),
        }

    def recipe(self, dataset: Dataset) -> str:
        """Return the digest of the course and the content of a dataset.

        What a model may take on a device changes no model.
        """
        logical_model = msgspec.to_builtins(self.logical_model)
        parts = {
            "logical_model": {k: v for k, v in logical_model.items() if k != "device"},
            "segment": self.segment,
            "contenders": [described(contender) for contender in self.contenders],
            "plugin": msgspec.to_builtins(self.origin),
            "core": package_versions("loopcast")["loopcast"],
            "dataset": dataset.fingerprint,
            "checks": msgspec.to_builtins(self.checks),
            "calibration": msgspec.to_builtins(self.calibration),
            "region": self.region and self.region.described(),
            "preparation": self.preparation and self.preparation.described(),
            "seed": self.seed,
        }
        return hashlib.sha256(json_bytes(parts | self.decisive())).hexdigest()

    def work_units(self) -> int:
        """Return how many fits a training takes, for its progress."""
        return len(self.contenders) + 1
