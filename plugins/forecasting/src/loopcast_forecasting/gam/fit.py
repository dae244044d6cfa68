"""Fit a penalised additive model to a panel of series that share covariates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from loopcast.api import ConvergenceError, DataError, ModelError
from loopcast_forecasting.gam.basis import Floats, Indices
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.gam.failure import Failure
from loopcast_forecasting.gam.gram import Panel, Products
from loopcast_forecasting.gam.group import (
    Group,
    RowSet,
    build_group,
    chunk_products,
    problem_of_rows,
    row_sets,
    system_of_rows,
)
from loopcast_forecasting.gam.inputs import Chunk, check_weights, chunks, named_features
from loopcast_forecasting.gam.model import PanelGam
from loopcast_forecasting.gam.reml import balanced, with_freedom
from loopcast_forecasting.gam.smoothing import Reml, RemlGrid, Smoothing, apart_of
from loopcast_forecasting.gam.solve import Prepared, Solution, common_lam, prepare, solve
from loopcast_forecasting.gam.system import System

if TYPE_CHECKING:
    from pygam.terms import Term, TermList

SYSTEMS_KEPT = 16  # sets of rows whose normal equations are kept for reuse and standard errors
KEPT_BYTES = 2**27  # room for them, and for factorisations where searches may start
MATRICES_A_SYSTEM = 4
GCV_GAMMA = 1.4  # pyGAM's cost of a degree of freedom in the reported GCV


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
        """Return results that are all missing."""
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
    smoothing : Fixed, GcvGrid, Reml or RemlGrid, optional
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
    names, features = named_features(X, feature_names)
    row_weights, series_weights = check_weights(weights, len(features))
    sample, parts = chunks(Y, len(features), series_weights)
    group = build_group(terms, features, names, row_weights, smoothing or Reml())
    match group.smoothing:
        case Reml() as reml:
            group = replace(group, lams=_starts(group, sample, reml))
        case RemlGrid() as grid:
            reml = Reml(shared=True, apart=grid.apart)
            group = replace(group, lams=_starts(group, sample, reml))
    kept: Kept = {}
    fits = [_fit_chunk(group, chunk, kept) for chunk in parts]
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


def _starts(group: Group, sample: Chunk, reml: Reml) -> Floats:
    """Find where searches may start: the best λ for a sample together, then of each in it.

    Returns
    -------
    ndarray, shape (k, m)
    """
    data = chunk_products(group, sample)
    rows = max(row_sets(data, sample, group), key=lambda each: len(each.members))
    system = system_of_rows(group, rows)
    problem = problem_of_rows(system, data, rows, reml)
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


def _fit_chunk(group: Group, chunk: Chunk, kept: Kept) -> Fits:
    data = chunk_products(group, chunk)
    fits = Fits.empty(chunk.values.shape[1], group)
    for rows in row_sets(data, chunk, group):
        fits.n_values[rows.members] = np.count_nonzero(rows.weights)
        try:
            _fit_rows(group, rows, data, fits, kept)
        except (DataError, ModelError) as error:
            fits.failures.update({int(k): Failure("data", str(error)) for k in rows.members})
    for k in np.flatnonzero(data.infinite):
        _fail(fits, int(k), Failure("data", "infinite values; use NaN where none is known"))
    return fits


def _fit_rows(group: Group, rows: RowSet, data: Products, fits: Fits, kept: Kept) -> None:
    """Fit the series of a set of rows and write their results, in place.

    Raises
    ------
    DataError
        If there are too few values.
    ModelError
        If the normal equations cannot be solved.
    """
    n_values = int(np.count_nonzero(rows.weights))
    if not n_values:
        raise DataError("no values at all")
    position, prepared = _prepared(group, rows, kept)
    system = prepared.system
    needed = apart_of(group.smoothing) * (system.n_unpenalised + 2)
    if n_values < needed:
        raise DataError(f"only {n_values} values; the model needs {needed}")
    solution = solve(problem_of_rows(system, data, rows, group.smoothing), prepared)
    x = solution.x + solution.constant * data.shift[rows.members]
    fits.coef[:, rows.members] = system.expand @ x
    fits.edf[rows.members] = solution.leverages @ _shares(group.design, system).T
    fits.system_of[rows.members] = position
    _enter(fits, rows.members, solution)


def _prepared(group: Group, rows: RowSet, kept: Kept) -> tuple[int, Prepared]:
    """Return a set of rows' system and its position among those the model keeps, -1 if not."""
    if rows.key in kept:
        return kept[rows.key]
    room = KEPT_BYTES // (MATRICES_A_SYSTEM * group.gram.nbytes)
    lams = group.lams[: 1 if rows.key else max(1, room)]
    prepared = prepare(system_of_rows(group, rows), group.smoothing, lams)
    if len(kept) >= max(1, min(room, SYSTEMS_KEPT)):
        return -1, prepared
    kept[rows.key] = (len(kept), prepared)
    return kept[rows.key]


def _enter(fits: Fits, members: Indices, solution: Solution) -> None:
    """Write the λ of a solution into the results of its chunk, and what failed, in place."""
    fits.lam[members] = solution.lam
    fits.rss[members] = solution.rss
    freedom = fits.n_values[members] - fits.edf[members].sum(axis=1)
    for k in members[freedom <= 0]:
        _fail(fits, int(k), Failure("data", "as many effective degrees of freedom as values"))
    for k, failure in solution.failures.items():
        _fail(fits, int(members[k]), failure)


def _fail(fits: Fits, k: int, failure: Failure) -> None:
    fits.failures[k] = failure
    fits.coef[:, k] = np.nan
    for array in (fits.lam, fits.edf, fits.rss):
        array[k] = np.nan


def _shares(design: Design, system: System) -> Floats:
    """Return the share of each term, the intercept last, in each coordinate."""
    starts = [where.start for _, where in design.slices()] + [design.n_coefs - 1]
    return np.add.reduceat(system.expand**2, starts, axis=0)


def _assemble(group: Group, fits: list[Fits], kept: Kept, series: Sequence[str] | None) -> PanelGam:
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
