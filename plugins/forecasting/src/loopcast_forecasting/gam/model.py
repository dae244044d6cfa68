"""A fitted panel of additive models: predictions, effects with standard errors, files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from loopcast.api import ModelError
from loopcast_forecasting.gam.basis import Floats
from loopcast_forecasting.gam.design import Design, Smooth
from loopcast_forecasting.gam.factor import Factor, factorise
from loopcast_forecasting.gam.failure import Failure
from loopcast_forecasting.gam.system import RIDGE, System

FORMAT = 1
_OF_SERIES = ("lam", "edf", "scale", "gcv", "aic", "n_values", "system_of")
_ARRAYS = ("coef", *_OF_SERIES, "centre")


@dataclass(frozen=True, eq=False, kw_only=True)
class TermEffect:
    """The fitted effect of one term on one series, centred over the training rows.

    Attributes
    ----------
    label : str
        As in `PanelGam.terms`.
    smooth : Smooth
        What the term is; a term with a ``by`` feature is shown for the value 1 of it.
    grids : tuple of ndarray
        Points per marginal: one array for a smooth or a factor, two for a surface.
    value, se : ndarray, shape (len(grids[0]),) or (len(grids[0]), len(grids[1]))
        Effect and Bayesian standard error, in the unit of the series.
    """

    label: str
    smooth: Smooth
    grids: tuple[Floats, ...]
    value: Floats
    se: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelGam:
    """Additive models of N series with the same covariates.

    A series without a fit has NaN in every array and an entry in `failures`.

    Attributes
    ----------
    design : Design
        Columns of the model matrix.
    series : tuple of str, length N
    penalties : tuple of str, length m
        What each λ smooths.
    coef : ndarray, shape (p, N), float64
        B-spline coefficients, the intercept last.
    lam : ndarray, shape (N, m)
    edf : ndarray, shape (N, len(terms))
        Effective degrees of freedom.
    scale : ndarray, shape (N,)
        Residual standard deviation, in the unit of the series.
    gcv, aic : ndarray, shape (N,)
        As pyGAM defines them: ``n RSS / (n - 1.4 edf)²`` and ``-2 log likelihood + 2 edf + 2``.
    n_values : ndarray, shape (N,), intp
        Rows with a value and a positive weight.
    failures : dict of int to Failure
        By position of the series.
    systems : tuple of System
    system_of : ndarray, shape (N,), intp
        Which system's Gram matrix a series' standard errors come from; -1 for the first system in
        proportion to the number of values, where there were more sets of rows than are kept.
    centre : ndarray, shape (p,)
        Mean of each column over the training rows where its term acts.
    """

    design: Design
    series: tuple[str, ...]
    penalties: tuple[str, ...]
    coef: Floats
    lam: Floats
    edf: Floats
    scale: Floats
    gcv: Floats
    aic: Floats
    n_values: NDArray[np.intp]
    failures: Mapping[int, Failure]
    systems: tuple[System, ...]
    system_of: NDArray[np.intp]
    centre: Floats

    @property
    def terms(self) -> tuple[str, ...]:
        """Labels of the terms, the intercept last."""
        return (*(smooth.label for smooth in self.design.smooths), "intercept")

    def position(self, series: int | str) -> int:
        """Return the position of a series given by name or position.

        Raises
        ------
        ModelError
            If there is none, or it has no fit.
        """
        if isinstance(series, str):
            if series not in self.series:
                raise ModelError(f"no series {series!r} in this model; it has {len(self.series)}")
            series = self.series.index(series)
        if series in self.failures:
            raise ModelError(f"series {self.series[series]!r}: {self.failures[series].reason}")
        return series

    def only(self, kept: Sequence[int]) -> PanelGam:
        """Return the models of some of the series, by position."""
        chosen = np.array(kept, np.intp)
        of_series = {name: getattr(self, name)[chosen] for name in _OF_SERIES}
        return replace(
            self,
            series=tuple(self.series[k] for k in chosen),
            coef=self.coef[:, chosen],
            failures={n: self.failures[k] for n, k in enumerate(chosen) if k in self.failures},
            **of_series,
        )

    def predict(self, X: ArrayLike) -> Floats:
        """Predict all series.

        Parameters
        ----------
        X : array_like, shape (n, n_features)
            Any rows; smooths continue linearly beyond the range seen in training.

        Returns
        -------
        ndarray, shape (n, N), float64
            NaN for series without a fit.

        Raises
        ------
        DataError
            If a feature is missing, or a category was not seen in training.
        """
        return np.asarray(self.design.matrix(self.design.check(X)) @ self.coef)

    def factor(self, series: int | str = 0) -> Factor:
        """Return the factorised normal equations of a series at its λ."""
        k = self.position(series)
        system = self.systems[max(int(self.system_of[k]), 0)]
        if self.system_of[k] < 0:
            system = _in_proportion(system, self.n_values[k] / self.n_values.max())
        return factorise(system, self.lam[k])

    def covariance(self, series: int | str = 0) -> Floats:
        """Return the Bayesian covariance of the coefficients of a series.

        Returns
        -------
        ndarray, shape (p, p), float64
            ``scale² (XᵀWX + S)⁻¹`` (Wood 2017, section 6.10), on the coefficients' identified
            part.
        """
        factor = self.factor(series)
        expand = factor.system.expand
        half = linalg.solve_triangular(factor.cholesky, expand.T, lower=True)
        return np.asarray(self.scale[self.position(series)] ** 2 * (half.T @ half))

    def effects(
        self, series: int | str = 0, *, points: int = 100, surface_points: int = 25
    ) -> tuple[TermEffect, ...]:
        """Return the effect of each term of one or two features.

        Parameters
        ----------
        series : int or str
        points, surface_points : int
            Grid points of a curve, and of each side of a surface.

        Returns
        -------
        tuple of TermEffect
            In the order of the terms; linear terms as curves, products of three or more features
            left out.
        """
        k = self.position(series)
        factor = self.factor(k)
        return tuple(
            self._effect(
                k, factor, smooth, where, points if len(smooth.marginals) == 1 else surface_points
            )
            for smooth, where in self.design.slices()
            if len(smooth.marginals) <= 2
        )

    def _effect(
        self, k: int, factor: Factor, smooth: Smooth, where: slice, points: int
    ) -> TermEffect:
        grids = tuple(marginal.grid(points) for marginal in smooth.marginals)
        shape = tuple(len(grid) for grid in grids)
        rows = smooth.evaluate(_grid_features(smooth, grids, len(self.design.feature_names)))
        columns = np.tile(-self.centre[where], (len(rows.values), 1))
        columns[np.arange(len(columns))[:, None], rows.columns] += rows.values
        half = linalg.solve_triangular(
            factor.cholesky, (columns @ factor.system.expand[where]).T, lower=True
        )
        return TermEffect(
            label=smooth.label,
            smooth=smooth,
            grids=grids,
            value=(columns @ self.coef[where, k]).reshape(shape),
            se=(self.scale[k] * np.sqrt((half**2).sum(axis=0))).reshape(shape),
        )

    def save(self) -> dict[str, bytes]:
        """Return the model as files that hold no code: JSON and npz without pickled objects."""
        text = {
            "format": FORMAT,
            "design": self.design.to_dict(),
            "series": self.series,
            "penalties": self.penalties,
            "failures": {str(k): failure._asdict() for k, failure in self.failures.items()},
            "n_systems": len(self.systems),
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        for k, system in enumerate(self.systems):
            arrays |= {f"expand_{k}": system.expand, f"gram_{k}": system.gram}
            arrays |= {f"diagonals_{k}": system.diagonals}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return {"gam.json": json.dumps(text, indent=1).encode(), "gam.npz": buffer.getvalue()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> PanelGam:
        """Rebuild a model from `save`; its predictions are the same to the last bit.

        Raises
        ------
        ModelError
            If a file is absent or was written by another format.
        """
        text, arrays = _read(files)
        systems = tuple(
            System(
                expand=arrays[f"expand_{k}"],
                gram=arrays[f"gram_{k}"],
                diagonals=arrays[f"diagonals_{k}"],
            )
            for k in range(text["n_systems"])
        )
        return cls(
            design=Design.from_dict(text["design"]),
            series=tuple(text["series"]),
            penalties=tuple(text["penalties"]),
            failures={int(k): Failure(**each) for k, each in text["failures"].items()},
            systems=systems,
            **{name: arrays[name] for name in _ARRAYS},
        )


def _read(files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    absent = [name for name in ("gam.json", "gam.npz") if name not in files]
    if absent:
        raise ModelError(f"additive model: file {absent[0]} is missing")
    text = json.loads(files["gam.json"])
    if text.get("format") != FORMAT:
        raise ModelError(
            f"additive model: gam.json has format {text.get('format')!r}; expected {FORMAT}"
        )
    with np.load(io.BytesIO(files["gam.npz"]), allow_pickle=False) as arrays:
        return text, dict(arrays)


def _in_proportion(system: System, share: float) -> System:
    """Return a system with a share of the rows, spread like all of them."""
    gram = system.gram * share
    gram.flat[:: len(gram) + 1] += RIDGE * (1 - share)
    return System(expand=system.expand, gram=gram, diagonals=system.diagonals)


def _grid_features(smooth: Smooth, grids: Sequence[Floats], n_features: int) -> Floats:
    """Return feature rows for every combination of grid points, ``by`` features being 1."""
    mesh = np.meshgrid(*grids, indexing="ij")
    X = np.zeros((mesh[0].size, n_features))
    X[:, list(smooth.by_features)] = 1.0
    for marginal, values in zip(smooth.marginals, mesh, strict=True):
        X[:, marginal.feature] = values.ravel()
    return X
