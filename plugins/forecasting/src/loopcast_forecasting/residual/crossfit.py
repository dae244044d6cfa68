"""Residuals that a model would have had on days it was not fitted on.

An additive model follows its training data more closely than what comes later, so its residuals
in training are smaller, and less persistent, than those it will leave: a model of residuals has
to learn from those of cross-fitting. Days are cut into contiguous blocks, blocks are dealt to
folds in turn, and the residuals of a fold are those of the model fitted without it, at the same λ
(Stone 1974, JRSS B 36, in blocks for dependent data; Racine 2000, Journal of Econometrics 99).
Leaving a fold out takes its Gram matrix and right side off the normal equations: one pass over
the data serves all folds and series, and what remains is a solution per fold and λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.gam.factor import factorise
from loopcast_forecasting.gam.gram import Block, Panel, gram, pack
from loopcast_forecasting.gam.system import RIDGE, System

BLOCK_DAYS = 7, 30  # at least, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Fold:
    """Rows that are left out together.

    Attributes
    ----------
    rows : ndarray, shape (r,), intp
    blocks : list of Block
        Their part of the model matrix; rows of a block count from the fold's first.
    """

    rows: Indices
    blocks: list[Block]


def deal_days(day: NDArray[np.intp], folds: int) -> NDArray[np.intp]:
    """Return the fold of each row.

    Blocks have up to 30 days, fewer where training is short, so that each fold has two or more
    blocks in different seasons.

    Parameters
    ----------
    day : ndarray, shape (n,)
        Number of each row's day, from 0, rising.
    folds : int

    Examples
    --------
    >>> deal_days(np.arange(60), 3)[::10]
    array([0, 1, 2, 0, 1, 2])
    """
    shortest, longest = BLOCK_DAYS
    length = min(max((int(day[-1]) + 1) // (2 * folds), shortest), longest)
    return np.asarray(day // length % folds)


def cross_fit(gam: PanelGam, X: Floats, Y: Panel, fold: NDArray[np.intp]) -> Floats:
    """Return residuals of each series, each row's by the model fitted without the row's fold.

    Parameters
    ----------
    gam : PanelGam
        Fits of N series on all rows.
    X : ndarray, shape (n, n_features), float64
    Y : ndarray, shape (n, N), float64 or float32
        NaN where a value is missing.
    fold : ndarray, shape (n,)
        Number of each row's fold.

    Returns
    -------
    ndarray, shape (n, N), float64
        In Fortran order; NaN where a value is missing.
    """
    folds = [_fold(gam.design, X, np.flatnonzero(fold == k)) for k in np.unique(fold)]
    residuals = np.empty(Y.shape, order="F")
    for members in _observed_alike(Y):
        system = gam.systems[max(int(gam.system_of[members[0]]), 0)]
        every = len(members) == Y.shape[1]
        values = Y if every else Y[:, members]
        found = _residuals(folds, system, gam.lam[members], values)
        if every:
            return found
        residuals[:, members] = found
    return residuals


def _fold(design: Design, X: Floats, rows: Indices) -> Fold:
    return Fold(rows=rows, blocks=pack(design, X[rows]))


def _observed_alike(Y: Panel) -> list[Indices]:
    """Group series by the rows at which they have values."""
    missing = np.packbits(np.isnan(Y), axis=0)
    groups: dict[bytes, list[int]] = {}
    for k, pattern in enumerate(np.ascontiguousarray(missing.T)):
        groups.setdefault(blake2b(pattern.tobytes()).digest(), []).append(k)
    return [np.array(members) for members in groups.values()]


def _residuals(folds: Sequence[Fold], system: System, lam: Floats, Y: Panel) -> Floats:
    """Return the cross-fitted residuals of series that were observed on the same rows."""
    level = np.asarray(np.nanmean(Y, axis=0, dtype=np.float64))
    present = ~np.isnan(Y[:, 0])
    n_coefs = len(system.expand)
    weights = None if present.all() else present.astype(np.float64)
    grams = [_gram(each, n_coefs, weights) for each in folds]
    rights = [_cross(each, n_coefs, Y, level) for each in folds]
    residuals = np.empty(Y.shape, order="F")
    for left_out, each in enumerate(folds):
        others = [k for k in range(len(folds)) if k != left_out]
        rest = np.sum([grams[k] for k in others], axis=0)
        right = np.sum([rights[k] for k in others], axis=0)
        coef = _solve(system, rest, right, lam)
        for block in each.blocks:
            rows = each.rows[block.rows]
            residuals[rows] = Y[rows] - level - block.values @ coef[block.columns]
    return residuals


def _gram(fold: Fold, n_coefs: int, weights: Floats | None) -> Floats:
    """Return the Gram matrix of a fold's rows, shape (n_coefs, n_coefs)."""
    return gram(fold.blocks, n_coefs, None if weights is None else weights[fold.rows])


def _cross(fold: Fold, n_coefs: int, Y: Panel, level: Floats) -> Floats:
    """Return the right side of the normal equations of a fold, shape (n_coefs, N)."""
    total = np.zeros((n_coefs, Y.shape[1]))
    for block in fold.blocks:
        deviations = np.nan_to_num(Y[fold.rows[block.rows]] - level)
        total[block.columns] += block.values.T @ deviations
    return total


def _solve(system: System, gram_of_rest: Floats, right: Floats, lam: Floats) -> Floats:
    """Return the coefficients at each series' λ, shape (n_coefs, N)."""
    expand = system.expand
    reduced = expand.T @ gram_of_rest @ expand
    reduced = (reduced + reduced.T) / 2
    reduced.flat[:: len(reduced) + 1] += RIDGE
    rest = System(expand=expand, gram=reduced, diagonals=system.diagonals)
    coordinates = np.empty((expand.shape[1], len(lam)))
    projected = expand.T @ right
    for values in np.unique(lam, axis=0):
        same = (lam == values).all(axis=1)
        coordinates[:, same] = factorise(rest, values).solve(projected[:, same])
    return np.asarray(expand @ coordinates)
