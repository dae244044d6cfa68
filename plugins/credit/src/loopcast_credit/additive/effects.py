"""From the values of bins to an effect whose average is zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from loopcast_credit.additive.card import Effect
from loopcast_credit.bins.bins import Bins, NumericBins

if TYPE_CHECKING:
    from numpy.typing import NDArray


def centred_effect(
    bins: Bins,
    values: NDArray[np.float64],
    rows: NDArray[np.float64],
    events: NDArray[np.float64],
    tolerance: float,
) -> tuple[Effect, float]:
    """Return an effect, and the average that was taken from its values.

    What training never saw is the average row, except an interval between two that it saw.

    Parameters
    ----------
    values, rows, events : ndarray, shape (bins,)
        Log-odds, weight of the training rows, and of those with the event.
    tolerance
        Neighbouring intervals whose values differ by less become one; at zero all stay.
    """
    if isinstance(bins, NumericBins) and tolerance > 0.0:
        starts = alike_starts(values[: bins.body], tolerance)
        values = _averaged(values, rows, starts, bins.body)
        rows, events = (_added(each, starts, bins.body) for each in (rows, events))
        bins = pooled(bins, starts)
    level = float(values @ rows / rows.sum())
    centred = values - level
    unseen = rows == 0.0
    unseen[: bins.body] &= not bins.ordered
    centred[unseen] = 0.0
    effect = Effect(bins=bins, values=_plain(centred), rows=_plain(rows), events=_plain(events))
    return effect, level


def pooled(bins: NumericBins, starts: Sequence[int]) -> NumericBins:
    """Return bins with only the intervals that begin at ``starts``, of which the first is 0."""
    return msgspec.structs.replace(bins, cuts=tuple(bins.cuts[at - 1] for at in starts[1:]))


def alike_starts(values: NDArray[np.float64], tolerance: float) -> list[int]:
    """Pool each run of neighbours that stay within a tolerance of the run's first."""
    starts, plain = [0], values.tolist()
    for at, value in enumerate(plain[1:], start=1):
        if abs(value - plain[starts[-1]]) >= tolerance:
            starts.append(at)
    return starts


def _averaged(
    values: NDArray[np.float64], rows: NDArray[np.float64], starts: Sequence[int], body: int
) -> NDArray[np.float64]:
    weight = np.maximum(rows, 1e-9)
    sums = _added(values * weight, starts, body)
    return np.asarray(sums / _added(weight, starts, body))


def _added(each: NDArray[np.float64], starts: Sequence[int], body: int) -> NDArray[np.float64]:
    return np.concatenate([np.add.reduceat(each[:body], starts), each[body:]])


def _plain(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(values.tolist())
