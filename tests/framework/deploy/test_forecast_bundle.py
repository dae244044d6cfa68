from __future__ import annotations

import msgspec
import numpy as np

from loopcast.api import ForecastSchema
from loopcast.deploy.forecast_bundle import pack, unpack

from ..develop.conftest import make_course, make_panel, train
from ..develop.contenders import LastWeek


def test_columns_keep_their_order(schema: ForecastSchema) -> None:
    """Errors and intervals belong to series by position, whatever the aggregates are called."""
    groups = {"south_coast": ("north", "south"), "all": ("south_coast", "west")}
    named = msgspec.structs.replace(schema, aggregates=groups)
    panel = make_panel(named, days=90)
    course = make_course(named, LastWeek())
    trained = train(course, panel)
    files = pack(trained, course, panel)
    served = unpack(files, LastWeek(), lambda name: LastWeek())
    hierarchy = served.preparation.hierarchy
    assert hierarchy.series == ("north", "south", "west", "south_coast", "all")
    assert hierarchy == trained.contest.preparation.hierarchy
    np.testing.assert_array_equal(served.errors, trained.contest.errors)
