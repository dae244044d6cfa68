"""The switch of a logical model and segment: on, freeze, off; on where it was never set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select, update

from loopcast.api import Segment, Switch, SwitchError, SwitchSetting
from loopcast.store import audit
from loopcast.store.columns import in_utc
from loopcast.store.governance_tables import switches
from loopcast.store.registration import chunks, insert

_COLUMNS = tuple(switches.c[name] for name in SwitchSetting.__struct_fields__)


def set_switches(
    connection: Connection,
    logical_model: str,
    segments: Sequence[Segment],
    switch: Switch,
    *,
    by: str,
    reason: str,
    at: datetime,
) -> None:
    """Set the switch of segments, all or none; one that stands like this already stays."""
    before = settings(connection, logical_model, segments)
    wanted = [name for name in dict.fromkeys(segments) if _standing(before.get(name)) != switch]
    if not wanted:
        return
    moment = max([in_utc(at), *(before[name].since for name in wanted if name in before)])
    here = (switches.c.logical_model == logical_model) & switches.c.until.is_(None)
    for chunk in chunks(wanted):
        ending = update(switches).where(here, switches.c.segment.in_(chunk))
        connection.execute(ending.values(until=moment))
    entry = audit.next_number(connection)
    opened = [
        SwitchSetting(
            logical_model=logical_model,
            segment=segment,
            switch=switch,
            by=by,
            reason=reason,
            since=moment,
        )
        for segment in wanted
    ]
    insert(
        connection, switches, (msgspec.structs.asdict(item) | {"entry": entry} for item in opened)
    )
    named = audit.named([{"segment": item.segment} for item in opened])
    audit.append(
        connection,
        entry,
        "switch",
        by=by,
        at=moment,
        subjects=[logical_model],
        details=named | {"switch": switch, "reason": reason},
    )


def _standing(setting: SwitchSetting | None) -> Switch:
    return setting.switch if setting else "on"


def settings(
    connection: Connection,
    logical_model: str,
    segments: Iterable[Segment] | None = None,
    *,
    at: datetime | None = None,
) -> dict[Segment, SwitchSetting]:
    """Return the switch of each segment where it was ever set, now or at a moment."""
    query = select(*_COLUMNS).where(switches.c.logical_model == logical_model)
    if at is None:
        query = query.where(switches.c.until.is_(None))
    else:
        ended_later = (switches.c.until > at) | switches.c.until.is_(None)
        query = query.where(switches.c.since <= at, ended_later)
    parts: list[Select[Any]] = (
        [query]
        if segments is None
        else [query.where(switches.c.segment.in_(chunk)) for chunk in chunks(segments)]
    )
    rows = (row for part in parts for row in connection.execute(part))
    return {row.segment: SwitchSetting(**row._mapping) for row in rows}


def history(
    connection: Connection, logical_model: str, segment: Segment | None
) -> tuple[SwitchSetting, ...]:
    """Return who switched what, when and why, the oldest first."""
    query = select(*_COLUMNS).where(switches.c.logical_model == logical_model)
    if segment is not None:
        query = query.where(switches.c.segment == segment)
    rows = connection.execute(query.order_by(switches.c.number))
    return tuple(SwitchSetting(**row._mapping) for row in rows)


def refuse_frozen(connection: Connection, places: Iterable[tuple[str, Segment]]) -> None:
    """Refuse to move versions where the switch says freeze.

    Raises
    ------
    SwitchError
        Naming a frozen segment, who froze it, and how many more there are.
    """
    by_model: dict[str, set[Segment]] = {}
    for logical_model, segment in places:
        by_model.setdefault(logical_model, set()).add(segment)
    frozen = [
        setting
        for logical_model, segments in sorted(by_model.items())
        for setting in settings(connection, logical_model, sorted(segments)).values()
        if setting.switch == "freeze"
    ]
    if frozen:
        first, others = frozen[0], len(frozen) - 1
        more = f" and {others} more segments" if others else ""
        raise SwitchError(
            f"{first.place} is frozen {first.circumstances}{more}; 'loopcast switch "
            f"{first.logical_model} on' lets versions move again"
        )
