"""Where the values of each input are counted: fitted once on the reference, the same ever after.

Each numeric input has up to 60 bins between quantiles of its reference values, one bin below them
all and one above, so that what lies outside the training data is counted by itself. A value that
is frequent (zero, often) has a bin of its own. Counts of equal bins add up, which is what makes
daily sketches of months a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import IntegrityError, json_bytes

Floats = NDArray[np.float64]

INNER = 60
EDGES = INNER + 1
WIDTH = INNER + 3
"""Bins of an input: one below, the inner ones, one above, and one for missing values."""

MISSING = WIDTH - 1
OTHER = WIDTH - 2
MOST_CATEGORIES = WIDTH - 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Bins:
    """Bins of each input.

    Attributes
    ----------
    names
        The inputs, numeric ones first.
    edges : ndarray, shape (numeric inputs, 61), float64
        Upper ends of all bins but the last, ascending, infinite where an input has fewer bins.
        A value belongs to the first bin whose upper end it does not exceed.
    centres : ndarray, shape (numeric inputs,), float64
        About which moments are taken.
    categories
        Known categories of each other input; the rest is counted together.
    """

    names: tuple[str, ...]
    edges: Floats
    centres: Floats
    categories: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> int:
        """How many inputs are numeric."""
        return len(self.edges)

    @property
    def layout(self) -> tuple[tuple[str, ...], int]:
        """Names of the inputs, and how many are numeric: equal ones can be counted together."""
        return self.names, self.numeric

    @property
    def digest(self) -> str:
        """Names these bins: only counts of equal bins add up."""
        shape = [list(self.names), [list(known) for known in self.categories]]
        content = json_bytes(shape) + self.edges.tobytes() + self.centres.tobytes()
        return sha256(content).hexdigest()[:16]


def fit_bins(columns: Mapping[str, Any]) -> Bins:
    """Fit bins to reference values.

    Parameters
    ----------
    columns
        Values of each input: numbers with NaN for missing, or texts.

    Examples
    --------
    >>> bins = fit_bins({"age": [30.0, 40.0, 40.0, 50.0], "town": ["a", "b", "a", None]})
    >>> bins.names, bins.categories
    (('age', 'town'), (('a', 'b'),))
    """
    arrays = {name: as_array(values) for name, values in columns.items()}
    numbers = {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}
    texts = {name: a for name, a in arrays.items() if not isinstance(a, np.ndarray)}
    finite = [np.sort(values[np.isfinite(values)]) for values in numbers.values()]
    return Bins(
        names=(*numbers, *texts),
        edges=np.array([_edges(values) for values in finite]).reshape(-1, EDGES),
        centres=np.array([_median(values) for values in finite]),
        categories=tuple(_known(values) for values in texts.values()),
    )


def as_array(values: Any) -> Floats | pa.Array:
    """Return numbers as float64 with NaN for missing, anything else as texts."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return np.asarray(values, dtype=np.float64)
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else _arrow(values)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    kind = array.type
    if pa.types.is_dictionary(kind):
        return array if pa.types.is_string(kind.value_type) else array.cast(pa.string())
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    if pa.types.is_floating(kind) or pa.types.is_integer(array.type) or pa.types.is_null(kind):
        return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return array.cast(pa.string())


def _arrow(values: Any) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _edges(ordered: Floats) -> Floats:
    """Return the upper ends: quantiles; a value that is several of them has a bin by itself."""
    edges = np.full(EDGES, np.inf)
    if not len(ordered):
        return edges
    ends = _few_distinct(ordered)
    if ends is None:
        ends = _quantiles(ordered)
    distinct, times = np.unique(ends, return_counts=True)
    with np.errstate(over="ignore"):  # below the lowest number of all is minus infinity
        alone = np.nextafter(distinct[times > 1], -np.inf)
        below = np.nextafter(ordered[0], -np.inf)
    found = np.unique(np.concatenate([[below], distinct, alone]))
    edges[: len(found)] = found
    return edges


def _median(ordered: Floats) -> float:
    """Return the middle value, or the mean of both; 0 where there is none."""
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    return float(middle.mean()) if len(ordered) else 0.0


def _quantiles(ordered: Floats) -> Floats:
    """Return the quantiles that are values themselves: the inverse of the distribution function.

    As NumPy's ``inverted_cdf`` has them, which takes far longer about values that are in order.
    """
    levels = np.arange(1, INNER + 1) / INNER
    place = np.ceil(len(ordered) * levels - 1.0).astype(np.intp)
    return ordered[np.maximum(place, 0)]


def _few_distinct(values: Floats) -> Floats | None:
    """Return each distinct value twice where a bin for each, and one before it, are enough."""
    if len(np.unique(values[: 10 * INNER])) > INNER // 2:
        return None
    distinct = np.unique(values)
    return np.repeat(distinct, 2) if len(distinct) <= INNER // 2 else None


def _known(values: pa.Array) -> tuple[str, ...]:
    counts = values.value_counts()
    rows = [(entry["values"], entry["counts"]) for entry in counts.to_pylist()]
    rows = [row for row in rows if row[0] is not None]
    kept = sorted(rows, key=lambda row: (-row[1], row[0]))[:MOST_CATEGORIES]
    return tuple(sorted(name for name, _ in kept))


def bins_bytes(bins: Bins) -> dict[str, NDArray[Any]]:
    """Return bins as arrays for an npz archive."""
    return {
        "names": np.array(bins.names, dtype=np.str_),
        "edges": bins.edges,
        "centres": bins.centres,
        "categories": np.array([c for known in bins.categories for c in known], dtype=np.str_),
        "known": np.array([len(known) for known in bins.categories], dtype=np.int64),
    }


def read_bins(arrays: Mapping[str, NDArray[Any]]) -> Bins:
    """Return bins from the arrays of :func:`bins_bytes`.

    Raises
    ------
    IntegrityError
        When an array is missing.
    """
    try:
        ends = np.concatenate([[0], np.cumsum(arrays["known"])])
        names = [str(name) for name in arrays["categories"]]
        return Bins(
            names=tuple(str(name) for name in arrays["names"]),
            edges=arrays["edges"],
            centres=arrays["centres"],
            categories=tuple(tuple(names[first:last]) for first, last in pairwise(ends)),
        )
    except KeyError as error:
        raise IntegrityError(f"a reference has no array {error}; train the version again") from None
