from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scoringrules

from loopcast.api import Evaluation, ForecastOutcome
from loopcast.develop.metrics import Scored, evaluate, loopcast_metrics, pinball

LEVELS = np.array([0.05, 0.5, 0.95])


def scored(seed: int = 0) -> Scored:
    rng = np.random.default_rng(seed)
    times = pd.date_range("2014-03-01", periods=96, freq="30min", tz="Australia/Melbourne")
    frame = pd.DataFrame(
        {
            "series": ["a"] * 96 + ["total"] * 96,
            "time": times.append(times),
            "day_type": ["weekend"] * 192,
            "actual": rng.uniform(50, 60, 192),
            "mean": rng.uniform(50, 60, 192),
        }
    )
    quantiles = np.sort(rng.uniform(45, 65, (192, 3)), axis=1)
    return Scored(frame=frame, quantiles=quantiles, levels=LEVELS)


def measured(data: Scored) -> Evaluation:
    return evaluate(
        data, loopcast_metrics(), heads=("total",), contender="x", dataset="0" * 64, protocol="p"
    )


def test_overall_is_about_the_heads() -> None:
    data = scored()
    total = data.frame[data.frame["series"] == "total"]
    error = (total["actual"] - total["mean"]).to_numpy()
    found = measured(data)
    assert found.value("rmse") == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found.value("mae") == pytest.approx(np.mean(np.abs(error)))
    assert found.value("mape") == pytest.approx(np.mean(np.abs(error) / total["actual"]) * 100)
    assert found.value("rmse", "series=total") == found.value("rmse")
    assert found.value("rmse", "series=a") != found.value("rmse")


def test_pinball_is_the_reference_one() -> None:
    data = scored(3)
    actual = data.frame["actual"].to_numpy()
    outcome = ForecastOutcome(
        actual=actual,
        mean=data.frame["mean"].to_numpy(),
        levels=LEVELS,
        quantiles=data.quantiles,
    )
    reference = np.mean(
        [
            scoringrules.quantile_score(actual, data.quantiles[:, k], level)
            for k, level in enumerate(LEVELS)
        ],
        axis=0,
    )
    np.testing.assert_allclose(pinball(outcome), reference)


def test_coverage_is_the_share_between_the_outermost_quantiles() -> None:
    data = scored(5)
    total = (data.frame["series"] == "total").to_numpy()
    actual = data.frame["actual"].to_numpy()[total]
    inside = (actual >= data.quantiles[total, 0]) & (actual <= data.quantiles[total, 2])
    assert measured(data).value("coverage") == pytest.approx(inside.mean())


def test_subsets_by_hour_and_day_type_partition_the_heads() -> None:
    found = measured(scored())
    hours = [m for m in found.metrics if m.name == "mae" and m.subset.startswith("hour=")]
    assert len(hours) == 24
    assert sum(m.count for m in hours) == 96
    mean = np.average([m.value or 0.0 for m in hours], weights=[m.count for m in hours])
    assert mean == pytest.approx(found.value("mae"))


def test_a_percentage_of_zero_is_undefined_rather_than_left_out() -> None:
    data = scored()
    data.frame.loc[100, "actual"] = 0.0
    found = measured(data)
    assert found.value("mape") is None
    assert found.value("mape", "series=a") is not None
