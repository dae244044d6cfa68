"""From pyGAM terms to a design: what each column of the model matrix is, and its penalties.

pyGAM's terms specify a model; its own code finds the knots and builds the penalty matrices, and
what they amount to is kept here as plain values that can be evaluated sparsely and written as
JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from loopcast.api import DataError, ModelError
from loopcast_forecasting.gam.basis import (
    Floats,
    Indices,
    Marginal,
    SparseRows,
    row_kronecker,
    scaled,
)

if TYPE_CHECKING:
    from pygam.terms import Term, TermList


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A quadratic penalty on the coefficients of one marginal.

    Attributes
    ----------
    lam : float
        Smoothing parameter in the specification.
    matrix : ndarray, shape (n_coefs, n_coefs)
        Symmetric, positive semi-definite.
    """

    lam: float
    matrix: Floats


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """One term: a marginal basis, or the tensor product of several.

    Attributes
    ----------
    label : str
        For people: ``s(temperature)``, ``te(hour, temperature)``.
    marginals : tuple of Marginal
    by : int, optional
        Column that multiplies the whole term.
    """

    label: str
    marginals: tuple[Marginal, ...]
    by: int | None = None

    @property
    def n_coefs(self) -> int:
        """Number of columns of the term."""
        return int(np.prod([marginal.n_coefs for marginal in self.marginals]))

    @property
    def by_features(self) -> tuple[int, ...]:
        """Columns that multiply the term or its marginals."""
        every = (self.by, *(marginal.by for marginal in self.marginals))
        return tuple(by for by in every if by is not None)

    def cells(self, X: Floats) -> Indices:
        """Number the rows' sets of non-zero columns, from 0 for rows that have none."""
        cells = np.zeros(len(X), np.intp)
        for marginal in self.marginals:
            cells = cells * marginal.n_splines + marginal.cells(X)
        active = np.all(X[:, list(self.by_features)] != 0, axis=1)
        return np.where(active, cells + 1, 0)

    def evaluate(self, X: Floats) -> SparseRows:
        """Evaluate the term's columns.

        Parameters
        ----------
        X : ndarray, shape (n, n_features), float64

        Returns
        -------
        SparseRows
            With columns counted from the term's first one.
        """
        first, *others = self.marginals
        rows = first.evaluate(X)
        for marginal in others:
            rows = row_kronecker(rows, marginal.evaluate(X), marginal.n_coefs)
        return rows if self.by is None else scaled(rows, X[:, self.by])


