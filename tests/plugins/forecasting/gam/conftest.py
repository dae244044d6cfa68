"""A simulated day-and-weather panel, and pyGAM as the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pygam import LinearGAM, f, l, s, te

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Simulation:
    """Features hour, day of year, temperature, workday, trend, day of week; and two series."""

    X: Floats
    Y: Floats

    @property
    def y(self) -> Floats:
        return self.Y[:, 0]


def simulate(n: int, seed: int = 3) -> Simulation:
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    hour, day = (t % 48) / 2, t // 48
    weekday = (day % 7).astype(float)
    workday = (weekday < 5).astype(float)
    season = np.cos(2 * np.pi * day / 365)
    temperature = 15 + 8 * season + 4 * np.sin(2 * np.pi * (hour - 9) / 24) + rng.normal(size=n)
    X = np.column_stack([hour, day % 365.0, temperature, workday, day / 365, weekday])
    shape = np.sin(2 * np.pi * hour / 24)
    first = 40 + 5 * shape * workday + 0.03 * (temperature - 16) ** 2 + 0.2 * weekday
    second = 900 + 30 * shape + 8 * season
    noise = rng.normal(size=(n, 2)) * [1.0, 5.0]
    return Simulation(X=X, Y=np.column_stack([first, second]) + noise)


def terms(lam: float = 0.6) -> Any:
    """Return one of everything: cyclic, by, tensor, factor, linear."""
    day = {"basis": "cp", "edge_knots": [0, 24]}
    return (
        s(0, n_splines=12, by=3, lam=lam, **day)
        + s(1, n_splines=8, basis="cp", edge_knots=[0, 365], lam=2 * lam)
        + s(2, n_splines=10, lam=lam)
        + te(s(0, n_splines=8, lam=lam, **day), s(2, n_splines=6, lam=3 * lam))
        + f(5, lam=lam)
        + l(4, lam=lam)
    )


def reference(X: Floats, y: Floats, specification: Any = None, weights: Any = None) -> Any:
    return LinearGAM(terms() if specification is None else specification).fit(X, y, weights)


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    return simulate(3000)


@pytest.fixture(scope="session")
def elsewhere(simulation: Simulation) -> Floats:
    """Rows beyond the training range: other days, extreme temperatures, a later trend."""
    X = simulation.X[::7].copy()
    rng = np.random.default_rng(5)
    X[:, 0] += 48
    X[:, 2] += rng.uniform(-30, 30, len(X))
    X[:, 4] += 4
    return X
