"""How much rows of one day resemble each other, which makes many of them worth few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopcast.monitor.bins import MISSING, Floats
from loopcast.monitor.measures import ratio, shares
from loopcast.monitor.sketch import Sketch


def design_effect(reference: Sketch, days: Sketch) -> Floats:
    """Return by how much rows of a day resemble each other, at least 1, shape (inputs,).

    Parameters
    ----------
    days
        A group for each day.
    """
    place = places(reference.counts)[0]
    weight = days.counts[:, :, :MISSING]
    total, sums = weight.sum(axis=2), (weight * place).sum(axis=2)
    return resemblance(
        total.sum(axis=0),
        sums.sum(axis=0),
        ratio(sums**2, total).sum(axis=0),
        (weight * place**2).sum(axis=(0, 2)),
        (total > 0).sum(axis=0),
    )


def places(counts: Floats) -> Floats:
    """Return the place of each known bin in the order of the counts, between 0 and 1.

    Source: the ridits of I. D. J. Bross (1958), Biometrics 14.

    Parameters
    ----------
    counts : ndarray, shape (groups, inputs, 63)

    Returns
    -------
    ndarray, shape (groups, inputs, 62)
    """
    share = shares(counts[..., :MISSING])
    return np.asarray(np.cumsum(share, axis=-1) - 0.5 * share)


def resemblance(
    rows: Floats, sums: Floats, by_day: Floats, squares: Floats, days: NDArray[np.intp]
) -> Floats:
    """Return the design effect of days from sums that days add up to, at least 1.

    The mean square between days over the variance of all rows, of their places in the
    reference's order: with independent rows it is about 1, where all rows of a day are alike it
    is their number, and a sample of n rows is worth n over it.

    Source: L. Kish (1965), Survey Sampling, section 5.4.

    Parameters
    ----------
    rows, sums, squares : ndarray, shape (…, inputs)
        Weight of all rows, the sum of their places, and of the squares of these.
    by_day
        Sum over days of (the sum of a day's places)² over the day's weight.
    days
        How many days have rows.
    """
    count = np.maximum(rows, 1.0)
    between = (by_day - sums**2 / count) / np.maximum(days - 1, 1)
    variance = (squares - sums**2 / count) / count
    effect = np.divide(between, variance, out=np.ones_like(variance), where=variance > 1e-12)
    return np.asarray(np.maximum(effect, 1.0))
