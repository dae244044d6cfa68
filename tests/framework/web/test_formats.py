"""Numbers and times as people read them."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.web import formats
from loopcast.web.formats import NBSP


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (20962.4, None, "20,962"),
        (5.3472, None, "5.347"),
        (0.01234, None, "0.01234"),
        (-1234.5, 1, "−1,234.5"),
        (-0.0001, 2, "0.00"),
        (0.0, None, "0"),
        (None, 2, "–"),
        (math.nan, 2, "–"),
        (math.inf, 2, "–"),
    ],
)
def test_numbers_have_separators_a_true_minus_and_sensible_digits(
    value: float | None, places: int | None, expected: str
) -> None:
    assert formats.number(value, places) == expected


@given(st.floats(min_value=1e-3, max_value=1e7))
def test_a_number_keeps_three_digits_of_its_value(value: float) -> None:
    shown = float(formats.number(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=1e-3, abs=0.5 if value >= 1000 else 0)


def test_a_column_has_the_decimals_of_its_largest_value() -> None:
    assert formats.decimals([0.0397, 0.1322, None, math.nan]) == 4
    assert formats.decimals([20962.0, 991.5]) == 0


def test_an_interval_does_not_break_and_has_one_unit() -> None:
    text = formats.interval(5.136, 5.558, "GW", 2)
    assert text.replace("\N{WORD JOINER}", "") == f"5.14–5.56{NBSP}GW"
    assert formats.interval(-3.0, 4.0, "MW", 0) == f"−3 to 4{NBSP}MW"


def test_shares_are_shown_in_percent() -> None:
    assert formats.percent(0.8742) == f"87.4{NBSP}%"
    assert formats.percent(None) == "–"


def test_times_are_local_and_name_their_zone() -> None:
    time = pd.Timestamp("2014-12-10 17:30", tz="Australia/Melbourne")
    assert formats.moment(time) == f"Wed 10 December 2014, 17:30{NBSP}AEDT"
    assert formats.zone(time) == "Australia/Melbourne (AEDT, UTC+11:00)"
    west = pd.Timestamp("2024-01-05", tz="America/St_Johns")
    assert formats.zone(west) == "America/St_Johns (NST, UTC−03:30)"


def test_large_energies_move_up_a_prefix() -> None:
    factor, unit = formats.readable_unit(2.5e9, "kWh")
    assert factor == pytest.approx(1e-6)
    assert unit == "GWh"
    assert formats.readable_unit(99_999, "MW") == (1.0, "MW")


def test_unknown_steps_are_named_by_their_length() -> None:
    assert formats.step_noun("5min") == "interval of 5min"
    assert formats.step_adjective("30min") == "half-hourly"
