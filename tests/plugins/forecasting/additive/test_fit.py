from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pytest
from pygam import LinearGAM
from pygam.terms import TermList, intercept
from scipy import linalg

from loopcast.api import ForecastData
from loopcast_forecasting.additive.fit import FEW, fit_additive, rows_apart
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import Fixed, fit_series

from ..pygam_terms import with_lam


@dataclass(frozen=True, eq=False)
class Setting:
    terms: TermList
    names: tuple[str, ...]
    X: Floats
    Y: Floats


@pytest.fixture(scope="module")
def setting(panel: ForecastData) -> Setting:
    spec = feature_spec(panel, (6.0,))
    features = feature_matrix(panel, "town", spec, panel.times)
    return Setting(
        terms=build_terms(spec, features, whole_year=False, trend=True, interactions=True),
        names=tuple(features),
        X=np.column_stack(list(features.values())),
        Y=np.log(panel.target[["homes", "port"]].interpolate().to_numpy()),
    )


def test_the_additive_part_is_that_of_pygam(setting: Setting) -> None:
    gam = fit_additive(
        setting.terms,
        setting.X,
        setting.Y,
        features=setting.names,
        series=("homes", "port"),
        apart=5,
    )
    for lam, fitted, y in zip(gam.lam, gam.predict(setting.X).T, setting.Y.T, strict=True):
        expected = exact_fit(with_lam(setting.terms, lam), setting.X, y)
        np.testing.assert_allclose(fitted, expected, rtol=1e-6)


def test_the_exact_fit_is_that_of_pygam_where_its_own_is_exact(setting: Setting) -> None:
    y = setting.Y[:, 0]
    reference = LinearGAM(deepcopy(setting.terms)).fit(setting.X, y)
    expected = exact_fit(setting.terms, setting.X, y)
    np.testing.assert_allclose(reference.predict(setting.X), expected, rtol=1e-8)


def exact_fit(terms: TermList, X: Floats, y: Floats) -> Floats:
    """Return the fit at the minimum of pyGAM's own objective, from its matrices.

    At large λ pyGAM's Cholesky factor of its penalty may fail by rounding, depending on the
    processor; it then adds millions of times its ridge, without a word, and is off by 0.1 %.
    A QR decomposition on roots of the unscaled penalties loses nothing.
    """
    compiled = (deepcopy(terms) + intercept).compile(X)
    B = compiled.build_columns(X).toarray()
    roots = linalg.block_diag(*(np.vstack(list(_roots(term))) for term in compiled))
    ridge = np.finfo(float).eps ** 0.25 * np.eye(B.shape[1])
    Q, R = np.linalg.qr(np.vstack([B, roots, ridge]))
    return np.asarray(B @ linalg.solve_triangular(R, Q[: len(y)].T @ y))


def _roots(term: Any) -> Iterator[Floats]:
    """Yield a root of each penalty of a term."""
    if term.isintercept:
        yield np.zeros((1, 1))
        return
    marginals = list(term) if term.istensor else [term]
    for k, marginal in enumerate(marginals):
        factors = [np.eye(each.n_coefs) for each in marginals]
        for penalty, lam in zip(marginal.penalties, marginal.lam, strict=True):
            alone = deepcopy(marginal)
            alone.penalties, alone.lam = [penalty], [1.0]
            values, vectors = np.linalg.eigh(alone.build_penalties().toarray())
            kept = np.where(values > 1e-10 * values[-1], values, 0.0)
            factors[k] = np.sqrt(lam * kept)[:, None] * vectors.T
            yield reduce(lambda a, b: np.asarray(np.kron(a, b)), factors)


def test_many_series_are_fitted_as_each_would_be_at_its_lambda(setting: Setting) -> None:
    rng = np.random.default_rng(3)
    noise = 0.1 * rng.normal(size=(len(setting.Y), FEW + 1)) * rng.uniform(0, 2, FEW + 1)
    Y = setting.Y[:, :1] + noise
    names = tuple(str(k) for k in range(FEW + 1))
    gam = fit_additive(setting.terms, setting.X, Y, features=setting.names, series=names, apart=5)
    ratio = gam.lam / gam.lam[0]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape))
    assert len(np.unique(ratio[:, 0].round(6))) > 1
    fitted = gam.predict(setting.X)
    for k in (0, FEW // 2, FEW):
        terms = with_lam(setting.terms, gam.lam[k])
        alone = fit_series(terms, setting.X, Y[:, k], smoothing=Fixed())
        np.testing.assert_allclose(fitted[:, k], alone.predict(setting.X)[:, 0], rtol=1e-8)


def test_single_precision_is_close_to_double(setting: Setting) -> None:
    names = ("homes", "port")
    double, single = (
        fit_additive(
            setting.terms,
            setting.X,
            setting.Y.astype(dtype),
            features=setting.names,
            series=names,
            apart=5,
        ).predict(setting.X)
        for dtype in (np.float64, np.float32)
    )
    np.testing.assert_allclose(single, double, rtol=1e-4)


@pytest.mark.parametrize(
    ("step", "apart"), [("15min", 17), ("30min", 7), ("1h", 5), ("6h", 1), ("1D", 1)]
)
def test_rows_for_the_choice_of_smoothing_visit_every_time_of_day(step: str, apart: int) -> None:
    spec = FeatureSpec(step=step, trained_until="", temperature=False)
    assert rows_apart(spec) == apart
    visited = np.arange(0, 1000 * apart, apart) % spec.steps_per_day
    assert len(np.unique(visited)) == spec.steps_per_day
