"""Fitted models that can say themselves as a graph, and so run on a device.

A model that offers one has its method beside those of its task. The core runs what it returns and
compares it with the model before anyone gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from loopcast.api.graph import Graph
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
