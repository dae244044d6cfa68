"""Fitted models that can say themselves as a graph, and so run on a device.

A model that offers one has its method beside those of its task. The core runs what it returns and
compares it with the model before anyone gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api.forecast import ForecastData
    from loopcast.api.graph import Graph
    from loopcast.api.rank import RankQuery
    from loopcast.api.recipe import Recipe


@dataclass(frozen=True, eq=False, kw_only=True)
class Portable:
    """A model as a device runs it.

    Attributes
    ----------
    graph
        What it computes.
    recipe
        How its features are made; they are the graph's, in the same order.
    """

    graph: Graph
    recipe: Recipe


@runtime_checkable
class PortableScorer(Protocol):
    """A scorer that can say itself as a graph."""

    def to_graph(self) -> Portable:
        """Return the graph, whose first output is ``probability``.

        Its recipe makes a column for each feature: a number, NaN where missing, or the code of a
        category.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class DeviceCall:
    """What a device has when it asks a model.

    Attributes
    ----------
    features : ndarray, shape (rows, n), float64
        As the recipe makes them; NaN where a row does not know one.
    state : ndarray, shape (1, k), float64, or None
        What the calls before have left behind.
    """

    features: NDArray[np.float64]
    state: NDArray[np.float64] | None = None


@runtime_checkable
class PortableForecaster(Protocol):
    """A forecaster that can say one of its series as a graph."""

    def to_graph(self, known: ForecastData, series: str) -> Portable:
        """Return the graph of a series, whose first output is ``mean``.

        A device calls it for each interval in turn, with a row about that interval: the first
        row. More rows are about the intervals after it.

        Parameters
        ----------
        known
            A panel of the series, for its sites.

        Raises
        ------
        ModelError
            Where the series has no graph.
        """
        ...

    def device_call(
        self, known: ForecastData, horizon: pd.DatetimeIndex, series: str
    ) -> DeviceCall:
        """Return what a device has before it when it forecasts a horizon.

        Parameters
        ----------
        known, horizon
            As in :meth:`Forecaster.predict`.
        """
        ...


@runtime_checkable
class PortableRanker(Protocol):
    """A ranker that can say its scores as a graph."""

    def to_graph(self, items: Sequence[str]) -> Portable:
        """Return the graph of the scores of all items, one output each.

        Its features are one column for each item: 1 where it was chosen.

        Parameters
        ----------
        items
            Names of the items, by their codes.

        Raises
        ------
        ModelError
            Where the model asks for more than what was chosen.
        """
        ...

    def device_call(self, query: RankQuery) -> DeviceCall:
        """Return what a device of each entity of a query has before it."""
        ...
