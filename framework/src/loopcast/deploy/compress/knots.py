"""Splines of fewer knots: what they teach the smaller model is their own curve.

A spline is replaced by the least squares fit, on even points between its edge knots, of one with
fewer knots (C. de Boor, A Practical Guide to Splines (2001), chapter XIV); a product of splines by
the product of these fits. It is linear in the coefficients, so that all outputs share a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from loopcast.api import graph as g

FEWEST, STEP = 6, 1.2
POINTS_PER_KNOT = 8

Floats = NDArray[np.float64]


class Fit(NamedTuple):
    """From many B-splines to few.

    Attributes
    ----------
    matrix : ndarray, shape (few, many)
        From coefficients to coefficients.
    lost : ndarray, shape (points, many)
        What is left of the curve, from the coefficients of many.
    """

    matrix: Floats
    lost: Floats


def with_fewer_knots(block: g.Additive, within: float) -> g.Additive:
    """Return a sum whose splines have as few knots as keep each curve near.

    Parameters
    ----------
    within
        How far a curve may move in any place, in the unit of the sum.
    """
    if within <= 0.0:
        return block
    needed: dict[g.Basis, int] = {}
    for term in block.terms:
        for axis, basis in enumerate(term.bases):
            if isinstance(basis, g.Spline):
                size = _fewest(basis, _along(term, axis), within)
                needed[basis] = max(needed.get(basis, 0), size)
    return replace(block, terms=tuple(_smaller(term, needed) for term in block.terms))


def _along(term: g.Term, axis: int) -> Floats:
    """Return the coefficients of a term along one of its bases, shape (size, others)."""
    sizes = [basis.size for basis in term.bases]
    grid = np.moveaxis(term.coef.reshape(*sizes, -1), axis, 0)
    return grid.reshape(sizes[axis], -1)


def _fewest(spline: g.Spline, coef: Floats, within: float) -> int:
    """Return the smallest size whose fit is near enough to every curve."""
    for size in _sizes(spline.size):
        if np.abs(_fit(spline.size, size, spline.periodic).lost @ coef).max() <= within:
            return size
    return spline.size


def _sizes(most: int) -> Iterator[int]:
    size = float(FEWEST)
    while size < most:
        yield int(size)
        size *= STEP


def _smaller(term: g.Term, needed: Mapping[g.Basis, int]) -> g.Term:
    bases = tuple(_of_size(basis, needed.get(basis, basis.size)) for basis in term.bases)
    matrix: Floats = np.eye(1)
    for old, new in zip(term.bases, bases, strict=True):
        matrix = np.asarray(np.kron(matrix, _between(old, new)), np.float64)
    return replace(term, bases=bases, coef=matrix @ term.coef)


def _of_size(basis: g.Basis, size: int) -> g.Basis:
    return replace(basis, size=size) if isinstance(basis, g.Spline) else basis


def _between(old: g.Basis, new: g.Basis) -> Floats:
    if not isinstance(old, g.Spline) or old.size == new.size:
        return np.eye(old.size)
    return _fit(old.size, new.size, old.periodic).matrix


@lru_cache(maxsize=256)
def _fit(old: int, new: int, periodic: bool) -> Fit:
    points = np.linspace(0.0, 1.0, POINTS_PER_KNOT * old + 1)
    few, many = (_columns(size, points, periodic) for size in (new, old))
    matrix = np.asarray(np.linalg.lstsq(few, many)[0], np.float64)
    return Fit(matrix, few @ matrix - many)


def _columns(size: int, points: Floats, periodic: bool) -> Floats:
    """Return B-splines on the unit interval at points, (points, size)."""
    intervals = size if periodic else size - 3
    knots = np.arange(-3, intervals + 4) / intervals
    found = BSpline.design_matrix(points, knots, 3).toarray()
    if not periodic:
        return np.asarray(found)
    closed = found[:, :size].copy()
    closed[:, :3] += found[:, size:]
    return np.asarray(closed)
