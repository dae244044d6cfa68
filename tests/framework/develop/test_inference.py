"""Standard errors against references, and the size of the tests that rest on them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from loopcast.develop.inference import (
    Estimate,
    block_places,
    block_sums,
    independent_error,
    jackknife_error,
    mean_influence,
    serial_error,
)


def ones(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones(len(values))


@given(st.lists(st.integers(-3, 9), max_size=20), st.booleans())
def test_blocks_are_numbered_in_the_order_of_their_numbers(block: list[int], ordered: bool) -> None:
    given = np.array(sorted(block) if ordered else block, dtype=np.int64)
    names = sorted(set(block))
    assert block_places(given).tolist() == [names.index(number) for number in given]


def test_single_rows_give_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1, 40), rng.normal(0.4, 1, 40)
    moved = mean_influence(two - one, ones(one))
    error, freedom = independent_error(block_sums(moved, np.arange(40)))
    found = Estimate(value=float((two - one).mean()), error=error, freedom=freedom)
    reference = stats.ttest_rel(two, one)
    assert found.p_value() == pytest.approx(reference.pvalue)
    low, high = found.interval(0.9) or (0.0, 0.0)
    expected = reference.confidence_interval(0.9)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_clusters_are_those_of_a_regression_on_a_constant() -> None:
    rng = np.random.default_rng(2)
    block = np.sort(rng.integers(0, 25, 300))
    values = rng.normal(size=300) + rng.normal(size=25)[block]
    weight = rng.uniform(0.5, 2.0, 300)
    error, freedom = independent_error(block_sums(mean_influence(values, weight), block))
    fit = sm.WLS(values, np.ones(300), weights=weight).fit(
        cov_type="cluster", cov_kwds={"groups": block, "df_correction": True}
    )
    # statsmodels also multiplies by (n - 1) / (n - k), which is one here.
    assert error == pytest.approx(float(fit.bse[0]))
    assert freedom == len(np.unique(block)) - 1


def test_the_influence_of_a_root_is_its_derivative() -> None:
    rng = np.random.default_rng(3)
    values, weight = rng.uniform(1, 4, 50), rng.uniform(1, 2, 50)
    moved = mean_influence(values, weight, root=True)
    assert moved.sum() == pytest.approx(0.0, abs=1e-12)
    step = 1e-6
    more = weight + step * np.eye(50)[7] * weight[7]
    slope = (np.sqrt(values @ more / more.sum()) - np.sqrt(values @ weight / weight.sum())) / step
    assert moved[7] == pytest.approx(slope, rel=1e-4)


def test_cosine_transforms_give_the_variance_of_white_noise() -> None:
    rng = np.random.default_rng(4)
    errors = np.array([serial_error(rng.normal(size=60) / 60)[0] ** 2 for _ in range(2000)])
    assert errors.mean() == pytest.approx(1 / 60, rel=0.05)


def autoregressive(rho: float, count: int, runs: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(runs, count + 30))
    series = np.zeros_like(noise)
    for t in range(1, noise.shape[1]):
        series[:, t] = rho * series[:, t - 1] + noise[:, t]
    return series[:, 30:]


@pytest.mark.parametrize(("rho", "at_most"), [(0.0, 0.065), (0.2, 0.072), (0.4, 0.087)])
def test_equal_forecasts_are_seldom_told_apart(rho: float, at_most: float) -> None:
    """Type-I error of the test for origins in time at the default 28 origins, level 5 %.

    A t-test that ignores the dependence rejects 20 % at rho = 0.4, and Newey and West with the
    correction of Harvey, Leybourne and Newbold (1997) 9.5 %.
    """
    rejected = [
        Estimate(value=u.mean(), error=e, freedom=f).p_value() or 0.0
        for u in autoregressive(rho, 28, 4000)
        for e, f in [serial_error((u - u.mean()) / len(u))]
    ]
    share = np.mean(np.array(rejected) < 0.05)
    assert 0.03 < share < at_most


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(6)
    hits = []
    for _ in range(2000):
        block = np.repeat(np.arange(20), rng.integers(1, 8, 20))
        values = 0.7 + rng.normal(size=20)[block] + rng.normal(size=len(block))
        error, freedom = independent_error(block_sums(mean_influence(values, ones(values)), block))
        found = Estimate(value=float(values.mean()), error=error, freedom=freedom)
        low, high = found.interval(0.95) or (0.0, 0.0)
        hits.append(low < 0.7 < high)
    assert 0.93 < np.mean(hits) < 0.965


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(size=50)
    error, freedom = jackknife_error(
        lambda left: float(values[left].mean()), np.arange(50), serial=False
    )
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert freedom == 49


def test_an_auc_of_few_events_is_as_certain_as_few_numbers() -> None:
    """Four events among four hundred rows: by fifty groups alone, one interval in seven misses."""
    rng, event = np.random.default_rng(0), np.arange(400) < 4

    def auc(score: NDArray[np.float64], of: NDArray[np.bool_]) -> float:
        return float(np.searchsorted(np.sort(score[~of]), score[of]).mean() / (~of).sum())

    held = {None: 0, 3: 0}
    for _ in range(200):
        score = rng.normal(size=400) + event
        error, freedom = jackknife_error(
            lambda left, score=score: auc(score[left], event[left]),  # type: ignore[misc]
            np.arange(400), serial=False, kind=event,
        )  # fmt: skip
        assert freedom == 3
        for degrees in held:
            found = Estimate(value=auc(score, event), error=error, freedom=degrees or 49)
            low, high = found.interval(0.99) or (0.0, 0.0)
            held[degrees] += low <= stats.norm.cdf(1.0 / np.sqrt(2.0)) <= high
    assert held[None] < 0.9 * 200
    assert held[3] > 0.93 * 200


def test_too_few_blocks_give_no_error() -> None:
    for error, _ in (
        independent_error(np.array([0.0])),
        serial_error(np.zeros(3)),
        jackknife_error(lambda left: 0.0, np.array([1, 1, 2, 3]), serial=True),
    ):
        assert np.isnan(error)
        assert Estimate(value=1.0, error=error, freedom=0).interval(0.95) is None
        assert Estimate(value=1.0, error=error, freedom=0).p_value() is None


def test_intervals_end_where_the_metric_does() -> None:
    _, high = Estimate(value=0.9, error=0.2, freedom=3).interval(0.95, (0.0, 1.0)) or (0.0, 0.0)
    assert high == 1.0
    low, high = Estimate(value=100.0, error=60.0, freedom=3).interval(0.95, (0.0, math.inf)) or (
        0.0,
        0.0,
    )
    assert low == 0.0
    assert high == pytest.approx(100.0 + 60.0 * stats.t.ppf(0.975, 3))


def test_what_never_differs_has_a_p_value_of_one() -> None:
    same = Estimate(value=0.0, error=0.0, freedom=5)
    assert (same.p_value(), same.interval(0.95)) == (1.0, (0.0, 0.0))
    assert Estimate(value=1.0, error=0.0, freedom=5).p_value() == 0.0
