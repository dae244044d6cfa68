"""A card as a graph of blocks, for devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Portable
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast_credit.additive.card import Card, Effect
from loopcast_credit.bins.bins import CategoryBins, NumericBins

if TYPE_CHECKING:
    from numpy.typing import NDArray


def card_graph(card: Card) -> Portable:
    """Return a card as a graph of probability and points, with its recipe."""
    terms = tuple(_term(effect, at) for at, effect in enumerate(card.effects))
    log_odds = g.Additive(terms, np.array([card.intercept]))
    scale, offset = np.array([[-card.scale.factor]]), np.array([card.scale.offset])
    output = g.Joined((g.Logistic(log_odds), g.Linear(log_odds, scale, offset, exact=True)))
    features = tuple(card.features)
    graph = g.Graph(features=features, output=output, outputs=("probability", "points"))
    recipe = r.Recipe(
        step_seconds=1,
        measurements=tuple(_measurement(effect) for effect in card.effects),
        steps=tuple(_step(effect) for effect in card.effects),
        features=features,
    )
    return Portable(graph=graph, recipe=recipe)


def _term(effect: Effect, at: int) -> g.Term:
    if isinstance(effect.bins, NumericBins):
        bins = effect.bins
        basis = g.Intervals(at, bins.cuts, bins.specials, slopes=bool(effect.slopes))
        return _of(effect, basis, np.array([*effect.values, *effect.slopes]))
    values = _by_code(effect.bins, effect)
    return _of(effect, g.Levels(at, len(values)), values)


def _of(effect: Effect, basis: g.Basis, values: NDArray[np.float64]) -> g.Term:
    return g.Term(effect.bins.name, (basis,), values[:, None])


def _by_code(bins: CategoryBins, effect: Effect) -> NDArray[np.float64]:
    """Return what each code of the recipe adds: known categories, unknown ones, a missing one."""
    missing, other = effect.values[-2:]
    known = [value for group, value in zip(bins.groups, effect.values, strict=False) for _ in group]
    return np.array([*known, other, missing])


def _known(bins: CategoryBins) -> tuple[str, ...]:
    return tuple(name for group in bins.groups for name in group)


def _measurement(effect: Effect) -> r.Measurement:
    name = effect.bins.name
    if isinstance(effect.bins, NumericBins):
        return r.Measurement(name=name, required=False)
    return r.Measurement(name=name, kind="category", required=False)


def _step(effect: Effect) -> r.Number | r.Category | r.Missing:
    """Return the step that makes a column; without known categories, all that counts is missing."""
    name = effect.bins.name
    if isinstance(effect.bins, NumericBins):
        return r.Number(name=name, of=name)
    known = _known(effect.bins)
    return r.Category(name=name, of=name, known=known) if known else r.Missing(name=name, of=name)
