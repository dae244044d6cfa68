from __future__ import annotations

import pandas as pd
import pytest

from loopcast.api import DataError, InvalidRecordError
from loopcast.develop.forecast.stamps import moments

from ..conftest import forecast_table

BERLIN = "Europe/Berlin"
YEAR = pd.date_range("2024-01-01", "2025-01-01", freq="15min", tz=BERLIN, inclusive="left")
OCTOBER = YEAR[(YEAR.month == 10) & (YEAR.day == 27)]
GERMAN = "%d.%m.%Y %H:%M"


def found(stamps: object, *, regions: object = "north", **names: str) -> list[pd.Timestamp]:
    table = pd.DataFrame({"stamp": stamps, "region": regions})
    return moments("load.csv", table, forecast_table(**names)).tolist()


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M%z"])
def test_offsets_of_summer_and_winter(form: str) -> None:
    assert found(YEAR.strftime(form)) == YEAR.tolist()


def test_local_clocks_over_both_changes() -> None:
    assert found(YEAR.strftime(GERMAN), time_format=GERMAN, timezone=BERLIN) == YEAR.tolist()
    assert found(YEAR.tz_localize(None), timezone=BERLIN) == YEAR.tolist()
    assert found(YEAR, timezone="Asia/Tokyo") == YEAR.tolist()  # which have a zone of their own


def test_each_series_has_its_own_repeated_hour() -> None:
    """One after the other, and side by side."""
    local = OCTOBER.tz_localize(None)
    regions = ["north"] * len(local) + ["south"] * len(local)
    assert found(local.append(local), regions=regions, timezone=BERLIN) == OCTOBER.tolist() * 2
    beside = local.repeat(2)
    assert found(beside, regions=["north", "south"] * len(local), timezone=BERLIN) == (
        OCTOBER.repeat(2).tolist()
    )


@pytest.mark.parametrize("step", [1, 4])
def test_which_of_two_times_was_first_needs_an_order(step: int) -> None:
    backwards = OCTOBER[::-step].tz_localize(None)
    with pytest.raises(DataError) as caught:
        found(backwards, timezone=BERLIN)
    assert "comes twice, for clocks go back then, and rows are not in the order" in str(
        caught.value
    )
    by_clock = OCTOBER.tz_localize(None).sort_values()
    with pytest.raises(DataError, match="comes twice"):
        found(by_clock, timezone=BERLIN)


def test_an_hour_that_was_written_once_is_the_first() -> None:
    once = OCTOBER.tz_localize(None).unique()
    assert found(once, timezone=BERLIN) == [*OCTOBER[:12], *OCTOBER[16:]]


def test_an_hour_that_no_clock_showed_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        found(["2024-03-31 01:45", "2024-03-31 02:15"], timezone=BERLIN)
    assert str(caught.value) == (
        "load.csv: column 'stamp': 2024-03-31 02:15:00 in row 2 does not exist in Europe/Berlin, "
        "whose clocks go forward then; expected the zone of the clock in data.table.timezone"
    )


def test_one_stamp_without_a_zone_among_others_is_refused() -> None:
    mixed = ["2024-03-31T01:45+01:00", "2024-07-01T02:15+02:00", "2024-07-01T02:30"]
    with pytest.raises(DataError, match=r"no zone \(the first in row 3: 2024-07-01T02:30\)"):
        found(mixed, timezone=BERLIN)


def test_another_form_than_was_named_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        found(["31.03.2024 01:45", "2024-03-31 03:15"], time_format=GERMAN, timezone=BERLIN)
    assert str(caught.value) == (
        "load.csv: column 'stamp': '2024-03-31 03:15' in row 2 is not a time stamp; expected "
        "data.table.time_format='%d.%m.%Y %H:%M'"
    )


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="timezone 'Europe/Berlln' is no IANA zone name"):
        forecast_table(timezone="Europe/Berlln")
