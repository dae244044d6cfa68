"""Compress a version as it is stored, and keep the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import ModelError
from loopcast.api.graph import Graph
from loopcast.deploy.compress.search import Search, search
from loopcast.deploy.export.export import Exported
from loopcast.deploy.export.export import keep as keep_export
from loopcast.deploy.export.tflite.export import exportable
from loopcast.deploy.loaded import load_version

if TYPE_CHECKING:
    from loopcast.api import Digest
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


@dataclass(frozen=True, eq=False, kw_only=True)
class Compressed:
    """A version made smaller.

    Attributes
    ----------
    rows
        Of its test scenario.
    """

    loaded: LoadedVersion
    series: str
    search: Search
    rows: int


def compress(
    home: Home,
    plugins: PluginManager,
    version: str,
    changes: Mapping[str, Any],
    *,
    series: str = "",
    like: str | None = None,
) -> Compressed:
    """Search for the smallest file of a version within its budget.

    Parameters
    ----------
    changes
        Of the budget of the logical model, by name.
    series
        Of a forecast; empty where there is one only.
    like
        Version whose file's scales are kept.

    Raises
    ------
    ModelError
        Where a version has no graph, or no file keeps to the budget.
    """
    loaded = load_version(home, plugins, home.catalog.version(version))
    budget = msgspec.structs.replace(loaded.logical_model.device, **changes)
    found = exportable(loaded, series)
    before = None
    if like is not None:
        other = load_version(home, plugins, home.catalog.version(like))
        before = _graph(exportable(other, series).graph, other)
    done = search(_graph(found.graph, loaded), found.vectors, budget, before)
    return Compressed(loaded=loaded, series=series, search=done, rows=len(found.vectors.features))


def _graph(graph: Graph | None, loaded: LoadedVersion) -> Graph:
    if graph is None:
        raise ModelError(
            f"template {loaded.version.template} has no graph, and a file of another converter is "
            "as small as that has made it"
        )
    return graph


def keep(home: Home, done: Compressed, *, by: str, output: Path) -> Digest:
    """Store the chosen file, enter it in the audit log, and write it whole or not at all.

    Raises
    ------
    StoreError
        Where the file cannot be written.
    """
    chosen = done.search.chosen
    export = Exported("tflite", chosen.content, done.rows, {chosen.runtime: chosen.error})
    return keep_export(home, done.loaded, export, by=by, output=output)
