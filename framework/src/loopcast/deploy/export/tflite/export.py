"""Versions as .tflite files, compared with their model before anyone gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.api import ModelError
from loopcast.api.graph import Graph
from loopcast.deploy.export.tflite.exportable import Exportable
from loopcast.deploy.export.tflite.forecast import forecast_exportable
from loopcast.deploy.export.tflite.rank import rank_exportable
from loopcast.deploy.export.tflite.score import score_exportable
from loopcast.deploy.export.tflite.vectors import TOLERANCE, compared
from loopcast.deploy.export.tflite.write import write_tflite

if TYPE_CHECKING:
    from loopcast.deploy.loaded import LoadedVersion

__all__ = ["TOLERANCE", "checked_file", "exportable"]

TASKS = {
    "score": score_exportable,
    "forecast": forecast_exportable,
    "rank": rank_exportable,
}


def exportable(loaded: LoadedVersion, series: str = "") -> Exportable:
    """Return a version as a graph, with what it has to answer.

    Parameters
    ----------
    series
        Of a forecast: the one that the graph is of; empty where there is one only.

    Raises
    ------
    ModelError
        Where versions of its task have none, or the series has none.
    """
    task = loaded.logical_model.task
    if task not in TASKS:
        raise ModelError(
            f"{loaded.logical_model.name} is of the task {task}; tflite is made of "
            f"{', '.join(TASKS)}"
        )
    return TASKS[task](loaded, series)


def checked_file(
    loaded: LoadedVersion, ready: bytes | None, tolerance: float, series: str = ""
) -> tuple[bytes, int, dict[str, float]]:
    """Return a version as a file, the rows that it was compared on, and how it differs.

    Parameters
    ----------
    ready
        A file that another converter made of the version, to be taken in place of ours.
    tolerance
        Largest difference, as `loopcast.deploy.export.tflite.vectors.difference` measures it.
    series
        As in `exportable`.

    Raises
    ------
    ModelError
        Where the template has no graph, or a runtime refuses the file.
    IntegrityError
        Where the file differs from the model by more.
    """
    found = exportable(loaded, series)
    content = ready
    if content is None:
        content = write_tflite(_graph(loaded, found)).content
    worst = compared(content, found.vectors, tolerance, f"version {loaded.version.id}")
    return content, len(found.vectors.features), worst


def _graph(loaded: LoadedVersion, found: Exportable) -> Graph:
    if found.graph is None:
        raise ModelError(
            f"template {loaded.version.template} has no export to tflite; give a file that another "
            f"converter has made, from {', '.join(found.recipe.columns)} to "
            f"{', '.join(found.outputs)}: --file"
        )
    return found.graph
