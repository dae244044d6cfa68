"""Weights of evidence, and one coefficient for each characteristic.

Source: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), chapters 9 and 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loopcast_credit.additive.scorer import logistic
from loopcast_credit.linear.newton import newton
from loopcast_credit.smooth.evidence import weight_of_evidence
from loopcast_credit.smooth.fit import Fit

if TYPE_CHECKING:
    from loopcast_credit.smooth.design import Design


def fit_woe(design: Design, ridge: float) -> Fit:
    """Fit a logistic regression on the weights of evidence of each row's bins.

    Parameters
    ----------
    ridge
        Penalty on each coefficient, for a weight of evidence with variance one.
    """
    evidence = weight_of_evidence(design)
    own = np.split(evidence, design.starts[:-1])[1:]
    x = np.column_stack([one[codes] for one, codes in zip(own, design.codes, strict=True)])
    beta = newton(x, design.event, design.weight, design.offset, ridge * x.var(axis=0))
    scaled = [factor * one for factor, one in zip(beta[1:], own, strict=True)]
    values = np.concatenate([beta[:1], *scaled])
    probability = logistic(design.log_odds(values))
    return Fit(values, design.sums(design.weight * probability * (1.0 - probability)))
