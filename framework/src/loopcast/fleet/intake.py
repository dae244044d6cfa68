"""What devices send home becomes events and ground truth in the same stores as everything else."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from loopcast.api import (
    DataError,
    DeviceName,
    ForecastSchema,
    LogicalModel,
    RankSchema,
    Segment,
    place_name,
)
from loopcast.fleet.lists import SERVED, as_served
from loopcast.store.uplinks import Intake, Uplink
from loopcast_edge.wire import (
    Batch,
    Condensed,
    EdgeEvent,
    EventBatch,
    Outcome,
    Receipt,
    SketchDay,
    Source,
    Subject,
    TruthBatch,
    Update,
    WireError,
    decode,
    encode,
    topics,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from loopcast.fleet.link import Incoming, Outgoing
    from loopcast.store.home import Home

LOGGER = logging.getLogger("loopcast.fleet")

KINDS: dict[str, type[Batch]] = {
    "up/events": EventBatch,
    "up/truth": TruthBatch,
    "up/sketch": SketchDay,
    "up/update": Update,
}
"""Batches by the topic that they come on."""

INTAKE = 500
"""Batches that are taken in together."""

RECEIPT_LIFE = 86_400

MOST_SUMMED = 10**9
"""More predictions, or outcomes, no device sums up."""


def uplink_of(message: Incoming, at: datetime) -> Uplink:
    """Return a batch as it is kept, after checking all of it.

    Raises
    ------
    WireError
        When it is not what the protocol allows.
    """
    device, channel = topics.origin(message.topic)
    batch = decode(message.payload, KINDS[channel])
    return Uplink(
        device=device,
        batch=f"{batch.outbox}/{batch.sequence}",
        kind=channel.removeprefix("up/"),
        at=at,
        payload=message.payload,
    )


def receipts(kept: Sequence[Uplink]) -> Iterator[Outgoing]:
    """Yield for each device and outbox which batches are stored for good."""
    from loopcast.fleet.link import Outgoing

    stored: defaultdict[tuple[DeviceName, str], set[int]] = defaultdict(set)
    for item in kept:
        outbox, _, sequence = item.batch.partition("/")
        stored[item.device, outbox].add(int(sequence))
    for (device, outbox), sequences in stored.items():
        whole = sorted(sequences)
        for start in range(0, len(whole), 1000):
            message = Receipt(outbox=outbox, stored=tuple(whole[start : start + 1000]))
            yield Outgoing(
                topic=topics.device(device, "receipt"),
                payload=encode(message),
                retain=False,
                expires=RECEIPT_LIFE,
            )


def take_in(place: Home) -> int:
    """Bring batches that are waiting into the event log and the ground truth, and count them.

    An intake that was interrupted is repeated first, and adds nothing twice: its batches are the
    same, in the same order, and so are the files that they become.
    """
    done = 0
    while (intake := place.catalog.next_intake(INTAKE)) is not None:
        place.catalog.finish_intake(intake, *_store(place, intake))
        done += len(intake.uplinks)
    return done


def _store(place: Home, intake: Intake) -> tuple[list[Uplink], list[Uplink]]:
    """Store an intake; return the batches that cannot be, and what is left of those with sums."""
    models = {model.name: model for model in place.catalog.logical_models()}
    allowed = place.catalog.places_of_devices()
    found: defaultdict[tuple[str, str], list[pa.Table]] = defaultdict(list)
    refused, condensed = [], []
    for item in intake.uplinks:
        try:
            batch = decode(item.payload, KINDS[f"up/{item.kind}"])
            tables = list(_tables(item.device, batch, allowed, models))
        except (WireError, DataError) as error:
            LOGGER.warning("batch %s of %s is refused: %s", item.batch, item.device, error)
            refused.append(item)
        else:
            for name, table in tables:
                found[item.kind, name].append(table)
            if isinstance(batch, EventBatch) and batch.condensed:
                left = structs.replace(batch, events=())
                condensed.append(replace(item, payload=encode(left)))
    for (kind, name), parts in found.items():
        table = _joined(parts)
        place.record(table, models[name]) if kind == "events" else place.truth.add(name, table)
    return refused, condensed


def _check_keys(model: LogicalModel, events: pa.Table) -> None:
    """Refuse events of a forecast of which nobody could tell what they are about."""
    from loopcast.store.event_keys import require_forecast_keys

    if isinstance(model.schema, ForecastSchema):
        require_forecast_keys(events["key"])


def _joined(parts: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(parts)


Places = frozenset[tuple[DeviceName, str, Segment]]
"""Which device may speak of which logical model and segment."""


def _require_own(device: DeviceName, said: Iterable[Source | Subject], allowed: Places) -> None:
    """Refuse what a device says of packages that it was never to run."""
    for each in said:
        if (device, each.logical_model, each.segment) not in allowed:
            place = place_name(each.logical_model, each.segment)
            raise DataError(f"{device} was never told to run a package of {place}")


def _tell_of_sums(device: DeviceName, what: str, condensed: Sequence[Condensed]) -> None:
    """Say that a device ran out of space: of what had to give way, only sums are left.

    Raises
    ------
    DataError
        When sums are of more, or of other times, than can be.
    """
    for each in condensed:
        if each.start > each.end or each.count > MOST_SUMMED:
            raise DataError(f"sums of {each.count:,} {what}, {each.start} to {each.end}, cannot be")
    if condensed:
        count = sum(each.count for each in condensed)
        ends = min(each.start for each in condensed), max(each.end for each in condensed)
        start, end = (datetime.fromtimestamp(each / 1000, UTC) for each in ends)
        LOGGER.warning(
            "%s ran out of space: of %s of its %s, %s to %s, only sums came",
            device, f"{count:,}", what, f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}",
        )  # fmt: skip


def _tables(
    device: DeviceName, batch: Batch, allowed: Places, models: Mapping[str, LogicalModel]
) -> Iterator[tuple[str, pa.Table]]:
    """Return what becomes of a batch, each table with its logical model."""
    if isinstance(batch, EventBatch):
        return _events(device, batch, allowed, models)
    assert isinstance(batch, TruthBatch)
    return _truths(device, batch, allowed)


def _events(
    device: DeviceName, batch: EventBatch, allowed: Places, models: Mapping[str, LogicalModel]
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the events of a batch, a table for each source in it."""
    _require_own(device, batch.sources, allowed)
    _tell_of_sums(device, "predictions", batch.condensed)
    ordered = sorted(batch.events, key=lambda event: event.source)
    for place, group in groupby(ordered, key=lambda event: event.source):
        source = batch.sources[place]
        model = models[source.logical_model]
        table = _event_table(device, source, list(group), model)
        _check_keys(model, table)
        yield model.name, table


