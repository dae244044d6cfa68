"""A correction that a fleet learns together, without sending its data.

The residual of a model, r = outcome − output, is explained by the local week: r ≈ xᵀβ, where x are
harmonics of the day and of the week. Each device sends Σ x xᵀ, Σ x r and Σ r², which is all that
least squares need of it; the centre adds these up, solves for β, and publishes it in the next
manifest, beside the same model file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import msgspec

from loopcast_edge.wire.codec import Finite, Part, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY_SECONDS, WEEK_SECONDS = 86_400.0, 604_800.0


class Correction(Part, frozen=True):
    """What is learned of a model's residuals, and what is added to its outputs.

    Attributes
    ----------
    zone
        IANA name of local time.
    day, week
        How many harmonics of the local day and week explain the residual.
    clip
        Residuals count as this at most, in the unit of the output, whatever their sign.
    coef
        β, in the order of the inputs: xᵀβ is added to each output of the model, where x is of the
        start of the interval that the output is about. Nothing is added where it is empty.
    """

    zone: Text
    day: Annotated[int, msgspec.Meta(ge=0, le=12)] = 2
    week: Annotated[int, msgspec.Meta(ge=0, le=3)] = 1
    clip: Annotated[float, msgspec.Meta(gt=0.0, le=1e30)] = 1e30
    coef: Annotated[tuple[Finite, ...], msgspec.Meta(max_length=31)] = ()

    def __post_init__(self) -> None:
        if self.coef and len(self.coef) != len(self.inputs):
            raise ValueError(f"{len(self.coef)} coefficients of {len(self.inputs)} inputs")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs: ``one``, ``day_sin_1``, ``day_cos_1``, … ``week_cos_1``."""
        waves = [("day", n) for n in range(1, self.day + 1)]
        waves += [("week", n) for n in range(1, self.week + 1)]
        return ("one", *(f"{of}_{wave}_{n}" for of, n in waves for wave in ("sin", "cos")))


def week_inputs(correction: Correction, moments: Sequence[int]) -> Floats:
    """Return the inputs of a correction.

    Parameters
    ----------
    moments
        Starts of intervals, in milliseconds since 1970-01-01 in UTC.

    Returns
    -------
    ndarray, shape (moments, inputs), float64
        1, and sin and cos of 2π n t / T, where t are the seconds of wall clock time since Monday's
        midnight, for each harmonic n of the day (T = 86,400) and then of the week (T = 604,800).

    Examples
    --------
    >>> noon = Correction(zone="UTC", day=1, week=0)
    >>> week_inputs(noon, [43_200_000]).round(6).tolist()
    [[1.0, 0.0, -1.0]]
    """
    import numpy as np

    zone = ZoneInfo(correction.zone)
    seconds = np.array([_seconds_of_week(datetime.fromtimestamp(m / 1000, zone)) for m in moments])
    waves = [n / DAY_SECONDS for n in range(1, correction.day + 1)]
    waves += [n / WEEK_SECONDS for n in range(1, correction.week + 1)]
    angles = 2 * np.pi * seconds[:, None] * np.array(waves)
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(seconds), -1)
    return np.concatenate([np.ones((len(seconds), 1)), pairs], axis=1)


def _seconds_of_week(clock: datetime) -> float:
    hours = 24 * clock.weekday() + clock.hour
    return 3600.0 * hours + 60.0 * clock.minute + clock.second + clock.microsecond / 1e6


@dataclass(frozen=True, eq=False)
class Statistics:
    """What least squares need of rows, which add up.

    Attributes
    ----------
    n
        Rows.
    gram : ndarray, shape (p, p)
        Σ x xᵀ.
    cross : ndarray, shape (p,)
        Σ x r.
    squares
        Σ r².
    """

    n: int
    gram: Floats
    cross: Floats
    squares: float

    def __add__(self, other: Statistics) -> Statistics:
        """Return those of both's rows."""
        return Statistics(
            n=self.n + other.n,
            gram=self.gram + other.gram,
            cross=self.cross + other.cross,
            squares=self.squares + other.squares,
        )

    @property
    def triangle(self) -> tuple[float, ...]:
        """Upper triangle of the gram matrix by rows, as it is sent."""
        import numpy as np

        return tuple(self.gram[np.triu_indices(len(self.gram))].tolist())


def statistics(
    correction: Correction, moments: Sequence[int], residuals: Sequence[float]
) -> Statistics:
    """Return what least squares need of residuals, those beyond the clip cut to it.

    Parameters
    ----------
    moments
        Starts of the intervals that were predicted, in milliseconds since 1970-01-01 in UTC.
    residuals
        Outcome minus output of the model, before anything was added to it.
    """
    import numpy as np

    x = week_inputs(correction, moments)
    r = np.clip(np.asarray(residuals, np.float64), -correction.clip, correction.clip)
    return Statistics(len(r), x.T @ x, x.T @ r, float(r @ r))


def unpacked(
    n: int, triangle: Sequence[float], cross: Sequence[float], squares: float
) -> Statistics:
    """Return statistics as they were sent."""
    import numpy as np

    gram = np.zeros((len(cross), len(cross)))
    gram[np.triu_indices(len(cross))] = triangle
    return Statistics(n, gram + np.triu(gram, 1).T, np.asarray(cross, np.float64), squares)
