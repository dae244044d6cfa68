"""The hook specifications: everything that a plugin can add.

A plugin is a module, named by an entry point in the group ``loopcast``, that declares the
contract it was built for and implements some of these hooks::

    from loopcast.api import hookimpl

    LOOPCAST_CONTRACT = (1, 1)

    @hookimpl
    def loopcast_templates():
        return [MyTemplate()]

The contract's first number changes when an existing plugin would break; the second when a hook
is added. Plugin modules are imported on every start: import heavy libraries inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pluggy

from loopcast.api.gates import GateDefinition
from loopcast.api.metrics import MetricDefinition
from loopcast.api.preparation import Preparation
from loopcast.api.template import Template

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from scipy import sparse

CONTRACT = (1, 1)
"""The hook contract of this core: major, minor."""

ENTRY_POINT_GROUP = "loopcast"

hookspec = pluggy.HookspecMarker("loopcast")
hookimpl = pluggy.HookimplMarker("loopcast")


class Reader(Protocol):
    """A named way to read a table: a file format, a package, a warehouse.

    Attributes
    ----------
    name
        What configuration says: ``parquet``, ``csv``.
    options
        Type of its options in configuration, a subclass of :class:`Hyperparameters`.
    """

    @property
    def name(self) -> str:
        """What configuration says."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for people who choose."""
        ...

    @property
    def options(self) -> type[Any]:
        """Type of the options in configuration."""
        ...

    def read(self, options: Any, base: Path) -> pd.DataFrame:
        """Read the table; relative paths are relative to ``base``."""
        ...

    def describe(self, options: Any) -> str:
        """Say where the data comes from, for messages and records."""
        ...


@runtime_checkable
class FamilyReader(Reader, Protocol):
    """A reader that can read some segments of a family without the others."""

    def segments(self, options: Any, base: Path, column: str) -> Sequence[Any]:
        """Return the distinct values of the column that names the segments."""
        ...

    def read_segments(
        self, options: Any, base: Path, column: str, values: Sequence[Any]
    ) -> pd.DataFrame:
        """Read the rows whose column has one of the values.

        Texts may come as categories. Where these are in alphabetical order, names are coded
        without comparing a text.
        """
        ...


class Reconciliation(Protocol):
    """A reconciler that knows its hierarchy and weights."""

    def project(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the coherent forecasts closest to ``base`` in the reconciler's sense.

        Parameters
        ----------
        base : ndarray, shape (nodes, k)
            Forecasts of each node, in columns; NaN where a node has none.

        Returns
        -------
        ndarray, shape (nodes, k)
        """
        ...


class Reconciler(Protocol):
    """A named way to make forecasts of a hierarchy add up.

    Attributes
    ----------
    name
        What configuration says: ``forecasting.mint_shrink``.
    """

    @property
    def name(self) -> str:
        """What configuration says."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for people who choose."""
        ...

    def fit(
        self,
        summing: sparse.csr_array,
        errors: NDArray[np.floating[Any]],
        *,
        nonnegative: bool = False,
    ) -> Reconciliation:
        """Weigh the nodes of a hierarchy.

        Parameters
        ----------
        summing : csr_array, shape (nodes, bottom)
            Each node as a weighted sum of bottom nodes.
        errors : ndarray, shape (samples, nodes)
            Past forecast errors of each node.
        nonnegative
            Whether bottom nodes may not fall below zero.
        """
        ...


class Hooks:
    """Every hook, with its arguments; each is optional."""

    @hookspec
    def loopcast_templates(self) -> Sequence[Template[Any, Any]]:  # type: ignore[empty-body]
        """Return the templates that the plugin provides."""

    @hookspec
    def loopcast_preparations(self) -> Sequence[Preparation]:  # type: ignore[empty-body]
        """Return steps that rows of a score may pass before a template learns from them."""

    @hookspec
    def loopcast_metrics(self) -> Sequence[MetricDefinition]:  # type: ignore[empty-body]
        """Return metrics beside the core's own."""

    @hookspec
    def loopcast_gates(self) -> Sequence[GateDefinition]:  # type: ignore[empty-body]
        """Return gates beside the core's own."""

    @hookspec
    def loopcast_readers(self) -> Sequence[Reader]:  # type: ignore[empty-body]
        """Return readers of tables beside the core's own."""

    @hookspec
    def loopcast_reconcilers(self) -> Sequence[Reconciler]:  # type: ignore[empty-body]
        """Return reconcilers of hierarchies."""

    @hookspec
    def loopcast_conf(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Return folders of configuration: a name for messages, and a ``pkg://`` path."""
