"""Fit a penalised additive model to a panel of series that share covariates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopcast.api import ConvergenceError, DataError
from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.design import Design, check_features, compile_design
from loopcast_forecasting.gam.gram import (
    SERIES_PER_CHUNK,
    Block,
    Products,
    gram,
    gram_of,
    pack,
    products,
)
from loopcast_forecasting.gam.model import Failure, PanelGam
from loopcast_forecasting.gam.reml import Problem, balanced, with_freedom
from loopcast_forecasting.gam.smoothing import Reml, Smoothing
from loopcast_forecasting.gam.solve import Prepared, Solution, common_lam, prepare, solve
from loopcast_forecasting.gam.system import Eigenbasis, System, build_system, eigenbasis

if TYPE_CHECKING:
    from pygam.terms import Term, TermList

Panel = NDArray[np.float32] | NDArray[np.float64]

SERIES_FOR_START = 24  # series whose common λ starts each series' own search
SYSTEMS_KEPT = 16  # sets of rows whose normal equations are kept for reuse and standard errors
GCV_GAMMA = 1.4  # pyGAM's cost of a degree of freedom in the reported GCV


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """What the series of a panel share.

    Attributes
    ----------
    design : Design
    basis : Eigenbasis
    blocks : list of Block
        The model matrix.
    weights : ndarray, shape (n,)
    gram : ndarray, shape (p, p)
        Of all rows.
    centre : ndarray, shape (p,)
        As in `PanelGam`.
    smoothing : Smoothing
    lams : ndarray, shape (k, m)
        λ of the terms, or where searches may start.
    """

    design: Design
    basis: Eigenbasis
    blocks: list[Block]
    weights: Floats
    gram: Floats
    centre: Floats
    smoothing: Smoothing
    lams: Floats


class Chunk(NamedTuple):
    """Some series, and their weights where these differ by series, shape (n, k) each."""

    values: Panel
    weights: Floats | None


@dataclass(frozen=True, eq=False, kw_only=True)
class RowSet:
    """Series of a chunk that were observed on the same rows with the same weights.

    Attributes
    ----------
    members : ndarray, shape (k,), intp
        Positions in the chunk.
    weights : ndarray, shape (n,)
        Zero where there is no value.
    key : bytes
        Digest of the weights.
    """

    members: Indices
    weights: Floats
    key: bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class Fits:
    """Results of a chunk of series; the names are those of `PanelGam`."""

    coef: Floats
    lam: Floats
    edf: Floats
    rss: Floats
    n_values: Indices
    system_of: Indices
    failures: dict[int, Failure]

    @classmethod
    def empty(cls, n_series: int, group: Group) -> Fits:
        p, n_penalties = group.design.n_coefs, group.lams.shape[1]
        return cls(
            coef=np.full((p, n_series), np.nan),
            lam=np.full((n_series, n_penalties), np.nan),
            edf=np.full((n_series, len(group.design.smooths) + 1), np.nan),
            rss=np.full(n_series, np.nan),
            n_values=np.zeros(n_series, np.intp),
            system_of=np.full(n_series, -1, np.intp),
            failures={},
        )


Kept = dict[bytes, tuple[int, Prepared]]  # by key of a set of rows: position in the model, system


def fit_panel(
    terms: Term | TermList,
    X: ArrayLike,
    Y: Panel | Iterable[Panel],
    *,
    smoothing: Smoothing | None = None,
    weights: ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
    series: Sequence[str] | None = None,
) -> PanelGam:
    """Fit the same additive model to every series of a panel.

    For the same λ, predictions are those of ``pygam.LinearGAM(terms).fit(X, y).predict(X)``.

    Parameters
    ----------
    terms : pygam Term or TermList
        ``s``, ``l``, ``f``, ``te`` without constraints; an intercept is added. Not changed.
    X : array_like, shape (n, n_features)
        Covariates of all series; complete.
    Y : ndarray, shape (n, N), float32 or float64, or iterable of such arrays
        Series in columns, NaN where a value is missing; fastest in C order. An iterable gives
        the columns chunk by chunk, so that a panel larger than memory can be streamed.
    smoothing : Fixed, GcvGrid or Reml, optional
        How λ is chosen; by default ``Reml()``, a λ per series and penalty.
    weights : array_like, shape (n,) or, with an array ``Y``, (n, N), optional
        Non-negative. One column per series costs a Gram matrix per series.
    feature_names : sequence of str, optional
        For labels and messages; by default ``x0``, ``x1``, ….
    series : sequence of str, optional
        Names; by default ``0``, ``1``, ….

    Returns
    -------
    PanelGam
        A series that cannot be fitted has NaN results and its reason in ``failures``.

    Raises
    ------
    DataError
        If shapes do not fit, a covariate is missing or a weight is negative.
    ModelError
        If a term cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from pygam import s
    >>> x = np.linspace(0, 1, 200)[:, None]
    >>> model = fit_panel(s(0), x, np.hstack([np.sin(6 * x), np.cos(6 * x)]))
    >>> bool(np.abs(model.predict(x)[:, 0] - np.sin(6 * x[:, 0])).max() < 0.01)
    True
    """
    names, features = _features(X, feature_names)
    row_weights, series_weights = _weights(weights, len(features))
    sample, chunks = _chunks(Y, len(features), series_weights)
    group = _group(terms, features, names, row_weights, smoothing or Reml())
    if isinstance(group.smoothing, Reml):
        group = replace(group, lams=_starts(group, sample, group.smoothing))
    kept: Kept = {}
    fits = [_fit_chunk(group, chunk, kept) for chunk in chunks]
    return _assemble(group, fits, kept, series)


def fit_series(
    terms: Term | TermList,
    X: ArrayLike,
    y: ArrayLike,
    *,
    smoothing: Smoothing | None = None,
    weights: ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
    name: str = "y",
) -> PanelGam:
    """Fit one series: `fit_panel` with a panel of one, where a failure is an error.

    Parameters
    ----------
    y : array_like, shape (n,)
        NaN where a value is missing.

    Raises
    ------
    DataError
        Also if there are too few values.
    ConvergenceError
        If the choice of λ does not converge.
    """
    values = np.asarray(y, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"series {name!r} has shape {values.shape}; expected (rows,)")
    model = fit_panel(
        terms,
        X,
        values[:, None],
        smoothing=smoothing,
        weights=weights,
        feature_names=feature_names,
        series=(name,),
    )
    if 0 in model.failures:
        failure = model.failures[0]
        error = ConvergenceError if failure.kind == "convergence" else DataError
        raise error(f"series {name!r}: {failure.reason}")
    return model


def _features(X: ArrayLike, names: Sequence[str] | None) -> tuple[tuple[str, ...], Floats]:
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or not len(matrix):
        raise DataError(f"features have shape {matrix.shape}; expected (rows, features)")
    named = tuple(names) if names else tuple(f"x{k}" for k in range(matrix.shape[1]))
    return named, check_features(matrix, named)


def _weights(weights: ArrayLike | None, n: int) -> tuple[Floats, Floats | None]:
    """Return weights per row and, where they differ by series, per row and series."""
    if weights is None:
        return np.ones(n), None
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != n:
        raise DataError(f"weights have shape {values.shape}; expected ({n},) or ({n}, series)")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"weights: {int(wrong.sum())} are negative or not finite, first in row {row}"
        )
    return (values, None) if values.ndim == 1 else (np.ones(n), values)


def _chunks(
    Y: Panel | Iterable[Panel], n: int, weights: Floats | None
) -> tuple[Chunk, Iterator[Chunk]]:
    """Return a sample of the series, and all series chunk by chunk."""
    if isinstance(Y, np.ndarray):
        _check_panel(Y, n, weights)
        parts = range(0, Y.shape[1], SERIES_PER_CHUNK)
        slices = [slice(start, start + SERIES_PER_CHUNK) for start in parts]
        return _sample(Chunk(Y, weights)), (_columns(Y, weights, part) for part in slices)
    if weights is not None:
        raise DataError("weights per series need all series at once; give Y as one array")
    chunks = (_columns(_check_panel(part, n, None), None, slice(None)) for part in Y)
    first = next(chunks, None)
    if first is None:
        raise DataError("the panel has no series")
    return _sample(first), chain([first], chunks)


def _check_panel(Y: Panel, n: int, weights: Floats | None) -> Panel:
    if Y.ndim != 2 or len(Y) != n or not Y.shape[1]:
        raise DataError(f"the panel has shape {Y.shape}; expected ({n}, series), a row per feature row")
    if weights is not None and weights.shape != Y.shape:
        raise DataError(f"weights have shape {weights.shape} but the panel has {Y.shape}")
    return Y


def _columns(Y: Panel, weights: Floats | None, part: slice) -> Chunk:
    values = Y[:, part]
    if values.dtype != np.float32:
        values = np.asarray(values, dtype=np.float64)
    if values.strides[1] != values.itemsize:
        values = np.ascontiguousarray(values)
    return Chunk(values, None if weights is None else weights[:, part])


def _sample(chunk: Chunk) -> Chunk:
    step = -(-chunk.values.shape[1] // SERIES_FOR_START)
    return _columns(chunk.values, chunk.weights, slice(None, None, step))


def _group(
    terms: Term | TermList,
    X: Floats,
    names: tuple[str, ...],
    weights: Floats,
    smoothing: Smoothing,
) -> Group:
    design, penalties = compile_design(terms, X, names)
    blocks = pack(design, X)
    basis = eigenbasis(design, penalties)
    return Group(
        design=design,
        basis=basis,
        blocks=blocks,
        weights=weights,
        gram=gram(blocks, design.n_coefs, weights),
        centre=_centre(design, blocks, X, weights),
        smoothing=smoothing,
        lams=basis.lam[None],
    )


def _centre(design: Design, blocks: list[Block], X: Floats, weights: Floats) -> Floats:
    """Return each column's mean over the rows where its term acts.

    A term times a number other than 0 or 1 has no level of its own and is not centred.
    """
    total = np.zeros(design.n_coefs)
    for block in blocks:
        total[block.columns] += weights[block.rows] @ block.values
    centre = total / weights.sum()
    for smooth, where in design.slices():
        if smooth.by_features:
            by = X[:, list(smooth.by_features)]
            acting = (weights * np.prod(by, axis=1)).sum() / weights.sum()
            centre[where] *= 1 / acting if np.isin(by, (0, 1)).all() and acting else 0.0
    centre[-1] = 0.0
    return centre


def _row_sets(data: Products, chunk: Chunk, group: Group) -> list[RowSet]:
    """Group the series of a chunk by the rows and weights that they were observed with."""
    n_series = chunk.values.shape[1]
    present = dict(zip(data.incomplete.tolist(), data.present.T, strict=True))
    if chunk.weights is None:
        columns = {k: group.weights * where for k, where in present.items()}
    else:
        columns = {k: chunk.weights[:, k] * present.get(k, True) for k in range(n_series)}
    complete = np.setdiff1d(np.arange(n_series), np.array(list(columns), np.intp))
    members: dict[bytes, list[int]] = {}
    for k, weights in columns.items():
        members.setdefault(blake2b(weights.tobytes()).digest(), []).append(k)
    sets = [
        RowSet(members=np.array(each), weights=columns[each[0]], key=key)
        for key, each in members.items()
    ]
    if len(complete):
        sets.insert(0, RowSet(members=complete, weights=group.weights, key=b""))
    return sets


def _system(group: Group, rows: RowSet) -> System:
    """Return the normal equations of a set of rows."""
    if not rows.key:
        return build_system(group.basis, group.gram, np.diagonal(group.gram))
    of_rows = gram_of(group.blocks, group.gram, group.weights, rows.weights)
    return build_system(group.basis, of_rows, np.diagonal(group.gram))


def _problem(system: System, data: Products, rows: RowSet) -> Problem:
    right = system.expand.T @ data.cross[:, rows.members]
    return Problem(
        system=system,
        right=np.asfortranarray(right),
        square=data.square[rows.members],
        n_rows=int(np.count_nonzero(rows.weights)),
    )


def _starts(group: Group, sample: Chunk, reml: Reml) -> Floats:
    """Find where searches may start: the best λ for a sample together, then of each in it.

    Returns
    -------
    ndarray, shape (k, m)
    """
    data = products(group.blocks, group.design.n_coefs, sample.values, _chunk_weights(group, sample))
    rows = max(_row_sets(data, sample, group), key=lambda each: len(each.members))
    system = _system(group, rows)
    problem = _problem(system, data, rows)
    if sample.values.shape[1] == 1 and not reml.shared:
        return with_freedom(system, balanced(system))[None]
    optimum = common_lam(problem, reml)
    common = optimum.state.factor.lam[None]
    if reml.shared:
        if not optimum.converged:
            raise ConvergenceError(
                "the choice of shared smoothing parameters did not converge in "
                f"{optimum.iterations} iterations"
            )
        return common
    common = with_freedom(system, common)
    each = solve(problem, prepare(system, reml, common))
    return np.vstack([common, np.delete(each.lam, list(each.failures), axis=0)])


def _chunk_weights(group: Group, chunk: Chunk) -> Floats | None:
    if chunk.weights is not None:
        return chunk.weights
    return None if np.all(group.weights == 1) else group.weights


def _fit_chunk(group: Group, chunk: Chunk, kept: Kept) -> Fits:
    data = products(group.blocks, group.design.n_coefs, chunk.values, _chunk_weights(group, chunk))
    fits = Fits.empty(chunk.values.shape[1], group)
    for rows in _row_sets(data, chunk, group):
        fits.n_values[rows.members] = np.count_nonzero(rows.weights)
        position, prepared = _prepared(group, rows, kept)
        reason = _unusable(prepared.system, int(fits.n_values[rows.members[0]]))
        if reason:
            fits.failures.update({int(k): Failure("data", reason) for k in rows.members})
            continue
        solution = solve(_problem(prepared.system, data, rows), prepared)
        _enter(fits, group, rows, position, prepared.system, solution, data)
    for k in np.flatnonzero(data.infinite):
        _fail(fits, int(k), Failure("data", "some values are infinite; use NaN where none is known"))
    return fits


def _unusable(system: System, n_values: int) -> str:
    if not n_values:
        return "no values at all"
    least = system.n_unpenalised + 2
    return "" if n_values >= least else f"only {n_values} values; the model needs {least}"


def _prepared(group: Group, rows: RowSet, kept: Kept) -> tuple[int, Prepared]:
    """Return a set of rows' system and its position among those the model keeps, -1 if not."""
    if rows.key in kept:
        return kept[rows.key]
    lams = group.lams[:1] if rows.key else group.lams
    prepared = prepare(_system(group, rows), group.smoothing, lams)
    if len(kept) == SYSTEMS_KEPT:
        return -1, prepared
    kept[rows.key] = (len(kept), prepared)
    return kept[rows.key]


