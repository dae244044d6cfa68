from __future__ import annotations

import pytest
from msgspec.structs import replace

from loopcast_edge.wire import Measurement, Recipe
from loopcast_edge.wire.recipe import AnyStep, Calendar, Chosen, Lag, Number, Window

from .examples import RECIPE


def recipe(*steps: AnyStep, features: tuple[str, ...]) -> Recipe:
    load = Measurement(name="load")
    return Recipe(step_seconds=1800, measurements=(load,), steps=steps, features=features)


def test_a_step_of_several_columns_may_be_named_as_a_whole_or_in_part() -> None:
    window, hour = Window(name="last", of="load", count=3), Calendar(name="hour", of="hour")
    whole = recipe(window, hour, features=("hour", "last"))
    assert whole.columns == ("hour", "last.0", "last.1", "last.2")
    assert recipe(window, features=("last.2",)).columns == ("last.2",)


def test_items_are_columns() -> None:
    basket = Measurement(name="basket", kind="items")
    made = Recipe(
        step_seconds=60,
        measurements=(basket,),
        steps=(Chosen(name="in", of="basket", known=("tea", "pot")),),
        features=("in",),
    )
    assert made.columns == ("in.0", "in.1")


@pytest.mark.parametrize(
    ("steps", "features", "message"),
    [
        ([Number(name="now", of="lod")], ("now",), "step now: 'lod' is neither measured nor made"),
        (
            [Lag(name="a", of="b", intervals=1), Number(name="b", of="load")],
            ("a",),
            "step a: 'b' is neither",
        ),
        ([Number(name="a", of="load")] * 2, ("a",), "two columns are named 'a'"),
        ([Number(name="a", of="load")], ("load",), "features: 'load' is neither"),
        (
            [
                Window(name="a", of="load", count=2),
                Number(name="a.1", of="load"),
            ],
            ("a",),
            "two columns are named 'a.1'",
        ),
    ],
)
def test_a_step_is_made_from_what_is_there(
    steps: list[AnyStep], features: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(*steps, features=features)


def test_a_target_is_measured_and_holidays_are_in_order() -> None:
    with pytest.raises(ValueError, match="target: 'hour'"):
        replace(RECIPE, target="hour")
    with pytest.raises(ValueError, match="holidays are not sorted"):
        replace(RECIPE, holidays=(3, 2))
    with pytest.raises(ValueError, match=r"minimum 2.0 is above 1.0"):
        Measurement(name="a", minimum=2.0, maximum=1.0)
