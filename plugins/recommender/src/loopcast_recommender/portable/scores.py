"""Scores of items by what was chosen, as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ModelError, Portable
from loopcast.api import graph as g
from loopcast.api import recipe as r

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_recommender.history.method import Scorer

CHOSEN = "chosen"
"""The list of items that a device measures, and the columns that come of it."""


def history_graph(
    items: Sequence[str], scorer: Scorer | None, share: NDArray[np.float32], tie: float
) -> Portable:
    """Return the scores of all items as a graph.

    Parameters
    ----------
    items
        Names of the items.
    scorer
        ``None`` where popularity ranks for everyone.
    share
        Popularity: all the score of who has chosen nothing.
    tie
        Weight of popularity among scores.
    """
    recipe = r.Recipe(
        step_seconds=1,
        measurements=(r.Measurement(name=CHOSEN, kind="items"),),
        steps=(r.Chosen(name=CHOSEN, of=CHOSEN, known=tuple(items)),),
        features=(CHOSEN,),
    )
    graph = g.Graph(
        features=recipe.columns, output=_scores(scorer, share, tie), outputs=tuple(items)
    )
    return Portable(graph=graph, recipe=recipe)


def _scores(scorer: Scorer | None, share: NDArray[np.float32], tie: float) -> g.Block:
    """Add popularity to scores: all of it for who has chosen nothing, a trace for the others."""
    chosen, popular = g.Features(), g.Constant(tuple(share.tolist()))
    anything = g.Above(total(chosen, len(share)), 0.5)
    lost = 0.0 if scorer is None else tie - 1.0
    weight = g.Sum((g.Product(g.Constant((lost,)), anything), g.Constant((1.0,))))
    alone = g.Product(weight, popular)
    return alone if scorer is None else g.Sum((scorer.block(chosen), alone))


def total(of: g.Block, width: int) -> g.Block:
    """Return the sum of the columns of a block, one column."""
    return g.Linear(of, np.ones((1, width)), np.zeros(1), exact=True)


def product_with(of: g.Block, matrix: NDArray[np.floating]) -> g.Block:
    """Return a block times a matrix, shape (columns of the block, columns)."""
    weights = np.asarray(matrix, np.float64).T
    return g.Linear(of, weights, np.zeros(len(weights)))


def refuse_half_life(half_life: float | None) -> None:
    """Refuse a model for which the order of choices counts.

    Raises
    ------
    ModelError
        Where there is a half-life.
    """
    if half_life is not None:
        raise ModelError(
            f"earlier choices lose half their weight in {half_life:g} later ones, and a device "
            "does not know the order of choices; train without, by "
            "template.hyperparameters.half_lives=[null]"
        )
