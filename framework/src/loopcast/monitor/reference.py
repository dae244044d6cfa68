"""The reference of a version: what its inputs and outputs looked like when it was trained.

It is a file of the version's bundle, so that recent data can be compared with it at any time
without the training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loopcast.api import IntegrityError, npz_bytes, read_npz
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
from loopcast.monitor.measures import design_effect
from loopcast.monitor.sketch import Sketch, category_bins, sketch

REFERENCE_FILE = "reference.npz"
"""Its name in a bundle."""

OUTPUT = "output."
"""What the name of an output begins with, among the inputs."""

SAMPLE = 1_000
FEWEST_BLOCKS = 5


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
    """

    bins: Bins
    sketch: Sketch
    design: Floats
    effect: Floats
    sample: Mapping[str, NDArray[Any]]


def fit_reference(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    block: NDArray[np.int64] | None = None,
    *,
    output_block: NDArray[np.int64] | None = None,
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
    """
    columns = {**inputs, **{f"{OUTPUT}{name}": values for name, values in outputs.items()}}
    arrays = {name: as_array(values) for name, values in columns.items()}
    bins = fit_bins(arrays)
    whole = sketch(arrays, bins)
    blocks = {name: output_block if name.startswith(OUTPUT) else block for name in arrays}
    designs = {name: _design({name: values}, blocks[name]) for name, values in arrays.items()}
    rows = len(next(iter(arrays.values()), ()))
    return Reference(
        bins=bins,
        sketch=whole,
        design=np.array([designs[name] for name in bins.names]),
        effect=_effect(arrays, bins, next(iter(outputs), None)),
        sample=_sample(arrays, bins, rows, seed),
    )


def design_of(bins: Bins, whole: Sketch, blocks: Sketch) -> Floats:
    """Return the design effect that the groups show; 1 where they are too few to show one."""
    if len(blocks.counts) < FEWEST_BLOCKS:
        return np.ones(len(bins.names))
    return design_effect(whole, blocks)


def recent_design(reference: Reference, days: Sketch) -> Floats:
    """Return the design effect of recent rows, at least that of the reference.

    A few days show too little of how much their rows resemble each other.

    Parameters
    ----------
    days
        A group for each day.
    """
    return np.maximum(design_of(reference.bins, reference.sketch, days), reference.design)


def _design(column: Mapping[str, Any], block: NDArray[np.int64] | None) -> float:
    """Return the design effect of one column."""
    if block is None or not len(block):
        return 1.0
    bins = fit_bins(column)
    _, place = np.unique(block, return_inverse=True)
    blocks = sketch(column, bins, group=place, groups=int(place.max()) + 1)
    return float(design_of(bins, sketch(column, bins), blocks)[0])


def _effect(arrays: Mapping[str, Any], bins: Bins, output: str | None) -> Floats:
    """Return the mean output by bin of inputs whose rows are those of the output."""
    effect = np.full((len(bins.names), WIDTH), np.nan)
    values = arrays.get(f"{OUTPUT}{output}")
    if not isinstance(values, np.ndarray) or not len(values) or not np.isfinite(values).all():
        return effect
    weight = values - values.min() + 1.0  # weights are positive
    for place, name in enumerate(bins.names):
        if len(arrays[name]) == len(values):
            alone = fit_bins({name: arrays[name]})
            weighed, plain = (
                sketch({name: arrays[name]}, alone, weight=each).counts[0, 0]
                for each in (weight, np.ones(len(values)))
            )
            with np.errstate(invalid="ignore"):
                effect[place] = weighed / plain + values.min() - 1.0
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
    }
    return npz_bytes(arrays)


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
        )
    except KeyError as error:
        raise IntegrityError(f"a reference has no array {error}; train the version again") from None
