"""How far recent values are from the reference, from counts alone, for many inputs at once.

Arrays have the shape (groups, inputs, …). The exact distributions lie between what counts allow:
:func:`kolmogorov_smirnov` gives both ends. p-values and quantities that SciPy has come from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, chdtrc, kolmogorov

from loopcast.monitor.bins import EDGES, INNER, MISSING, Bins, Floats
from loopcast.monitor.sketch import HIGHEST, LOWEST, SQUARES, SUM, Sketch

PARTS = 10
"""Into so many parts of equal reference weight the bins of a number are joined for PSI."""

FEWEST_EXPECTED = 5.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """A reference and recent rows in the same bins.

    Attributes
    ----------
    reference, recent
        With the same groups.
    edges : ndarray, shape (groups, numeric inputs, 61)
    sizes, all_sizes
        Rows of each that are worth an independent one, shape (groups, inputs), without and with
        those that are missing: fewer than there are where rows of a day resemble each other.
    """

    reference: Sketch
    recent: Sketch
    edges: Floats
    sizes: tuple[Floats, Floats]
    all_sizes: tuple[Floats, Floats]

    @property
    def numeric(self) -> int:
        """How many inputs are numeric."""
        return int(self.edges.shape[1])

    @property
    def size(self) -> Floats:
        """Harmonic size n m / (n + m) of both samples, shape (groups, inputs)."""
        n, m = self.sizes
        return ratio(n * m, n + m)


def pair(
    bins: Bins, reference: Sketch, recent: Sketch, designs: tuple[Floats, Floats] | None = None
) -> Pair:
    """Put groups beside one reference, or each beside its own.

    Parameters
    ----------
    designs
        Design effect of each, shape (inputs,) or (groups, inputs); 1 where rows are independent.
    """
    groups = len(recent.counts)
    if len(reference.counts) == 1:
        reference = reference.take(np.zeros(groups, dtype=np.intp))
    one, two = designs or (np.ones(1), np.ones(1))
    edges = np.broadcast_to(bins.edges, (groups, *bins.edges.shape))
    return Pair(
        reference=reference,
        recent=recent,
        edges=edges,
        sizes=(reference.size / one, recent.size / two),
        all_sizes=(reference.size_of_all / one, recent.size_of_all / two),
    )


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return a quotient, 0 where the denominator is."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator > 0)


def shares(counts: Floats) -> Floats:
    """Return counts over their sum along the last axis; zeros where there is nothing."""
    total = counts.sum(axis=-1, keepdims=True)
    return ratio(counts, total)


def _distributions(pair_of: Pair) -> tuple[Floats, Floats]:
    """Return the distribution functions at the ends of bins 0 to 61 of numeric inputs."""
    known = slice(0, pair_of.numeric), slice(0, MISSING)
    one, two = (
        np.cumsum(shares(s.counts[:, *known]), axis=2) for s in (pair_of.reference, pair_of.recent)
    )
    return one, two


def kolmogorov_smirnov(pair_of: Pair) -> tuple[Floats, Floats, Floats]:
    """Return the statistic's least and greatest possible value and the p-value of the least.

    Between two bin ends a < b, with D = F − G and p, q the weight of the bin, F(x) − G(x) is at
    most min(D(a) + p, D(b) + q), since F ≤ F(b) and G ≥ G(a). A bin of one value has no between.

    Returns
    -------
    tuple of ndarray, shape (groups, numeric inputs) each
    """
    one, two = _distributions(pair_of)
    right = one - two
    left = np.concatenate([np.zeros_like(right[..., :1]), right[..., :-1]], axis=2)
    p, q = (np.diff(f, axis=2, prepend=0.0) for f in (one, two))
    inner = ~_single_values(pair_of.edges)
    above = np.where(inner, np.minimum(left + p, right + q), 0.0).max(axis=2)
    below = np.where(inner, np.minimum(q - left, p - right), 0.0).max(axis=2)
    least = np.abs(right).max(axis=2)
    greatest = np.minimum(np.maximum.reduce([least, above, below]), 1.0)
    size = pair_of.size[:, : pair_of.numeric]
    return least, greatest, np.where(size > 0, kolmogorov(np.sqrt(size) * least), 1.0)


def _single_values(edges: Floats) -> NDArray[np.bool_]:
    """Tell which of bins 0 to 61 hold one value only."""
    single = np.zeros((*edges.shape[:2], MISSING), dtype=bool)
    with np.errstate(over="ignore"):
        single[:, :, 1:EDGES] = edges[:, :, 1:] == np.nextafter(edges[:, :, :-1], np.inf)
    return np.asarray(single & np.isfinite(np.concatenate([edges, edges[:, :, -1:]], axis=2)))


def wasserstein(pair_of: Pair) -> Floats:
    """Return the Wasserstein distance in standard deviations of the reference.

    The integral of |F − G|, each taken as linear within a bin, which is too much in a tail. So
    the longer tail may instead have what the known difference of the means, the integral of
    F − G, leaves over; the smaller result counts, but never less than that difference.

    Returns
    -------
    ndarray, shape (groups, numeric inputs)
    """
    one, two = _distributions(pair_of)
    right = one - two
    left = np.concatenate([np.zeros_like(right[..., :1]), right[..., :-1]], axis=2)
    widths = _widths(pair_of)
    size = np.abs(left) + np.abs(right)
    same = left * right >= 0
    height = np.where(same, size, ratio(left**2 + right**2, size))
    linear, distance = 0.5 * (left + right) * widths, 0.5 * height * widths
    tail = _longer_tail(pair_of.edges, widths)
    rest = _mean_difference(pair_of) - linear.sum(axis=2)
    in_tail = np.abs(np.where(tail, linear, 0.0).sum(axis=2) + rest)
    corrected = np.where(tail, 0.0, distance).sum(axis=2) + in_tail
    distance = np.minimum(corrected, distance.sum(axis=2))
    found = np.maximum(distance, np.abs(_mean_difference(pair_of)))
    return ratio(found, deviation(pair_of.reference))


def _longer_tail(edges: Floats, widths: Floats) -> NDArray[np.bool_]:
    """Tell which bins are the two at the lower end, or those at the upper one, if longer."""
    place = np.arange(MISSING)
    lower = np.broadcast_to(place <= 1, widths.shape)
    upper = place >= np.isfinite(edges).sum(axis=2)[..., None] - 1
    lengths = [np.where(tail, widths, 0.0).sum(axis=2)[..., None] for tail in (lower, upper)]
    return np.where(lengths[0] > lengths[1], lower, upper)


def _mean_difference(pair_of: Pair) -> Floats:
    centres = np.zeros(1)
    found = mean(pair_of.recent, centres) - mean(pair_of.reference, centres)
    return np.asarray(np.nan_to_num(found))


def _widths(pair_of: Pair) -> Floats:
    """Return the lengths of bins 0 to 61, of which the last ones reach to the extreme values."""
    edges, moments = pair_of.edges, (pair_of.reference.moments, pair_of.recent.moments)
    finite = np.isfinite(edges)
    top = np.where(finite, edges, -np.inf).max(axis=2)
    high = np.maximum(top, np.maximum(*(m[..., HIGHEST] for m in moments)))
    low = np.minimum(edges[..., 0], np.minimum(*(m[..., LOWEST] for m in moments)))
    ends = np.concatenate(
        [low[..., None], np.where(finite, edges, high[..., None]), high[..., None]], axis=2
    )
    return np.nan_to_num(np.diff(ends, axis=2), nan=0.0, posinf=0.0, neginf=0.0)


def mean(found: Sketch, centres: Floats) -> Floats:
    """Return the mean of each numeric input, NaN where nothing is known."""
    total = found.total[:, : found.moments.shape[1]]
    return centres + np.divide(
        found.moments[..., SUM], total, out=np.full_like(total, np.nan), where=total > 0
    )


def deviation(found: Sketch) -> Floats:
    """Return the standard deviation of each numeric input, 0 where nothing is known."""
    total = found.total[:, : found.moments.shape[1]]
    one, two = (ratio(found.moments[..., k], total) for k in (SUM, SQUARES))
    return np.asarray(np.sqrt(np.maximum(two - one**2, 0.0)))


def parts(pair_of: Pair) -> tuple[Floats, Floats]:
    """Return the counts of both in few bins: tenths of a number's reference, and categories.

    What is missing is a part of its own.
    """
    numeric = pair_of.numeric
    place = _tenths(pair_of.reference.counts[:, :numeric, :MISSING])
    joined = []
    for found in (pair_of.reference, pair_of.recent):
        counts = found.counts.copy()
        counts[:, :numeric] = 0.0
        for part in range(PARTS):
            inside = np.where(place == part, found.counts[:, :numeric, :MISSING], 0.0)
            counts[:, :numeric, part] = inside.sum(axis=2)
        counts[:, :numeric, MISSING] = found.counts[:, :numeric, MISSING]
        joined.append(counts)
    return joined[0], joined[1]


def _tenths(counts: Floats) -> NDArray[np.intp]:
    """Return the part of each bin, by the reference's distribution up to the bin's middle."""
    share = shares(counts)
    middle = np.cumsum(share, axis=2) - 0.5 * share
    return np.clip((middle * PARTS).astype(np.intp), 0, PARTS - 1)


def jensen_shannon(reference: Floats, recent: Floats) -> Floats:
    """Return the Jensen–Shannon distance over the last axis, between 0 and 1 (base 2)."""
    from scipy.spatial.distance import jensenshannon  # whoever trains needs none of it

    p, q = shares(reference), shares(recent)
    known = (p.sum(axis=-1) > 0) & (q.sum(axis=-1) > 0)
    p, q = (np.where(known[..., None], share, 1.0) for share in (p, q))
    return np.where(known, np.nan_to_num(jensenshannon(p, q, base=2, axis=-1)), 0.0)


def chi_squared(reference: Floats, recent: Floats, pair_of: Pair) -> tuple[Floats, Floats]:
    """Return the statistic and p-value of the test that both have the same distribution.

    Parts that follow each other are joined until five rows are expected of them. Statistics are
    those of as many independent rows as both are worth.
    """
    p, q = shares(reference), shares(recent)
    n, m = pair_of.sizes
    pooled = ratio(n[..., None] * p + m[..., None] * q, (n + m)[..., None])
    place = _joined(pooled * np.minimum(n, m)[..., None])
    p, q, pooled = (_summed(part, place) for part in (p, q, pooled))
    squared = ratio((p - q) ** 2, pooled)
    statistic = pair_of.size * squared.sum(axis=-1)
    freedom = (pooled > 0).sum(axis=-1) - 1
    return statistic, np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), statistic), 1.0)


def few(pair_of: Pair) -> NDArray[np.bool_]:
    """Tell which numbers have too few independent rows for a test of tenths.

    The distribution as a whole can be tested nevertheless, and with more power: four Mondays whose
    hours are all alike are worth four rows, of which chi-squared has a single part.

    Returns
    -------
    ndarray, shape (groups, inputs)
        Never of categories, which have no order.
    """
    found = np.minimum(*pair_of.sizes) < PARTS * FEWEST_EXPECTED
    found[:, pair_of.numeric :] = False
    return np.asarray(found)


def _joined(expected: Floats) -> NDArray[np.intp]:
    """Number joined parts along the last axis; what is left over belongs to the last one."""
    place = np.zeros(expected.shape, dtype=np.intp)
    rows, number = np.zeros(expected.shape[:-1]), np.zeros(expected.shape[:-1], dtype=np.intp)
    for part in range(expected.shape[-1]):
        place[..., part] = number
        rows += expected[..., part]
        full = rows >= FEWEST_EXPECTED
        number += full
        rows[full] = 0.0
    return np.minimum(place, np.maximum(number - 1, 0)[..., None])


def _summed(values: Floats, place: NDArray[np.intp]) -> Floats:
    """Add up values of the same place along the last axis."""
    first = np.arange(0, values.size, values.shape[-1]).reshape(*values.shape[:-1], 1)
    sums = np.bincount((first + place).ravel(), values.ravel(), minlength=values.size)
    return np.asarray(sums.reshape(values.shape))


def proportions(
    sizes: tuple[Floats, Floats], reference: Floats, recent: Floats
) -> tuple[Floats, Floats]:
    """Return the growth of a share from reference to recent, and its p-value.

    Chi-squared; where fewer than five recent rows are expected to be such, that of a rare event.

    Source: Cochran (1954), Biometrics 10; Przyborowski and Wilenski (1940), Biometrika 31.
    """
    n, m = sizes
    pooled = ratio(n * reference + m * recent, n + m)
    square = ratio(n * m, n + m) * (recent - reference) ** 2
    chi2 = ratio(square, pooled * (1.0 - pooled))
    few = m * pooled < FEWEST_EXPECTED
    return recent - reference, np.where(few, _rare(sizes, reference, recent), chdtrc(1, chi2))


def _rare(sizes: tuple[Floats, Floats], reference: Floats, recent: Floats) -> Floats:
    """Return how likely at least so many of all such rows are recent ones, from both sides."""
    n, m = sizes
    times = np.maximum(m * recent, np.finfo(float).tiny)
    upper = betainc(times, n * reference + 1.0, ratio(m, n + m))
    return np.where(m * recent > 0, np.minimum(2.0 * upper, 1.0), 1.0)


def missing(found: Sketch) -> Floats:
    """Return the share of missing values, shape (groups, inputs)."""
    total = found.counts.sum(axis=2)
    return ratio(found.counts[:, :, MISSING], total)


def outside(found: Sketch, edges: Floats) -> Floats:
    """Return the share of known values that the reference never had, shape (groups, inputs).

    Numbers below its lowest or above its highest, and categories it did not know.
    """
    numeric = edges.shape[1]
    counts = found.counts[:, :, :MISSING]
    strange = counts[:, :, INNER + 1].copy()  # of categories, the bin of unknown ones
    top = np.isfinite(edges).sum(axis=2)[..., None]
    number = counts[:, :numeric]
    above = np.take_along_axis(number, np.minimum(top, EDGES), axis=2)[..., 0]
    strange[:, :numeric] = np.where(top[..., 0] > 0, number[:, :, 0] + above, 0.0)
    total = counts.sum(axis=2)
    return ratio(strange, total)
