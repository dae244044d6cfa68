"""Metrics: how good answers were, row by row where that is possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopcast.api.models import Direction, LogicalModel
from loopcast.api.schema import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """A metric by name, computed in one of three ways.

    Attributes
    ----------
    rows
        Takes the task's outcome (:class:`ForecastOutcome`, :class:`ScoreOutcome` or
        :class:`RankOutcome`) and returns one contribution for each observation, NaN where it
        is undefined. The metric is their mean, by the outcome's weights where it has some,
        which makes it known for any subpopulation and comparable row by row.
    whole
        For a metric that is no mean of rows, such as the AUC: takes the outcome and returns
        the value, NaN where it is undefined.
    root
        Whether the metric is the square root of the mean of its rows.
    within
        The least and the largest value that it can take, in which its intervals end.
    bind
        For a metric that depends on what a logical model is configured to decide: takes the model
        and returns the metric, or ``None`` where it does not apply.

    Raises
    ------
    ValueError
        Unless exactly one of ``rows``, ``whole`` and ``bind`` is given.
    """

    name: str
    title: str
    task: Task
    direction: Direction
    rows: Callable[[Any], NDArray[np.float64]] | None = None
    whole: Callable[[Any], float] | None = None
    root: bool = False
    within: tuple[float, float] = (-math.inf, math.inf)
    bind: Callable[[LogicalModel], MetricDefinition | None] | None = None

    def __post_init__(self) -> None:
        if sum(way is not None for way in (self.rows, self.whole, self.bind)) != 1:
            raise ValueError(f"metric {self.name}: give one of rows, whole and bind")
