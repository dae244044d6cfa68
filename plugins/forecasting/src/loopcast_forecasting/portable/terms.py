"""The additive part as terms of a graph."""

from __future__ import annotations

import numpy as np

from loopcast.api import ModelError
from loopcast.api import graph as g
from loopcast_forecasting.gam.basis import Floats, Marginal
from loopcast_forecasting.gam.design import Design, Smooth

CUBIC = 3


def terms_of(design: Design, coef: Floats) -> tuple[g.Term, ...]:
    """Return the terms of some series, without their constants.

    Parameters
    ----------
    coef : ndarray, shape (p, series)

    Raises
    ------
    ModelError
        Where a spline is not cubic.
    """
    return tuple(_term(smooth, coef[where]) for smooth, where in design.slices())


def additive_block(design: Design, coef: Floats) -> tuple[g.Additive, float]:
    """Return the additive model of a series as a block without its level, and that level.

    The level is the constant with the means of what splines add: what is left is near zero.

    Parameters
    ----------
    coef : ndarray, shape (p,)
    """
    terms = terms_of(design, coef[:, None])
    level = coef[-1] + sum(
        term.coef.mean() for term in terms if all(isinstance(b, g.Spline) for b in term.bases)
    )
    return g.Additive(terms, np.array([coef[-1] - level])), float(level)


def _term(smooth: Smooth, coef: Floats) -> g.Term:
    bases = tuple(_basis(marginal, smooth.label) for marginal in smooth.marginals)
    lines = tuple(g.Line(feature) for feature in smooth.by_features)
    full: Floats = np.eye(1)
    for marginal in smooth.marginals:
        # Dummy coding leaves the first level out, which adds nothing.
        own = np.eye(marginal.n_splines)[:, int(marginal.drop_first) :]
        full = np.asarray(np.kron(full, own), np.float64)
    return g.Term(smooth.label, bases + lines, full @ coef)


def _basis(marginal: Marginal, label: str) -> g.Basis:
    if marginal.kind == "linear":
        return g.Line(marginal.feature)
    if marginal.kind == "factor":
        return g.Levels(marginal.feature, marginal.n_splines, first=marginal.lower + 0.5)
    if marginal.order != CUBIC:
        raise ModelError(
            f"term {label} is a spline of order {marginal.order}; a graph has cubic ones"
        )
    return g.Spline(
        marginal.feature, marginal.lower, marginal.upper, marginal.n_splines, marginal.periodic
    )
