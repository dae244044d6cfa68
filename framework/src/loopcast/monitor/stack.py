"""Bins of many versions as arrays, so that the rows of a family are counted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.monitor.bins import EDGES, MISSING, Bins, Floats
from loopcast.monitor.sketch import Rows, Sketch, add_counts, add_moments, category_bins, empty

Places = NDArray[np.intp]
_STEPS = (32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class StackedBins:
    """Bins of versions that have the same inputs.

    Attributes
    ----------
    edges : ndarray, shape (versions, numeric inputs, 61)
    centres : ndarray, shape (versions, numeric inputs)
    categories
        By version, of each input that is not numeric.
    """

    names: tuple[str, ...]
    edges: Floats
    centres: Floats
    categories: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def numeric(self) -> int:
        """How many inputs are numeric."""
        return int(self.edges.shape[1])


def stack_bins(bins: Sequence[Bins]) -> StackedBins:
    """Stack bins of equal names and equally many numeric inputs."""
    return StackedBins(
        names=bins[0].names,
        edges=np.stack([each.edges for each in bins]),
        centres=np.stack([each.centres for each in bins]),
        categories=tuple(each.categories for each in bins),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """Which rows are counted, for which version and in which group; a row may be so repeatedly.

    Attributes
    ----------
    row, version, group : ndarray, shape (n,)
    weight : ndarray, shape (n,)
    """

    row: Places
    version: Places
    group: Places
    weight: Floats

    def where(self, wanted: NDArray[np.bool_]) -> Chosen:
        """Return those of some rows of the data, shape (rows,)."""
        kept = wanted[self.row]
        return Chosen(
            row=self.row[kept],
            version=self.version[kept],
            group=self.group[kept],
            weight=self.weight[kept],
        )


def sketch_stacked(
    columns: Mapping[str, Any], bins: StackedBins, chosen: Mapping[str, Chosen], groups: int
) -> Sketch:
    """Count rows, each in the bins of its own version.

    Parameters
    ----------
    columns
        Values of each input, shape (rows,): numbers with NaN for missing, or an array of texts.
    chosen
        By input: outputs may be counted of other rows than inputs.
    """
    found = empty(len(bins.names), bins.numeric, groups)
    for place, name in enumerate(bins.names):
        mine = chosen[name]
        rows = Rows(group=mine.group, weight=mine.weight)
        if place < bins.numeric:
            values = np.asarray(columns[name], dtype=np.float64)[mine.row]
            codes = _number_bins(values, bins.edges[:, place], mine.version)
            add_moments(found, place, values, bins.centres[mine.version, place], rows)
        else:
            known = [each[place - bins.numeric] for each in bins.categories]
            codes = _category_bins(columns[name], known, mine)
        add_counts(found, place, codes, rows)
    return found


def _number_bins(values: Floats, edges: Floats, version: Places) -> Places:
    """Return how many edges of its version lie below each value, by bisection of all at once."""
    padded = np.concatenate([edges, np.full((len(edges), 64 - EDGES), np.inf)], axis=1)
    low = np.zeros(len(values), dtype=np.intp)
    for step in _STEPS:
        low += step * (padded[version, low + step - 1] < values)
    return np.where(np.isfinite(values), low, MISSING)


def _category_bins(texts: pa.Array, known: Sequence[tuple[str, ...]], mine: Chosen) -> Places:
    """Return the bin of each text among the categories that its version knew."""
    values = texts.dictionary_encode()
    distinct = list(dict.fromkeys(known))
    tables = np.stack([category_bins(values.dictionary, names) for names in distinct])
    tables = np.concatenate([tables, np.full((len(distinct), 1), MISSING)], axis=1)
    which = np.array([distinct.index(names) for names in known], dtype=np.intp)
    place = pc.fill_null(values.indices, tables.shape[1] - 1).to_numpy(zero_copy_only=False)
    return np.asarray(tables[which[mine.version], place[mine.row]], dtype=np.intp)
