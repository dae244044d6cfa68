from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scoringrules

from loopcast.api import Evaluation, ForecastOutcome, Judged, Metric, take
from loopcast.develop.metrics import evaluate, in_full, known_of, loopcast_metrics, pinball

LEVELS = np.array([0.05, 0.5, 0.95])


def judged(seed: int = 0) -> Judged:
    """Two days of a series and of the total that the overall value is about."""
    rng = np.random.default_rng(seed)
    series = pd.Categorical(["a"] * 96 + ["total"] * 96)
    half_hour = np.tile(np.arange(96), 2)
    return Judged(
        keys=(series, pd.Categorical(half_hour)),
        block=half_hour // 48,
        overall=np.asarray(series == "total"),
        attributes={"hour": pd.Categorical(half_hour // 2 % 24), "series": series},
        outcomes={
            "x": ForecastOutcome(
                actual=rng.uniform(50, 60, 192),
                mean=rng.uniform(50, 60, 192),
                levels=LEVELS,
                quantiles=np.sort(rng.uniform(45, 65, (192, 3)), axis=1),
            )
        },
    )


def test_what_nobody_has_is_not_shown() -> None:
    mae, rmse = (next(m for m in loopcast_metrics() if m.name == name) for name in ("mae", "rmse"))
    own, other = (
        Evaluation(
            contender=name,
            dataset="a" * 64,
            protocol="p",
            metrics=(
                Metric(name="mae", value=None, count=1),
                Metric(name="rmse", value=value, count=1),
            ),
        )
        for name, value in (("own", None), ("other", 1.0))
    )
    assert known_of((mae, rmse), (own, other)) == (rmse,)
    assert known_of((mae, rmse), (own,)) == ()


def outcome_of(data: Judged) -> ForecastOutcome:
    outcome = data.outcomes["x"]
    assert isinstance(outcome, ForecastOutcome)
    return outcome


def measured(data: Judged) -> Evaluation:
    return evaluate(data, "x", loopcast_metrics(), dataset="0" * 64, protocol="p")


def test_overall_is_about_the_heads() -> None:
    data = judged()
    total = take(outcome_of(data), np.flatnonzero(data.overall))
    error = total.actual - total.mean
    found = measured(data)
    assert found.value("rmse") == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found.value("mae") == pytest.approx(np.mean(np.abs(error)))
    assert found.value("mape") == pytest.approx(np.mean(np.abs(error) / total.actual) * 100)
    assert found.value("rmse", "series=total") == found.value("rmse")
    assert found.value("rmse", "series=a") != found.value("rmse")


def test_who_was_judged_by_one_metric_is_measured_by_all_as_at_first() -> None:
    data, metrics = judged(), loopcast_metrics()
    one = evaluate(data, "x", metrics[:1], dataset="0" * 64, protocol="p", by=())
    assert [(m.name, m.subset) for m in one.metrics] == [("mape", "")]
    assert in_full(data, [one], metrics, one.dataset) == (measured(data),)


def test_pinball_is_the_reference_one() -> None:
    outcome = outcome_of(judged(3))
    reference = np.mean(
        [
            scoringrules.quantile_score(outcome.actual, outcome.quantiles[:, k], level)
            for k, level in enumerate(LEVELS)
        ],
        axis=0,
    )
    np.testing.assert_allclose(pinball(outcome), reference)


def test_coverage_is_the_share_between_the_outermost_quantiles() -> None:
    data = judged(5)
    total = take(outcome_of(data), np.flatnonzero(data.overall))
    inside = (total.actual >= total.quantiles[:, 0]) & (total.actual <= total.quantiles[:, 2])
    assert measured(data).value("coverage") == pytest.approx(inside.mean())


def test_subsets_by_hour_partition_the_heads() -> None:
    found = measured(judged())
    hours = [m for m in found.metrics if m.name == "mae" and m.subset.startswith("hour=")]
    assert len(hours) == 24
    assert sum(m.count for m in hours) == 96
    mean = np.average([m.value or 0.0 for m in hours], weights=[m.count for m in hours])
    assert mean == pytest.approx(found.value("mae"))


def test_a_percentage_of_zero_is_undefined_rather_than_left_out() -> None:
    data = judged()
    outcome_of(data).actual[100] = 0.0
    found = measured(data)
    assert found.value("mape") is None
    assert found.value("mape", "series=a") is not None
