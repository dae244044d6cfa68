"""An independent reference for splines: SciPy's B-splines, continued as straight lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from loopcast.api import graph as g

Floats = NDArray[np.float64]


def curve(spline: g.Spline, coef: Floats, x: Floats) -> Floats:
    """What a spline with these coefficients is at x, shape (n, outputs)."""
    if spline.periodic:
        return _periodic(spline, coef, x)
    intervals = spline.size - 3
    width = (spline.upper - spline.lower) / intervals
    knots = spline.lower + width * np.arange(-3, intervals + 4)
    found = BSpline(knots, coef, 3)
    inside = np.clip(x, spline.lower, spline.upper)
    return np.asarray(found(inside) + found(inside, nu=1) * (x - inside)[:, None])


def _periodic(spline: g.Spline, coef: Floats, x: Floats) -> Floats:
    width = (spline.upper - spline.lower) / spline.size
    knots = spline.lower + width * np.arange(-3, spline.size + 4)
    closed = np.vstack([coef, coef[:3]])
    wrapped = spline.lower + (x - spline.lower) % (spline.upper - spline.lower)
    return np.asarray(BSpline(knots, closed, 3)(wrapped))
