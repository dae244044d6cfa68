"""Splines as operators, the bases of all features at once.

A cubic B-spline at a distance u of its centre, in knot intervals, is

    B(u) = (relu(2 - |u|)³ - 4 relu(1 - |u|)³) / 6,

which operators that every runtime has compute exactly (C. de Boor, A Practical Guide to Splines
(2001), chapter IX, written with truncated powers of the distance). Columns are six times that, and
what lies beyond the edges six times too: the weights take it off again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopcast.api import graph as g
from loopcast.api.errors import ModelError
from loopcast.deploy.export.tflite.bases import Expansion, Floats, Written
from loopcast.deploy.export.tflite.lowering import ANY, Lowering

RELU = 1
"""Code of the activation that an operator may have built in."""

FEWEST = 4
SIXFOLD = 6.0


def splines(every: Sequence[g.Spline], to: Lowering) -> Written:
    """Write bases of splines: B-splines first, then what is below and above the edge knots."""
    for spline in every:
        if spline.size < FEWEST:
            raise ModelError(
                f"a spline of {spline.size} B-splines; a cubic one has {FEWEST} or more"
            )
    ordered = sorted(every, key=lambda one: not one.periodic)
    open_ones = [one for one in ordered if not one.periodic]
    apart, beyond = [], []
    for group, write in ((ordered[: -len(open_ones) or None], _cycle), (open_ones, _open)):
        if group:
            own, *edges = write(group, to)
            apart.append(own)
            beyond += edges
    core = _cubes(to.joined(apart), to)
    starts = np.cumsum([0, *(one.size for one in ordered)])
    expansions: dict[g.Basis, Expansion] = {}
    for one, start in zip(ordered, starts, strict=False):
        places = start + np.arange(one.size)
        if one.periodic:
            expansions[one] = Expansion(places, np.eye(one.size) / SIXFOLD)
        else:
            edge = starts[-1] + open_ones.index(one)
            edges_at = [edge, edge + len(open_ones)]
            expansions[one] = Expansion(np.append(places, edges_at), _continued(one.size) / SIXFOLD)
    return Written([core, *beyond], expansions, int(starts[-1]) + 2 * len(open_ones))


def _continued(size: int) -> Floats:
    """Return the matrix that adds the slopes at the edges to coefficients, (size + 2, size)."""
    matrix = np.vstack([np.eye(size), np.zeros((2, size))])
    matrix[size, [0, 2]] = -0.5, 0.5
    matrix[size + 1, [size - 3, size - 1]] = -0.5, 0.5
    return matrix


def _positions(splines: Sequence[g.Spline], to: Lowering) -> int:
    """Return where each feature is, in knot intervals from the lower edge knot."""
    x = to.columns(to.features, [one.feature for one in splines])
    shifted = to.model.add("SUB", x, to.numbers([one.lower for one in splines]))
    return to.model.add(
        "MUL", shifted, to.numbers([_intervals(one) / (one.upper - one.lower) for one in splines])
    )


def _intervals(spline: g.Spline) -> int:
    return spline.size if spline.periodic else spline.size - 3


def _apart(position: int, splines: Sequence[g.Spline], to: Lowering) -> int:
    """Return how far above the centre of each of its B-splines each feature is."""
    sizes = [one.size for one in splines]
    if len(set(sizes)) == 1 and len(sizes) > 1:
        # One row of centres serves all, which makes a file smaller.
        each = to.stacked(position, ANY, len(sizes), 1)
        apart = to.model.add("SUB", each, to.numbers(_centres(splines[0])))
        return to.stacked(apart, ANY, sum(sizes))
    each = position
    if len(splines) > 1:
        each = to.columns(position, np.repeat(np.arange(len(splines)), sizes))
    centres = np.hstack([_centres(one) for one in splines])
    return to.model.add("SUB", each, to.numbers(centres))


def _centres(spline: g.Spline) -> Floats:
    return np.arange(-1.0, spline.size - 1.0)


def _absolute(of: int, to: Lowering) -> int:
    """Return the place of absolute values; ABS takes ten times as long without XNNPACK."""
    return to.model.add("LEAKY_RELU", of, Alpha=-1.0)


def _cycle(splines: Sequence[g.Spline], to: Lowering) -> tuple[int, ...]:
    """Return the distances of periodic splines, the shorter way round.

    From the first centre, one interval before the start, the other way may have gone round already:
    it is negative then, and of the right size.
    """
    around = to.numbers([_intervals(one) for one in splines])
    position = to.model.add("FLOOR_MOD", _positions(splines, to), around)
    distance = _absolute(_apart(position, splines, to), to)
    other = to.model.add("SUB", _lengths(splines, around, to), distance)
    return (to.model.add("MINIMUM", distance, other),)


def _lengths(splines: Sequence[g.Spline], around: int, to: Lowering) -> int:
    """Return how long the way around is for each B-spline; one number serves a single spline."""
    if len(splines) == 1:
        return around
    return to.numbers(np.repeat([_intervals(one) for one in splines], [s.size for s in splines]))


def _open(splines: Sequence[g.Spline], to: Lowering) -> tuple[int, ...]:
    """Return where features are from centres, and how far below and above the ends."""
    position = _positions(splines, to)
    ends = to.numbers([_intervals(one) for one in splines])
    zero = to.numbers(0.0)
    inside = to.model.add("MINIMUM", to.model.add("MAXIMUM", position, zero), ends)
    below = to.model.add("MINIMUM", position, zero)
    above = to.model.add("SUB", position, ends, FusedActivationFunction=RELU)
    beyond = to.model.add("MUL", to.joined([below, above]), to.numbers(SIXFOLD))
    return _apart(inside, splines, to), beyond


def _cubes(apart: int, to: Lowering) -> int:
    """Return six times the B-splines so far above or below their centres."""
    distance = _absolute(apart, to)
    outer = to.model.add("SUB", to.numbers(2.0), distance, FusedActivationFunction=RELU)
    inner = to.model.add("SUB", to.numbers(1.0), distance, FusedActivationFunction=RELU)
    cube = to.folded("MUL", [outer, outer, outer])
    fourfold = to.model.add("MUL", inner, to.numbers(4.0))
    return to.model.add("SUB", cube, to.folded("MUL", [inner, inner, fourfold]))
