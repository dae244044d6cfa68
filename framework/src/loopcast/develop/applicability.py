"""The domain of applicability of a version: what its training has seen of its inputs.

A row is *outside* where a number lies beyond the bounds of the training, a category is new, or a
value is missing where the training missed none. It is *novel* where each value is ordinary but
their combination is not: by the Mahalanobis distance (P. C. Mahalanobis, 1936, On the generalised
distance in statistics) of numbers on normal scores of their ranks, which makes it independent of
their scales and tails (H. Liu, J. Lafferty, L. Wasserman, 2009, The nonparanormal, JMLR 10), and
indicators of categories and missing values (A. Bar-Hen, J.-J. Daudin, 1995, Generalization of the
Mahalanobis distance in the mixed case, Journal of Multivariate Analysis 53). The threshold is the
quantile of the distances of the training rows, each from all the others, which a row of the same
population exceeds with at most the stated probability (S. Bates, E. Candès, L. Lei, Y. Romano,
M. Sesia, 2023, Testing for outliers with conformal p-values, Annals of Statistics 51).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import IntegrityError, Record
from loopcast.develop.beyond import Beyond, Reason, beyond_of
from loopcast.develop.checks.inputs import Column, missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

APPLICABILITY_FILE = "applicability.json"
"""Its name in a bundle."""

KNOTS = 33
"""Values of a number between which its normal score is interpolated."""

RARE = 0.01
"""Share of the rows from which on a category has an indicator of its own."""

RIDGE = 1e-3
"""Variance that is added to every direction, so that a number that follows from others counts."""

SHARES = tuple(
    first / 10**power
    for power in range(2, 6)
    for first in (50, 40, 30, 25, 20, 15, 12, 10, 8, 6)
    if first / 10**power >= 1e-4
)
"""Shares of the training rows whose distances are kept as thresholds."""

FEWEST = 20
"""Rows from which on a combination can be told to be novel."""

CHUNK = 16_384
"""Rows whose distances are computed at once, which stay near the processor."""


class NumberDomain(Record, frozen=True):
    """What training has seen of a number.

    Attributes
    ----------
    low, high
        Bounds; ``None`` where it was always missing.
    missing
        Whether it was missing at times.
    knots, normal
        Values, and the normal scores of their ranks.
    """

    low: float | None
    high: float | None
    missing: bool
    knots: tuple[float, ...]
    normal: tuple[float, ...]


class CategoryDomain(Record, frozen=True):
    """What training has seen of a category.

    Attributes
    ----------
    known, common
        All that occurred, and those with an indicator.
    """

    known: tuple[str, ...]
    common: tuple[str, ...]
    missing: bool


class Domain(Record, frozen=True):
    """What a version's training has seen of its inputs, together.

    Attributes
    ----------
    numbers, categories
        By input.
    centre : shape (d,)
        Mean of the normal scores and indicators.
    whitening : shape (d, d)
        Scores less their mean, times it, have the distance as their length.
    thresholds
        Squared distance that each of :data:`SHARES` of the training rows exceed; those that are
        too few rows to tell are left out at the end.
    """

    numbers: dict[str, NumberDomain]
    categories: dict[str, CategoryDomain]
    centre: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    thresholds: tuple[float, ...]

    def threshold(self, share: float) -> float:
        """Return the squared distance beyond which a row is novel; infinite where none is."""
        kept = SHARES[: len(self.thresholds)]
        if not kept or share < kept[-1]:
            return np.inf
        return float(np.interp(-np.log(share), -np.log(kept), self.thresholds))


def fit_domain(columns: Mapping[str, Column]) -> Domain:
    """Take down what the rows of a training look like.

    Parameters
    ----------
    columns
        Numbers with NaN for missing, or categories; shape (n,) each.

    Examples
    --------
    >>> debt = np.linspace(0.0, 100.0, 400)
    >>> domain = fit_domain({"debt": debt, "limit": 2.0 * debt})
    >>> asked = {"debt": np.array([10.0, 10.0, np.nan]), "limit": np.array([20.0, 190.0, 99.0])}
    >>> [reason and reason.text for reason in beyond(domain, asked, share=0.01).rows()]
    [None, 'unusual combination of values', 'debt missing, as never in training']
    """
    numbers = {n: _number(c) for n, c in columns.items() if not isinstance(c, pd.Categorical)}
    categories = {n: _category(c) for n, c in columns.items() if isinstance(c, pd.Categorical)}
    seen = Domain(numbers=numbers, categories=categories, centre=(), whitening=(), thresholds=())
    rows = len(next(iter(columns.values()), ()))
    width = _width(seen)
    if rows < FEWEST or len(columns) < 2 or not width:
        return seen
    design = np.empty((rows, width))
    _design(seen, columns, slice(0, rows), out=design)
    centre = design.mean(axis=0)
    scatter = design.T @ design - rows * np.outer(centre, centre)
    scatter[np.diag_indices(width)] += rows * RIDGE
    whitening = np.linalg.inv(np.linalg.cholesky(scatter)).T * np.sqrt(rows)
    own = _lengths(design, centre, whitening)
    return msgspec.structs.replace(
        seen,
        centre=tuple(centre.tolist()),
        whitening=tuple(map(tuple, whitening.tolist())),
        thresholds=_thresholds(_from_the_others(own, rows)),
    )


def _number(values: Floats) -> NumberDomain:
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known, return_counts=True)
    rank = (np.cumsum(counts) - counts / 2.0) / max(len(known), 1)
    chosen = np.arange(len(distinct))
    if len(distinct) > KNOTS:
        chosen = np.unique(np.searchsorted(rank, np.linspace(rank[0], rank[-1], KNOTS)))
    normal = NormalDist().inv_cdf
    return NumberDomain(
        low=float(distinct[0]) if len(known) else None,
        high=float(distinct[-1]) if len(known) else None,
        missing=len(known) < len(values),
        knots=tuple(distinct[chosen].tolist()),
        normal=tuple(map(normal, rank[chosen].tolist())),
    )


def _category(values: pd.Categorical[Any]) -> CategoryDomain:
    codes, names = np.asarray(values.codes), [str(name) for name in values.categories]
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    enough = np.maximum(RARE * len(codes), 1.0)
    return CategoryDomain(
        known=tuple(name for name, count in zip(names, counts, strict=True) if count),
        common=tuple(name for name, count in zip(names, counts, strict=True) if count >= enough),
        missing=bool((codes < 0).any()),
    )


def _width(seen: Domain) -> int:
    numbers = sum(1 + n.missing for n in seen.numbers.values() if n.knots)
    return numbers + sum(len(c.common) + c.missing for c in seen.categories.values())


def _design(seen: Domain, columns: Mapping[str, Column], rows: slice, out: Floats) -> None:
    """Write normal scores and indicators of some rows, shape (rows, d)."""
    place = 0
    for name, number in seen.numbers.items():
        if not number.knots:
            continue
        values = columns[name][rows]
        scores = np.interp(values, number.knots, number.normal)
        absent = np.isnan(scores)
        out[:, place] = np.where(absent, 0.0, scores)
        place += 1
        if number.missing:
            out[:, place] = absent
            place += 1
    for name, category in seen.categories.items():
        values = columns[name]
        assert isinstance(values, pd.Categorical)
        codes = np.asarray(values.codes[rows])
        for common in _codes_of(values, category.common):
            out[:, place] = codes == common
            place += 1
        if category.missing:
            out[:, place] = codes < 0
            place += 1


def _codes_of(values: pd.Categorical[Any], names: tuple[str, ...]) -> list[int]:
    """Return the codes of categories; −2, which no row has, where one does not occur."""
    places = values.categories.get_indexer(pd.Index(names, dtype="str"))
    return [int(place) if place >= 0 else -2 for place in places]


def _lengths(design: Floats, centre: Floats, whitening: Floats) -> Floats:
    white = design @ whitening
    white -= centre @ whitening
    return np.asarray(np.einsum("ij,ij->i", white, white))


def _from_the_others(own: Floats, rows: int) -> Floats:
    """Return squared distances of training rows, each from the centre and scatter of the others.

    By J. Sherman and W. J. Morrison (1950), Adjustment of an inverse matrix corresponding to a
    change in one element, Annals of Mathematical Statistics 21.
    """
    up = rows / (rows - 1.0)
    leverage = own / rows
    return rows * up**2 * leverage / (1.0 - up * leverage)


def _thresholds(distances: Floats) -> tuple[float, ...]:
    ordered, count = np.sort(distances), len(distances)
    place = np.ceil((1.0 - np.array(SHARES)) * (count + 1)).astype(np.intp)
    return tuple(ordered[place[place <= count] - 1].tolist())


def beyond(
    domain: Domain,
    columns: Mapping[str, Column],
    share: float,
    others: Sequence[tuple[Reason, Flags]] = (),
) -> Beyond:
    """Tell which rows a version was not trained for, and why.

    Parameters
    ----------
    columns
        The inputs of the training, shape (n,) each; others are not looked at.
    share
        Of the training rows, which are as unlike the others as a novel one.
    others
        Further reasons, and the rows that each applies to.
    """
    rows = len(next(iter(columns.values()), ()))
    found = [(Reason(text=text, outside=True), bad) for text, bad in _outside(domain, columns)]
    limit = domain.threshold(share)
    if np.isfinite(limit):
        novel = distances(domain, columns) > limit
        found.append((Reason(text="unusual combination of values", novel=True), novel))
    return beyond_of([*others, *found], rows)


def distances(domain: Domain, columns: Mapping[str, Column]) -> Floats:
    """Return the squared distance of each row from the training, shape (n,)."""
    rows = len(next(iter(columns.values()), ()))
    centre, whitening = np.array(domain.centre), np.array(domain.whitening)
    found, space = np.empty(rows), np.empty((min(CHUNK, rows), len(centre)))
    for start in range(0, rows, CHUNK):
        part = slice(start, min(start + CHUNK, rows))
        design = space[: part.stop - start]
        _design(domain, columns, part, out=design)
        found[part] = _lengths(design, centre, whitening)
    return found


def _outside(domain: Domain, columns: Mapping[str, Column]) -> Iterator[tuple[str, Flags]]:
    for name, number in domain.numbers.items():
        values = columns[name]
        if number.low is not None and number.high is not None:
            yield f"{name} below the least in training ({number.low:g})", values < number.low
            yield f"{name} above the most in training ({number.high:g})", values > number.high
        if not number.missing:
            yield f"{name} missing, as never in training", missing(values)
    for name, category in domain.categories.items():
        values = columns[name]
        assert isinstance(values, pd.Categorical)
        codes = np.asarray(values.codes)
        new = ~values.categories.astype(str).isin(category.known)
        if new.any():
            yield f"{name} of a category that training had not", np.append(new, False)[codes]
        if not category.missing:
            yield f"{name} missing, as never in training", codes < 0


def domains_bytes(domains: Mapping[str, Domain]) -> bytes:
    """Encode domains for the bundle, by the part of the inputs that each is about."""
    return msgspec.json.encode(dict(domains))  # the order of inputs is that of the whitening


def read_domains(content: bytes) -> dict[str, Domain]:
    """Decode domains.

    Raises
    ------
    IntegrityError
        Where the bytes are none.
    """
    try:
        return msgspec.json.decode(content, type=dict[str, Domain])
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"{APPLICABILITY_FILE} of a bundle: {error}") from None
