"""Drift: on real data it is found where it is, and unchanged data raises no alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loopcast.api import Drift, DriftThresholds, IntegrityError, npz_bytes, read_npz
from loopcast.monitor.drift import Measured, Window, drifts, exceeded, limits_of, measure
from loopcast.monitor.reference import (
    Reference,
    design_of,
    fit_reference,
    read_reference,
    reference_bytes,
)
from loopcast.monitor.sketch import sketch

WINE = Path(__file__).resolve().parents[3] / "../shared/data/wine_quality/wine_quality.csv.gz"
WINDOW = Window(
    logical_model="wine",
    segment="",
    version="0" * 16,
    start=datetime(2026, 1, 1, tzinfo=UTC),
    end=datetime(2026, 2, 1, tzinfo=UTC),
)
LIMITS = limits_of(DriftThresholds())


@pytest.fixture(scope="module")
def wines() -> pd.DataFrame:
    """Distinct wines: 1,177 rows are exact duplicates of others."""
    if not WINE.exists():
        pytest.skip("the wine data is not here: see tests/framework/monitor/test_drift.py")
    frame = pd.read_csv(WINE).drop_duplicates(ignore_index=True)
    assert len(frame) == 6_497 - 1_177
    return frame


@pytest.fixture(scope="module")
def strong(wines: pd.DataFrame) -> pd.DataFrame:
    """Wines of 11 % and more; those of exactly 11 % are among them."""
    return wines[wines["alcohol"] >= 11].reset_index(drop=True)


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): values.to_numpy() for name, values in frame.drop(columns="quality").items()}


def of(frame: pd.DataFrame, seed: int = 0) -> Reference:
    return fit_reference(columns(frame), {"quality": frame["quality"].to_numpy()}, seed=seed)


def measured(reference: Reference, frame: pd.DataFrame) -> Measured:
    rows = columns(frame) | {"output.quality": frame["quality"].to_numpy()}
    return measure(reference, sketch(rows, reference.bins))


def ks_exceeded(found: Measured) -> np.ndarray[Any, Any]:
    """Whether the first input's distribution has moved, by group."""
    return exceeded(found, 0, "ks", LIMITS)


class TestWine:
    def test_weaker_wines_are_other_wines(self, wines: pd.DataFrame, strong: pd.DataFrame) -> None:
        found = measured(of(strong), wines[wines["alcohol"] < 11])
        place = found.names.index("alcohol")
        assert found.ks[0, place] == found.outside[0, place] == 1.0
        records = [d for d in drifts(found, [WINDOW], LIMITS) if d.exceeded]
        subjects = {(d.of, d.subject) for d in records}
        assert {("input", "alcohol"), ("input", "density"), ("output", "quality")} <= subjects
        assert found.characteristic[0, place] < -0.1 or np.isnan(found.characteristic[0, place])

    def test_statistics_are_those_of_scipy(self, wines: pd.DataFrame, strong: pd.DataFrame) -> None:
        weak = wines[wines["alcohol"] < 11]
        found = measured(of(strong), weak)
        for place, name in enumerate(found.names[:-1]):
            if name in strong and pd.api.types.is_numeric_dtype(strong[name]):
                exact = stats.ks_2samp(strong[name], weak[name], method="asymp").statistic
                assert found.ks[0, place] - 1e-12 <= exact <= found.ks_high[0, place] + 1e-12
                assert found.ks_high[0, place] - found.ks[0, place] < 0.05
                distance = stats.wasserstein_distance(strong[name], weak[name])
                scaled = distance / strong[name].std(ddof=0)
                assert found.wasserstein[0, place] == pytest.approx(scaled, rel=0.03)

    def test_halves_of_the_same_wines_raise_no_alarm(self, strong: pd.DataFrame) -> None:
        alarms = 0
        for seed in range(40):
            mixed = strong.sample(frac=1.0, random_state=seed)
            half = len(mixed) // 2
            found = measured(of(mixed[:half]), mixed[half:])
            alarms += any(d.exceeded for d in drifts(found, [WINDOW], LIMITS))
        assert alarms == 0

    def test_the_p_values_alone_hold_their_rate(self, strong: pd.DataFrame) -> None:
        tests = significant = 0
        for seed in range(40):
            mixed = strong.sample(frac=1.0, random_state=seed)
            half = len(mixed) // 2
            found = measured(of(mixed[:half]), mixed[half:])
            p_values = np.stack([found.p_ks, found.p_chi2, found.p_missing, found.p_outside])
            tests += 1
            significant += bool((p_values <= 0.05).any())
        assert significant / tests <= 0.15, "the rate of reports with any false alarm, 0.05 at most"


