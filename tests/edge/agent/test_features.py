"""Features against pandas, which computes them another way."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.features import Features
from loopcast_edge.agent.readings import Raw, Readings
from loopcast_edge.agent.steps import MAKERS
from loopcast_edge.wire import Measurement, Recipe, recipe

HALF_HOUR = 1800
START = int(pd.Timestamp("2024-09-20", tz="UTC").timestamp()) // HALF_HOUR


def made(
    steps: tuple[Any, ...],
    values: dict[int, Raw],
    last: int,
    measurement: Measurement | None = None,
    **fields: Any,
) -> dict[str, float]:
    """The columns of the row of one interval, where `x` was measured in some intervals."""
    what = measurement or Measurement(name="x", required=False)
    names = tuple(step.name for step in steps)
    plan = Recipe(
        **{"step_seconds": HALF_HOUR, **fields}, measurements=(what,), steps=steps, features=names
    )
    readings = Readings()
    features = Features(plan, readings)
    for interval, value in sorted(values.items()):
        readings.write(interval * plan.step_seconds + 1.0, {"x": value})
    row = features.row(last)
    assert row.features.dtype == np.float32
    return dict(zip(plan.columns, map(float, row.features[0]), strict=True))


@pytest.fixture
def series() -> pd.Series[float]:
    """Three weeks of half-hours over the beginning of daylight saving in Melbourne, with gaps."""
    random = np.random.default_rng(5)
    values = random.normal(20, 5, size=48 * 21)
    values[random.random(len(values)) < 0.1] = np.nan
    index = pd.to_datetime((START + np.arange(len(values))) * HALF_HOUR, unit="s", utc=True)
    return pd.Series(values, index=index)


def measured(series: pd.Series[float], until: int) -> dict[int, Raw]:
    return {
        START + n: float(value)
        for n, value in enumerate(series.to_numpy()[: until + 1])
        if not math.isnan(value)
    }


@pytest.mark.parametrize("place", [0, 5, 400, 800, 1007])
def test_the_past_of_a_measurement(series: pd.Series[float], place: int) -> None:
    steps = (
        recipe.Smoothed(name="fast", of="x", hours=4.0),
        recipe.Smoothed(name="slow", of="x", hours=48.0),
        recipe.Lag(name="lag", of="x", intervals=48),
        recipe.Lag(name="slow_before", of="slow", intervals=3),
        recipe.Window(name="window", of="x", count=4, skip=2),
        recipe.PreviousDay(name="lowest", of="x", statistic="minimum"),
        recipe.PreviousDay(name="mean", of="x", statistic="mean"),
    )
    found = made(steps, measured(series, place), START + place, zone="Australia/Melbourne")

    def smoothed(hours: float) -> pd.Series[float]:
        return series.ewm(alpha=-math.expm1(-0.5 / hours), adjust=True).mean()

    local = pd.DatetimeIndex(series.index).tz_convert("Australia/Melbourne")
    known = series[: place + 1]
    days = known.groupby(local.date[: place + 1]).agg(["min", "mean"])
    day = max(len(days) - 2, 0)
    lags = {f"window.{n}": series.shift(6 - n).iloc[place] for n in range(4)}
    expected = {
        "fast": smoothed(4.0).iloc[place],
        "slow": smoothed(48.0).iloc[place],
        "lag": series.shift(48).iloc[place],
        "slow_before": smoothed(48.0).shift(3).iloc[place],
        **lags,
        "lowest": days["min"].iloc[day],
        "mean": days["mean"].iloc[day],
    }
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-10-05T15:30Z",
        "2024-10-05T16:00Z",
        "2024-04-06T15:30Z",
        "2024-12-25T13:00Z",
        "2023-02-28T23:30Z",
        "2024-06-30T02:00Z",
    ],
)
def test_the_calendar(stamp: str) -> None:
    local = pd.Timestamp(stamp).tz_convert("Australia/Melbourne")
    interval = int(pd.Timestamp(stamp).timestamp()) // HALF_HOUR
    christmas = (pd.Timestamp("2024-12-26") - pd.Timestamp(0)).days
    whats = get_args(recipe.Clock)
    steps = tuple(recipe.Calendar(name=what, of=what) for what in whats)
    found = made(
        (*steps, recipe.DaysFrom(name="days", month=12, day=25)),
        {},
        interval,
        zone="Australia/Melbourne",
        holidays=(christmas,),
    )
    hour = local.hour + local.minute / 60
    saving = local.utcoffset() == pd.Timedelta("11h")
    boxing_day = local.date() == pd.Timestamp("2024-12-26").date()
    last = pd.Timestamp(local.year - (local.month < 12 or local.day < 25), 12, 25)
    since = (local.tz_localize(None).normalize() - last).days
    length = 366 if local.is_leap_year else 365
    expected = {
        "hour": hour,
        "standard_hour": (hour - saving) % 24,
        "daylight_saving": float(saving),
        "day_of_year": (local.day_of_year - 1 + hour / 24) / length,
        "weekday": local.weekday(),
        "holiday": float(boxing_day),
        "day_type": 6 if boxing_day else local.weekday(),
        "day_before_holiday": float(local.date() == pd.Timestamp("2024-12-25").date()),
        "day_after_holiday": 0.0,
        "days": since if since < 180 else since - (366 if last.year == 2023 else 365),
    }
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_day_is_dated_by_its_middle() -> None:
    steps = (recipe.Calendar(name="weekday", of="weekday"),)
    day = int(pd.Timestamp("2024-10-07", tz="UTC").timestamp()) // 86_400
    found = made(steps, {}, day, zone="America/Los_Angeles", step_seconds=86_400)
    assert found["weekday"] == 0.0


def test_numbers() -> None:
    origin = (START - 48 * 365) * HALF_HOUR * 1000
    steps = (
        recipe.Number(name="number", of="x"),
        recipe.Number(name="filled", of="x", missing=-1.0),
        recipe.Missing(name="missing", of="x"),
        recipe.Scale(name="scaled", of="x", subtract=1.0, divide=2.0),
        recipe.Log(name="log", of="x", plus=1.0),
        recipe.Clip(name="clipped", of="x", lowest=0.0, highest=2.0),
        recipe.Between(name="between", of="x", lowest=3.0, highest=4.0),
        recipe.Product(name="product", of=("scaled", "clipped")),
        recipe.Trend(name="trend", origin=origin),
        recipe.Trend(name="damped", origin=origin, damping_years=2.0),
    )
    years = 365 / 365.25
    expected = {
        "number": 3.0,
        "filled": 3.0,
        "missing": 0.0,
        "scaled": 1.0,
        "log": math.log(4.0),
        "clipped": 2.0,
        "between": 1.0,
        "product": 2.0,
        "trend": years,
        "damped": 2.0 * (1 - math.exp(-years / 2.0)),
    }
    assert made(steps, {START: 3.0}, START) == pytest.approx(expected, rel=1e-6)
    gone = made(steps, {}, START)
    assert math.isnan(gone["number"])
    assert (gone["filled"], gone["missing"], gone["between"]) == (-1.0, 1.0, 0.0)
    assert math.isnan(made(steps, {START: -1.0}, START)["log"])


@pytest.mark.parametrize(
    ("value", "expected"), [("b", 1.0), ("never seen", 3.0), (None, 4.0), (7.0, 3.0)]
)
def test_an_unknown_category_has_a_place_of_its_own(value: Any, expected: float) -> None:
    what = Measurement(name="x", kind="category", required=False)
    steps = (recipe.Category(name="place", of="x", known=("a", "b", "c")),)
    values: dict[int, Raw] = {} if value is None else {START: value}
    assert made(steps, values, START, what)["place"] == expected


def test_chosen_items() -> None:
    what = Measurement(name="x", kind="items", required=False)
    steps = (recipe.Chosen(name="item", of="x", known=("a", "b", "c")),)
    found = made(steps, {START: ("c", "z", "a")}, START, what)
    assert list(found.values()) == [1.0, 0.0, 1.0]
    assert list(made(steps, {}, START, what).values()) == [0.0, 0.0, 0.0]


def test_bounds_and_age_of_readings() -> None:
    what = Measurement(name="x", minimum=0.0, maximum=10.0, oldest_seconds=2 * HALF_HOUR)
    plan = Recipe(
        step_seconds=HALF_HOUR,
        measurements=(what,),
        steps=(recipe.Number(name="n", of="x"),),
        features=("n",),
    )
    readings = Readings()
    features = Features(plan, readings)
    readings.write(START * HALF_HOUR + 60.0, {"x": 5.0})
    assert features.row(START).inputs == {"x": 5.0}
    assert features.row(START + 1).features.tolist() == [[5.0]], "it is not too old yet"
    assert features.row(START + 2).missing == ("x",)
    readings.write((START + 3) * HALF_HOUR + 60.0, {"x": 11.0})
    assert features.row(START + 3).inputs == {"x": None}, "it is out of bounds"


def test_readings_survive_the_process_and_clock_steps() -> None:
    readings = Readings()
    for size in (3, 10):
        readings.keep(HALF_HOUR, "x", size)
        readings.keep(HALF_HOUR, "list", size)
    for n in range(12):
        readings.write((START + n) * HALF_HOUR, {"x": float(n), "list": ("a", str(n))})
    readings.write(START * HALF_HOUR, {"x": 99.0})  # the clock went back for a moment
    again = Readings()
    again.keep(HALF_HOUR, "x", 10)
    again.restore(readings.dump())
    for name in ("x", "list"):
        kept, times = again.read(HALF_HOUR, name, START + 11, 10)
        before, _ = readings.read(HALF_HOUR, name, START + 11, 10)
        assert list(kept) == list(before)
        assert times[-1] == (START + 11) * HALF_HOUR
    assert list(again.read(HALF_HOUR, "x", START + 11, 2)[0]) == [10.0, 11.0]


def test_each_step_of_the_protocol_is_made() -> None:
    steps = {each for each in recipe.Step.__subclasses__() if not each.__name__.startswith("_")}
    for private in recipe.Step.__subclasses__():
        steps |= set(private.__subclasses__())
    assert {each for each in steps if not each.__name__.startswith("_")} == set(MAKERS)


def test_an_unknown_zone_is_said() -> None:
    with pytest.raises(ModelError, match="Mars/Olympus"):
        made((recipe.Calendar(name="hour", of="hour"),), {}, START, zone="Mars/Olympus")
