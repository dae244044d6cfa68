"""Input and output drift: measures with effect sizes, p-values adjusted for their number.

A difference counts where it is both too large to be chance, with the share of false alarms held
at the significance over all inputs and groups, and large enough to matter: on much data
everything is significant, on little data everything is large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.stats import false_discovery_control

from loopcast.api import Drift, DriftThresholds, Segment, VersionId
from loopcast.monitor import measures
from loopcast.monitor.bins import Floats
from loopcast.monitor.measures import Pair, pair
from loopcast.monitor.reference import OUTPUT, Reference
from loopcast.monitor.sketch import Sketch


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
        Adjusted p-values.
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
    return measure_pair(reference.bins.names, both, reference.effect, reference.bins.centres)


def measure_pair(names: Sequence[str], both: Pair, effect: Floats, centres: Floats) -> Measured:
    """Compare groups, each with a reference of its own."""
    shape = both.recent.squares.shape
    ks, ks_high, p_ks = measures.kolmogorov_smirnov(both)
    tenths = measures.parts(both)
    _, p_chi2 = measures.chi_squared(*tenths, both)
    missing, p_missing = measures.proportions(
        both, measures.missing(both.reference), measures.missing(both.recent)
    )
    outside, p_outside = measures.proportions(
        both,
        measures.outside(both.reference, both.edges),
        measures.outside(both.recent, both.edges),
    )
    adjusted = _adjusted(_wide(p_ks, shape), p_chi2, p_missing, p_outside)
    return Measured(
        names=tuple(names),
        ks=_wide(ks, shape),
        ks_high=_wide(ks_high, shape),
        wasserstein=_wide(measures.wasserstein(both), shape),
        mean_shift=_wide(_mean_shift(both, centres), shape),
        psi=measures.stability(*tenths),
        jensen_shannon=measures.jensen_shannon(*tenths),
        characteristic=_characteristic(both, effect),
        missing=missing,
        outside=outside,
        p_ks=adjusted[0],
        p_chi2=adjusted[1],
        p_missing=adjusted[2],
        p_outside=adjusted[3],
    )


def _wide(values: Floats, shape: tuple[int, ...]) -> Floats:
    found = np.full(shape, np.nan)
    found[:, : values.shape[1]] = values
    return found


def _adjusted(*p_values: Floats) -> list[Floats]:
    """Adjust all p-values together, by Y. Benjamini and Y. Hochberg (1995), JRSS B 57."""
    stacked = np.stack(p_values)
    known = np.isfinite(stacked)
    stacked[known] = false_discovery_control(stacked[known])
    return list(stacked)


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


def drifts(
    measured: Measured, windows: Sequence[Window], thresholds: DriftThresholds
) -> list[Drift]:
    """Return the records of each group and input, by the measures that have a threshold.

    A number is judged by the Kolmogorov–Smirnov statistic, a category by the Jensen–Shannon
    distance; both by the growth of missing and of strange values.
    """
    return [
        _record(window, thresholds, name, _Value.of(measured, kind, group, place))
        for group, window in enumerate(windows)
        for place, name in enumerate(measured.names)
        for kind in _kinds(measured, place)
    ]


@dataclass(frozen=True, kw_only=True)
class _Value:
    kind: str
    value: float
    p_value: float

    @classmethod
    def of(cls, measured: Measured, kind: str, group: int, place: int) -> _Value:
        value, p_value = (getattr(measured, name) for name in (kind, _P_VALUES[kind]))
        return cls(
            kind=kind, value=float(value[group, place]), p_value=float(p_value[group, place])
        )


_P_VALUES = {
    "ks": "p_ks",
    "jensen_shannon": "p_chi2",
    "missing": "p_missing",
    "outside": "p_outside",
}


def _kinds(measured: Measured, place: int) -> tuple[str, ...]:
    numeric = np.isfinite(measured.ks[:, place]).any()
    return ("ks" if numeric else "jensen_shannon", "missing", "outside")


def exceeded(measured: Measured, thresholds: DriftThresholds) -> dict[str, Floats]:
    """Return for each measure where it counts, shape (groups, inputs): for many groups at once."""
    return {
        kind: (getattr(measured, kind) >= getattr(thresholds, kind))
        & (getattr(measured, p_value) <= thresholds.significance)
        for kind, p_value in _P_VALUES.items()
    }


def _record(window: Window, thresholds: DriftThresholds, name: str, found: _Value) -> Drift:
    return Drift(
        logical_model=window.logical_model,
        segment=window.segment,
        version=window.version,
        of="output" if name.startswith(OUTPUT) else "input",
        subject=name.removeprefix(OUTPUT),
        measure=found.kind,
        value=found.value,
        threshold=getattr(thresholds, found.kind),
        significance=thresholds.significance,
        start=window.start,
        end=window.end,
        p_value=found.p_value,
        subset=window.subset,
    )
