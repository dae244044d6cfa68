"""What devices have sent: each batch kept once, and on its way into the ordinary stores.

A batch is durable, and may be acknowledged, as soon as it is here. Batches are then taken into the
event log and the ground truth in groups, *intakes*, whose members never change: an intake that
is repeated after a crash, or by two centres at once, writes the same files again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, tuple_, update

from loopcast.api import DeviceName
from loopcast.store.devices import numbers
from loopcast.store.fleet_tables import TAKEN_IN, devices, uplinks
from loopcast.store.registration import chunks, insert

REFUSED = "refused"
"""The kind of a batch that could not be taken in."""

CONDENSED = "condensed"
"""The kind of what is left of a batch of events that held sums: the sums, which stay here."""

_WAITING = uplinks.c.payload.is_not(None) & uplinks.c.kind.in_(TAKEN_IN)


@dataclass(frozen=True, kw_only=True)
class Uplink:
    """A batch as it came.

    Attributes
    ----------
    batch
        What the device calls it, the same however often it is sent.
    kind
        ``events``, ``truth``, ``sketch`` or ``update``; after an intake ``refused`` or
        ``condensed``.
    payload
        Its bytes.
    """

    device: DeviceName
    batch: str
    kind: str
    at: datetime
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Batches that go into the ordinary stores together."""

    number: int
    uplinks: tuple[Uplink, ...]


def put(connection: Connection, items: Sequence[Uplink]) -> tuple[Uplink, ...]:
    """Keep batches that are not known yet.

    Returns
    -------
    tuple of Uplink
        Those that are kept now, new or known before; the others are of no enrolled device.
    """
    keys = numbers(connection, {item.device for item in items})
    ours = {(keys[i.device], i.batch): i for i in reversed(items) if i.device in keys}
    known = {
        (row.device, row.batch)
        for chunk in chunks(ours)
        for row in connection.execute(
            select(uplinks.c.device, uplinks.c.batch).where(
                tuple_(uplinks.c.device, uplinks.c.batch).in_(chunk)
            )
        )
    }
    rows = (
        {"device": key, "batch": batch, "kind": item.kind, "at": item.at, "payload": item.payload}
        for (key, batch), item in reversed(ours.items())
        if (key, batch) not in known
    )
    insert(connection, uplinks, rows)
    return tuple(ours.values())


def next_intake(connection: Connection, most: int) -> Intake | None:
    """Return the oldest intake that is not finished, or group waiting batches into a new one.

    Parameters
    ----------
    most
        Batches of a new intake.
    """
    number = connection.scalar(select(func.min(uplinks.c.intake)).where(_WAITING))
    if number is None:
        number = (connection.scalar(select(func.max(uplinks.c.intake))) or 0) + 1
        oldest = select(uplinks.c.number).where(_WAITING).order_by(uplinks.c.number).limit(most)
        grouped = update(uplinks).where(uplinks.c.number.in_(oldest)).values(intake=number)
        if connection.execute(grouped).rowcount == 0:
            return None
    return Intake(number=number, uplinks=_uplinks(connection, uplinks.c.intake == number))


def finish(
    connection: Connection,
    intake: Intake,
    refused: Collection[Uplink],
    condensed: Collection[Uplink],
) -> None:
    """Note that the batches of an intake are in the ordinary stores.

    Parameters
    ----------
    refused
        Those that cannot be; they are kept as they came, for a person to look at.
    condensed
        What is left of those with sums, which no ordinary store has a place for.
    """
    keys = numbers(connection, {item.device for item in (*refused, *condensed)})
    here = uplinks.c.intake == intake.number
    for chunk in chunks((keys[item.device], item.batch) for item in refused):
        own = tuple_(uplinks.c.device, uplinks.c.batch).in_(chunk)
        connection.execute(update(uplinks).where(here, own).values(kind=REFUSED))
    for item in condensed:
        mine = (uplinks.c.device == keys[item.device]) & (uplinks.c.batch == item.batch)
        left = update(uplinks).where(here, mine).values(kind=CONDENSED, payload=item.payload)
        connection.execute(left)
    taken = update(uplinks).where(here, uplinks.c.kind.not_in((REFUSED, CONDENSED)))
    connection.execute(taken.values(payload=None))


def waiting(connection: Connection) -> int:
    """Return how many batches are not in the ordinary stores yet."""
    return connection.scalar(select(func.count()).where(_WAITING)) or 0


def kept(
    connection: Connection,
    kind: str,
    since: datetime | None,
    names: Collection[DeviceName] | None,
) -> tuple[Uplink, ...]:
    """Return batches of a kind that stay here, in the order in which they came."""
    condition = (uplinks.c.kind == kind) & uplinks.c.payload.is_not(None)
    if since is not None:
        condition &= uplinks.c.at >= since
    if names is not None:
        condition &= uplinks.c.device.in_(numbers(connection, names).values())
    return _uplinks(connection, condition)


def _uplinks(connection: Connection, condition: Any) -> tuple[Uplink, ...]:
    query = (
        select(devices.c.name, uplinks)
        .join(devices, uplinks.c.device == devices.c.number)
        .where(condition)
        .order_by(uplinks.c.number)
    )
    return tuple(
        Uplink(device=row.name, batch=row.batch, kind=row.kind, at=row.at, payload=row.payload)
        for row in connection.execute(query)
    )
