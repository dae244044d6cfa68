"""Packages in the catalog, numbered for each logical model and segment, and who is told which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, func, select, tuple_, update

from loopcast.api import DeviceName, NotFoundError, Package, Segment, place_name
from loopcast.store import audit
from loopcast.store.devices import require_numbers
from loopcast.store.fleet_tables import assignments, desired, devices, packages
from loopcast.store.registration import chunks, insert, version_keys
from loopcast.store.tables import versions

DeviceRole = Literal["champion", "shadow"]

_FIELDS = [name for name in Package.__struct_fields__ if name != "version"]
_PACKAGES = (
    select(packages.c.number, versions.c.id, *(packages.c[name] for name in _FIELDS))
    .join(versions, packages.c.version == versions.c.number)
    .order_by(packages.c.number)
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a device is told to run.

    Attributes
    ----------
    sequence
        Grows with each change.
    packages
        With the role of each.
    """

    sequence: int
    packages: tuple[tuple[Package, DeviceRole], ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Sequences of the packages of one logical model and segment that a device is to run."""

    champion: int | None
    shadow: int | None = None


def add_package(
    connection: Connection,
    logical_model: str,
    segment: Segment,
    make: Callable[[int], Package],
    *,
    by: str,
    at: datetime,
) -> Package:
    """Number a package, make it under this number, and keep it.

    Parameters
    ----------
    make
        Gets the number; nobody else gets the same one, and none is lost where it raises.
    """
    here = (packages.c.logical_model == logical_model) & (packages.c.segment == segment)
    last = connection.scalar(select(func.max(packages.c.sequence)).where(here)) or 0
    made = make(last + 1)
    entry = audit.next_number(connection)
    key = version_keys(connection, [made.version])[made.version]
    columns = msgspec.structs.asdict(made) | {"version": key, "entry": entry}
    insert(connection, packages, [columns])
    details: dict[str, object] = {
        "version": made.version,
        "segment": segment,
        "sequence": made.sequence,
        "manifest": made.manifest,
    }
    subjects = [logical_model]
    audit.append(connection, entry, "package", by=by, at=at, subjects=subjects, details=details)
    return made


def list_packages(
    connection: Connection, logical_model: str | None = None, segment: Segment | None = None
) -> tuple[Package, ...]:
    """Return packages, the oldest first."""
    wanted = {packages.c.logical_model: logical_model, packages.c.segment: segment}
    query = _PACKAGES.where(*(c == value for c, value in wanted.items() if value is not None))
    return tuple(_package(row) for row in connection.execute(query))


def numbered(
    connection: Connection, logical_model: str, segment: Segment, sequences: Iterable[int]
) -> dict[int, int]:
    """Return the keys of the packages of these sequences.

    Raises
    ------
    NotFoundError
        When there is no such package.
    """
    wanted = set(sequences)
    here = (packages.c.logical_model == logical_model) & (packages.c.segment == segment)
    rows = connection.execute(select(packages.c.sequence, packages.c.number).where(here))
    found = {row.sequence: row.number for row in rows if row.sequence in wanted}
    absent = wanted - found.keys()
    if absent:
        place = place_name(logical_model, segment)
        raise NotFoundError(
            f"{place} has no package {min(absent)}; 'loopcast fleet publish' makes one"
        )
    return found


def assign(
    connection: Connection, logical_model: str, segment: Segment, wanted: Mapping[DeviceName, Pair]
) -> None:
    """Say what devices are to run of a logical model and segment, in place of what they were."""
    if not wanted:
        return
    keys = require_numbers(connection, list(wanted))
    sequences = {s for pair in wanted.values() for s in (pair.champion, pair.shadow) if s}
    known = numbered(connection, logical_model, segment, sequences)
    here = (assignments.c.logical_model == logical_model) & (assignments.c.segment == segment)
    for chunk in chunks(keys.values()):
        connection.execute(assignments.delete().where(here, assignments.c.device.in_(chunk)))
    place = {"logical_model": logical_model, "segment": segment}
    rows = (
        place | {"device": keys[name], "role": role, "package": known[sequence]}
        for name, pair in wanted.items()
        for role, sequence in (("champion", pair.champion), ("shadow", pair.shadow))
        if sequence
    )
    insert(connection, assignments, rows)
    _renumber(connection, list(keys.values()))


def _renumber(connection: Connection, keys: list[int]) -> None:
    """Count that devices are told something else from now on."""
    for chunk in chunks(keys):
        there = desired.c.device.in_(chunk)
        known = set(connection.scalars(select(desired.c.device).where(there)))
        connection.execute(update(desired).where(there).values(sequence=desired.c.sequence + 1))
        insert(connection, desired, ({"device": k, "sequence": 1} for k in chunk if k not in known))


def unpublished(connection: Connection) -> dict[DeviceName, Told]:
    """Return what those devices are to be told that have not been told yet."""
    return _told(connection, desired.c.published < desired.c.sequence)


def told(connection: Connection) -> dict[DeviceName, Told]:
    """Return what every device is told."""
    return _told(connection, desired.c.sequence > 0)


def _told(connection: Connection, condition: Any) -> dict[DeviceName, Told]:
    query = (
        select(devices.c.name, desired.c.sequence)
        .join(desired, desired.c.device == devices.c.number)
        .where(condition, devices.c.revoked.is_(None))
    )
    wanted = {row.name: row.sequence for row in connection.execute(query)}
    own = _assigned(connection, condition)
    return {
        name: Told(sequence=sequence, packages=tuple(own[name]))
        for name, sequence in wanted.items()
    }


def _assigned(
    connection: Connection, condition: Any
) -> defaultdict[DeviceName, list[tuple[Package, DeviceRole]]]:
    query: Select[Any] = (
        _PACKAGES.add_columns(devices.c.name, assignments.c.role)
        .join(assignments, assignments.c.package == packages.c.number)
        .join(devices, assignments.c.device == devices.c.number)
        .join(desired, desired.c.device == devices.c.number)
        .where(condition)
    )
    found: defaultdict[DeviceName, list[tuple[Package, DeviceRole]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.name].append((_package(row), row.role))
    return found


def champions(
    connection: Connection, logical_model: str, segment: Segment
) -> dict[DeviceName, int]:
    """Return the sequence of the package that each device is told to run."""
    query = (
        select(devices.c.name, packages.c.sequence)
        .join(assignments, assignments.c.device == devices.c.number)
        .join(packages, assignments.c.package == packages.c.number)
        .where(
            assignments.c.logical_model == logical_model,
            assignments.c.segment == segment,
            assignments.c.role == "champion",
        )
    )
    return {row.name: row.sequence for row in connection.execute(query)}


def note_published(connection: Connection, sequences: Mapping[DeviceName, int]) -> None:
    """Note what devices were told, unless they were told something newer meanwhile."""
    keys = require_numbers(connection, list(sequences))
    pairs = [(keys[name], sequence) for name, sequence in sequences.items()]
    for chunk in chunks(pairs):
        there = tuple_(desired.c.device, desired.c.sequence).in_(chunk)
        connection.execute(update(desired).where(there).values(published=desired.c.sequence))


def _package(row: Row[Any]) -> Package:
    fields = {name: row._mapping[name] for name in _FIELDS}
    return Package(version=row.id, **fields)
