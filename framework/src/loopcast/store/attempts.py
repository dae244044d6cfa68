"""Trainings that made no version: the newest of each segment.

Nothing that serves follows from them, so that no entry of the audit log tells of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from loopcast.api import Attempt, Segment
from loopcast.store.registration import chunks, insert
from loopcast.store.tables import attempts


def put_attempts(connection: Connection, items: Sequence[Attempt]) -> None:
    """Keep attempts in place of what was tried before in their segments."""
    segments: dict[str, list[Segment]] = defaultdict(list)
    for item in items:
        segments[item.logical_model].append(item.segment)
    for name, tried in segments.items():
        here = attempts.c.logical_model == name
        for chunk in chunks(tried):
            connection.execute(attempts.delete().where(here, attempts.c.segment.in_(chunk)))
    insert(connection, attempts, map(msgspec.structs.asdict, items))


def attempts_of(connection: Connection, logical_model: str) -> dict[Segment, Attempt]:
    """Return the newest attempt of each segment that has one."""
    found = connection.execute(select(attempts).where(attempts.c.logical_model == logical_model))
    return {row.segment: Attempt(**row._mapping) for row in found}
