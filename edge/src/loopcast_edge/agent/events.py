"""Answers as events: one for each interval and series that a row of outputs is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any, NamedTuple, Optional

from loopcast_edge.agent.predict import Answer
from loopcast_edge.wire import EdgeEvent, Interval, Manifest, Output, Source
from loopcast_edge.wire.batches import Value
from loopcast_edge.wire.messages import Role

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UNITS = ((86_400, "D"), (3600, "h"), (60, "min"))


class Group(NamedTuple):
    """Outputs that are about the same series and interval.

    Attributes
    ----------
    first
        Place of the first of them in the row of outputs; all are beside each other.
    names
        As the event names them: outputs, then bounds of intervals by their quantile.
    """

    first: int
    outputs: tuple[Output, ...]
    names: tuple[str, ...]

    @property
    def series(self) -> str:
        """The series that it is of."""
        return self.outputs[0].series

    @property
    def lead(self) -> int:
        """How many intervals after that of the row."""
        return self.outputs[0].lead


def groups(manifest: Manifest) -> tuple[Group, ...]:
    """Return the groups of a manifest's outputs, in their order."""
    placed = enumerate(manifest.outputs)
    return tuple(
        _group(list(members), manifest.intervals)
        for _, members in groupby(placed, lambda each: (each[1].series, each[1].lead))
    )


def _group(members: list[tuple[int, Output]], intervals: Sequence[Interval]) -> Group:
    outputs = tuple(output for _, output in members)
    bounds = (name for interval in intervals for name in _quantiles(interval))
    return Group(members[0][0], outputs, (*(output.name for output in outputs), *bounds))


def _quantiles(interval: Interval) -> tuple[str, str]:
    tail = (1 - interval.coverage) / 2
    return f"{tail:g}", f"{1 - tail:g}"


def step_name(step_s: int) -> str:
    """Return the length of an interval as the centre writes it.

    Examples
    --------
    >>> step_name(1800), step_name(86_400), step_name(5)
    ('30min', '1D', '5s')
    """
    for seconds, unit in UNITS:
        if step_s % seconds == 0:
            return f"{step_s // seconds}{unit}"
    return f"{step_s}s"


def key(series: str, step_s: int, interval: int) -> str:
    """Return the key of what is said of one interval, and of its outcome.

    Examples
    --------
    >>> key("demand", 1800, 940_000)
    'demand|30min|2023-08-14T08:00:00Z'
    """
    start = EPOCH + timedelta(seconds=interval * step_s)
    return f"{series}|{step_name(step_s)}|{start:%Y-%m-%dT%H:%M:%SZ}"


def values(answer: Answer, group: Group) -> tuple[Value, ...]:
    """Return what an answer says of a group, by its names; nothing where it was refused.

    What is a place among known texts is said as the text.
    """
    if answer.outputs is None:
        return (None,) * len(group.names)
    own = _said(answer, group)
    bounds = (
        float(answer.outputs[group.first] + width)
        for interval in answer.loaded.manifest.intervals
        for width in (-interval.below[group.first], interval.above[group.first])
    )
    return (*own, *bounds)


def _said(answer: Answer, group: Group) -> list[Value]:
    """Return what an answer says by itself, in the order of the outputs."""
    assert answer.outputs is not None
    recipe = answer.loaded.manifest.recipe
    own = answer.outputs[group.first : group.first + len(group.outputs)].tolist()
    said = [
        value if output.place_in is None else _text(recipe.known(output.place_in), value)
        for output, value in zip(group.outputs, own)
    ]
    nothing = {output.name for output, value in zip(group.outputs, said) if value is None}
    return [
        None if output.beside in nothing else value for output, value in zip(group.outputs, said)
    ]


def _text(known: Sequence[str], value: float) -> Optional[str]:
    place = round(value)
    return known[place] if place >= 0 else None


def events(
    answer: Answer, interval: int, now_ms: int, role: Role, keyed: Optional[str] = None
) -> Iterator[tuple[Source, EdgeEvent]]:
    """Give the events of an answer, each with its source.

    Parameters
    ----------
    interval
        Number of the interval that the row is about.
    keyed
        The key of a request, for what is about no interval.
    """
    manifest = answer.loaded.manifest
    step_s = manifest.recipe.step_seconds
    for number, group in enumerate(groups(manifest)):
        inputs = answer.row.inputs if number == 0 else {}
        yield (
            source(manifest, role, tuple(inputs), group.names),
            EdgeEvent(
                source=0,
                key=keyed or key(group.series, step_s, interval + group.lead),
                time=now_ms,
                inputs=tuple(inputs.values()),
                outputs=values(answer, group),
                action="withheld" if role == "shadow" else answer.action,
                latency_us=answer.latency_us,
            ),
        )


def source(
    manifest: Manifest, role: Role, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Source:
    """Return what made events."""
    return Source(
        logical_model=manifest.logical_model,
        segment=manifest.segment,
        version=manifest.version,
        role=role,
        inputs=inputs,
        outputs=outputs,
    )


def line(answer: Answer, event: EdgeEvent, names: Sequence[str]) -> Mapping[str, Any]:
    """Return a prediction as it is written for those who use it."""
    manifest = answer.loaded.manifest
    said = {name: value for name, value in zip(names, event.outputs) if value is not None}
    return {
        "time": event.time,
        "model": manifest.logical_model,
        "segment": manifest.segment,
        "version": manifest.version,
        "key": event.key,
        "outputs": said,
        "action": event.action,
        **({"reason": answer.reason} if answer.reason else {}),
    }
