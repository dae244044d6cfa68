"""What shadows forecast beside the champion of a logical model without a family."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import Template, VersionId
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.forecast_bundle import unpack
from loopcast.deploy.lookup import look_up
from loopcast.serve.batch import forecast
from loopcast.serve.outputs import forecast_events
from loopcast.serve.shadow import Heard, listen

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.develop.forecast.course import ForecastCourse
    from loopcast.develop.forecast.dataset import KnownForecast
    from loopcast.store.home import Home


def shadow_events(
    course: ForecastCourse,
    known: KnownForecast,
    home: Home,
    find: Callable[[str], Template[Any, Any]],
    made: datetime,
) -> Heard[pa.Table]:
    """Return the events of each shadow's forecast.

    Parameters
    ----------
    find
        Gives a template by its name.
    """

    def ask(name: VersionId) -> pa.Table:
        started, version = time.perf_counter(), home.catalog.version(name)
        served = unpack(
            read_bundle(home.artifacts, version.manifest).files, find(version.template), find
        )
        rules = course.logical_model.applicability
        batch = forecast(served, known.data, known.origin, course.reconciler, rules)
        latency = 1000.0 * (time.perf_counter() - started)
        return forecast_events(batch, version, "shadow", made, latency, data=known.data)

    return listen(look_up(home.catalog, course.logical_model.name).shadows, ask)
