"""Devices in the catalog: invited, enrolled, labelled, revoked, and what they said last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from loopcast.api import Act, ConflictError, Device, DeviceName, Digest, NotFoundError, StoreError
from loopcast.store import audit
from loopcast.store.fleet_tables import (
    desired,
    device_certificates,
    device_states,
    device_tokens,
    devices,
)
from loopcast.store.registration import chunks, insert

_DEVICE = tuple(devices.c[name] for name in Device.__struct_fields__)


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a one-time token lets a device do.

    Attributes
    ----------
    digest
        SHA-256 of the token; the token itself is nowhere kept.
    """

    digest: Digest
    device: DeviceName
    expires: datetime
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A certificate of a device.

    Attributes
    ----------
    certificate
        SHA-256 under which the artifacts keep it.
    at
        Since when it has it.
    """

    certificate: Digest
    at: datetime


@dataclass(frozen=True, kw_only=True)
class DeviceState:
    """What a device has said last.

    Attributes
    ----------
    seen
        When the centre heard of it.
    online, since
        Whether it is connected, and since when; ``None`` where that is not known.
    report
        Its last report, as it came.
    """

    seen: datetime
    online: bool | None = None
    since: datetime | None = None
    report: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A device with what it said last, and what it was told.

    Attributes
    ----------
    desired, published
        Number of what it is to run, and of what was last published to it.
    """

    device: Device
    state: DeviceState | None = None
    desired: int = 0
    published: int = 0


def invite(connection: Connection, item: Invitation, *, by: str, at: datetime) -> None:
    """Keep the digest of a token.

    Raises
    ------
    StoreError
        When a device of this name is enrolled already.
    """
    if numbers(connection, [item.device]):
        raise StoreError(f"device {item.device} is enrolled already; revoke it, or name another")
    entry = audit.next_number(connection)
    fields = {"digest": item.digest, "device": item.device, "expires": item.expires}
    insert(connection, device_tokens, [fields | {"labels": _plain(item.labels), "entry": entry}])
    details: dict[str, object] = {"device": item.device, "expires": item.expires.isoformat()}
    audit.append(connection, entry, "invite", by=by, at=at, subjects=[item.device], details=details)


def redeem(connection: Connection, digest: Digest, *, at: datetime) -> Invitation:
    """Use a token up, and return what it was for.

    Raises
    ------
    NotFoundError
        When it is unknown, used already or has expired; which of them is not said to a stranger.
    """
    open_token = (device_tokens.c.digest == digest) & device_tokens.c.used.is_(None)
    row = connection.execute(
        select(device_tokens).where(open_token, device_tokens.c.expires > at)
    ).first()
    if row is None:
        raise NotFoundError(
            "the token is unknown, was used before or has expired; ask for a new one"
        )
    connection.execute(update(device_tokens).where(open_token).values(used=at))
    return Invitation(
        digest=row.digest,
        device=row.device,
        expires=row.expires,
        labels=msgspec.json.decode(row.labels, type=dict[str, str]),
    )


def redeemed(connection: Connection, digest: Digest, *, at: datetime) -> Device | None:
    """Return the device that a token has enrolled, while the token would not have expired."""
    used = (device_tokens.c.digest == digest) & device_tokens.c.used.is_not(None)
    name = connection.scalar(
        select(device_tokens.c.device).where(used, device_tokens.c.expires > at)
    )
    return None if name is None else enrolled(connection, [name])[name].device


def enrol(connection: Connection, items: Sequence[Device], *, by: str, at: datetime) -> None:
    """Enter devices, all or none.

    Raises
    ------
    ConflictError
        When one of this name is enrolled.
    """
    taken = numbers(connection, [item.name for item in items])
    if taken:
        raise ConflictError(
            f"device {min(taken)} is enrolled already; give the new one another name"
        )
    entry = audit.next_number(connection)
    rows = (
        msgspec.structs.asdict(item) | {"labels": _plain(item.labels), "entry": entry}
        for item in items
    )
    insert(connection, devices, rows)
    _tell(connection, "enrol", [item.name for item in items], {}, entry=entry, by=by, at=at)


def put_labels(
    connection: Connection,
    names: Sequence[DeviceName],
    labels: Mapping[str, str],
    *,
    by: str,
    at: datetime,
) -> None:
    """Give devices labels beside those that they have; an empty value takes one away.

    Raises
    ------
    NotFoundError
        When one is not enrolled.
    """
    for item in _required(connection, names):
        whole = {key: value for key, value in (item.labels | dict(labels)).items() if value}
        row = devices.c.name == item.name
        connection.execute(update(devices).where(row).values(labels=_plain(whole)))
    _tell(connection, "label", names, {"labels": dict(labels)}, by=by, at=at)


def revoke(
    connection: Connection, names: Sequence[DeviceName], *, by: str, reason: str, at: datetime
) -> None:
    """Take devices out of the fleet; they stay known.

    Raises
    ------
    NotFoundError
        When one is not enrolled.
    """
    _required(connection, names)
    for chunk in chunks(names):
        there = devices.c.name.in_(chunk) & devices.c.revoked.is_(None)
        connection.execute(update(devices).where(there).values(revoked=at))
    _tell(connection, "revoke", names, {"reason": reason}, by=by, at=at)


