"""How far a dataset is from the previous one: profiles, and distances between them.

A profile is small and kept in the bundle: shares of an input's values over bins that the first
dataset sets. Sources: N. Siddiqi (2006), Credit Risk Scorecards, chapter 8, for the population
stability index; B. Yurdakul (2018), Statistical Properties of Population Stability Index, for its
distribution under no change, (1/n + 1/m) χ² with one degree of freedom less than bins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import IntegrityError, Record
from loopcast.develop.checks.inputs import Column, Inputs, missing
from loopcast.develop.checks.results import CheckResult
from loopcast.develop.stability import stability

if TYPE_CHECKING:
    from loopcast.settings import CheckSettings

PROFILE_FILE = "profile.json"
"""Its name in a bundle."""

OUTCOME = "outcome"
"""What a profile calls the outcome, beside the inputs."""

BINS = 10
CATEGORIES = 50
"""Categories that a profile names; rarer ones count together."""

_NORMAL = 3.0902  # 99.9 % of the normal distribution
_KOLMOGOROV = 1.9495  # 99.9 % of Kolmogorov's distribution


class ColumnProfile(Record, frozen=True):
    """Shares of one input.

    Attributes
    ----------
    edges
        Inner bounds of the bins of a number; a value on a bound is in the bin below.
    names
        Categories; the share after the last is of all others.
    shares
        Of each bin or category, then of missing values.
    """

    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] | None = None


class Profile(Record, frozen=True):
    """Shares of every input of a dataset."""

    rows: int
    columns: dict[str, ColumnProfile]


def profile(inputs: Inputs) -> Profile:
    """Describe a dataset by shares."""
    return Profile(
        rows=inputs.rows, columns={name: _column(c) for name, c in tracked(inputs).items()}
    )


def tracked(inputs: Inputs) -> Mapping[str, Column]:
    """Return the inputs, and the outcome among them.

    Of an event, only known outcomes count: that fewer are known yet, or that fewer cases were
    granted, is no shift.
    """
    outcome = inputs.outcome
    if outcome is None:
        return inputs.columns
    return {
        **inputs.columns,
        OUTCOME: outcome[~np.isnan(outcome)] if inputs.kind == "event" else outcome,
    }


def _column(column: Column) -> ColumnProfile:
    if isinstance(column, pd.Categorical):
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.categories))
        common = np.sort(np.argsort(-counts, kind="stable")[:CATEGORIES])
        names = tuple(str(column.categories[place]) for place in common)
        return ColumnProfile(names=names, shares=_shares(column, (), names))
    known = column[~np.isnan(column)]
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner, method="inverted_cdf")) if len(known) else known
    bounds = tuple(float(edge) for edge in edges)
    return ColumnProfile(edges=bounds, shares=_shares(column, bounds, None))


def _shares(
    column: Column, edges: tuple[float, ...], names: tuple[str, ...] | None
) -> tuple[float, ...]:
    absent = missing(column)
    if isinstance(column, pd.Categorical):
        place = {name: number for number, name in enumerate(names or ())}
        of_code = np.array([place.get(str(c), len(place)) for c in column.categories], np.intp)
        bins, count = of_code[column.codes[~absent]], len(place) + 1
    else:
        bins, count = np.searchsorted(np.array(edges), column[~absent]), len(edges) + 1
    found = np.append(np.bincount(bins, minlength=count), absent.sum())
    return tuple(float(share) for share in found / max(len(column), 1))


def shift(inputs: Inputs, before: Profile, limits: CheckSettings) -> Iterator[CheckResult]:
    """Compare a dataset with the profile of the previous one.

    A difference that chance alone gives once in a thousand times passes whatever the limit, so
    that a small segment is not refused for being small.
    """
    noise = 1.0 / max(before.rows, 1) + 1.0 / max(inputs.rows, 1)
    for name, column in tracked(inputs).items():
        known = before.columns.get(name)
        if known is None or (known.names is None) == isinstance(column, pd.Categorical):
            continue
        old = np.array(known.shares)
        new = np.array(_shares(column, known.edges, known.names))
        if limits.shift_psi is not None:
            chance = noise * _chi_square(len(old) - 1)
            index = stability(old * before.rows, new * inputs.rows).item()
            yield _beyond("shift_psi", name, index, limits.shift_psi, chance)
        if limits.shift_ks is not None and known.names is None:
            chance = _KOLMOGOROV * np.sqrt(noise)
            distance = float(np.abs(np.cumsum(new) - np.cumsum(old))[:-1].max())
            yield _beyond("shift_ks", name, distance, limits.shift_ks, chance)


def _beyond(name: str, subject: str, measured: float, limit: float, chance: float) -> CheckResult:
    return CheckResult(
        name=name,
        subject=subject,
        passed=bool(measured <= max(limit, chance)),
        measured=measured,
        limit=limit,
    )


def _chi_square(freedom: int) -> float:
    """Return the 99.9 % point: E. Wilson and M. Hilferty (1931), PNAS 17."""
    k = max(freedom, 1)
    spread = 2.0 / (9.0 * k)
    return float(k * (1.0 - spread + _NORMAL * np.sqrt(spread)) ** 3)


def read_profile(content: bytes) -> Profile:
    """Decode a profile.

    Raises
    ------
    IntegrityError
        Where the bytes are none.
    """
    try:
        return msgspec.json.decode(content, type=Profile)
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"{PROFILE_FILE} of a bundle: {error}") from None
