"""Each method of calibration against an independent implementation, and against its properties."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from loopcast.api import InvalidRecordError
from loopcast.develop.calibration import isotonic
from loopcast.develop.calibration.maps import EDGE, BetaMap, logit, mapped
from loopcast.develop.calibration.regression import softened

METHODS = ["platt", "isotonic", "beta"]


def fitted(method: str, p: Any, actual: Any, weight: Any = None) -> Any:
    fit = import_module(f"loopcast.develop.calibration.{method}").fit
    weight = np.ones(len(p)) if weight is None else weight
    return fit(np.clip(p, EDGE, 1.0 - EDGE), actual, weight)


def overconfident(rows: int = 4000, seed: int = 0) -> tuple[Any, Any]:
    """Scores whose log-odds are twice what they should be."""
    random = np.random.default_rng(seed)
    true = random.normal(-1.0, 1.0, rows)
    actual = (random.random(rows) < 1.0 / (1.0 + np.exp(-true))).astype(float)
    return 1.0 / (1.0 + np.exp(-2.0 * true)), actual


def test_platt_is_that_of_scikit_learn() -> None:
    x = np.random.default_rng(0).normal(size=(3000, 2))
    actual = (np.random.default_rng(1).random(3000) < 1 / (1 + np.exp(1 - x[:, 0]))).astype(float)
    model = LogisticRegression(C=1e-3).fit(x, actual)  # shrunk: it is not confident enough
    peer = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(x, actual)
    p = model.predict_proba(x)[:, 1]
    found = mapped(fitted("platt", p, actual), p)
    np.testing.assert_allclose(found, peer.predict_proba(x)[:, 1], atol=1e-6)
    assert fitted("platt", p, actual).a > 1.5


def test_beta_has_the_largest_likelihood_of_its_family() -> None:
    p, actual = overconfident()
    target = softened(actual, np.ones(len(p)))

    def loss(parameters: Any) -> float:
        odds = parameters[0] * np.log(p) - parameters[1] * np.log1p(-p) + parameters[2]
        return float(np.mean(np.logaddexp(0.0, odds) - target * odds))

    peer = minimize(loss, np.array([1.0, 1.0, 0.0]), bounds=[(0, None), (0, None), (None, None)])
    found = fitted("beta", p, actual)
    np.testing.assert_allclose([found.a, found.b, found.c], peer.x, atol=2e-3)
    assert loss([found.a, found.b, found.c]) <= peer.fun + 1e-9


def test_beta_finds_the_densities_that_scores_were_drawn_from() -> None:
    """Where scores follow beta densities by outcome, their ratio is the map: Kull, section 3."""
    random = np.random.default_rng(2)
    others, events = random.beta(2.0, 5.0, 150_000), random.beta(4.0, 2.5, 150_000)
    found = fitted("beta", np.r_[others, events], np.repeat([0.0, 1.0], 150_000))
    np.testing.assert_allclose([found.a, found.b], [4.0 - 2.0, 5.0 - 2.5], atol=0.05)


def test_a_negative_exponent_is_left_out_and_the_rest_learned_again() -> None:
    random = np.random.default_rng(3)
    others, events = random.beta(3.0, 5.0, 20_000), random.beta(2.0, 2.0, 20_000)
    found = fitted("beta", np.r_[others, events], np.repeat([0.0, 1.0], 20_000))
    assert found.a == 0.0
    assert found.b > 1.0


@pytest.mark.parametrize("method", METHODS)
def test_a_score_that_ranks_the_wrong_way_says_the_share_of_events(method: str) -> None:
    p, actual = overconfident()
    found = mapped(fitted(method, 1.0 - p, actual), p)
    np.testing.assert_allclose(found, actual.mean(), atol=1e-3)


def test_isotonic_steps_are_those_of_scikit_learn() -> None:
    p, actual = overconfident()
    weight = np.random.default_rng(4).uniform(0.5, 2.0, len(p))
    peer = IsotonicRegression().fit(p, actual, weight).predict(p)
    _, events, rows = isotonic.centres(logit(p), actual, weight)
    inside = np.min(np.abs(peer[:, None] - events / rows), axis=1)
    # Steps that lie within a thousandth of log-odds of each other are one.
    assert np.mean(inside < 1e-9) > 0.9
    found = mapped(fitted("isotonic", p, actual, weight), p)
    assert np.average(np.abs(found - peer), weights=weight) < 0.02


def test_isotonic_lines_pass_through_the_centres_of_the_steps() -> None:
    p, actual = overconfident()
    x, events, rows = isotonic.centres(logit(p), actual, np.ones(len(p)))
    found = mapped(fitted("isotonic", p, actual), 1.0 / (1.0 + np.exp(-x)))
    half = 0.5 / (len(p) + 1.0)
    np.testing.assert_allclose(found, np.clip(events / rows, half, 1.0 - half), atol=1e-9)


@given(seed=st.integers(0, 10_000), rows=st.integers(20, 400), says=st.floats(0.0, 6.0))
@settings(max_examples=40, deadline=None)
def test_beyond_its_outermost_steps_isotonic_says_no_more_than_was_seen(
    seed: int, rows: int, says: float
) -> None:
    random = np.random.default_rng(seed)
    p = 1.0 / (1.0 + np.exp(-random.normal(-1.0, says, rows)))
    actual = (random.random(rows) < 0.5 * p).astype(float)
    _, events, of = isotonic.centres(logit(np.clip(p, EDGE, 1.0 - EDGE)), actual, np.ones(rows))
    one = fitted("isotonic", p, actual)
    lowest, highest = mapped(one, np.array([0.0, 1.0]))
    assert lowest <= max(events[0] / of[0], 0.5 / (rows + 1.0)) <= lowest + 0.5 / of[0]
    assert highest - 0.5 / of[-1] <= min(events[-1] / of[-1], 1.0 - 0.5 / (rows + 1.0)) <= highest
    ends = np.concatenate([np.linspace(0.0, p.min(), 9), np.linspace(p.max(), 1.0, 9)])
    assert np.all(np.diff(mapped(one, np.unique(np.clip(ends, EDGE, 1.0 - EDGE)))) > 0.0), (
        "what is told apart stays so"
    )


def test_certainty_that_comes_true_by_half_is_no_certainty_any_more() -> None:
    """A tree's leaf says 0 or 1 where all its training rows agree."""
    p, actual = np.repeat([0.0, 0.5, 1.0], 200), np.tile([0.0, 0.0, 0.0, 1.0], 150)
    actual[400:] = np.tile([0.0, 1.0], 100)
    found = mapped(fitted("isotonic", p, actual), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [0.25, 0.5], atol=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_mends_what_is_too_certain(method: str) -> None:
    p, actual = overconfident()
    new, outcome = overconfident(seed=5)
    found = mapped(fitted(method, p, actual), new)
    place = np.digitize(found, [0.1, 0.2, 0.3, 0.5])

    def error(said: Any) -> float:
        return float(np.abs(np.bincount(place, said - outcome)).sum() / len(outcome))

    assert error(found) < 0.025
    assert error(new) > 0.05


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 10_000),
    rows=st.integers(2, 200),
    distinct=st.integers(1, 50),
)
def test_a_larger_score_is_never_calibrated_to_a_smaller_one(
    method: str, seed: int, rows: int, distinct: int
) -> None:
    random = np.random.default_rng(seed)
    p = random.choice(random.random(distinct) ** 3, rows)
    actual = (random.random(rows) < p).astype(float)
    found = fitted(method, p, actual, random.uniform(0.1, 5.0, rows))
    grid = mapped(found, np.linspace(0.0, 1.0, 1001))
    assert np.all((grid >= 0.0) & (grid <= 1.0))
    assert np.all(np.diff(grid) >= -1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_whole_weights_count_as_repeated_rows(method: str) -> None:
    p, actual = overconfident(500)
    weight = np.random.default_rng(6).integers(1, 4, 500)
    one = mapped(fitted(method, p, actual, weight.astype(float)), p)
    other = mapped(fitted(method, np.repeat(p, weight), np.repeat(actual, weight)), p)
    np.testing.assert_allclose(one, other, atol=1e-8)


def test_a_score_that_separates_the_outcomes_leaves_no_infinite_parameter() -> None:
    found = fitted("beta", np.repeat([0.01, 0.99], 50), np.repeat([0.0, 1.0], 50))
    assert np.isfinite([found.a, found.b, found.c]).all()
    assert mapped(found, np.array([0.01, 0.99])) == pytest.approx([1 / 52, 51 / 52], abs=1e-6)


def test_a_map_that_falls_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="must be ≥ 0"):
        BetaMap(a=-1.0, b=1.0, c=0.0)
