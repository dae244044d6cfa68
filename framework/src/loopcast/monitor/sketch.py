"""Mergeable sketches: how often each input fell into each bin, with moments, by group of rows.

Two sketches of the same bins add up, so that a report about months adds days and reads no event
again. A group is whatever is looked at by itself: the version of a segment, a subpopulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import DataError
from loopcast.monitor.bins import EDGES, MISSING, OTHER, WIDTH, Bins, Floats, as_array

SUM, SQUARES, LOWEST, HIGHEST = range(4)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sketch:
    """Counts and moments of groups of rows.

    Attributes
    ----------
    counts : ndarray, shape (groups, inputs, 63), float64
        Weight of the rows in each bin; the last one is of missing values.
    squares : ndarray, shape (groups, inputs), float64
        Sum of the squared weights of the rows that are not missing.
    moments : ndarray, shape (groups, numeric inputs, 4), float64
        Weighted sum of x − c and of (x − c)², with c the bins' centre; lowest and highest value.
    """

    counts: Floats
    squares: Floats
    moments: Floats

    @property
    def total(self) -> Floats:
        """Weight of the rows that are not missing, shape (groups, inputs)."""
        return np.asarray(self.counts[:, :, :MISSING].sum(axis=2, dtype=np.float64))

    @property
    def size(self) -> Floats:
        """Rows of equal weight that would tell as much, shape (groups, inputs).

        Source: L. Kish (1965), Survey Sampling, section 11.7.
        """
        total = self.total
        return np.divide(total**2, self.squares, out=np.zeros_like(total), where=self.squares > 0)

    @property
    def size_of_all(self) -> Floats:
        """The same with the rows that are missing, shape (groups, inputs).

        They weigh what known ones do; where none is known, what those of the other inputs do.
        """
        total = self.total
        weight = np.divide(self.squares, total, out=np.zeros_like(total), where=total > 0)
        others = weight.max(axis=1, keepdims=True, initial=0.0)
        weight = np.where(weight > 0, weight, np.where(others > 0, others, 1.0))
        return np.asarray(self.counts.sum(axis=2, dtype=np.float64) / weight)

    def __add__(self, other: Sketch) -> Sketch:
        return Sketch(
            counts=self.counts + other.counts,
            squares=self.squares + other.squares,
            moments=_merged(self.moments, other.moments),
        )

    def take(self, groups: Sequence[int] | NDArray[np.intp]) -> Sketch:
        """Return some groups, in the given order."""
        rows = np.asarray(groups, dtype=np.intp)
        return Sketch(
            counts=self.counts[rows], squares=self.squares[rows], moments=self.moments[rows]
        )

    def pooled(self) -> Sketch:
        """Return all groups as one."""
        moments = np.concatenate(
            [
                self.moments[:, :, :LOWEST].sum(axis=0, keepdims=True),
                self.moments[:, :, LOWEST : LOWEST + 1].min(axis=0, keepdims=True, initial=np.inf),
                self.moments[:, :, HIGHEST:].max(axis=0, keepdims=True, initial=-np.inf),
            ],
            axis=2,
        )
        return Sketch(
            counts=self.counts.sum(axis=0, keepdims=True),
            squares=self.squares.sum(axis=0, keepdims=True),
            moments=moments,
        )


def _merged(one: Floats, two: Floats) -> Floats:
    merged = one + two
    np.minimum(one[..., LOWEST], two[..., LOWEST], out=merged[..., LOWEST])
    np.maximum(one[..., HIGHEST], two[..., HIGHEST], out=merged[..., HIGHEST])
    return merged


def empty(inputs: int, numeric: int, groups: int = 1) -> Sketch:
    """Return the sketch of no rows, of so many inputs, of which some are numeric."""
    moments = np.zeros((groups, numeric, 4))
    moments[:, :, LOWEST], moments[:, :, HIGHEST] = np.inf, -np.inf
    return Sketch(
        counts=np.zeros((groups, inputs, WIDTH)),
        squares=np.zeros((groups, inputs)),
        moments=moments,
    )


def concatenated(parts: Sequence[Sketch]) -> Sketch:
    """Return the groups of sketches of the same bins one after the other."""
    return Sketch(
        counts=np.concatenate([part.counts for part in parts]),
        squares=np.concatenate([part.squares for part in parts]),
        moments=np.concatenate([part.moments for part in parts]),
    )


def sketch(
    columns: Mapping[str, Any],
    bins: Bins,
    *,
    group: NDArray[np.intp] | None = None,
    groups: int = 1,
) -> Sketch:
    """Count rows.

    Parameters
    ----------
    columns
        Values of each input, shape (n,); others than the bins' are ignored.
    group : ndarray, shape (n,)
        Number of the group of each row; all are one group where it is left out.

    Raises
    ------
    DataError
        When an input is missing, or numbers are given where texts were known.
    """
    found = empty(len(bins.names), bins.numeric, groups)
    rows = Rows(group=group)
    for place, name in enumerate(bins.names):
        if name not in columns:
            raise DataError(f"input {name!r} of the reference is not in the data")
        values = as_array(columns[name])
        if place >= bins.numeric:
            add_counts(found, place, codes(values, bins, place), rows)
        elif not isinstance(values, np.ndarray):
            raise DataError(
                f"input {name!r} was numeric in the reference, and is {values.type} now"
            )
        elif group is None:
            _count_sorted(found, place, values, bins)
        else:
            _count_numbers(found, place, values, bins, rows)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """What each row counts for.

    Attributes
    ----------
    group : ndarray, shape (n,)
        Number of the group of each row; ``None`` where all are one.
    weight : ndarray, shape (n,)
        Such as the inverse of its inclusion probability; ``None`` where each row counts once.
    """

    group: NDArray[np.intp] | None
    weight: Floats | None = None

    def groups(self, count: int) -> NDArray[np.intp]:
        """Return the group of each row."""
        return np.zeros(count, dtype=np.intp) if self.group is None else self.group

    def weights(self, count: int) -> Floats:
        """Return the weight of each row."""
        return np.ones(count) if self.weight is None else self.weight


def _count_numbers(found: Sketch, place: int, values: Floats, bins: Bins, rows: Rows) -> None:
    add_counts(found, place, codes(values, bins, place), rows)
    add_moments(found, place, values, bins.centres[place], rows)


def add_moments(
    found: Sketch, place: int, values: Floats, centre: Floats | float, rows: Rows
) -> None:
    """Add the moments of a numeric input to a sketch that nobody else has seen.

    Parameters
    ----------
    values : ndarray, shape (n,)
    centre : float or ndarray, shape (n,)
        About which they are taken.
    """
    known = np.isfinite(values)
    group, weight = rows.groups(len(values))[known], rows.weights(len(values))[known]
    moments, groups = found.moments[:, place], len(found.moments)
    with np.errstate(over="ignore"):  # a poisoned value makes the deviation infinite
        centred = (values - centre)[known]
        moments[:, SUM] = np.bincount(group, weight * centred, minlength=groups)
        moments[:, SQUARES] = np.bincount(group, weight * centred**2, minlength=groups)
    np.minimum.at(moments[:, LOWEST], group, values[known])
    np.maximum.at(moments[:, HIGHEST], group, values[known])


def _count_sorted(found: Sketch, place: int, values: Floats, bins: Bins) -> None:
    """Count one group of equal weight: sorting is several times faster than to search bins."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, -np.inf, side="right")
    last = np.searchsorted(ordered, np.inf, side="left")  # NaN is sorted to the end
    known = ordered[first:last]
    until = np.searchsorted(known, bins.edges[place], side="right")
    counts = found.counts[0, place]
    counts[: EDGES + 1] = np.diff(until, prepend=0, append=len(known))
    counts[MISSING] = len(values) - len(known)
    found.squares[0, place] = len(known)
    if len(known):
        ends = known[0], known[-1]
        with np.errstate(over="ignore"):  # a poisoned value makes the deviation infinite
            centred = known - bins.centres[place]
            found.moments[0, place] = centred.sum(), centred @ centred, *ends


