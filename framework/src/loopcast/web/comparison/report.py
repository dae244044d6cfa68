"""What the page of a comparison tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loopcast.api import (
    Effect,
    ForecastSchema,
    Judged,
    LogicalModel,
    MetricDefinition,
    Version,
    VersionId,
)
from loopcast.develop.compare import Comparison, Difference

ROLES = ("reference", "model")
"""Roles of the first version and of the second in every chart."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparisonReport:
    """All that the page of a comparison tells.

    Attributes
    ----------
    versions
        The two that are compared; the second is measured against the first.
    judged
        What both said about the same rows, by their ids.
    metrics
        Definitions by name.
    settings
        What differs in how they were made: name, of the first, of the second.
    effects
        What each learned of its inputs, by id; may be empty.
    created
        When the page was made.
    """

    logical_model: LogicalModel
    versions: tuple[Version, Version]
    comparison: Comparison
    judged: Judged
    metrics: Mapping[str, MetricDefinition]
    settings: Sequence[tuple[str, str, str]]
    effects: Mapping[VersionId, Sequence[Effect]]
    created: datetime

    @property
    def names(self) -> tuple[str, str]:
        """What the versions are called in charts: by template where these differ."""
        first, second = (v.template.rpartition(".")[2] for v in self.versions)
        if first != second:
            return first, second
        return f"{first} {self.versions[0].id[:6]}", f"{second} {self.versions[1].id[:6]}"

    @property
    def unit(self) -> str:
        """The unit of a forecast's target; empty for other tasks."""
        schema = self.logical_model.schema
        return schema.unit if isinstance(schema, ForecastSchema) else ""

    @property
    def overall(self) -> list[Difference]:
        """The differences that are not about a subpopulation."""
        return [found for found in self.comparison.differences if not found.subset]

    @property
    def kpi(self) -> Difference:
        """The difference of the metric that decides, or of the first where it was not measured."""
        name = self.logical_model.kpi.metric
        return next((d for d in self.overall if d.metric == name), self.overall[0])

    def by(self, attribute: str) -> list[Difference]:
        """Return the deciding metric's differences by one attribute."""
        return [
            found
            for found in self.comparison.differences
            if found.metric == self.kpi.metric and found.subset.startswith(f"{attribute}=")
        ]