def _enter(
    fits: Fits,
    group: Group,
    rows: RowSet,
    position: int,
    system: System,
    solution: Solution,
    data: Products,
) -> None:
    """Write the solution of a set of rows into the results of its chunk, in place."""
    members = rows.members
    level = np.outer(system.expand[-1], data.shift[members])
    fits.coef[:, members] = system.expand @ (solution.x + level)
    fits.lam[members] = solution.lam
    fits.edf[members] = solution.leverages @ _shares(group.design, system).T
    fits.rss[members] = solution.rss
    fits.system_of[members] = position
    freedom = fits.n_values[members] - fits.edf[members].sum(axis=1)
    for k in members[freedom <= 0]:
        _fail(fits, int(k), Failure("data", "as many effective degrees of freedom as values"))
    for k, reason in solution.failures.items():
        _fail(fits, int(members[k]), Failure("convergence", reason))


def _fail(fits: Fits, k: int, failure: Failure) -> None:
    fits.failures[k] = failure
    fits.coef[:, k] = np.nan
    for array in (fits.lam, fits.edf, fits.rss):
        array[k] = np.nan


def _shares(design: Design, system: System) -> Floats:
    """Return the share of each term, the intercept last, in each coordinate."""
    starts = [where.start for _, where in design.slices()] + [design.n_coefs - 1]
    return np.add.reduceat(system.expand**2, starts, axis=0)


