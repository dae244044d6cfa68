"""Weights of evidence: what each bin says about the outcome when it is looked at alone.

Source: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), chapter 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast_credit.additive.scorer import logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_credit.smooth.design import Design

PRIOR = 1.0
"""Rows of average risk that are added to each bin, so that one without events has a weight."""
STEPS = 2
"""Of Newton's method for the share; a good beginning needs no more."""
FARTHEST = 20.0
"""How far the evidence moves the log-odds of a row at most: certain enough to begin with."""


def weight_of_evidence(design: Design) -> NDArray[np.float64]:
    """Return the weight of evidence of each bin, shape (coefficients,); zero for the intercept."""
    rows, events = design.rows, design.events
    share = events[0] / rows[0]
    odds = (events + PRIOR * share) / (rows - events + PRIOR * (1.0 - share))
    return np.asarray(np.log(odds) - np.log(share / (1.0 - share)))


def shared_evidence(design: Design) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients near their fit, and the log-odds of each row with them.

    Characteristics say the same thing in part, so that the sum of what they say alone is too much:
    all weights of evidence are multiplied by one share between zero and one, which a logistic
    regression on their sum chooses.

    Returns
    -------
    beta : ndarray, shape (coefficients,)
    log_odds : ndarray, shape (rows,)
    """
    evidence = weight_of_evidence(design)
    total = design.log_odds(evidence) - design.offset
    mean = design.events[0] / design.rows[0]
    level = np.log(mean / (1.0 - mean)) - np.average(design.offset, weights=design.weight)
    share, most = 0.0, min(1.0, FARTHEST / max(float(np.abs(total).max()), 1e-300))
    for _ in range(STEPS):
        probability = logistic(design.offset + level + share * total)
        residual = design.weight * (design.event - probability)
        variance = design.weight * probability * (1.0 - probability)
        middle = variance @ total / variance.sum()
        apart = total - middle
        tilt = residual @ apart / max(variance @ apart**2, 1e-300)
        tilt = min(max(share + tilt, 0.0), most) - share
        level += residual.sum() / variance.sum() - tilt * middle
        share += tilt
    beta = share * evidence
    beta[0] = level
    return beta, np.asarray(design.offset + level + share * total)
