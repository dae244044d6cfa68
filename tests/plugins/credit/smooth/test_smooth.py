from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from loopcast_credit.bins.bins import Bins, CategoryBins, NumericBins
from loopcast_credit.smooth import fit as fitting
from loopcast_credit.smooth.design import Design
from loopcast_credit.smooth.evidence import shared_evidence, weight_of_evidence
from loopcast_credit.smooth.fit import fit_bins
from loopcast_credit.smooth.pack import packed
from loopcast_credit.smooth.penalty import LEAST, MOST, START, penalties

BINS: list[Bins] = [
    NumericBins(name="x", cuts=(1.0, 2.0, 3.0)),
    CategoryBins(name="c", groups=(("a",), ("b",))),
]


def drawn(rows: int, seed: int = 0) -> Design:
    random = np.random.default_rng(seed)
    codes = tuple(random.integers(0, size, rows).astype(np.uint8) for size in (5, 4))
    offset = random.normal(0.0, 0.5, rows)
    log_odds = offset - 1.0 + 0.7 * codes[0] - 0.5 * codes[1]
    event = (random.random(rows) < 1.0 / (1.0 + np.exp(-log_odds))).astype(float)
    return Design(codes, (5, 4), event, random.uniform(0.5, 2.0, rows), offset)


def indicators(design: Design) -> NDArray[np.float64]:
    """The matrix that the design stands for."""
    columns = [np.ones((len(design.event), 1))]
    columns += [np.eye(size)[codes] for codes, size in zip(design.codes, design.sizes, strict=True)]
    return np.hstack(columns)


