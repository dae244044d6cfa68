"""Stability of a population as credit risk has it: of the score, and of each characteristic.

A difference counts where the index is beyond the industry's limits and is no chance either: of few
rows, an index is large by itself. Indices come from the same daily counts as all drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from loopcast.api import Segment, VersionId
from loopcast.monitor.compare import Compared, compare, read_references
from loopcast.monitor.daily import Group, daily_sketches
from loopcast.monitor.reference import OUTPUT
from loopcast.monitor.totals import totals

if TYPE_CHECKING:
    from loopcast.store.home import Home

Verdict = Literal["stable", "shifting", "shifted", "too few rows"]

CHANCE = 0.01
"""Share of false alarms among what is said to have shifted."""


@dataclass(frozen=True, kw_only=True)
class StabilityLimits:
    """From where on an index says that a population is shifting, and that it has shifted.

    Source: N. Siddiqi (2006), Credit Risk Scorecards, chapter 8.
    """

    shifting: float = 0.10
    shifted: float = 0.25


LIMITS = StabilityLimits()


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How far a score, or a characteristic, has moved since the training of a version.

    Attributes
    ----------
    subset
        A subpopulation of the segment as ``attribute=value``; empty for all of it.
    of
        ``population`` for the score, ``characteristic`` for an input.
    rows
        How many recent rows it is about.
    psi
        Population stability index: of tenths of numbers, and of categories.
    ks, wasserstein
        Beside it, of numbers: largest distance of the distributions, and mean distance of values
        in standard deviations of the reference; ``None`` for categories.
    p_value
        Of the hypothesis that nothing has moved, adjusted for the number of indices.
    """

    segment: Segment
    version: VersionId
    subset: str
    of: Literal["population", "characteristic"]
    name: str
    rows: int
    psi: float
    ks: float | None
    wasserstein: float | None
    p_value: float
    verdict: Verdict


def population_stability(
    home: Home,
    logical_model: str,
    first: date,
    last: date,
    limits: StabilityLimits = LIMITS,
) -> list[Stability]:
    """Compare what was asked and answered with the training of each version, by segment.

    Inputs are compared in the subpopulations that the training knows, too; scores are not, since
    those of the training are of other rows. The largest index comes first.

    Parameters
    ----------
    first, last
        Days in UTC; they have to be counted before.
    """
    days = daily_sketches(home).read(logical_model, first, last)
    total = totals(days, first, last)
    rows = {g: int(each.rows[at].sum()) for each in total for at, g in enumerate(each.groups)}
    references = read_references(home, {group.version for group in rows})
    months = pd.date_range(first, last, freq="D").month - 1
    found = [
        one
        for each in compare(total, references, months.tolist())
        for one in stabilities(each, rows, limits)
    ]
    return sorted(found, key=lambda one: (one.segment, one.subset != "", -one.psi))


def stabilities(
    compared: Compared, rows: Mapping[Group, int], limits: StabilityLimits
) -> Iterator[Stability]:
    """Yield the stability of each score and characteristic of groups that have rows and one."""
    measured = compared.measured
    for place, group in enumerate(compared.groups):
        if not rows[group]:
            continue
        for at in np.flatnonzero(np.isfinite(measured.psi[place])):
            name, psi = measured.names[at], float(measured.psi[place, at])
            p_value = float(np.nan_to_num(measured.p_chi2[place, at], nan=1.0))
            yield Stability(
                segment=group.segment,
                version=group.version,
                subset=group.subset,
                of="population" if name.startswith(OUTPUT) else "characteristic",
                name=name.removeprefix(OUTPUT),
                rows=rows[group],
                psi=psi,
                ks=_known(measured.ks[place, at]),
                wasserstein=_known(measured.wasserstein[place, at]),
                p_value=p_value,
                verdict=_verdict(psi, p_value, limits),
            )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _verdict(psi: float, p_value: float, limits: StabilityLimits) -> Verdict:
    if psi < limits.shifting:
        return "stable"
    if p_value > CHANCE:
        return "too few rows"
    return "shifted" if psi >= limits.shifted else "shifting"
