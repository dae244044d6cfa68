"""Sums without the terms that hardly matter anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.centred import centred

Ranges = Mapping[int, float]
"""Largest magnitude of features, by their place."""


def without_least(block: g.Additive, most: float, largest: Ranges) -> g.Additive:
    """Return a sum without terms that together add no more than a bound, wherever features are.

    What a term adds at most is bounded by its coefficients: B-splines and indicators are between
    zero and one and sum to no more than one. That is a bound for days which the data at hand does
    not show, such as holidays.

    Parameters
    ----------
    most
        The bound, in the unit of the sum.
    largest
        Of the features that multiply terms.
    """
    block = centred(block)
    reaches = np.array([_reach(term, largest) for term in block.terms])
    order = np.argsort(reaches, kind="stable")
    dropped = set(order[np.cumsum(reaches[order]) <= most].tolist())
    kept = tuple(term for at, term in enumerate(block.terms) if at not in dropped)
    return replace(block, terms=kept) if kept else block


def _reach(term: g.Term, largest: Ranges) -> float:
    scale = [largest[basis.feature] for basis in term.bases if isinstance(basis, g.Line)]
    sloped = any(isinstance(basis, g.Intervals) and basis.slopes for basis in term.bases)
    return float("inf") if sloped else float(np.abs(term.coef).max() * np.prod(scale))
