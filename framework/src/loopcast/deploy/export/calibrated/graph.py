"""A calibration as further blocks of a graph."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from loopcast.api import Portable
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.develop.calibration.maps import EDGE, BetaMap, Calibration, KnotMap

GROUP = "calibrated by"
"""Name of the column that tells groups apart."""


def calibrated_portable(portable: Portable, calibration: Calibration) -> Portable:
    """Return a scorer whose first output is calibrated."""
    graph = portable.graph
    p = g.Clipped(g.Columns(graph.output, (0,)), EDGE, 1.0 - EDGE)
    chances = g.Logarithm(
        g.Joined((p, g.Linear(p, np.array([[-1.0]]), np.array([1.0]), exact=True)))
    )
    log_odds, recipe = _log_odds(calibration.whole, chances), portable.recipe
    if calibration.by is not None and calibration.groups:
        own = [log_odds, *(_log_odds(one, chances) for one in calibration.groups.values())]
        log_odds = _of_group(own, len(graph.features))
        recipe = _with_group(recipe, calibration.by, tuple(calibration.groups))
    others = tuple(range(1, len(graph.outputs)))
    first = g.Logistic(log_odds)
    output = g.Joined((first, g.Columns(graph.output, others))) if others else first
    return Portable(graph=replace(graph, output=output, features=recipe.columns), recipe=recipe)


def _log_odds(one: BetaMap | KnotMap, chances: g.Block) -> g.Block:
    """Return calibrated log-odds from ln p and ln(1 − p)."""
    if isinstance(one, BetaMap):
        return g.Linear(chances, np.array([[one.a, -one.b]]), np.array([one.c]), exact=True)
    start, _, value, slope = (np.array(column) for column in zip(*one.lines(), strict=True))
    difference = np.tile([1.0, -1.0], (len(start), 1))
    beyond = g.Clipped(g.Linear(chances, difference, -start, exact=True), 0.0, float("inf"))
    return g.Linear(beyond, np.diff(slope, prepend=0.0)[None], value[:1], exact=True)


def _of_group(own: list[g.Block], feature: int) -> g.Block:
    """Return the log-odds of each row's group, or the first ones where its group has none."""
    groups = len(own) - 1
    shares = np.hstack([np.full((groups, 1), -1.0), np.eye(groups)])
    term = g.Term(GROUP, (g.Levels(feature, groups),), shares)
    chosen = g.Additive((term,), np.eye(1, groups + 1)[0])
    every = g.Product(g.Joined(tuple(own)), chosen)
    return g.Linear(every, np.ones((1, groups + 1)), np.zeros(1), exact=True)


def _with_group(recipe: r.Recipe, by: str, known: tuple[str, ...]) -> r.Recipe:
    """Return a recipe with a column more: the code of a row's group."""
    measured = {one.name for one in recipe.measurements}
    more = () if by in measured else (r.Measurement(name=by, kind="category", required=False),)
    return msgspec.structs.replace(
        recipe,
        measurements=(*recipe.measurements, *more),
        steps=(*recipe.steps, r.Category(name=GROUP, of=by, known=known)),
        features=(*recipe.features, GROUP),
    )