def certificates(
    connection: Connection, names: Iterable[DeviceName]
) -> dict[DeviceName, tuple[Certified, ...]]:
    """Return the certificates of those devices that are enrolled and have any, the oldest first."""
    found: dict[DeviceName, tuple[Certified, ...]] = {}
    for chunk in chunks(names):
        first = select(devices.c.name, devices.c.certificate, devices.c.enrolled.label("at"))
        later = select(
            devices.c.name, device_certificates.c.certificate, device_certificates.c.at
        ).join(device_certificates, device_certificates.c.device == devices.c.number)
        own = devices.c.name.in_(chunk)
        for row in (
            *connection.execute(first.where(own, devices.c.certificate.is_not(None))),
            *connection.execute(later.where(own).order_by(device_certificates.c.number)),
        ):
            one = Certified(certificate=row.certificate, at=row.at)
            found[row.name] = (*found.get(row.name, ()), one)
    return found


def renew(connection: Connection, name: DeviceName, certificate: Digest, *, at: datetime) -> None:
    """Give a device one more certificate; those before it stay good until they end.

    Raises
    ------
    NotFoundError
        When it is not enrolled.
    """
    key = require_numbers(connection, [name])[name]
    entry = audit.next_number(connection)
    row = {"device": key, "certificate": certificate, "at": at, "entry": entry}
    insert(connection, device_certificates, [row])
    _tell(connection, "renew", [name], {}, entry=entry, by=name, at=at)


def enrolled(
    connection: Connection, names: Iterable[DeviceName] | None = None
) -> dict[DeviceName, Enrolled]:
    """Return devices with what they said, by name."""
    query = (
        select(
            *_DEVICE,
            *(device_states.c[name] for name in ("online", "since", "seen", "report")),
            desired.c.sequence,
            desired.c.published,
        )
        .outerjoin(device_states, device_states.c.device == devices.c.number)
        .outerjoin(desired, desired.c.device == devices.c.number)
        .order_by(devices.c.name)
    )
    parts = (
        [query] if names is None else [query.where(devices.c.name.in_(c)) for c in chunks(names)]
    )
    return {row.name: _enrolled(row) for part in parts for row in connection.execute(part)}


def see(
    connection: Connection,
    states: Mapping[DeviceName, DeviceState],
    accepted: Mapping[DeviceName, int],
) -> tuple[DeviceName, ...]:
    """Keep what devices said last; what a state does not say stays as it was.

    Parameters
    ----------
    accepted
        The number of what a device was last told to run, as it says itself. Where that is above
        ours, as after a catalog was restored, the device is told again under a higher one, since it
        ignores what is older.

    Returns
    -------
    tuple of str
        Those that are enrolled; of others nothing is kept.
    """
    keys = numbers(connection, states)
    before = enrolled(connection, keys)
    for chunk in chunks(keys.values()):
        connection.execute(device_states.delete().where(device_states.c.device.in_(chunk)))
    merged = ((keys[name], _merged(before[name].state, states[name])) for name in keys)
    insert(connection, device_states, ({"device": key} | vars(state) for key, state in merged))
    ahead = {n: own for n, own in accepted.items() if n in keys and own > before[n].desired}
    _renumber_above(connection, {keys[name]: own for name, own in ahead.items()})
    return tuple(keys)


def _renumber_above(connection: Connection, accepted: Mapping[int, int]) -> None:
    """Have those devices that are told anything told it under a number above that accepted one."""
    if accepted:
        change = update(desired).where(desired.c.device == bindparam("key"))
        rows = [{"key": key, "above": own + 1} for key, own in accepted.items()]
        connection.execute(change.values(sequence=bindparam("above")), rows)


def numbers(connection: Connection, names: Iterable[DeviceName]) -> dict[DeviceName, int]:
    """Return the integer keys of those devices that are enrolled."""
    query = select(devices.c.name, devices.c.number)
    parts = (query.where(devices.c.name.in_(chunk)) for chunk in chunks(names))
    return {row.name: row.number for part in parts for row in connection.execute(part)}


def require_numbers(connection: Connection, names: Sequence[DeviceName]) -> dict[DeviceName, int]:
    """Return the integer keys of devices.

    Raises
    ------
    NotFoundError
        When one is not enrolled.
    """
    found = numbers(connection, names)
    absent = [name for name in names if name not in found]
    if absent:
        raise NotFoundError(f"device {absent[0]} is not enrolled; 'loopcast fleet enrol' does it")
    return found


def _required(connection: Connection, names: Sequence[DeviceName]) -> list[Device]:
    require_numbers(connection, names)
    return [each.device for each in enrolled(connection, names).values()]


def _merged(before: DeviceState | None, now: DeviceState) -> DeviceState:
    if before is None:
        return now
    return replace(
        now,
        online=before.online if now.online is None else now.online,
        since=before.since if now.since is None else now.since,
        report=before.report if now.report is None else now.report,
    )


def _enrolled(row: Any) -> Enrolled:
    fields = row._mapping
    plain = {column.name: fields[column.name] for column in _DEVICE}
    labels = msgspec.json.decode(row.labels, type=dict[str, str])
    state = DeviceState(seen=row.seen, online=row.online, since=row.since, report=row.report)
    return Enrolled(
        device=Device(**plain | {"labels": labels}),
        state=state if row.seen else None,
        desired=row.sequence or 0,
        published=row.published or 0,
    )


def _plain(labels: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(labels), order="sorted").decode()


def _tell(
    connection: Connection,
    act: Act,
    names: Sequence[DeviceName],
    details: Mapping[str, object],
    *,
    by: str,
    at: datetime,
    entry: int | None = None,
) -> None:
    """Enter an act in the audit log."""
    told = audit.named([{"device": name} for name in names]) | dict(details)
    number = audit.next_number(connection) if entry is None else entry
    audit.append(connection, number, act, by=by, at=at, subjects=["fleet"], details=told)