def _event_table(
    device: DeviceName, source: Source, events: Sequence[EdgeEvent], model: LogicalModel
) -> pa.Table:
    from loopcast.store.events import event_table

    names, outputs = source.outputs, [event.outputs for event in events]
    if isinstance(model.schema, RankSchema):
        names, outputs = SERVED, as_served(names, events)
    return event_table(
        key=[event.key for event in events],
        time=_moments([event.time for event in events]),
        logical_model=source.logical_model,
        segment=source.segment,
        version=source.version,
        role=source.role,
        inputs=_columns(source.inputs, [event.inputs for event in events]),
        outputs=_columns(names, outputs),
        action=np.array([event.action for event in events], dtype=object),
        latency_ms=np.array([event.latency_us for event in events]) / 1000.0,
        source=f"device/{device}",
    )


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Return the values of each name; a name has numbers or texts, not both."""
    import pyarrow as pa

    try:
        columns = (pa.array(values) for values in zip(*rows, strict=True))
        return dict(zip(names, columns, strict=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"values are of different kinds: {error}") from None


def _truths(
    device: DeviceName, batch: TruthBatch, allowed: Places
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the outcomes of a batch, a table for each logical model, segment and kind of value."""
    from loopcast.store.truth import truth_table

    _require_own(device, batch.subjects, allowed)
    _tell_of_sums(device, "outcomes", batch.condensed)

    def kind(outcome: Outcome) -> tuple[int, bool]:
        return outcome.subject, isinstance(outcome.value, str)

    for (place, _), group in groupby(sorted(batch.outcomes, key=kind), key=kind):
        subject, outcomes = batch.subjects[place], list(group)
        table = truth_table(
            key=[outcome.key for outcome in outcomes],
            value=[outcome.value for outcome in outcomes],
            observed=_moments([outcome.observed for outcome in outcomes]),
            segment=subject.segment,
            source=f"device/{device}",
        )
        yield subject.logical_model, table


def _moments(milliseconds: Sequence[int]) -> pa.Array:
    import pyarrow as pa

    return pa.array(milliseconds, pa.timestamp("ms", "UTC"))
