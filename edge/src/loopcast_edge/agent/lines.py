"""What a line says, and whom it concerns: measurements all, a request or an outcome some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.serving import Line, Request, Serving
from loopcast_edge.wire import WireError


class Times(NamedTuple):
    """Milliseconds since 1970-01-01 in UTC.

    Attributes
    ----------
    now
        The present: that of the last line where a file is replayed.
    clock
        What the device's clock shows.
    """

    now: int
    clock: int


def taken(
    line: Mapping[str, Any], servings: Sequence[Serving], readings: Readings, times: Times
) -> list[Line]:
    """Take a line as ``Agent.measured`` describes it, and return the predictions.

    Raises
    ------
    WireError
        If it says nothing that can be kept.
    """
    values = dict(line)
    time_s = values.pop("time", times.now) / 1000
    keyed = values.pop("key", None)
    if keyed is None:
        readings.write(time_s, values, times.clock / 1000)
        answers = [each.measured(time_s, values, times.now) for each in servings]
    elif not isinstance(keyed, str):
        raise WireError(f"key {keyed!r:.40}: expected a text")
    elif "outcome" in values:
        _came_true(keyed, values, servings, times.now)
        return []
    else:
        asked = [each for each in servings if each.reads(values)]
        if not asked:
            raise WireError(f"request {keyed!r:.40}: no model here reads any of its values")
        answers = [each.requested(Request(keyed, values), time_s, times.now) for each in asked]
    return [prediction for each in answers for prediction in each]


def _came_true(
    keyed: str, line: Mapping[str, Any], servings: Sequence[Serving], now_ms: int
) -> None:
    for each in servings:
        name, segment = each.subject.logical_model, each.subject.segment
        if line.get("model", name) == name and line.get("segment", segment) == segment:
            each.outcome(keyed, line["outcome"], now_ms)
