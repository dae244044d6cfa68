"""Cuts of a number at quantiles, on round values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 20_000
"""Quantiles of more rows are taken from so many of them, evenly spaced."""
STEPS = np.array([[10.0], [5.0], [2.0], [1.0], [0.5], [0.2]])
"""Of round numbers, times the power of ten below the gap between two; the last always fits."""


def quantile_cuts(values: NDArray[np.float64], bins: int, minimum: float) -> tuple[float, ...]:
    """Cut values into bins of about equal counts.

    A value that holds more than a bin's share, as a zero often does, has a bin of its own.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without NaN.
    bins
        How many at most.
    minimum
        Share of the values that each bin holds at least.

    Returns
    -------
    tuple
        Ascending cuts, each a round number between the value below and the value above it.

    Examples
    --------
    >>> quantile_cuts(np.arange(1000.0), bins=4, minimum=0.05)
    (249.5, 499.5, 749.5)
    >>> quantile_cuts(np.repeat([0.0, 1.0], 50), bins=4, minimum=0.05)
    (0.5,)
    """
    ordered = np.sort(values[:: len(values) // SAMPLE + 1])
    if not len(ordered) or ordered[0] == ordered[-1]:
        return ()
    places = _places(ordered, bins, max(minimum * len(ordered), 1.0))
    ends = np.array(places, np.intp)
    return tuple(round_between(ordered[ends - 1], ordered[ends]).tolist())


def _places(ordered: NDArray[np.float64], bins: int, minimum: float) -> list[int]:
    """Return the first row of each bin but the lowest."""
    wanted = ordered[np.arange(1, bins) * len(ordered) // bins]
    starts = np.searchsorted(ordered, wanted, side="left")
    ends = np.searchsorted(ordered, wanted, side="right")
    places: list[int] = []
    last = 0
    # Both ends of a repeated value are candidates, so that it can stand alone.
    for place in np.unique(np.concatenate([starts, ends])).tolist():
        if place - last >= minimum and len(ordered) - place >= minimum:
            places.append(place)
            last = place
    return _thinned(places, ordered, bins)


def _thinned(places: list[int], ordered: NDArray[np.float64], bins: int) -> list[int]:
    """Drop the end of the smallest bin until there are not too many."""
    while len(places) >= bins:
        edges = [0, *places, len(ordered)]
        width = [edges[i + 2] - edges[i] for i in range(len(places))]
        places.pop(width.index(min(width)))
    return places


def round_between(below: NDArray[np.float64], above: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the roundest number in the middle half between each two numbers.

    A cut keeps its distance from the values beside it, so that a small change of such a value
    changes no bin.

    Parameters
    ----------
    below, above : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        Above ``below``, and at most ``above``, which it is where no number lies between.

    Examples
    --------
    >>> round_between(np.array([118.7, 2.0, 0.31]), np.array([121.2, 3.0, 0.3301])).tolist()
    [120.0, 2.5, 0.32]
    """
    with np.errstate(all="ignore"):  # an unbounded gap has no middle, and ends as its end
        quarter = (above - below) / 4.0
        low, high = below + quarter, above - quarter
        exponent = np.floor(np.log10(above - below))
        step = 10.0**exponent * STEPS
        decimals = 10.0 ** np.maximum(1.0 - exponent, 0.0)
        found = np.rint(np.floor(high / step) * step * decimals) / decimals
        fits = (low <= found) & (found <= high)
    first, gap = fits.argmax(axis=0), np.arange(len(below))
    return np.where(fits[first, gap], found[first, gap], above)
