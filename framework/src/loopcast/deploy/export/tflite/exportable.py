"""A version on its way to a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import ModelError
from loopcast.deploy.export.tflite.vectors import Vectors

if TYPE_CHECKING:
    from loopcast.api.graph import Graph
    from loopcast.api.recipe import Recipe
    from loopcast.deploy.loaded import LoadedVersion


@dataclass(frozen=True, eq=False, kw_only=True)
class Exportable:
    """What a file of a version has to be.

    Attributes
    ----------
    recipe
        How its features are made.
    outputs
        Names of the columns that it answers.
    vectors
        What it has to answer.
    graph
        What it computes; ``None`` where only another converter can say so.
    items
        Of a ranking, the step of the recipe that knows the items of which its first outputs are
        places.
    """

    recipe: Recipe
    outputs: tuple[str, ...]
    vectors: Vectors
    graph: Graph | None
    items: str = ""


def refuse_series(loaded: LoadedVersion, series: str) -> None:
    """Refuse the name of a series where the task has none.

    Raises
    ------
    ModelError
        Where there is one.
    """
    if series:
        raise ModelError(
            f"{loaded.logical_model.name} is of the task {loaded.logical_model.task}, which has no "
            f"series {series!r}"
        )
