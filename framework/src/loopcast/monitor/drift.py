"""Input and output drift: measures with effect sizes, p-values adjusted for their number.

A difference counts where it is both too large to be chance, with the share of false alarms held
at the significance over all inputs and groups, and large enough to matter: on much data
everything is significant, on little data everything is large.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr
from scipy.stats import false_discovery_control

from loopcast.api import Drift, DriftThresholds, Segment, VersionId
from loopcast.develop.stability import stability
from loopcast.monitor import measures
from loopcast.monitor.bins import Floats
from loopcast.monitor.measures import Pair, pair
from loopcast.monitor.reference import OUTPUT, Reference
from loopcast.monitor.sketch import Sketch

DAY_CHANCE = 1e-4
"""The rate of false alarms about the values of a day."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """Everything that was measured; arrays have the shape (groups, inputs), NaN for none.

    Attributes
    ----------
    names
        The inputs, numeric ones first; outputs begin with ``output.``.
    ks, ks_high
        Kolmogorov–Smirnov statistic: the least and greatest value that the counts allow.
    wasserstein
        In standard deviations of the reference.
    mean_shift
        In standard deviations of the reference.
    psi, jensen_shannon
        Of tenths of numbers, and of categories.
    characteristic
        How far the change of an input moves the mean output, by the mean output of its bins.
    missing, outside
        Growth of the share of missing values, and of values that the reference never had.
    p_ks, p_chi2, p_missing, p_outside
        p-values, adjusted for their number where many were measured together. Where a number's
        rows are worth too few independent ones for tenths, its ``p_chi2`` is its ``p_ks``.
    """

    names: tuple[str, ...]
    ks: Floats
    ks_high: Floats
    wasserstein: Floats
    mean_shift: Floats
    psi: Floats
    jensen_shannon: Floats
    characteristic: Floats
    missing: Floats
    outside: Floats
    p_ks: Floats
    p_chi2: Floats
    p_missing: Floats
    p_outside: Floats


def measure(reference: Reference, recent: Sketch, design: Floats | None = None) -> Measured:
    """Compare groups of recent rows with a reference.

    Parameters
    ----------
    design : ndarray, shape (inputs,) or (groups, inputs)
        Design effect of the recent rows.
    """
    of_recent = np.ones(1) if design is None else design
    both = pair(reference.bins, reference.sketch, recent, (reference.design, of_recent))
    found = measure_pair(reference.bins.names, both, reference.effect, reference.bins.centres)
    return adjusted([found])[0]


def measure_pair(names: Sequence[str], both: Pair, effect: Floats, centres: Floats) -> Measured:
    """Compare groups, each with a reference of its own; p-values are not adjusted yet."""
    shape = both.recent.squares.shape
    ks, ks_high, p_ks = measures.kolmogorov_smirnov(both)
    tenths = measures.parts(both)
    _, p_chi2 = measures.chi_squared(*tenths, both)
    few = measures.few(both)
    p_chi2[few] = _wide(p_ks, shape)[few]
    missing, p_missing = measures.proportions(
        both.all_sizes, measures.missing(both.reference), measures.missing(both.recent)
    )
    outside, p_outside = measures.proportions(
        both.sizes,
        measures.outside(both.reference, both.edges),
        measures.outside(both.recent, both.edges),
    )
    return Measured(
        names=tuple(names),
        ks=_wide(ks, shape),
        ks_high=_wide(ks_high, shape),
        wasserstein=_wide(measures.wasserstein(both), shape),
        mean_shift=_wide(_mean_shift(both, centres), shape),
        psi=stability(*tenths),
        jensen_shannon=measures.jensen_shannon(*tenths),
        characteristic=_characteristic(both, effect),
        missing=missing,
        outside=outside,
        p_ks=_wide(p_ks, shape),
        p_chi2=p_chi2,
        p_missing=p_missing,
        p_outside=p_outside,
    )


def _wide(values: Floats, shape: tuple[int, ...]) -> Floats:
    found = np.full(shape, np.nan)
    found[:, : values.shape[1]] = values
    return found


def studentised(found: Measured, freedom: Floats) -> Measured:
    """Widen p-values by what is not known of the design effects that they rest on.

    Where days had to show how alike their rows are, a difference is one over an estimated error,
    as Student's is: a normal deviate becomes one with degrees of freedom.

    Parameters
    ----------
    freedom : ndarray, shape (groups, inputs)
        Infinite where the design effect is known.
    """
    kinds = dict.fromkeys(P_VALUES.values())
    return _with(found, {kind: _by_student(getattr(found, kind), freedom) for kind in kinds})


def _by_student(p_values: Floats, freedom: Floats) -> Floats:
    return np.where(np.isfinite(freedom), 2.0 * stdtr(freedom, ndtri(p_values / 2.0)), p_values)


def adjusted(
    found: Sequence[Measured], measures_used: Collection[str] | None = None
) -> list[Measured]:
    """Adjust the p-values of some measures together, of all by default.

    Source: Y. Benjamini and Y. Hochberg (1995), JRSS B 57.
    """
    kinds = tuple(dict.fromkeys(P_VALUES[name] for name in measures_used or P_VALUES))
    values = [getattr(each, kind) for each in found for kind in kinds]
    flat = np.concatenate([np.ravel(each) for each in values])
    known = np.isfinite(flat)
    flat[known] = false_discovery_control(flat[known])
    ends = np.cumsum([each.size for each in values])
    pieces = iter(np.split(flat, ends[:-1]))
    return [
        _with(each, {kind: next(pieces).reshape(getattr(each, kind).shape) for kind in kinds})
        for each in found
    ]


def _with(found: Measured, p_values: Mapping[str, Any]) -> Measured:
    return replace(found, **p_values)


def _mean_shift(both: Pair, centres: Floats) -> Floats:
    spread = measures.deviation(both.reference)
    shift = measures.mean(both.recent, centres) - measures.mean(both.reference, centres)
    return np.divide(shift, spread, out=np.full_like(shift, np.nan), where=spread > 0)


def _characteristic(both: Pair, effect: Floats) -> Floats:
    """Σ (q − p) times the mean output of the bin, over all bins that have one.

    Source: N. Siddiqi (2006), Credit Risk Scorecards, chapter 8, characteristic analysis.
    """
    change = measures.shares(both.recent.counts) - measures.shares(both.reference.counts)
    known = np.isfinite(effect)
    moved = (change * np.where(known, effect, 0.0)).sum(axis=2)
    return np.where(known.any(axis=-1), moved, np.nan)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Whose recent rows were measured, and when they were made."""

    logical_model: str
    segment: Segment
    version: VersionId
    start: datetime
    end: datetime
    subset: str = ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on a difference counts, by measure.

    Attributes
    ----------
    inputs, outputs
        The measures that are looked at, and their thresholds.
    significance
        Share of false alarms among the alarms.
    """

    inputs: Mapping[str, float]
    outputs: Mapping[str, float]
    significance: float

    def of(self, name: str) -> Mapping[str, float]:
        """Return the thresholds of an input, or of an output by its name in a reference."""
        return self.outputs if name.startswith(OUTPUT) else self.inputs


def limits_of(thresholds: DriftThresholds) -> Limits:
    """Return the limits of inputs and outputs alike.

    A number is judged by the Kolmogorov–Smirnov statistic, a category by the Jensen–Shannon
    distance; both by the growth of missing and of strange values.
    """
    names = ("ks", "jensen_shannon", "missing", "outside")
    both = {name: getattr(thresholds, name) for name in names}
    return Limits(inputs=both, outputs=both, significance=thresholds.significance)


def limits_of_day(share: float) -> Limits:
    """Return the limits of the values of a single day: of what is missing, and what is strange."""
    both = {"missing": share, "outside": share}
    return Limits(inputs=both, outputs=both, significance=DAY_CHANCE)


P_VALUES = {
    "ks": "p_ks",
    "wasserstein": "p_ks",
    "mean_shift": "p_ks",
    "jensen_shannon": "p_chi2",
    "psi": "p_chi2",
    "characteristic": "p_chi2",
    "missing": "p_missing",
    "outside": "p_outside",
}
"""The test that belongs to each measure."""

_OF_NUMBERS = {"ks", "wasserstein", "mean_shift"}


def _kinds(measured: Measured, place: int, limits: Limits) -> list[str]:
    """Return the measures that an input is judged by."""
    wanted = limits.of(measured.names[place])
    numeric = np.isfinite(measured.ks[:, place]).any()
    unfit = ({"jensen_shannon"} if "ks" in wanted else set()) if numeric else _OF_NUMBERS
    return [kind for kind in wanted if kind not in unfit]


def drifts(measured: Measured, windows: Sequence[Window], limits: Limits) -> list[Drift]:
    """Return the records of each group and input, by the measures that have a limit."""
    return [
        _record(windows[group], limits, measured, kind, (group, place))
        for group in range(len(windows))
        for place in range(len(measured.names))
        for kind in _kinds(measured, place, limits)
    ]


def exceeding(measured: Measured, windows: Sequence[Window], limits: Limits) -> list[Drift]:
    """Return the records of those that count alone: for many groups at once."""
    found = [
        (int(group), place, kind)
        for place in range(len(measured.names))
        for kind in _kinds(measured, place, limits)
        for group in np.flatnonzero(exceeded(measured, place, kind, limits))
    ]
    return [
        _record(windows[group], limits, measured, kind, (group, place))
        for group, place, kind in sorted(found)
    ]


def exceeded(measured: Measured, place: int, kind: str, limits: Limits) -> NDArray[np.bool_]:
    """Tell for each group whether an input's difference counts: by its size, and as no chance."""
    value = _size(measured, kind)[:, place]
    p_value = getattr(measured, P_VALUES[kind])[:, place]
    threshold = limits.of(measured.names[place])[kind]
    return np.asarray((value >= threshold) & (p_value <= limits.significance))


def _size(measured: Measured, kind: str) -> Floats:
    """Return a measure, without its sign where it counts in either direction."""
    values: Floats = getattr(measured, kind)
    return np.abs(values) if kind in ("mean_shift", "characteristic") else values


def _record(
    window: Window, limits: Limits, measured: Measured, kind: str, at: tuple[int, int]
) -> Drift:
    name, value = measured.names[at[1]], float(_size(measured, kind)[at])
    p_value = float(getattr(measured, P_VALUES[kind])[at])
    return Drift(
        logical_model=window.logical_model,
        segment=window.segment,
        version=window.version,
        of="output" if name.startswith(OUTPUT) else "input",
        subject=name.removeprefix(OUTPUT),
        measure=kind,
        value=value if np.isfinite(value) else 0.0,
        threshold=limits.of(name)[kind],
        significance=limits.significance,
        start=window.start,
        end=window.end,
        p_value=p_value if np.isfinite(p_value) else 1.0,
        subset=window.subset,
    )
