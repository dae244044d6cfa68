"""Rollouts in the catalog: a plan, its devices, and the steps that were taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from loopcast.api import (
    ConflictError,
    DeviceName,
    NotFoundError,
    Rollout,
    RolloutStep,
    Segment,
    StoreError,
    place_name,
)
from loopcast.store import audit, packages
from loopcast.store.devices import require_numbers
from loopcast.store.fleet_tables import devices, rollout_members, rollout_steps, rollouts
from loopcast.store.fleet_tables import packages as packages_table
from loopcast.store.packages import Pair
from loopcast.store.registration import insert

_ENDS = ("complete", "stop", "abort")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A device that takes part in a rollout.

    Attributes
    ----------
    stage
        At which it takes part.
    previous
        Sequence of the package that it was told to run before; ``None`` where there was none.
    """

    stage: int
    previous: int | None


@dataclass(frozen=True, kw_only=True)
class Course:
    """A rollout with its devices and everything that was done."""

    plan: Rollout
    members: Mapping[DeviceName, Member]
    steps: tuple[RolloutStep, ...]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A step, and what devices are to run after it."""

    step: RolloutStep
    assign: Mapping[DeviceName, Pair]


def begin(
    connection: Connection,
    plan: Rollout,
    stages: Mapping[DeviceName, int],
    step: RolloutStep,
    told: Callable[[Course], Mapping[DeviceName, Pair]],
) -> Course:
    """Declare a rollout with its devices, and take its first step.

    Raises
    ------
    NotFoundError
        When the package is not in the catalog, or a device not enrolled.
    StoreError
        When there was a rollout of this name.
    ConflictError
        When another rollout of the same logical model and segment is under way on its devices.
    """
    place = place_name(plan.logical_model, plan.segment)
    key = packages.numbered(connection, plan.logical_model, plan.segment, [plan.sequence])
    if connection.scalar(select(rollouts.c.number).where(rollouts.c.name == plan.name)):
        raise StoreError(f"there was a rollout {plan.name} already; give the new one another name")
    _refuse_another(connection, plan, stages, place)
    entry = audit.next_number(connection)
    record = msgspec.json.encode(plan, order="sorted").decode()
    row = {"name": plan.name, "package": key[plan.sequence], "record": record, "entry": entry}
    insert(connection, rollouts, [row])
    details: dict[str, object] = {"rollout": plan.name, "devices": len(stages)}
    audit.append(
        connection, entry, "plan", by=step.by, at=step.at,
        subjects=[plan.logical_model], details=details,
    )  # fmt: skip
    _put_members(connection, plan, stages)
    begun = replace(course(connection, plan.name), steps=(step,))
    take(connection, plan, Turn(step=step, assign=told(begun)))
    return begun


def _refuse_another(
    connection: Connection, plan: Rollout, stages: Mapping[DeviceName, int], place: str
) -> None:
    for other in open_courses(connection):
        same = (other.plan.logical_model, other.plan.segment) == (plan.logical_model, plan.segment)
        if same and other.members.keys() & stages.keys():
            raise ConflictError(
                f"rollout {other.plan.name} of {place} is under way on the same devices; wait for "
                "its end, or abort it"
            )


def _put_members(connection: Connection, plan: Rollout, stages: Mapping[DeviceName, int]) -> None:
    keys = require_numbers(connection, list(stages))
    number = _number(connection, plan.name)
    before = packages.champions(connection, plan.logical_model, plan.segment)
    known = packages.numbered(connection, plan.logical_model, plan.segment, before.values())
    rows = (
        {
            "rollout": number,
            "device": keys[name],
            "stage": stage,
            "previous": known[before[name]] if name in before else None,
        }
        for name, stage in stages.items()
    )
    insert(connection, rollout_members, rows)


def take(connection: Connection, plan: Rollout, turn: Turn) -> None:
    """Take a step, and tell devices what they are to run after it."""
    number, step = _number(connection, plan.name), turn.step
    packages.assign(connection, plan.logical_model, plan.segment, turn.assign)
    entry = audit.next_number(connection)
    fields = msgspec.structs.asdict(step)
    evidence = msgspec.json.encode(step.evidence, order="sorted").decode()
    row = fields | {"evidence": evidence, "rollout": number, "entry": entry}
    insert(connection, rollout_steps, [row])
    details: dict[str, object] = {
        "rollout": plan.name,
        "act": step.act,
        "reason": step.reason,
        "devices": len(turn.assign),
    }
    audit.append(
        connection, entry, "roll", by=step.by, at=step.at,
        subjects=[plan.logical_model], details=details,
    )  # fmt: skip


def _number(connection: Connection, name: str) -> int:
    number: int | None = connection.scalar(select(rollouts.c.number).where(rollouts.c.name == name))
    if number is None:
        known = ", ".join(connection.scalars(select(rollouts.c.name))) or "none"
        raise NotFoundError(f"there is no rollout {name!r}; there are: {known}")
    return number


def course(connection: Connection, name: str) -> Course:
    """Return a rollout.

    Raises
    ------
    NotFoundError
        When it is unknown, naming those that are known.
    """
    return _course(connection, _number(connection, name))


def courses(connection: Connection) -> tuple[Course, ...]:
    """Return every rollout, the oldest first."""
    found = connection.scalars(select(rollouts.c.number).order_by(rollouts.c.number)).all()
    return tuple(_course(connection, number) for number in found)


def open_courses(connection: Connection) -> tuple[Course, ...]:
    """Return the rollouts that have not ended, the oldest first."""
    ended = select(rollout_steps.c.rollout).where(rollout_steps.c.act.in_(_ENDS))
    query = select(rollouts.c.number).where(rollouts.c.number.not_in(ended))
    found = connection.scalars(query.order_by(rollouts.c.number)).all()
    return tuple(_course(connection, number) for number in found)


def places(connection: Connection) -> frozenset[tuple[DeviceName, str, Segment]]:
    """Return of which logical models and segments each device was ever to run a package."""
    query = (
        select(devices.c.name, packages_table.c.logical_model, packages_table.c.segment)
        .join(rollout_members, rollout_members.c.device == devices.c.number)
        .join(rollouts, rollout_members.c.rollout == rollouts.c.number)
        .join(packages_table, rollouts.c.package == packages_table.c.number)
        .distinct()
    )
    rows = connection.execute(query)
    return frozenset((row.name, row.logical_model, row.segment) for row in rows)


def _course(connection: Connection, number: int) -> Course:
    record = connection.scalar(select(rollouts.c.record).where(rollouts.c.number == number))
    members = (
        select(devices.c.name, rollout_members.c.stage, packages_table.c.sequence)
        .join(devices, rollout_members.c.device == devices.c.number)
        .outerjoin(packages_table, rollout_members.c.previous == packages_table.c.number)
        .where(rollout_members.c.rollout == number)
        .order_by(rollout_members.c.stage, devices.c.name)
    )
    steps = select(rollout_steps).where(rollout_steps.c.rollout == number)
    return Course(
        plan=msgspec.json.decode(record or "", type=Rollout),
        members={
            row.name: Member(stage=row.stage, previous=row.sequence)
            for row in connection.execute(members)
        },
        steps=tuple(map(_step, connection.execute(steps.order_by(rollout_steps.c.number)))),
    )


def _step(row: Row[Any]) -> RolloutStep:
    fields = {name: row._mapping[name] for name in RolloutStep.__struct_fields__}
    return RolloutStep(**fields | {"evidence": msgspec.json.decode(row.evidence)})