@dataclass(frozen=True, kw_only=True)
class Design:
    """The columns of a model matrix: the terms in order, then the intercept.

    Attributes
    ----------
    smooths : tuple of Smooth
    feature_names : tuple of str
        One per column of the feature matrix.
    """

    smooths: tuple[Smooth, ...]
    feature_names: tuple[str, ...]

    @property
    def n_coefs(self) -> int:
        """Number of columns, the intercept included."""
        return sum(smooth.n_coefs for smooth in self.smooths) + 1

    def slices(self) -> Iterator[tuple[Smooth, slice]]:
        """Yield each term with the range of its columns."""
        start = 0
        for smooth in self.smooths:
            stop = start + smooth.n_coefs
            yield smooth, slice(start, stop)
            start = stop

    def matrix(self, X: Floats) -> sparse.csr_array:
        """Evaluate the model matrix.

        Parameters
        ----------
        X : ndarray, shape (n, n_features), float64

        Returns
        -------
        csr_array, shape (n, n_coefs), float64
        """
        rows = self.evaluate(X)
        n, width = rows.values.shape
        indptr = np.arange(0, n * width + 1, width)
        parts = (rows.values.ravel(), rows.columns.ravel(), indptr)
        return sparse.csr_array(parts, shape=(n, self.n_coefs))

    def evaluate(self, X: Floats) -> SparseRows:
        """Evaluate the model matrix as columns and values of equal width."""
        parts = [(smooth.evaluate(X), where.start) for smooth, where in self.slices()]
        columns = [rows.columns + start for rows, start in parts]
        last = np.full((len(X), 1), self.n_coefs - 1, np.intp)
        return SparseRows(
            np.hstack([*columns, last]),
            np.hstack([*(rows.values for rows, _ in parts), np.ones((len(X), 1))]),
        )

    def check(self, X: object) -> Floats:
        """Return a feature matrix as float64, or say what is wrong with it.

        Raises
        ------
        DataError
            If it is not a matrix with this design's features, or holds NaN or infinite values.
        """
        return check_features(X, self.feature_names)

    def to_dict(self) -> dict[str, Any]:
        """Return the design as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Design:
        """Rebuild a design from `to_dict` after a round trip through JSON."""
        return cls(
            smooths=tuple(_smooth_from_dict(smooth) for smooth in values["smooths"]),
            feature_names=tuple(values["feature_names"]),
        )


def _smooth_from_dict(values: dict[str, Any]) -> Smooth:
    marginals = tuple(
        Marginal(**{**marginal, "levels": tuple(marginal["levels"])})
        for marginal in values["marginals"]
    )
    return Smooth(label=values["label"], marginals=marginals, by=values["by"])


def check_features(X: object, names: Sequence[str]) -> Floats:
    """Return a feature matrix as float64.

    Parameters
    ----------
    X : array_like, shape (n, n_features)
    names : sequence of str
        Names of the expected columns.

    Raises
    ------
    DataError
        If the shape does not fit or a value is NaN or infinite.
    """
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise DataError(
            f"features have shape {matrix.shape}; expected (rows, {len(names)}) for "
            f"{', '.join(names)}"
        )
    wrong = ~np.isfinite(matrix)
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        raise DataError(
            f"feature {names[column]!r}: {int(wrong[:, column].sum())} values are missing or "
            f"infinite, first in row {row}; covariates must be complete"
        )
    return matrix


def compile_design(
    terms: Term | TermList, X: Floats, feature_names: Sequence[str]
) -> tuple[Design, tuple[tuple[tuple[Penalty, ...], ...], ...]]:
    """Fix knots and categories of pyGAM terms on training data.

    Parameters
    ----------
    terms : pygam Term or TermList
        Not changed. An intercept is added where there is none.
    X : ndarray, shape (n, n_features), float64
    feature_names : sequence of str

    Returns
    -------
    design : Design
    penalties : tuple, one entry per term, of one tuple of Penalty per marginal

    Raises
    ------
    ModelError
        If a term has a constraint, which has no closed form, or asks for an absent feature.
    """
    from pygam.terms import TermList

    listed = [deepcopy(term) for term in TermList(terms) if not term.isintercept]
    compiled = [_compiled(term, X) for term in listed]
    design = Design(
        smooths=tuple(_smooth(term, X, feature_names) for term in compiled),
        feature_names=tuple(feature_names),
    )
    penalties = tuple(
        tuple(_penalties(marginal) for marginal in _marginal_terms(term)) for term in compiled
    )
    return design, penalties


def _compiled(term: Term, X: Floats) -> Term:
    if term.hasconstraint:
        raise ModelError(f"{term!r}: constraints are not supported; fit such a term with pyGAM")
    try:
        return term.compile(X)
    except ValueError as error:
        raise ModelError(f"{term!r}: {error}") from error


def _marginal_terms(term: Term) -> list[Term]:
    return list(term) if term.istensor else [term]


def _smooth(term: Term, X: Floats, names: Sequence[str]) -> Smooth:
    marginals = tuple(_marginal(each, X) for each in _marginal_terms(term))
    by = getattr(term, "by", None) if term.istensor else None
    inner = ", ".join(names[marginal.feature] for marginal in marginals)
    bys = [k for k in (by, *(marginal.by for marginal in marginals)) if k is not None]
    suffix = "".join(f":{names[k]}" for k in bys)
    return Smooth(label=f"{term._minimal_name}({inner}){suffix}", marginals=marginals, by=by)


def _marginal(term: Term, X: Floats) -> Marginal:
    knots = sorted(float(knot) for knot in np.ravel(term.edge_knots_))
    place: dict[str, Any] = {"feature": int(term.feature), "lower": knots[0], "upper": knots[-1]}
    if term._name == "linear_term":
        return Marginal(kind="linear", **place)
    categorical = term.dtype == "categorical"
    levels = np.unique(X[:, term.feature]).tolist() if categorical else []
    return Marginal(
        kind="factor" if term._name == "factor_term" else "spline",
        n_splines=int(term.n_splines),
        order=int(term.spline_order),
        periodic=term.basis == "cp",
        by=None if term.by is None else int(term.by),
        drop_first=getattr(term, "coding", "") == "dummy",
        bounded=categorical,
        levels=tuple(levels),
        **place,
    )


def _penalties(term: Term) -> tuple[Penalty, ...]:
    """Return the term's penalties one by one; those that cannot vary separately as one."""
    matrices = [_penalty_matrix(term, k) for k in range(len(term.lam))]
    kept = [
        Penalty(lam=float(lam), matrix=matrix)
        for lam, matrix in zip(term.lam, matrices, strict=True)
        if np.any(matrix)
    ]
    if _commute([penalty.matrix for penalty in kept]):
        return tuple(kept)
    return (Penalty(lam=1.0, matrix=_sum([each.lam * each.matrix for each in kept])),)


def _penalty_matrix(term: Term, k: int) -> Floats:
    alone = deepcopy(term)
    alone.penalties, alone.lam = [term.penalties[k]], [1.0]
    return np.asarray(alone.build_penalties().toarray(), dtype=np.float64)


def _commute(matrices: Sequence[Floats]) -> bool:
    scale = np.prod([np.abs(matrix).max() for matrix in matrices]) if matrices else 1.0
    return all(
        np.allclose(a @ b, b @ a, rtol=0, atol=1e-10 * float(scale))
        for a in matrices
        for b in matrices
    )


def _sum(matrices: Sequence[Floats]) -> Floats:
    return reduce(np.add, matrices)