def _assemble(
    group: Group, fits: list[Fits], kept: Kept, series: Sequence[str] | None
) -> PanelGam:
    """Join the results of all chunks and add the statistics that follow from them."""
    starts = np.cumsum([0, *(len(each.rss) for each in fits)])
    rss, edf, n, system_of = (
        np.concatenate([getattr(each, name) for each in fits])
        for name in ("rss", "edf", "n_values", "system_of")
    )
    names = tuple(series) if series is not None else tuple(str(k) for k in range(starts[-1]))
    if len(names) != starts[-1]:
        raise DataError(f"{len(names)} names for {starts[-1]} series")
    total = edf.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = rss / (n - total)
        aic = n * np.log(2 * np.pi * variance) + (n - total) + 2 * total + 2
    return PanelGam(
        design=group.design,
        series=names,
        penalties=group.basis.labels,
        coef=np.hstack([each.coef for each in fits]),
        lam=np.vstack([each.lam for each in fits]),
        edf=edf,
        scale=np.sqrt(variance),
        gcv=n * rss / (n - GCV_GAMMA * total) ** 2,
        aic=aic,
        n_values=n,
        failures={
            int(start) + k: failure
            for start, each in zip(starts[:-1], fits, strict=True)
            for k, failure in each.failures.items()
        },
        systems=tuple(prepared.system for _, prepared in kept.values()),
        system_of=system_of,
        centre=group.centre,
    )
