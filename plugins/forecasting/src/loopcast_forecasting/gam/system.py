"""The normal equations in coordinates where every penalty is diagonal.

In the eigenvectors of each marginal's penalty, a term's penalties are diagonal, those of a tensor
term too. The unpenalised part of a model is not identified (each basis sums to one, like the
intercept); pyGAM settles it with a tiny ridge, which picks the coefficients of smallest norm.
Here the directions that no row of data sees are taken out, which gives the same coefficients, and
what is left is well conditioned at any λ, because Cholesky factors do not mind a diagonal that
grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
from scipy import linalg

from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.design import Design, Penalty, Smooth

RIDGE = float(np.sqrt(np.finfo(np.float64).eps))  # pyGAM's, on every coefficient
UNSEEN = 1e-10  # share of a column's scale below which data do not see a direction

Penalties = Sequence[Sequence[Sequence[Penalty]]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Eigenbasis:
    """Orthogonal coordinates in which the penalties of a design are diagonal.

    Attributes
    ----------
    vectors : ndarray, shape (p, p), float64
        Columns are the new coordinates in terms of the B-spline coefficients.
    diagonals : ndarray, shape (m, p), float64
        The diagonal of each penalty; exactly zero where it does not reach.
    lam : ndarray, shape (m,)
        Smoothing parameters of the specification.
    labels : tuple of str, length m
        Which term, and which marginal of a tensor term, each penalty belongs to.
    """

    vectors: Floats
    diagonals: Floats
    lam: Floats
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class System:
    """Penalised normal equations of a set of rows, shared by all series observed there.

    Attributes
    ----------
    expand : ndarray, shape (p, q), float64
        Orthonormal columns: B-spline coefficients are ``expand @ x``.
    gram : ndarray, shape (q, q), float64
        ``expandᵀ (XᵀWX + RIDGE I) expand``.
    diagonals : ndarray, shape (m, q), float64
        Diagonals of the penalties.
    """

    expand: Floats
    gram: Floats
    diagonals: Floats

    @cached_property
    def n_unpenalised(self) -> int:
        """Dimension of the part of the model that no penalty reaches."""
        return int(np.count_nonzero(~self.diagonals.any(axis=0)))

    @cached_property
    def balances(self) -> tuple[Floats, Floats]:
        """Least and greatest log λ at which a penalty weighs as much as data it acts on."""
        data = np.diagonal(self.gram)
        ratios = [np.log(data[row > 0] / row[row > 0]) for row in self.diagonals]
        return np.array([each.min() for each in ratios]), np.array([each.max() for each in ratios])

    def penalty(self, lam: Floats) -> Floats:
        """Return the diagonal of the summed penalty, shape (q,)."""
        return lam @ self.diagonals


class _Entry(NamedTuple):
    diagonal: Floats
    lam: float
    label: str


def eigenbasis(design: Design, penalties: Penalties) -> Eigenbasis:
    """Diagonalise the penalties of a design term by term.

    Parameters
    ----------
    design : Design
    penalties : sequence
        As returned by `compile_design`: per term, per marginal, its penalties.
    """
    vectors = np.eye(design.n_coefs)
    entries: list[_Entry] = []
    for (smooth, where), of_term in zip(design.slices(), penalties, strict=True):
        bases = [
            _eigenvectors(of_marginal, marginal.n_coefs)
            for of_marginal, marginal in zip(of_term, smooth.marginals, strict=True)
        ]
        vectors[where, where] = _kronecker(bases)
        for diagonal, lam, label in _term_entries(design, smooth, of_term, bases):
            full = np.zeros(design.n_coefs)
            full[where] = diagonal
            entries.append(_Entry(full, lam, label))
    return Eigenbasis(
        vectors=vectors,
        diagonals=np.array([entry.diagonal for entry in entries]).reshape(-1, design.n_coefs),
        lam=np.array([entry.lam for entry in entries]),
        labels=tuple(entry.label for entry in entries),
    )


def _term_entries(
    design: Design, smooth: Smooth, of_term: Sequence[Sequence[Penalty]], bases: Sequence[Floats]
) -> Iterator[_Entry]:
    sizes = [len(basis) for basis in bases]
    for k, (of_marginal, basis) in enumerate(zip(of_term, bases, strict=True)):
        name = design.feature_names[smooth.marginals[k].feature]
        label = f"{smooth.label}[{name}]" if len(bases) > 1 else smooth.label
        for penalty in of_marginal:
            ones = [np.ones(size) for size in sizes]
            ones[k] = _diagonal(basis, penalty.matrix)
            yield _Entry(_kronecker(ones), penalty.lam, label)


def _kronecker(factors: Sequence[Floats]) -> Floats:
    return reduce(lambda a, b: np.asarray(np.kron(a, b)), factors)


def _eigenvectors(penalties: Sequence[Penalty], size: int) -> Floats:
    """Return common eigenvectors of commuting penalties."""
    if not penalties:
        return np.eye(size)
    # Unequal shares keep different penalties from cancelling each other's differences.
    total = sum(
        penalty.matrix / np.abs(penalty.matrix).max() / (1 + 0.618 * k)
        for k, penalty in enumerate(penalties)
    )
    return np.linalg.eigh(total)[1]


def _diagonal(vectors: Floats, matrix: Floats) -> Floats:
    diagonal = np.einsum("ij,ij->j", vectors, matrix @ vectors)
    return np.where(diagonal > 1e-12 * diagonal.max(), diagonal, 0.0)


def build_system(basis: Eigenbasis, gram: Floats, scale: Floats) -> System:
    """Set up the normal equations of a Gram matrix.

    Parameters
    ----------
    basis : Eigenbasis
    gram : ndarray, shape (p, p)
        ``XᵀWX`` in B-spline coefficients.
    scale : ndarray, shape (p,)
        Diagonal of the Gram matrix of all rows, to judge what is zero up to rounding.

    Returns
    -------
    System
    """
    penalised = basis.diagonals.any(axis=0)
    free = np.flatnonzero(~penalised)
    seen = _seen(basis.vectors[:, free], gram, scale)
    expand = np.hstack([basis.vectors[:, penalised], basis.vectors[:, free] @ seen])
    reduced = expand.T @ gram @ expand
    reduced = (reduced + reduced.T) / 2
    reduced.flat[:: len(reduced) + 1] += RIDGE
    zeros = np.zeros((len(basis.diagonals), seen.shape[1]))
    return System(
        expand=np.ascontiguousarray(expand),
        gram=reduced,
        diagonals=np.hstack([basis.diagonals[:, penalised], zeros]),
    )


def _seen(free: Floats, gram: Floats, scale: Floats) -> Floats:
    """Return an orthonormal basis of the unpenalised directions that change a fitted value."""
    block = free.T @ gram @ free
    size = np.einsum("ij,i,ij->j", free, scale, free)
    present = np.diagonal(block) > UNSEEN * size
    inverse = np.where(present, 1 / np.sqrt(np.where(present, np.diagonal(block), 1.0)), 1.0)
    block = np.where(present[:, None] & present, block, 0.0)
    values, vectors = np.linalg.eigh(inverse[:, None] * block * inverse)
    unseen = inverse[:, None] * vectors[:, values < UNSEEN * max(1.0, values[-1])]
    return _complement(unseen)


def _complement(vectors: Floats) -> Floats:
    """Return an orthonormal basis of what is orthogonal to some vectors.

    Coordinates of features in a large unit have small entries. Eliminated in order of size, with
    column pivoting, their rounding errors stay in proportion (Cox & Higham 1998, Numerical
    Analysis 1997, 57–73); in another order the basis would mix scales, and the Gram matrix lose
    the digits of the smaller.
    """
    normalised = vectors / np.linalg.norm(vectors, axis=0)
    order = np.argsort(-np.abs(normalised).max(axis=1, initial=0.0), kind="stable")
    complement = np.empty((len(order), len(order) - vectors.shape[1]))
    complement[order] = linalg.qr(normalised[order], pivoting=True)[0][:, vectors.shape[1] :]
    return complement
