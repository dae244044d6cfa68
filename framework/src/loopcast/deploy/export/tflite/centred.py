"""Sums of terms whose splines have a mean of zero, which single precision rounds least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.bases import Floats


def centred(block: g.Additive) -> g.Additive:
    """Return the same sum with splines whose coefficients have a mean of zero.

    B-splines sum to one everywhere, so that what is taken off belongs to the constant, or to the
    lines that multiply the splines.

    Examples
    --------
    >>> hump = g.Term("s", (g.Spline(0, 0.0, 1.0, 4),), np.array([[1.0], [3.0], [5.0], [3.0]]))
    >>> same = centred(g.Additive((hump,), np.array([10.0])))
    >>> same.intercept, same.terms[0].coef.ravel()
    (array([13.]), array([-2.,  0.,  2.,  0.]))
    """
    levels: dict[tuple[g.Basis, ...], Floats] = {(): np.array(block.intercept, np.float64)}
    terms = []
    for term in block.terms:
        if not _sums_to_lines(term):
            terms.append(term)
            continue
        lines = tuple(basis for basis in term.bases if isinstance(basis, g.Line))
        level = term.coef.mean(axis=0)
        levels[lines] = levels.get(lines, np.zeros(len(level))) + level
        terms.append(replace(term, coef=term.coef - level))
    constant = levels.pop(())
    more = tuple(g.Term("level", lines, level[None]) for lines, level in levels.items())
    return replace(block, terms=(*terms, *more), intercept=constant)


def _sums_to_lines(term: g.Term) -> bool:
    """Tell whether there are splines in a term, and nothing else but lines."""
    kinds = {type(basis) for basis in term.bases}
    return g.Spline in kinds and kinds <= {g.Spline, g.Line}
