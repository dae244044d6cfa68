"""Predictions: by the model, else by the last good one, else by the profile.

Something always answers as long as there is a profile, and every answer says what it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Optional

import numpy as np

from loopcast_edge.agent import clock
from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.features import NOTHING, Row
from loopcast_edge.agent.learning import corrected
from loopcast_edge.agent.package import Loaded
from loopcast_edge.agent.runtime import Floats
from loopcast_edge.wire import Output, Profile

Action = Literal["served", "fallback", "refused"]
WEEK_S = 7 * 86_400
LARGEST = float(np.finfo(np.float32).max)  # to which runtimes cut what overflows


class Answer(NamedTuple):
    """What a package said of one interval.

    Attributes
    ----------
    outputs
        Shape (m,), as the manifest names them; ``None`` where nothing answered.
    state
        The model's next state, for a model that has one; :func:`_after_absurd` says what it is
        after an absurd answer.
    reason
        Why the model did not answer, or an empty text.
    """

    loaded: Loaded
    row: Row
    action: Action
    outputs: Optional[Floats]
    state: Optional[Floats]
    latency_us: int
    reason: str = ""


def ask(
    loaded: Loaded,
    interval: int,
    state: Optional[Floats] = None,
    own: Mapping[str, Any] = NOTHING,
) -> Answer:
    """Ask one package; its answer is refused where inputs or outputs are not as they should be.

    Parameters
    ----------
    interval
        Number of the interval of the recipe that the row is about.
    state
        The model's, shape (1, k), for a model that has one.
    own
        What a request says of itself.
    """
    started = time.perf_counter_ns()
    row = loaded.features.row(interval, own)
    reason = _lacking(loaded, row)
    outputs = following = None
    if not reason:
        try:
            found, following = loaded.model.predict(row.features, state)
            outputs = corrected(found[0], loaded.manifest, interval)
            reason = _implausible(outputs, loaded.manifest.outputs)
            if reason and state is not None:
                following, kept = _after_absurd(loaded, row.features, interval, state)
                reason = f"{reason}; its state {'is kept' if kept else 'begins anew'}"
        except ModelError as error:
            reason, following = str(error), None
    taken = (time.perf_counter_ns() - started) // 1000
    if reason:
        return Answer(loaded, row, "refused", None, following, taken, reason)
    return Answer(loaded, row, "served", outputs, following, taken)


def _after_absurd(
    loaded: Loaded, features: Floats, interval: int, state: Floats
) -> tuple[Optional[Floats], bool]:
    """Return the state to go on with after an absurd answer, and whether the former one is kept.

    Where a new device would have answered as absurdly, the row is to blame: the former state comes
    through this interval as through one in which nothing was measured. Otherwise the state is, and
    what made it so would stay in it for long: the model goes on as a new device.
    """
    manifest = loaded.manifest
    assert manifest.state is not None
    found, anew = loaded.model.predict(features, manifest.state.array())
    if not _implausible(corrected(found[0], manifest, interval), manifest.outputs):
        return anew, False
    unmeasured = np.where(loaded.features.measured, np.float32(np.nan), features)
    _, following = loaded.model.predict(unmeasured, state)
    return following, True


def fall_back(refused: Answer, last_good: Optional[Answer], interval: int) -> Answer:
    """Answer in place of a model that did not: by the last good one, or by the profile."""
    if last_good is not None and last_good.outputs is not None:
        return last_good._replace(action="fallback", reason=refused.reason)
    for answer in filter(None, (refused, last_good)):
        profile = answer.loaded.manifest.profile
        if profile is not None:
            step_s = answer.loaded.manifest.recipe.step_seconds
            usual = usual_values(profile, interval * step_s, step_s, answer.loaded.manifest.outputs)
            return refused._replace(
                loaded=answer.loaded, action="fallback", outputs=usual, state=None
            )
    return refused


def usual_values(profile: Profile, start_s: int, step_s: int, outputs: Sequence[Output]) -> Floats:
    """Return what a profile says of the intervals that the outputs are about, shape (m,)."""
    values = profile.values.array()
    places = [_slot(profile, start_s + output.lead * step_s, len(values)) for output in outputs]
    return values[places, np.arange(len(outputs))]


def _slot(profile: Profile, start_s: int, slots: int) -> int:
    """Return the slot of the local week in which a second is."""
    local = clock.moment(start_s, 0, profile.zone)
    seconds = local.wall.weekday() * 86_400 + local.hour * 3600
    return min(int(seconds / WEEK_S * slots), slots - 1)


def _lacking(loaded: Loaded, row: Row) -> str:
    if row.missing:
        return f"{', '.join(row.missing)}: missing or out of bounds"
    gone = np.isnan(row.features[0]) & loaded.features.vital
    if gone.any():
        names = np.array(loaded.manifest.recipe.columns)[gone]
        return f"{', '.join(names[:3])}: cannot be computed from what was measured"
    return ""


def _implausible(outputs: Floats, expected: Sequence[Output]) -> str:
    if len(outputs) != len(expected):
        return f"the model gave {len(outputs)} outputs, and its manifest names {len(expected)}"
    for value, output in zip(outputs, expected):
        lowest = -LARGEST if output.minimum is None else output.minimum
        highest = LARGEST if output.maximum is None else output.maximum
        if not (abs(value) < LARGEST and lowest <= value <= highest):
            return f"{output.name} is {value:g}, out of its bounds"
    return ""
