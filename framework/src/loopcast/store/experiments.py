"""Experiments in the catalog: declared, begun, ended; one at a time for each population."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from loopcast.api import (
    Act,
    BanditState,
    ConflictError,
    Experiment,
    ExperimentStep,
    NotFoundError,
    Segment,
    StepName,
    StoreError,
)
from loopcast.store import audit, governance, queries
from loopcast.store.experiment_tables import bandit_states, experiment_steps, experiments
from loopcast.store.registration import chunks, insert
from loopcast.store.switches import refuse_frozen
from loopcast.store.tables import versions
from loopcast.store.trials import Trial, find, key_of, obstacle, running, running_rows

_ACTS: Mapping[StepName, Act] = {"begun": "begin", "stopped": "stop", "concluded": "conclude"}


def declare(connection: Connection, items: Sequence[Experiment]) -> None:
    """Store declarations, all or none; each stands in place of an earlier one that has not begun.

    Raises
    ------
    NotFoundError
        When an arm is not in the catalog.
    StoreError
        When an arm belongs elsewhere, or an experiment of this name has begun.
    """
    if not items:
        return
    _require_own_arms(connection, items)
    for _, before in find(connection, items).values():
        item = before.experiment
        if before.begun is not None:
            raise StoreError(
                f"experiment {item.name} of {item.place} has begun and cannot be declared anew; "
                "give the new one another name"
            )
    entry = audit.next_number(connection)
    rows = [_row(item) | {"entry": entry} for item in items]
    insert(connection, experiments, rows)
    at = max(item.declared for item in items)
    _append(connection, entry, "declare", items, by=items[0].by, at=at, details={})


def _row(item: Experiment) -> dict[str, Any]:
    record = msgspec.json.encode(item, order="sorted").decode()
    place = {"logical_model": item.logical_model, "segment": item.segment}
    return place | {"name": item.name, "record": record}


def _require_own_arms(connection: Connection, items: Sequence[Experiment]) -> None:
    query = select(versions.c.id, versions.c.logical_model, versions.c.segment)
    wanted = {arm for item in items for arm in item.arms}
    homes = {
        row.id: (row.logical_model, row.segment)
        for chunk in chunks(wanted)
        for row in connection.execute(query.where(versions.c.id.in_(chunk)))
    }
    for item in items:
        for arm in item.arms:
            if arm not in homes:
                raise NotFoundError(f"version {arm} is not in the catalog")
            if homes[arm] != (item.logical_model, item.segment):
                raise StoreError(
                    f"version {arm} is one of {'/'.join(filter(None, homes[arm]))}, not of "
                    f"{item.place}, whose experiment it cannot be an arm of"
                )


def take_step(connection: Connection, items: Sequence[Experiment], step: ExperimentStep) -> None:
    """Begin or end experiments, all or none.

    Raises
    ------
    NotFoundError
        When one was not declared.
    ConflictError
        When one was declared anew meanwhile, or another one runs on the same population.
    StoreError
        When one has begun or ended already, or its arms do not stand where they have to.
    SwitchError
        When one is to begin where the switch says freeze.
    """
    if not items:
        return
    known = find(connection, items)
    numbers = [_number(known.get(key_of(item)), item, step) for item in items]
    if step.step == "begun":
        _require_ready(connection, items)
    entry = audit.next_number(connection)
    fields = msgspec.structs.asdict(step) | {"entry": entry}
    insert(connection, experiment_steps, ({"experiment": n} | fields for n in numbers))
    act, details = _ACTS[step.step], {"reason": step.reason}
    _append(connection, entry, act, items, by=step.by, at=step.at, details=details)


def _number(found: tuple[int, Trial] | None, item: Experiment, step: ExperimentStep) -> int:
    """Return the key of an experiment that may take a step."""
    if found is None:
        raise NotFoundError(f"{item.place} has no experiment {item.name}; declare it first")
    number, trial = found
    if trial.experiment != item:
        raise ConflictError(f"experiment {item.name} of {item.place} was declared anew; look again")
    wanted = "declared" if step.step == "begun" else "running"
    if trial.state != wanted:
        raise StoreError(
            f"experiment {item.name} of {item.place} is {trial.state}; only one that is {wanted} "
            f"can be {step.step}"
        )
    return number


def _require_ready(connection: Connection, items: Sequence[Experiment]) -> None:
    """Arms stand where they have to, and nothing else is tried on the same population."""
    places = [(item.logical_model, item.segment) for item in items]
    refuse_frozen(connection, places)
    stages = governance.stages_of(connection, {arm for item in items for arm in item.arms})
    others, canaries = _tried(connection, places)
    for item, place in zip(items, places, strict=True):
        if place in others:
            raise ConflictError(
                f"{item.place} is the population of the experiment {others[place]}; stop or "
                "conclude it first, since two at a time cannot be told apart"
            )
        others[place] = item.name
        reason = obstacle(item, stages)
        if reason:
            raise StoreError(f"experiment {item.name} of {item.place}: {reason}")
        if item.kind != "shadow" and place in canaries:
            raise StoreError(
                f"{item.place} has a canary, which takes entities from the arms; release it or "
                "send it back first"
            )


def _tried(
    connection: Connection, places: Iterable[tuple[str, Segment]]
) -> tuple[dict[tuple[str, Segment], str], set[tuple[str, Segment]]]:
    """Return the experiment that runs at each of some places, and those that have a canary."""
    segments: dict[str, list[Segment]] = defaultdict(list)
    for logical_model, segment in places:
        segments[logical_model].append(segment)
    others = {
        (model, segment): trial.experiment.name
        for model, names in segments.items()
        for segment, trial in running(connection, model, names).items()
    }
    canaries = {
        (model, release.segment)
        for model, names in segments.items()
        for release in queries.serving(connection, model, names, None)
        if release.stage == "canary"
    }
    return others, canaries


def put_states(
    connection: Connection, logical_model: str, states: Mapping[Segment, BanditState]
) -> tuple[Segment, ...]:
    """Keep what bandits have learned, in place of what they knew before.

    Returns
    -------
    tuple of str
        The segments in which a bandit runs; what others have learned is of no use any more.
    """
    numbers = {
        trial.experiment.segment: number
        for number, trial in running_rows(connection, logical_model, list(states))
        if trial.experiment.kind == "bandit"
    }
    for chunk in chunks(numbers.values()):
        connection.execute(bandit_states.delete().where(bandit_states.c.experiment.in_(chunk)))
    rows = (
        {
            "experiment": number,
            "record": msgspec.json.encode(states[segment], order="sorted").decode(),
        }
        for segment, number in numbers.items()
    )
    insert(connection, bandit_states, rows)
    return tuple(numbers)


def _append(
    connection: Connection,
    entry: int,
    act: Act,
    items: Sequence[Experiment],
    *,
    by: str,
    at: datetime,
    details: Mapping[str, object],
) -> None:
    names: list[dict[str, object]] = [
        {"logical_model": item.logical_model, "segment": item.segment, "name": item.name}
        for item in items
    ]
    audit.append(
        connection,
        entry,
        act,
        by=by,
        at=at,
        subjects=sorted({item.logical_model for item in items}),
        details=audit.named(names) | dict(details),
    )
