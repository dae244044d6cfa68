"""The reference of a version: what its inputs and outputs looked like when it was trained.

It is a file of the version's bundle, so that recent data can be compared with it at any time
without the training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import IntegrityError, npz_bytes, read_npz
from loopcast.develop.inference import block_places
from loopcast.monitor.bins import (
    MISSING,
    WIDTH,
    Bins,
    Floats,
    as_array,
    bins_bytes,
    fit_bins,
    read_bins,
)
from loopcast.monitor.resemblance import design_effect
from loopcast.monitor.sketch import (
    LOWEST,
    Sketch,
    category_bins,
    codes,
    concatenated,
    empty,
    sketch,
)

REFERENCE_FILE = "reference.npz"
"""Its name in a bundle."""

OUTPUT = "output."
"""What the name of an output begins with, among the inputs."""

SAMPLE = 1_000
FEWEST_BLOCKS = 5
MONTHS = 12

MOST_VALUES, MOST_ATTRIBUTES = 8, 3
"""Subpopulations are those of so many attributes of so many values at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """What recent data is compared with.

    Attributes
    ----------
    bins, sketch
        Of inputs and outputs; one group.
    design : ndarray, shape (inputs,)
        By how much rows of a block resemble each other; 1 where they are independent.
    effect : ndarray, shape (inputs, 63)
        Mean first output of the rows in each bin, NaN where there are none or no output.
    sample : mapping of str to ndarray, shape (rows,)
        Some rows, for what needs several inputs at once: numbers, or bins of categories.
    subsets, subset_sketch
        Subpopulations, as ``attribute=value``, and the inputs of each: a group for each.
    seasons
        Inputs by calendar month, a group for each; none where the training spans no year.
    series
        Of forecasts, the series whose outputs these are.
    """

    bins: Bins
    sketch: Sketch
    design: Floats
    effect: Floats
    sample: Mapping[str, NDArray[Any]]
    subsets: tuple[str, ...]
    subset_sketch: Sketch
    seasons: Sketch
    series: tuple[str, ...] = ()


def fit_reference(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    block: NDArray[np.int64] | None = None,
    *,
    output_block: NDArray[np.int64] | None = None,
    subsets: Sequence[str] = (),
    month: NDArray[np.intp] | None = None,
    series: tuple[str, ...] = (),
    seed: int = 0,
) -> Reference:
    """Take down what the rows of a training looked like.

    Parameters
    ----------
    inputs, outputs
        Values by name, shape (n,) each: numbers with NaN for missing, or texts. Outputs may be of
        other rows than inputs: those that the model was not trained on.
    block, output_block : ndarray, shape (n,)
        Rows of one block resemble each other: a day, an origin.
    subsets
        Inputs that are categories, by whose values subpopulations are told apart.
    month : ndarray, shape (n,)
        Calendar month of each row from 0 to 11, where the rows span a year.
    series
        Of forecasts, the series whose outputs are given.
    """
    columns = {**inputs, **{f"{OUTPUT}{name}": values for name, values in outputs.items()}}
    arrays = {name: as_array(values) for name, values in columns.items()}
    bins = fit_bins(arrays)
    whole = sketch(arrays, bins)
    blocks = {name: output_block if name.startswith(OUTPUT) else block for name in arrays}
    months = {name: None if name.startswith(OUTPUT) else month for name in arrays}
    designs = {name: _design(arrays[name], blocks[name], months[name]) for name in arrays}
    rows = len(next(iter(arrays.values()), ()))
    values = {name: bins.categories[bins.names.index(name) - bins.numeric] for name in subsets}
    return Reference(
        bins=bins,
        sketch=whole,
        design=np.array([designs[name] for name in bins.names]),
        effect=_effect(arrays, bins, next(iter(outputs), None)),
        sample=_sample(arrays, bins, rows, seed),
        subsets=tuple(f"{name}={value}" for name, known in values.items() for value in known),
        subset_sketch=_by_subset(arrays, bins, values),
        seasons=_by_group(arrays, bins, month, MONTHS)
        if month is not None
        else empty(len(bins.names), bins.numeric, 0),
        series=series,
    )


