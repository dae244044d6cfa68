"""Recipes: how raw measurements and a moment become the features of a model on a device.

The records are those of the wire protocol, so that a plugin needs no other package to say them.
"""

from loopcast_edge.wire import Measurement, Recipe
from loopcast_edge.wire.recipe import (
    Between,
    Calendar,
    Category,
    Chosen,
    Clip,
    DaysFrom,
    Lag,
    Log,
    Missing,
    Number,
    PreviousDay,
    Product,
    Scale,
    Smoothed,
    Trend,
    Window,
)

__all__ = [
    "Between",
    "Calendar",
    "Category",
    "Chosen",
    "Clip",
    "DaysFrom",
    "Lag",
    "Log",
    "Measurement",
    "Missing",
    "Number",
    "PreviousDay",
    "Product",
    "Recipe",
    "Scale",
    "Smoothed",
    "Trend",
    "Window",
]
