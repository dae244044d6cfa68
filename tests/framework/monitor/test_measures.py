"""Measures from counts, against SciPy on the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from loopcast.develop.stability import stability
from loopcast.monitor import measures
from loopcast.monitor.bins import MISSING, Bins, fit_bins
from loopcast.monitor.measures import Pair, pair
from loopcast.monitor.sketch import Sketch, sketch

Array = NDArray[np.float64]

DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda noise, n: noise.normal(size=n),
    "lognormal": lambda noise, n: noise.lognormal(1.0, 1.5, n),
    "zeros": lambda noise, n: np.where(noise.random(n) < 0.6, 0.0, noise.exponential(size=n)),
    "counts": lambda noise, n: noise.poisson(4.0, n).astype(float),
}


def compared(reference: Any, recent: Any) -> tuple[Pair, Bins]:
    bins = fit_bins({"x": reference})
    return pair(bins, sketch({"x": reference}, bins), sketch({"x": recent}, bins)), bins


@pytest.fixture(params=DISTRIBUTIONS)
def values(request: pytest.FixtureRequest) -> tuple[Array, Array]:
    noise = np.random.default_rng(1)
    draw = DISTRIBUTIONS[request.param]
    whole = request.param == "counts"
    return draw(noise, 5_000), _scaled(draw(noise, 3_000), whole=whole)


def _scaled(values: Array, *, whole: bool) -> Array:
    return np.floor(1.25 * values) if whole else 1.25 * values


class TestKolmogorovSmirnov:
    def test_the_exact_statistic_lies_between_its_bounds(self, values: tuple[Array, Array]) -> None:
        both, _ = compared(*values)
        least, greatest, p_value = (found.item() for found in measures.kolmogorov_smirnov(both))
        exact = stats.ks_2samp(*values, method="asymp")
        assert least <= exact.statistic <= greatest + 1e-12
        assert greatest - least < 0.02
        assert p_value >= exact.pvalue / 3, "fewer differences are seen, hardly more"

    def test_few_distinct_values_are_counted_exactly(self) -> None:
        noise = np.random.default_rng(2)
        one, two = noise.poisson(3.0, 2_000).astype(float), noise.poisson(3.3, 900).astype(float)
        two = two[two <= one.max()]
        both, _ = compared(one, two)
        least, *_ = measures.kolmogorov_smirnov(both)
        assert least.item() == pytest.approx(stats.ks_2samp(one, two).statistic, abs=1e-12)

    @given(
        st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300),
        st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300),
    )
    def test_bounds_hold_for_any_values(self, one: list[float], two: list[float]) -> None:
        both, _ = compared(np.array(one), np.array(two))
        least, greatest, _ = measures.kolmogorov_smirnov(both)
        points = np.concatenate([one, two])
        exact = np.abs(
            np.searchsorted(np.sort(one), points, side="right") / len(one)
            - np.searchsorted(np.sort(two), points, side="right") / len(two)
        ).max()
        assert least.item() - 1e-12 <= exact <= greatest.item() + 1e-12


def test_wasserstein_is_close_to_the_exact_distance(values: tuple[Array, Array]) -> None:
    both, _ = compared(*values)
    exact = stats.wasserstein_distance(*values) / values[0].std()
    assert measures.wasserstein(both).item() == pytest.approx(exact, rel=0.07, abs=0.01)


def test_moments_are_exact(values: tuple[Array, Array]) -> None:
    both, bins = compared(*values)
    assert measures.mean(both.recent, bins.centres).item() == pytest.approx(values[1].mean())
    assert measures.deviation(both.recent).item() == pytest.approx(values[1].std())


class TestParts:
    def test_tenths_of_the_reference(self) -> None:
        noise = np.random.default_rng(3)
        both, _ = compared(noise.normal(size=60_000), noise.normal(size=100))
        reference, recent = measures.parts(both)
        assert reference[0, 0, :10].tolist() == pytest.approx([6_000] * 10, abs=1)
        assert recent.sum() == 100

    def test_index_and_distance_by_their_formulas(self) -> None:
        p, q = np.array([[50.0, 30.0, 20.0]]), np.array([[20.0, 30.0, 50.0]])
        plain = sum((b - a) * np.log(b / a) for a, b in zip(p[0] / 100, q[0] / 100, strict=True))
        assert stability(p * 1e6, q * 1e6).item() == pytest.approx(plain, rel=1e-5)
        expected = jensenshannon(p[0], q[0], base=2)
        assert measures.jensen_shannon(p, q).item() == pytest.approx(expected)

    def test_nothing_recent_is_no_distance(self) -> None:
        both, _ = compared(np.arange(100.0), np.array([]))
        reference, recent = measures.parts(both)
        assert measures.jensen_shannon(reference, recent).item() == 0.0
        assert measures.chi_squared(reference, recent, both)[1].item() == 1.0
        assert measures.kolmogorov_smirnov(both)[2].item() == 1.0


def test_chi_squared_is_scipys() -> None:
    noise = np.random.default_rng(4)
    one, two = noise.choice(list("abcd"), 900), noise.choice(list("aabcd"), 700)
    bins = fit_bins({"x": one})
    both = pair(bins, sketch({"x": one}, bins), sketch({"x": two}, bins))
    statistic, p_value = measures.chi_squared(*measures.parts(both), both)
    table = [[(sample == name).sum() for name in "abcd"] for sample in (one, two)]
    exact = stats.chi2_contingency(np.array(table), correction=False)
    assert statistic.item() == pytest.approx(exact.statistic)
    assert p_value.item() == pytest.approx(exact.pvalue)


def test_small_parts_are_joined_with_their_neighbours() -> None:
    """Fifteen independent rows see a number that has moved by two deviations, and no other."""
    noise = np.random.default_rng(8)
    reference, stays = noise.normal(size=4_000), noise.normal(size=(200, 15))
    bins = fit_bins({"x": reference})
    p_values = []
    for shift in (0.0, 2.0):
        group = np.repeat(np.arange(200), 15)
        recent = sketch({"x": stays.ravel() + shift}, bins, group=group, groups=200)
        both = pair(bins, sketch({"x": reference}, bins), recent)
        statistic, found = measures.chi_squared(*measures.parts(both), both)
        p_values.append(found[:, 0])
        assert np.isfinite(statistic).all()
    assert (p_values[0] <= 0.05).mean() == pytest.approx(0.05, abs=0.04)
    assert (p_values[1] <= 0.01).mean() > 0.95


def test_shares_of_missing_and_strange_values() -> None:
    reference = {"x": np.arange(1_000.0), "town": ["a", "b"] * 500}
    recent = {
        "x": np.array([-1.0, 5.0, 1_000.0, np.nan] * 100),
        "town": ["a", "c", None, "b"] * 100,
    }
    bins = fit_bins(reference)
    both = pair(bins, sketch(reference, bins), sketch(recent, bins))
    assert measures.missing(both.recent).tolist() == [[0.25, 0.25]]
    assert measures.outside(both.recent, both.edges)[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert measures.outside(both.reference, both.edges).tolist() == [[0.0, 0.0]]
    growth, p_value = measures.proportions(both.sizes, np.full((1, 2), 0.1), np.full((1, 2), 0.25))
    assert growth[0].tolist() == pytest.approx([0.15, 0.15])
    table = np.array([[100, 900], [75, 225]])
    assert p_value[0, 0] == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


class TestProportions:
    @pytest.mark.parametrize(
        ("known", "recent", "such"), [(1_000, 3, 1), (1_000, 40, 4), (50, 7, 7)]
    )
    def test_of_rare_events_it_is_exact(self, known: int, recent: int, such: int) -> None:
        """Chi-squared has 1e-74 for one of three rows where the training had none of a thousand."""
        sizes = np.array([[float(known)]]), np.array([[float(recent)]])
        _, p_value = measures.proportions(sizes, np.zeros((1, 1)), np.array([[such / recent]]))
        share = recent / (known + recent)
        exact = stats.binomtest(such, such, share, alternative="greater").pvalue
        assert p_value.item() == pytest.approx(min(2.0 * exact, 1.0))
        fisher = stats.fisher_exact(
            np.array([[such, recent - such], [0, known]]), alternative="greater"
        )
        assert p_value.item() >= fisher.pvalue

    def test_a_column_that_is_missing_altogether_is_found(self) -> None:
        values = {"x": np.arange(200.0), "y": np.arange(200.0)}
        bins = fit_bins(values)
        lost = {"x": np.full(50, np.nan), "y": np.arange(50.0)}
        once = sketch(lost, bins)
        recent = Sketch(counts=4 * once.counts, squares=16 * once.squares, moments=once.moments)
        assert recent.size_of_all.tolist() == [[50.0, 50.0]], "weighed rows are worth no more"
        both = pair(bins, sketch(values, bins), recent)
        shares = measures.missing(both.reference), measures.missing(both.recent)
        growth, p_value = measures.proportions(both.all_sizes, *shares)
        assert growth.tolist() == [[1.0, 0.0]]
        assert p_value[0, 0] < 1e-20
        assert p_value[0, 1] == 1.0

    def test_nothing_on_one_side_is_no_evidence(self) -> None:
        sizes = np.array([[0.0, 10.0]]), np.array([[10.0, 0.0]])
        _, p_value = measures.proportions(sizes, np.zeros((1, 2)), np.array([[1.0, 0.0]]))
        assert p_value.tolist() == [[1.0, 1.0]]


def test_missing_counts_apart() -> None:
    bins = fit_bins({"x": np.arange(10.0)})
    found = sketch({"x": np.array([1.0, np.nan, np.inf, -np.inf])}, bins)
    assert found.counts[0, 0, MISSING] == 3