def _by_subset(
    arrays: Mapping[str, Any], bins: Bins, values: Mapping[str, tuple[str, ...]]
) -> Sketch:
    """Return the inputs of each value of each attribute, those of others left out."""
    parts = [empty(len(bins.names), bins.numeric, 0)]
    for name, known in values.items():
        group = category_bins(arrays[name], known)
        parts.append(_by_group(arrays, bins, np.where(group < len(known), group, -1), len(known)))
    return concatenated(parts)


def _by_group(
    arrays: Mapping[str, Any], bins: Bins, group: NDArray[np.intp], groups: int
) -> Sketch:
    """Return the inputs of each group of rows, and no outputs, which are of other rows."""
    is_input = np.array([not name.startswith(OUTPUT) for name in bins.names])
    inside = np.flatnonzero(group >= 0)
    nothing = np.full(len(inside), np.nan)
    columns = {
        name: take_rows(arrays[name], inside) if own else nothing
        for name, own in zip(bins.names, is_input, strict=True)
    }
    found = sketch(columns, bins, group=group[inside], groups=groups)
    return Sketch(
        counts=found.counts * is_input[:, None],
        squares=found.squares * is_input,
        moments=found.moments,
    )


def take_rows(values: Floats | pa.Array, rows: NDArray[np.intp]) -> Floats | pa.Array:
    """Return some rows of a column."""
    return values[rows] if isinstance(values, np.ndarray) else values.take(pa.array(rows))


def in_season(reference: Reference, months: Floats) -> Reference:
    """Return the reference of the same season: its months weighed as those of recent rows.

    Outputs, and inputs that the training does not have in one of the months, keep the whole year.

    Parameters
    ----------
    months : ndarray, shape (12,)
        Weight of recent rows by calendar month.
    """
    seasons, total = reference.seasons, reference.seasons.total
    if not len(seasons.counts) or not months.sum():
        return reference
    share = months / months.sum()
    whole = ((total > 0) | (share[:, None] == 0)).all(axis=0) & (total.sum(axis=0) > 0)
    factor = np.divide(
        share[:, None] * total.sum(axis=0), total, out=np.zeros_like(total), where=total > 0
    )
    year, numeric = reference.sketch, whole[: reference.bins.numeric]
    moments = np.einsum("mi,mik->ik", factor[:, : len(numeric)], _finite(seasons.moments))
    moments[:, LOWEST:] = year.moments[0, :, LOWEST:]
    season = Sketch(
        counts=np.where(
            whole[:, None], np.einsum("mi,mib->ib", factor, seasons.counts), year.counts
        ),
        squares=np.where(whole, np.einsum("mi,mi->i", factor**2, seasons.squares), year.squares),
        moments=np.where(numeric[:, None], moments, year.moments),
    )
    return replace(reference, sketch=season)


def _finite(moments: Floats) -> Floats:
    """Return moments without the extremes of what has no rows, which are infinite."""
    return np.where(np.isfinite(moments), moments, 0.0)


def design_of(bins: Bins, whole: Sketch, blocks: Sketch) -> Floats:
    """Return the design effect that the groups show; 1 where they are too few to show one."""
    if len(blocks.counts) < FEWEST_BLOCKS:
        return np.ones(len(bins.names))
    return design_effect(whole, blocks)


def _design(
    values: Floats | pa.Array, block: NDArray[np.int64] | None, month: NDArray[np.intp] | None
) -> float:
    """Return the design effect of one column; where there are seasons, that within months."""
    if block is None or not len(block):
        return 1.0
    if month is None:
        return _design_of_rows(values, block)
    rows = [np.flatnonzero(month == number) for number in np.unique(month)]
    return float(np.mean([_design_of_rows(take_rows(values, r), block[r]) for r in rows]))


def _design_of_rows(values: Floats | pa.Array, block: NDArray[np.int64]) -> float:
    column = {"values": values}
    bins = fit_bins(column)
    place = block_places(block)
    blocks = sketch(column, bins, group=place, groups=int(place.max()) + 1)
    return float(design_of(bins, sketch(column, bins), blocks)[0])


