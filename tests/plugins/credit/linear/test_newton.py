from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from loopcast.api import ConvergenceError
from loopcast_credit.linear.newton import newton


def test_it_is_the_maximum_likelihood_of_statsmodels() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(800, 3))
    offset = random.normal(size=800)
    weight = random.integers(1, 4, 800).astype(float)
    odds = 1.0 / (1.0 + np.exp(-(offset + x @ [1.0, -0.5, 0.2])))
    event = (random.random(800) < odds).astype(float)
    ours = newton(x, event, weight, offset, np.zeros(3))
    family = sm.families.Binomial()
    model = sm.GLM(event, sm.add_constant(x), family, offset=offset, freq_weights=weight)
    np.testing.assert_allclose(ours, model.fit(tol=1e-12).params, rtol=1e-8)


def test_columns_that_say_the_same_share_the_coefficient() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(500, 1))
    event = (random.random(500) < 1.0 / (1.0 + np.exp(-x[:, 0]))).astype(float)
    once = newton(x, event, np.ones(500), np.zeros(500), np.full(1, 1.0))
    twice = newton(np.hstack([x, x]), event, np.ones(500), np.zeros(500), np.full(2, 2.0))
    np.testing.assert_allclose(twice, [once[0], once[1] / 2, once[1] / 2], rtol=1e-8)


def test_separated_outcomes_need_a_penalty() -> None:
    x = np.linspace(-1.0, 1.0, 50)[:, None]
    event = (x[:, 0] > 0.0).astype(float)
    with pytest.raises(ConvergenceError, match="larger ridge"):
        newton(x, event, np.ones(50), np.zeros(50), np.zeros(1))
    assert np.isfinite(newton(x, event, np.ones(50), np.zeros(50), np.ones(1))).all()