def codes(values: Floats | pa.Array, bins: Bins, place: int) -> NDArray[np.intp]:
    """Return the bin of each value of an input, shape (n,).

    Parameters
    ----------
    values
        Numbers of a numeric input, numbers or texts of another one.
    place
        Of the input among those of the bins.
    """
    if place >= bins.numeric:
        return category_bins(values, bins.categories[place - bins.numeric])
    found = np.searchsorted(bins.edges[place], values, side="left")
    return np.where(np.isfinite(values), found, MISSING)


def category_bins(values: Floats | pa.Array, known: Sequence[str]) -> NDArray[np.intp]:
    """Return the bin of each category: one for all that the reference did not know."""
    if isinstance(values, np.ndarray):
        values = pa.array(values, from_pandas=True).cast(pa.string())
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    place = pc.fill_null(
        pc.index_in(values.dictionary, value_set=pa.array(known, pa.string())), OTHER
    )
    table = np.append(place.to_numpy(zero_copy_only=False), MISSING)
    indices = pc.fill_null(values.indices, len(table) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(table[indices], dtype=np.intp)


def add_counts(found: Sketch, place: int, codes: NDArray[np.intp], rows: Rows) -> None:
    """Count the bins of an input in a sketch that nobody else has seen."""
    groups = len(found.counts)
    flat = rows.groups(len(codes)) * WIDTH + codes
    weight = rows.weights(len(codes))
    counts, squares = (
        np.bincount(flat, each, minlength=groups * WIDTH).reshape(groups, WIDTH)
        for each in (weight, weight**2)
    )
    found.counts[:, place] = counts
    found.squares[:, place] = squares[:, :MISSING].sum(axis=1)
