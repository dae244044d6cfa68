from __future__ import annotations

import numpy as np
import pytest

from loopcast.api import DataError
from loopcast_forecasting.features import holidays
from loopcast_forecasting.features.clock import Dates


def dates(first: str, last: str) -> Dates:
    return np.arange(np.datetime64(first), np.datetime64(last) + np.timedelta64(1, "D"))


def test_states_differ() -> None:
    cup_day = dates("2014-11-04", "2014-11-04")
    assert holidays.by_calendar(cup_day, "AU-VIC").tolist() == [True]
    assert holidays.by_calendar(cup_day, "AU-NSW").tolist() == [False]


def test_a_country_without_subdivision_and_no_place() -> None:
    bastille = dates("2014-07-13", "2014-07-15")
    assert holidays.by_calendar(bastille, "FR").tolist() == [False, True, False]
    assert not holidays.by_calendar(bastille, "").any()


def test_years_are_joined() -> None:
    turn = dates("2013-12-31", "2014-01-01")
    assert holidays.by_calendar(turn, "AU-VIC").tolist() == [False, True]


@pytest.mark.parametrize("place", ["XX", "AU-XYZ"])
def test_an_unknown_place_is_named(place: str) -> None:
    with pytest.raises(DataError, match=place):
        holidays.by_calendar(dates("2014-01-01", "2014-01-02"), place)


def test_days_around_a_holiday_look_beyond_both_ends() -> None:
    # 1 January 2014 was a holiday, and Boxing Day of 2013 too.
    span = dates("2013-12-27", "2013-12-31")
    before, after = holidays.around(span, holidays.by_calendar(span, "AU-VIC"), "AU-VIC")
    assert before.tolist() == [False, False, False, False, True]
    assert after.tolist() == [True, False, False, False, False]


def test_holidays_in_a_row_are_not_around_each_other() -> None:
    span = dates("2013-12-24", "2013-12-27")
    flags = np.array([False, True, True, False])
    before, after = holidays.around(span, flags, "")
    assert before.tolist() == [True, False, False, False]
    assert after.tolist() == [False, False, False, True]


def test_a_day_is_what_most_of_it_is() -> None:
    # A flag in standard time begins an hour late on the wall clock of summer.
    day = np.repeat([0, 1], 48)
    flags = np.zeros(96)
    flags[2:50] = 1
    assert holidays.by_majority(day, flags).tolist() == [True, False]
