from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData, ForecastSchema, InvalidRecordError
from loopcast.develop.forecast.panel import (
    at_step,
    bottom_members,
    interval_lengths,
    interval_starts,
    site_weights,
    with_aggregates,
)


def test_aggregates_of_aggregates_resolve_to_bottom_series(schema: ForecastSchema) -> None:
    assert bottom_members(schema, ("north", "south", "west")) == {
        "coast": ("north", "south"),
        "total": ("north", "south", "west"),
    }


def test_an_aggregate_of_nothing_is_refused() -> None:
    class Loose:
        aggregates = {"total": ("nowhere",)}

    with pytest.raises(InvalidRecordError, match="total > nowhere: nowhere is no series"):
        bottom_members(Loose(), ("north",))  # type: ignore[arg-type]


def test_an_aggregate_has_the_sum_and_the_weighted_weather(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    members = bottom_members(schema, panel.series)
    weights = site_weights(panel, members)
    full = with_aggregates(panel, members, weights)
    assert full.series == ("north", "south", "west", "coast", "total")
    np.testing.assert_allclose(full.target["total"], panel.target.sum(axis=1))
    size = panel.target.mean()
    share = (size["north"] + size["south"]) / size.sum()
    weather = panel.covariates["temperature"]
    np.testing.assert_allclose(
        full.covariates["temperature"][full.site_of["total"]],
        share * weather["city"] + (1 - share) * weather["desert"],
    )


@pytest.mark.parametrize(
    ("day", "half_hours"), [("2014-10-05", 46), ("2014-10-07", 48), ("2014-04-06", 50)]
)
def test_days_and_hours_on_clock_changes(day: str, half_hours: int) -> None:
    midnight = pd.Timestamp(day, tz="Australia/Melbourne")
    times = pd.date_range(
        midnight, midnight + pd.DateOffset(days=1), freq="30min", inclusive="left"
    )
    assert len(times) == half_hours
    assert set(interval_starts(times, "1D")) == {midnight}
    hours = interval_starts(times, "1h")
    assert (hours.value_counts() == 2).all()
    assert interval_lengths(pd.DatetimeIndex([midnight]), "30min", "1D").tolist() == [half_hours]


def test_an_aggregate_of_one_site_is_at_that_site(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    members = bottom_members(schema, panel.series)
    full = with_aggregates(panel, members, site_weights(panel, members))
    assert full.site_of["coast"] == "city"
    assert full.site_of["total"] == "total_sites"
    assert set(full.sites) == {"city", "desert", "total_sites"}


def test_what_is_missing_counts_as_zero_unless_all_is(
    panel: ForecastData, schema: ForecastSchema
) -> None:
    target = panel.target.astype(np.float32)
    target.iloc[10, 0] = np.nan
    target.iloc[20, :2] = np.nan
    members = bottom_members(schema, panel.series)
    holed = replace(panel, target=target)
    full = with_aggregates(holed, members, site_weights(holed, members)).target
    assert (full.dtypes == np.float32).all()
    assert full["coast"].iloc[10] == target["south"].iloc[10]
    assert np.isnan(full["coast"].iloc[20])
    assert full["total"].iloc[20] == target["west"].iloc[20]
    np.testing.assert_allclose(full["total"], target.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("how", ["mean", "sum"])
def test_a_coarser_panel_adds_up(panel: ForecastData, how: str) -> None:
    daily = at_step(panel, "1D", how)
    assert len(daily.target) == 90
    day = daily.times[70]
    rows = panel.target.loc[(panel.times >= day) & (panel.times < day + pd.DateOffset(days=1))]
    np.testing.assert_allclose(daily.target.loc[day], getattr(rows, how)())
    assert len(daily.covariates["temperature"]) == 91
    assert set(np.unique(daily.covariates["holiday"])) == {0.0}


def test_incomplete_intervals_are_left_out(panel: ForecastData) -> None:
    late = panel.times[5]
    cut = ForecastData(
        target=panel.target.loc[late:].iloc[:-3],
        covariates={k: v.loc[late:] for k, v in panel.covariates.items()},
        sites=panel.sites, site_of=panel.site_of, step="30min", timezone=panel.timezone,
    )  # fmt: skip
    assert len(at_step(cut, "1D", "mean").target) == 88


def test_rows_are_summed_in_parts_as_they_are_at_once(
    panel: ForecastData, schema: ForecastSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = bottom_members(schema, panel.series)
    weights = site_weights(panel, members)
    whole = with_aggregates(panel, members, weights)
    monkeypatch.setattr("loopcast.develop.forecast.panel.VALUES_AT_ONCE", 100)
    for name, found in site_weights(panel, members).items():
        assert found == pytest.approx(weights[name], rel=1e-12)
    pd.testing.assert_frame_equal(with_aggregates(panel, members, weights).target, whole.target)