class TestTimeSeries:
    def weather(self, seed: int, days: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        noise = np.random.default_rng(seed)
        day = np.repeat(noise.normal(20.0, 5.0, days), 48)
        clock = np.tile(4.0 * np.sin(np.arange(48) / 48 * 2 * np.pi), days)
        return day + clock + noise.normal(0.0, 0.5, len(day)), np.repeat(np.arange(days), 48)

    def test_weather_that_repeats_itself_within_a_day_raises_few_alarms(self) -> None:
        """A month of 1,440 half-hours is worth about thirty independent values."""
        aware = unaware = 0
        for seed in range(60):
            values, block = self.weather(seed, 365)
            recent, recent_block = self.weather(1_000 + seed, 30)
            reference = fit_reference({"t": values}, {}, block.astype(np.int64))
            days = sketch({"t": recent}, reference.bins, group=recent_block, groups=30)
            whole = days.pooled()
            design = design_of(reference.bins, reference.sketch, days)
            aware += bool(ks_exceeded(measure(reference, whole, design)).any())
            blind = fit_reference({"t": values}, {})
            unaware += bool(ks_exceeded(measure(blind, whole)).any())
        assert aware <= 1
        assert unaware >= 8, "without the design effect, one month in six is a false alarm"

    def test_a_single_day_is_no_drift_of_a_year(self) -> None:
        values, block = self.weather(0, 365)
        reference = fit_reference({"t": values}, {}, block.astype(np.int64))
        alarms = 0
        for seed in range(40):
            day = sketch({"t": self.weather(2_000 + seed, 1)[0]}, reference.bins)
            design = np.maximum(design_of(reference.bins, reference.sketch, day), reference.design)
            found = measure(reference, day, design)
            alarms += bool(ks_exceeded(found).any())
        assert alarms <= 1

    def test_a_warmer_climate_is_found_all_the_same(self) -> None:
        values, block = self.weather(0, 365)
        reference = fit_reference({"t": values}, {}, block.astype(np.int64))
        recent, recent_block = self.weather(1, 60)
        days = sketch({"t": recent + 6.0}, reference.bins, group=recent_block, groups=60)
        design = design_of(reference.bins, reference.sketch, days)
        assert ks_exceeded(measure(reference, days.pooled(), design)).all()


class TestRecords:
    def test_large_data_needs_a_difference_that_matters(self) -> None:
        noise = np.random.default_rng(0)
        reference = fit_reference({"x": noise.normal(size=200_000)}, {})
        recent = sketch({"x": noise.normal(0.03, 1.0, 200_000)}, reference.bins)
        [record] = [
            d for d in drifts(measure(reference, recent), [WINDOW], LIMITS) if d.measure == "ks"
        ]
        assert record.p_value is not None
        assert record.p_value < 1e-9
        assert not record.exceeded

    def test_small_data_needs_more_than_chance(self) -> None:
        noise = np.random.default_rng(0)
        reference = fit_reference({"x": noise.normal(size=5_000)}, {})
        recent = sketch({"x": noise.normal(size=12)}, reference.bins)
        [record] = [
            d for d in drifts(measure(reference, recent), [WINDOW], LIMITS) if d.measure == "ks"
        ]
        assert record.value > record.threshold
        assert not record.exceeded

    def test_categories_missing_and_strange_values(self) -> None:
        noise = np.random.default_rng(0)
        towns = noise.choice(["a", "b"], 3_000)
        reference = fit_reference({"town": towns, "x": noise.normal(size=3_000)}, {})
        recent = {"town": noise.choice(["a", "c"], 500), "x": noise.normal(size=500)}
        recent["x"][:100] = np.nan
        found = drifts(measure(reference, sketch(recent, reference.bins)), [WINDOW], LIMITS)
        assert {(d.subject, d.measure) for d in found if d.exceeded} == {
            ("town", "jensen_shannon"),
            ("town", "outside"),
            ("x", "missing"),
        }

    def test_groups_are_measured_each_by_itself(self) -> None:
        noise = np.random.default_rng(0)
        reference = fit_reference({"x": noise.normal(size=3_000)}, {})
        values = np.concatenate([noise.normal(size=500), noise.normal(2.0, 1.0, 500)])
        recent = sketch({"x": values}, reference.bins, group=np.arange(1_000) // 500, groups=2)
        found = measure(reference, recent)
        assert ks_exceeded(found).tolist() == [False, True]
        windows = [WINDOW, WINDOW]
        assert [d.exceeded for d in drifts(found, windows, LIMITS) if d.measure == "ks"] == [
            False,
            True,
        ]

    def test_a_record_needs_size_and_significance(self) -> None:
        plain: dict[str, Any] = {
            "logical_model": "wine", "segment": "", "version": "0" * 16, "of": "input",
            "subject": "x", "measure": "ks", "threshold": 0.1,
            "start": WINDOW.start, "end": WINDOW.start + timedelta(days=1),
        }  # fmt: skip
        assert Drift(value=0.2, p_value=0.001, **plain).exceeded
        assert not Drift(value=0.2, p_value=0.02, **plain).exceeded
        assert not Drift(value=0.05, p_value=0.001, **plain).exceeded
        assert Drift(value=0.2, **plain).exceeded


class TestReference:
    def test_comes_back_from_the_bundle(self, strong: pd.DataFrame) -> None:
        reference = of(strong)
        again = read_reference(reference_bytes(reference))
        one, two = measured(reference, strong[:500]), measured(again, strong[:500])
        assert np.array_equal(one.ks, two.ks, equal_nan=True)
        assert np.array_equal(one.characteristic, two.characteristic, equal_nan=True)
        assert reference_bytes(again) == reference_bytes(reference)
        assert len(reference.sample["alcohol"]) == 1_000

    def test_a_part_that_is_missing_is_named(self, strong: pd.DataFrame) -> None:
        arrays = read_npz(reference_bytes(of(strong)))
        del arrays["design"]
        with pytest.raises(IntegrityError, match="no array 'design'; train the version again"):
            read_reference(npz_bytes(arrays))

    def test_the_characteristic_is_the_move_of_the_mean_output(self) -> None:
        noise = np.random.default_rng(0)
        x = noise.integers(0, 5, 20_000).astype(float)
        reference = fit_reference({"x": x}, {"points": 10.0 * x})
        recent = sketch({"x": x + 1.0, "output.points": 10.0 * x + 10.0}, reference.bins)
        moved = sketch({"x": np.minimum(x + 1.0, 4.0), "output.points": x}, reference.bins)
        assert measure(reference, moved).characteristic[0, 0] == pytest.approx(8.0, abs=0.3)
        assert np.isfinite(measure(reference, recent).characteristic[0, 0])
