"""Indicators as operators: intervals, special values, codes of categories, missing values.

Every one of them asks whether a feature is in a range, its lower end included: the ranges of all
features are compared at once. A missing value (NaN) is in none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopcast.api import graph as g
from loopcast.deploy.export.tflite.bases import Expansion, Floats, Places, Written
from loopcast.deploy.export.tflite.lowering import Lowering


def indicators(bases: Sequence[g.Intervals | g.Levels], to: Lowering) -> Written:
    """Write ranges first, then what is missing, then numbers times their interval."""
    numbers = [basis for basis in bases if isinstance(basis, g.Intervals)]
    sloped = [basis for basis in numbers if basis.slopes]
    ranges = [_ranges(basis) for basis in bases]
    starts = dict(zip(bases, np.cumsum([0, *map(len, ranges)]).tolist(), strict=False))
    written = [_inside(bases, ranges, to)]
    width = sum(map(len, ranges))
    missing = {basis: width + at for at, basis in enumerate(numbers)}
    if numbers:
        written.append(_missing(numbers, to))
        width += len(numbers)
    slopes = dict(zip(sloped, width + _starts([one.body for one in sloped]), strict=False))
    if sloped:
        written.append(_times(sloped, [starts[one] for one in sloped], written[0], to))
    expansions: dict[g.Basis, Expansion] = {}
    for basis, own in zip(bases, ranges, strict=True):
        places = starts[basis] + np.arange(len(own))
        if isinstance(basis, g.Levels):
            expansions[basis] = Expansion(places, np.eye(basis.size))
            continue
        places = np.append(places, missing[basis])
        if basis.slopes:
            places = np.append(places, slopes[basis] + np.arange(basis.body))
        expansions[basis] = Expansion(places, _weights(basis))
    return Written(written, expansions, width + sum(one.body for one in sloped))


def _starts(sizes: Sequence[int]) -> Places:
    return np.cumsum([0, *sizes])


def _ranges(basis: g.Intervals | g.Levels) -> Floats:
    """Return lower and upper end of each range, shape (k, 2); NaN is above all numbers."""
    if isinstance(basis, g.Levels):
        codes = basis.first + np.arange(basis.size)
        return np.column_stack([codes - 0.5, codes + 0.5])
    cuts = np.array([-np.inf, *basis.cuts, np.nan])
    specials = np.array(basis.specials, np.float32)
    above = np.nextafter(specials, np.float32(np.inf))
    return np.vstack([np.column_stack([cuts[:-1], cuts[1:]]), np.column_stack([specials, above])])


def _weights(basis: g.Intervals) -> Floats:
    """Return the matrix that takes off special values what their interval adds to them."""
    matrix = np.eye(basis.size)
    for at, special in enumerate(basis.specials):
        interval = int(np.searchsorted(basis.cuts, special, side="right"))
        matrix[basis.body + at, interval] = -1.0
        if basis.slopes:
            matrix[basis.body + at, basis.size - basis.body + interval] = -special
    return matrix


def _inside(bases: Sequence[g.Intervals | g.Levels], ranges: Sequence[Floats], to: Lowering) -> int:
    own = np.repeat([basis.feature for basis in bases], [len(one) for one in ranges])
    low, high = np.vstack(ranges).T
    x = to.columns(to.features, own)
    reached, passed = (
        to.model.add("GREATER_EQUAL", x, to.numbers(ends), dtype=np.bool_) for ends in (low, high)
    )
    return to.model.add("CAST", to.model.add("NOT_EQUAL", reached, passed, dtype=np.bool_))


def _missing(numbers: Sequence[g.Intervals], to: Lowering) -> int:
    return to.missing(to.columns(to.features, [basis.feature for basis in numbers]))


def _times(sloped: Sequence[g.Intervals], starts: Sequence[int], inside: int, to: Lowering) -> int:
    """Return numbers times the indicator of each of their intervals; zero where missing."""
    bodies = [basis.body for basis in sloped]
    own = np.repeat([basis.feature for basis in sloped], bodies)
    places = np.hstack(
        [start + np.arange(basis.body) for start, basis in zip(starts, sloped, strict=True)]
    )
    x = to.columns(to.features, own)
    return to.model.add("MUL", to.filled(x), to.columns(inside, places))
