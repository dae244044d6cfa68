from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec import structs

from loopcast.api import DataError, ForecastSchema, Site, Step
from loopcast.develop.forecast.horizon import horizon_end, latest_origin
from loopcast.develop.forecast.prepare import (
    Prepared,
    covariates_through,
    dataset_record,
    prepare_forecast,
)
from loopcast.settings import ForecastTable

from ..conftest import forecast_table

Change = Callable[[pd.DataFrame], pd.DataFrame]


def prepare(
    table: pd.DataFrame, schema: ForecastSchema, settings: ForecastTable | None = None
) -> Prepared:
    return prepare_forecast(table, settings or forecast_table(), schema, "demand.csv")


def test_a_long_table_becomes_a_local_panel(table: pd.DataFrame, schema: ForecastSchema) -> None:
    data = prepare(table, schema).data
    assert data.series == ("north", "south", "west")
    assert str(data.times.tz) == "Australia/Melbourne"
    assert len(data.target) == 5 * 48 - 2  # clocks go forward on the third day
    stamp = data.times[17]
    row = table[(table["stamp"] == stamp) & (table["region"] == "south")]
    assert data.target.loc[stamp, "south"] == row["demand"].item()


def test_row_order_does_not_matter(table: pd.DataFrame, schema: ForecastSchema) -> None:
    shuffled = table.sample(frac=1.0, random_state=3)
    expected, found = prepare(table, schema).data, prepare(shuffled, schema).data
    pd.testing.assert_frame_equal(found.target, expected.target)