@given(
    sizes=st.lists(st.integers(1, 14), min_size=1, max_size=6),
    rows=st.sampled_from([1, 60, 5000]),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_packed_sums_are_products_with_the_indicator_matrix(
    sizes: list[int], rows: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    codes = tuple(random.integers(0, size, rows).astype(np.uint8) for size in sizes)
    event, weight, offset = random.integers(0, 2, rows), random.random(rows), random.random(rows)
    design = Design(codes, tuple(sizes), event.astype(np.float64), weight, offset)
    x = indicators(design)
    beta: NDArray[np.float64] = random.normal(size=(x.shape[1],))
    np.testing.assert_allclose(design.sums(weight), x.T @ weight, rtol=1e-10)
    np.testing.assert_allclose(design.curvature(weight), (x.T * weight) @ x, rtol=1e-10)
    np.testing.assert_allclose(design.log_odds(beta), offset + x @ beta, rtol=1e-9, atol=1e-12)


def test_the_more_rows_the_more_characteristics_are_packed() -> None:
    few, many = (packed((np.zeros(rows, np.uint8),) * 4, (13,) * 4) for rows in (1000, 50_000))
    assert [pack.cells for pack in few] == [13] * 4
    assert [pack.cells for pack in many] == [169] * 2


def test_coefficients_maximise_the_penalised_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "TUNED", 0)
    design, parts = drawn(400), penalties(BINS)
    x = indicators(design)
    penalty = parts.total(np.full(len(parts.ranks), START))

    def loss(beta: NDArray[np.float64]) -> float:
        log_odds = design.offset + x @ beta
        gain = design.weight @ (design.event * log_odds - np.logaddexp(0.0, log_odds))
        return float(0.5 * beta @ penalty @ beta - gain)

    start = np.zeros(x.shape[1])
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(fit_bins(design, parts).beta, best.x, atol=fitting.CLOSE)


def test_a_curvature_anew_leads_to_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    design, parts = drawn(400), penalties(BINS)
    once = fit_bins(design, parts).beta
    monkeypatch.setattr(fitting, "PATIENCE", 1)
    np.testing.assert_allclose(fit_bins(design, parts).beta, once, atol=fitting.CLOSE)


@given(seed=st.integers(0, 99), slope=st.sampled_from([0.0, 0.3, 3.0]))
@settings(deadline=None, max_examples=20)
def test_slopes_and_penalties_are_even_where_the_fit_ends(seed: int, slope: float) -> None:
    random = np.random.default_rng(seed)
    codes = tuple(random.integers(0, size, 600).astype(np.uint8) for size in (5, 4))
    log_odds = slope * (codes[0] - 2.0) + random.normal(size=600)
    event = (log_odds > np.quantile(log_odds, 0.7)).astype(float)
    design = Design(codes, (5, 4), event, random.uniform(0.5, 2.0, 600), random.normal(size=600))
    parts = penalties(BINS)
    beta = fit_bins(design, parts).beta
    uphill = design.sums(design.weight * (event - 1.0 / (1.0 + np.exp(-design.log_odds(beta)))))
    downhill = parts.total(np.ones(len(parts.ranks))) @ beta
    assert abs(uphill[0]) < 1e-4
    for penalty in range(len(parts.ranks)):
        own = np.flatnonzero(parts.owner[1:] == penalty) + 1
        strength = uphill[own] @ downhill[own] / (downhill[own] @ downhill[own])
        assert LEAST * 0.999 < strength < MOST * 1.001
        np.testing.assert_allclose(uphill[own], strength * downhill[own], atol=1e-4)


def test_noise_is_flattened_and_a_signal_is_kept() -> None:
    random = np.random.default_rng(3)
    codes = tuple(random.integers(0, 5, 20_000).astype(np.uint8) for _ in range(2))
    truth = np.array([-1.0, -0.5, 0.0, 0.5, 0.0])
    event = (random.random(20_000) < 1.0 / (1.0 + np.exp(1.0 - truth[codes[0]]))).astype(float)
    design = Design(codes, (5, 5), event, np.ones(20_000), np.zeros(20_000))
    bins: list[Bins] = [
        NumericBins(name=name, cuts=(1.0, 2.0, 3.0)) for name in ("signal", "noise")
    ]
    beta = fit_bins(design, penalties(bins)).beta
    signal, noise = beta[1:6], beta[6:]
    np.testing.assert_allclose(signal - signal[2], truth, atol=0.12)
    assert np.ptp(noise[:4]) < 0.1


@pytest.mark.parametrize("times", [1, 3])
def test_what_is_said_several_times_counts_once(times: int) -> None:
    random = np.random.default_rng(5)
    said = random.integers(0, 4, 5000).astype(np.uint8)
    event = (random.random(5000) < 0.1 + 0.2 * said).astype(float)
    design = Design((said,) * times, (4,) * times, event, np.ones(5000), np.zeros(5000))
    beta, log_odds = shared_evidence(design)
    np.testing.assert_allclose(beta[1:], weight_of_evidence(design)[1:] / times, rtol=0.05)
    np.testing.assert_allclose(log_odds, design.log_odds(beta), atol=1e-12)


@pytest.mark.parametrize(("rows", "weight"), [(3_000, 1.0), (300, 1e9), (300, 1e-9)])
def test_a_hundred_columns_that_know_the_outcome_leave_a_finite_fit(
    rows: int, weight: float
) -> None:
    event = np.zeros(rows)
    event[:3] = 1.0
    design = Design(
        (event.astype(np.uint8),) * 100, (3,) * 100, event, np.full(rows, weight), np.zeros(rows)
    )
    assert np.isfinite(shared_evidence(design)[1]).all()
    bins: list[Bins] = [NumericBins(name=f"x{at}", cuts=(1.0,)) for at in range(100)]
    log_odds = design.log_odds(fit_bins(design, penalties(bins)).beta)
    assert np.isfinite(log_odds).all()
    assert log_odds[:3].min() > log_odds[3:].max()


def test_a_perfect_separation_stays_finite() -> None:
    two = np.array([0, 1], np.uint8)
    codes = (np.repeat(two, 100), np.tile(two, 100))
    event = np.repeat([0.0, 1.0], 100)
    design = Design(codes, (5, 4), event, np.ones(200), np.zeros(200))
    assert np.abs(fit_bins(design, penalties(BINS)).beta).max() < 20.0