def _effect(arrays: Mapping[str, Any], bins: Bins, output: str | None) -> Floats:
    """Return the mean output by bin of inputs whose rows are those of the output."""
    effect = np.full((len(bins.names), WIDTH), np.nan)
    values = arrays.get(f"{OUTPUT}{output}")
    if not isinstance(values, np.ndarray) or not len(values) or not np.isfinite(values).all():
        return effect
    lowest = values.min()
    for place, name in enumerate(bins.names):
        if len(arrays[name]) == len(values):
            found = codes(arrays[name], bins, place)
            total = np.bincount(found, values - lowest + 1.0, WIDTH)
            with np.errstate(invalid="ignore"):
                effect[place] = total / np.bincount(found, minlength=WIDTH) + lowest - 1.0
    return effect


def rows_of(
    columns: Mapping[str, Any], bins: Bins, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return columns as numbers: values, or the bins of categories, NaN for missing."""
    found = {}
    for name in names:
        place, values = bins.names.index(name), as_array(columns[name])
        if place >= bins.numeric:
            values = _category_codes(values, bins.categories[place - bins.numeric])
        found[name] = np.asarray(values, dtype=np.float64)
    return found


def _category_codes(values: Floats | pa.Array, known: tuple[str, ...]) -> Floats:
    codes = category_bins(values, known).astype(np.float64)
    return np.where(codes == MISSING, np.nan, codes)


def _sample(arrays: Mapping[str, Any], bins: Bins, rows: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return some rows of the inputs, all of the same rows."""
    alike = [name for name in bins.names if not name.startswith(OUTPUT)]
    if not alike:
        return {}
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:SAMPLE])
    found = rows_of(arrays, bins, alike)
    return {name: values[chosen].astype(np.float32) for name, values in found.items()}


def reference_bytes(reference: Reference) -> bytes:
    """Encode a reference for the bundle."""
    arrays: dict[str, NDArray[Any]] = {
        **bins_bytes(reference.bins),
        "counts": reference.sketch.counts,
        "squares": reference.sketch.squares,
        "moments": reference.sketch.moments,
        "design": reference.design,
        "effect": reference.effect,
        "sample_names": np.array(list(reference.sample), dtype=np.str_),
        "sample": np.array(list(reference.sample.values()), dtype=np.float32),
        "subsets": np.array(reference.subsets, dtype=np.str_),
        "series": np.array(reference.series, dtype=np.str_),
        **_sketch_arrays("subset", reference.subset_sketch),
        **_sketch_arrays("season", reference.seasons),
    }
    return npz_bytes(arrays)


def _sketch_arrays(name: str, found: Sketch) -> dict[str, NDArray[Any]]:
    """Return a sketch of whole rows as arrays, its counts in four bytes."""
    return {
        f"{name}_counts": found.counts.astype(np.uint32),
        f"{name}_squares": found.squares.astype(np.uint32),
        f"{name}_moments": found.moments,
    }


def _sketch_of(arrays: Mapping[str, NDArray[Any]], name: str) -> Sketch:
    return Sketch(
        counts=arrays[f"{name}_counts"].astype(np.float64),
        squares=arrays[f"{name}_squares"].astype(np.float64),
        moments=arrays[f"{name}_moments"],
    )


def read_reference(content: bytes) -> Reference:
    """Decode a reference.

    Raises
    ------
    IntegrityError
        When an array is missing.
    """
    arrays = read_npz(content)
    bins = read_bins(arrays)
    try:
        return Reference(
            bins=bins,
            sketch=Sketch(
                counts=arrays["counts"], squares=arrays["squares"], moments=arrays["moments"]
            ),
            design=arrays["design"],
            effect=arrays["effect"],
            sample=dict(zip(map(str, arrays["sample_names"]), arrays["sample"], strict=True)),
            subsets=tuple(map(str, arrays["subsets"])),
            subset_sketch=_sketch_of(arrays, "subset"),
            seasons=_sketch_of(arrays, "season"),
            series=tuple(map(str, arrays["series"])),
        )
    except KeyError as error:
        raise IntegrityError(f"a reference has no array {error}; train the version again") from None