def bad_target(table: pd.DataFrame, value: object) -> pd.DataFrame:
    column = table["demand"].astype(object)
    column.iloc[4] = value
    return table.assign(demand=column)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.rename(columns={"demand": "demnad"}),
            "demand.csv: no column 'demand'; did you mean 'demnad'? "
            "(columns: stamp, region, demnad, temp, hol)",
        ),
        (lambda t: t.iloc[:0], "demand.csv: no rows; expected one for each 30min step"),
        (
            lambda t: pd.concat([t, t.iloc[[3, 4]]], ignore_index=True),
            "demand.csv: duplicate time stamps (2), the first at 2014-10-02 15:30:00+00:00 for "
            "series north (row 859); expected one row for each time and series",
        ),
        (
            lambda t: t.drop(index=[10, 11]),
            "demand.csv: column 'demand': missing values (2), the first at "
            "2014-10-03 05:00:00+10:00 for series north; expected a value for each 30min step, "
            "or data.table.gaps=impute to fill them in",
        ),
        (
            lambda t: bad_target(t, "many"),
            "demand.csv: column 'demand' is not numeric: 'many' in row 5 (rows like it: 1); "
            "expected finite numbers",
        ),
        (
            lambda t: bad_target(t, -3.0),
            "demand.csv: column 'demand': negative values (1), the first -3 at "
            "2014-10-02 16:00:00+00:00 (row 5); expected MW of at least 0, or "
            "logical_model.schema.negative=true",
        ),
        (
            lambda t: bad_target(t, float("inf")),
            "demand.csv: column 'demand' is not numeric: inf in row 5 (rows like it: 1); "
            "expected finite numbers",
        ),
        (
            lambda t: t[t["region"] != "west"],
            "demand.csv: no data for series west; found north, south",
        ),
        (
            lambda t: t.assign(region=t["region"].replace("west", "east")),
            "demand.csv: unknown series 'east'; the schema has north, south, west",
        ),
        (
            lambda t: t.assign(temp=t["temp"].mask(t.index == 7, 99.0)),
            "demand.csv: column 'temp': values out of bounds (1), the first 99 at "
            "2014-10-02 17:30:00+00:00 (row 8); expected °C between -20 and 60",
        ),
        (
            lambda t: t.assign(hol=t["hol"].mask(t.index == 7, 2)),
            "demand.csv: column 'hol': values out of bounds (1), the first 2 at "
            "2014-10-02 17:30:00+00:00 (row 8); expected 0 or 1",
        ),
        (
            lambda t: t.assign(stamp=t["stamp"].dt.tz_localize(None)),
            "demand.csv: column 'stamp': time stamps have no zone (the first in row 1: "
            "2014-10-02 14:00:00); expected UTC or an offset, such as 2014-12-31T13:00:00Z, or the "
            "zone of their clock in data.table.timezone",
        ),
        (
            lambda t: t.assign(stamp=t["stamp"].astype(str).mask(t.index == 2, "yesterday")),
            "demand.csv: column 'stamp': 'yesterday' in row 3 is not a time stamp; expected "
            "ISO 8601 with a zone, such as 2014-12-31T13:00:00Z, or its form in "
            "data.table.time_format, as '%d.%m.%Y %H:%M'",
        ),
        (
            lambda t: t.assign(stamp=t["stamp"].mask(t.index == 2)),
            "demand.csv: column 'stamp': missing time stamps (1), the first in row 3",
        ),
        (
            lambda t: t.assign(
                stamp=t["stamp"].mask(t.index == 2, t["stamp"][2] + pd.Timedelta("7min"))
            ),
            "demand.csv: time stamps off the 30min grid that begins at "
            "2014-10-02 14:00:00+00:00 (1), the first 2014-10-02 15:07:00+00:00",
        ),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(
    table: pd.DataFrame, schema: ForecastSchema, change: Change, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        prepare(change(table), schema)
    assert str(caught.value) == message


def test_gaps_are_imputed_only_when_asked_and_counted(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    gaps = table.drop(index=[10, 11])
    prepared = prepare(gaps, schema, forecast_table(gaps="impute"))
    assert prepared.filled is not None
    assert list(zip(*np.nonzero(prepared.filled.to_numpy()), strict=True)) == [(10, 0), (11, 0)]
    filled = prepared.data.target["north"].iloc[9:13].to_numpy()
    np.testing.assert_allclose(np.diff(filled), (filled[3] - filled[0]) / 3)


def test_a_whole_row_that_is_missing_in_every_series_is_a_gap(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    stamp = table["stamp"].iloc[20]
    with pytest.raises(DataError, match=r"missing values \(3\), the first at 2014-10-03 10:00"):
        prepare(table[table["stamp"] != stamp], schema)


def test_a_site_takes_its_weather_from_any_of_its_series(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    expected = prepare(table, schema).data.covariates["temperature"]["city"]
    lost = table.assign(temp=table["temp"].mask(table.index == 30))
    found = prepare(lost, schema).data.covariates["temperature"]["city"]
    south = table.loc[table["region"].eq("south"), "temp"].iloc[30]
    assert found.iloc[30] == south
    pd.testing.assert_series_equal(found.drop(found.index[30]), expected.drop(expected.index[30]))


def test_what_cannot_be_imputed_may_stay_missing(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    silent = table["region"].eq("west") | table.index.isin(range(100, 140))
    holes = table.assign(demand=table["demand"].mask(silent))
    prepared = prepare(holes, schema, forecast_table(gaps="tolerate"))
    target = prepared.data.target
    assert target["west"].isna().all()
    assert target["north"].isna().sum() == 40  # no week before or after has the same time
    assert target["south"].notna().all()
    assert prepared.filled is None
    with pytest.raises(DataError, match="no data for series west; found north, south, west"):
        prepare(holes, schema, forecast_table(gaps="impute"))


def test_single_precision_stays_single(table: pd.DataFrame, schema: ForecastSchema) -> None:
    single = table.assign(demand=table["demand"].astype(np.float32))
    data = prepare(single, schema).data
    assert (data.target.dtypes == np.float32).all()
    np.testing.assert_allclose(data.target, prepare(table, schema).data.target, rtol=1e-6)


def test_a_row_without_a_series_is_refused(table: pd.DataFrame, schema: ForecastSchema) -> None:
    nameless = table.assign(region=table["region"].mask(table.index == 3))
    with pytest.raises(
        DataError, match=r"column 'region': no series is named \(1\), the first time in"
    ):
        prepare(nameless, schema)


@pytest.mark.parametrize(("rows", "where"), [([30], "in the past"), ([245], "over the horizon")])
def test_missing_covariates_are_refused(
    table: pd.DataFrame, schema: ForecastSchema, rows: list[int], where: str
) -> None:
    lost = table["stamp"].isin(table["stamp"].iloc[rows]) & table["region"].ne("west")
    data = prepare(table.assign(temp=table["temp"].mask(lost)), schema).data
    end = horizon_end(data.times[-1].normalize() + pd.DateOffset(days=1), "1D")
    stamp = table["stamp"].iloc[rows[0]].tz_convert("Australia/Melbourne")
    with pytest.raises(DataError) as caught:
        covariates_through(data, end, "demand.csv", forecast_table())
    assert str(caught.value) == (
        f"demand.csv: column 'temp': no value of temperature {where} (1 missing), the first at "
        f"{stamp} for site city; a forecast needs one for each step until {end}"
    )


def test_a_horizon_beyond_the_covariates_is_refused(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    data = prepare(table, schema).data
    end = horizon_end(latest_origin(data), "1D")
    beyond = end + pd.DateOffset(days=1)
    with pytest.raises(DataError, match=r"48 missing|96 missing") as caught:
        covariates_through(data, beyond, "demand.csv", forecast_table())
    assert f"over the horizon (96 missing), the first at {end}" in str(caught.value)


def test_days_follow_the_local_calendar(schema: ForecastSchema) -> None:
    """Midnights over both changes of the clocks are no multiple of 24 hours apart."""
    daily = structs.replace(
        schema,
        step="1D",
        resolutions=("1D",),
        aggregates={},
        series={"north": "city"},
        covariates={},
    )
    days = pd.date_range("2014-03-01", "2014-11-30", freq="D", tz="Australia/Melbourne")
    table = pd.DataFrame({"stamp": days, "region": "north", "demand": np.arange(float(len(days)))})
    names = forecast_table(covariates={})
    data = prepare(table, daily, names).data
    assert data.times.equals(days.rename("time"))
    assert data.target["north"].tolist() == table["demand"].tolist()
    starts = forecast_table(covariates={}, time=None, start="2014-02-28T13:00:00Z")
    assert prepare(table, daily, starts).data.times.equals(days.rename("time"))

    at_one = table.assign(stamp=days + pd.Timedelta("1h"))
    with pytest.raises(DataError, match="time stamps off the 1D grid that begins at 2014-03-01 00"):
        prepare(at_one, daily, names)


def test_what_is_off_the_grid_at_the_end_is_refused_too(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    last = table["stamp"].ge(table.loc[table["demand"].notna(), "stamp"].max())
    moved = table.assign(stamp=table["stamp"].mask(last, table["stamp"] + pd.Timedelta("1min")))
    with pytest.raises(DataError, match="time stamps off the 30min grid"):
        prepare(moved, schema)


def test_each_local_day_begins_with_a_step(schema: ForecastSchema) -> None:
    """Every sixth hour of UTC is no midnight in Melbourne."""
    coarse = structs.replace(
        schema,
        step="6h",
        resolutions=("6h",),
        aggregates={},
        series={"north": "city"},
        covariates={},
    )
    stamps = pd.date_range("2014-05-01", periods=40, freq="6h", tz="UTC")
    table = pd.DataFrame({"stamp": stamps, "region": "north", "demand": 1.0})
    with pytest.raises(DataError) as caught:
        prepare(table, coarse, forecast_table(covariates={}))
    assert str(caught.value) == (
        "demand.csv: 10 local midnights are off the 6h grid that begins at 2014-05-01 "
        "00:00:00+00:00, the first 2014-05-02 00:00:00+10:00; expected a step at "
        "the beginning of each day in Australia/Melbourne"
    )


def test_since_and_until_are_local_dates(table: pd.DataFrame, schema: ForecastSchema) -> None:
    data = prepare(table, schema, forecast_table(since="2014-10-04", until="2014-10-06")).data
    assert data.times[0] == pd.Timestamp("2014-10-04", tz="Australia/Melbourne")
    assert data.times[-1] == pd.Timestamp("2014-10-05 23:30", tz="Australia/Melbourne")


def test_a_table_without_times_starts_where_it_is_told(schema: ForecastSchema) -> None:
    one = ForecastSchema(
        unit="MW", step="30min", timezone="Australia/Melbourne",
        sites={"city": Site(timezone="Australia/Melbourne")}, series={"north": "city"},
    )  # fmt: skip
    table = pd.DataFrame({"demand": np.arange(4.0)})
    settings = forecast_table(time=None, series=None, start="2013-12-31T14:00:00Z", covariates={})
    data = prepare(table, one, settings).data
    assert data.times[0].isoformat() == "2014-01-01T01:00:00+11:00"
    assert data.target["north"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_the_fingerprint_is_of_the_content(
    table: pd.DataFrame, schema: ForecastSchema, tmp_path: Path
) -> None:
    def fingerprint(frame: pd.DataFrame) -> str:
        data = prepare(frame, schema).data
        return dataset_record("demo", data, "x").fingerprint

    first = fingerprint(table)
    table.to_csv(tmp_path / "t.csv", index=False)
    assert fingerprint(pd.read_csv(tmp_path / "t.csv")) == first
    changed = table.assign(demand=table["demand"].mask(table.index == 0, 1.0))
    assert fingerprint(changed) != first
    warmer = table.assign(temp=table["temp"].mask(table.index == 0, 1.0))
    assert fingerprint(warmer) != first


def test_the_fingerprint_tells_what_was_measured_from_what_was_filled_in(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    gappy = prepare(table.drop(index=[10, 11]), schema, forecast_table(gaps="impute"))
    filled = dataset_record("demo", gappy.data, "x", gappy.filled)
    measured = dataset_record("demo", gappy.data, "x")
    assert (filled.imputed, measured.imputed) == (2, 0)
    assert filled.fingerprint != measured.fingerprint


def test_the_fingerprint_leaves_the_horizon_out(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    data = prepare(table, schema).data
    shorter = replace(
        data, covariates={k: v.loc[: data.times[-1]] for k, v in data.covariates.items()}
    )
    assert (
        dataset_record("demo", data, "x").fingerprint
        == dataset_record("demo", shorter, "x").fingerprint
    )


def test_categories_and_small_integers_are_read_alike(
    table: pd.DataFrame, schema: ForecastSchema
) -> None:
    expected = prepare(table, schema).data
    backwards = pd.CategoricalDtype(["unused", "west", "south", "north"])
    compact = table.assign(
        region=table["region"].astype(backwards), hol=table["hol"].astype("int8")
    )
    found = prepare(compact.sample(frac=1.0, random_state=1), schema).data
    pd.testing.assert_frame_equal(found.target, expected.target)
    for name, frame in expected.covariates.items():
        pd.testing.assert_frame_equal(found.covariates[name], frame)


@pytest.mark.parametrize("step", ["1D", "1h"])
@pytest.mark.parametrize(("days", "refused"), [(20, False), (32, True), (60, True)])
def test_a_day_without_a_midnight_is_refused(step: Step, days: int, *, refused: bool) -> None:
    """Clocks of Santiago went from 23:59 to 1:00 that night; a horizon may reach it."""
    zone = "America/Santiago"
    schema = ForecastSchema(
        unit="MW", step=step, timezone=zone, sites={"city": Site(timezone=zone)}
    )  # fmt: skip
    start = pd.Timestamp("2023-08-01", tz=zone).tz_convert("UTC")
    times = pd.date_range(start, start + pd.Timedelta(days=days - 1), freq=pd.Timedelta(step))
    table = pd.DataFrame({"stamp": times, "demand": 1.0})
    settings = forecast_table(series=None, covariates={})
    fixed = structs.replace(schema, timezone="Etc/GMT+4")
    assert len(prepare(table, fixed, settings).data.target) == len(times)
    if refused:
        with pytest.raises(DataError, match="Santiago skip midnight on 2023-09-03, where a day"):
            prepare(table, schema, settings)
    else:
        assert len(prepare(table, schema, settings).data.target) == len(times)
