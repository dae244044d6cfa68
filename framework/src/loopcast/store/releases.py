"""Moves of versions between stages: never two champions of a segment, and never a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select, update

from loopcast.api import (
    InvalidRecordError,
    Name,
    NotFoundError,
    Record,
    Segment,
    Stage,
    StoreError,
    VersionId,
)
from loopcast.store.registration import chunks
from loopcast.store.tables import in_utc, releases, versions


class Move(Record, frozen=True):
    """A version of a logical model and segment enters a stage."""

    logical_model: Name
    segment: Segment
    version: VersionId
    stage: Stage
    by: str
    reason: str

    def check(self) -> None:
        """Someone answers for each move."""
        self.require(bool(self.by.strip()), "by is empty; name who releases the version")


def apply_moves(connection: Connection, moves: Sequence[Move], at: datetime) -> None:
    """Apply moves of different versions, all or none.

    A version that becomes champion retires the champion of its segment in the same
    transaction, at the same moment. A version that is in the stage already stays as it is. No
    entry begins before those that went before, even if clocks differ between machines.

    Raises
    ------
    NotFoundError
        When a version is not in the catalog.
    InvalidRecordError
        When a version belongs to another logical model or segment, or two moves contradict.
    StoreError
        When a segment would be left without its champion.
    """
    _refuse_contradictions(moves)
    keys = _version_keys(connection, moves)
    stages = _open_stages(connection, keys.values())
    pending = [move for move in moves if stages.get(keys[move.version]) != move.stage]
    replacing = {_place(move): move for move in pending if move.stage == "champion"}
    _refuse_gaps(pending, keys, stages, replacing.keys())
    moved = {keys[move.version] for move in pending}
    displaced = [row for row in _champions(connection, replacing) if row.version not in moved]
    moment = max([in_utc(at), *_latest(connection, pending)])
    _close(connection, [*moved, *(row.version for row in displaced)], moment)
    retired = [
        _retirement(row, replacing[row.logical_model, row.segment], moment) for row in displaced
    ]
    opened = [_opening(move, keys[move.version], moment) for move in pending]
    for chunk in chunks([*retired, *opened]):
        connection.execute(releases.insert(), chunk)


def _place(move: Move) -> tuple[str, str]:
    return move.logical_model, move.segment


def _refuse_contradictions(moves: Sequence[Move]) -> None:
    twice = [name for name, times in Counter(move.version for move in moves).items() if times > 1]
    if twice:
        raise InvalidRecordError(f"version {twice[0]} is moved twice at once; give one stage")
    crowned = Counter(_place(move) for move in moves if move.stage == "champion")
    for (logical_model, segment), times in crowned.items():
        if times > 1:
            raise InvalidRecordError(
                f"{times} versions would become champion of {logical_model} {segment!r}; give one"
            )


def _version_keys(connection: Connection, moves: Sequence[Move]) -> dict[VersionId, int]:
    """Return the keys of the versions, each checked to be of the move's model and segment."""
    columns = select(versions.c.id, versions.c.number, versions.c.logical_model, versions.c.segment)
    found = {
        row.id: row
        for chunk in chunks(move.version for move in moves)
        for row in connection.execute(columns.where(versions.c.id.in_(chunk)))
    }
    for move in moves:
        row = found.get(move.version)
        if row is None:
            raise NotFoundError(f"version {move.version} is not in the catalog")
        if (row.logical_model, row.segment) != _place(move):
            raise InvalidRecordError(
                f"version {move.version} is one of {row.logical_model} {row.segment!r}, "
                f"not of {move.logical_model} {move.segment!r}"
            )
    return {identifier: row.number for identifier, row in found.items()}


def _open_stages(connection: Connection, keys: Iterable[int]) -> dict[int, Stage]:
    query = select(releases.c.version, releases.c.stage).where(releases.c.until.is_(None))
    return {
        version: stage
        for chunk in chunks(keys)
        for version, stage in connection.execute(query.where(releases.c.version.in_(chunk)))
    }


def _refuse_gaps(
    pending: Sequence[Move],
    keys: dict[VersionId, int],
    stages: dict[int, Stage],
    replaced: Iterable[tuple[str, str]],
) -> None:
    served = set(replaced)
    for move in pending:
        if stages.get(keys[move.version]) == "champion" and _place(move) not in served:
            raise StoreError(
                f"version {move.version} is champion of {move.logical_model} {move.segment!r}, "
                "which would be left without one; release its successor, which retires it"
            )


def _at_places(query: Select[Any], places: Iterable[tuple[str, str]]) -> Iterable[Select[Any]]:
    """Restrict a query on releases to logical models and segments, in parts that fit."""
    by_model: dict[str, set[str]] = {}
    for logical_model, segment in places:
        by_model.setdefault(logical_model, set()).add(segment)
    for logical_model, segments in by_model.items():
        for chunk in chunks(segments):
            yield query.where(
                releases.c.logical_model == logical_model, releases.c.segment.in_(chunk)
            )


def _champions(connection: Connection, places: Iterable[tuple[str, str]]) -> list[Row[Any]]:
    query = select(releases.c.logical_model, releases.c.segment, releases.c.version).where(
        releases.c.stage == "champion", releases.c.until.is_(None)
    )
    return [row for part in _at_places(query, places) for row in connection.execute(part)]


def _latest(connection: Connection, moves: Iterable[Move]) -> list[datetime]:
    """Return when the last entries of the moves' segments began."""
    query = select(func.max(releases.c.since))
    parts = _at_places(query, {_place(move) for move in moves})
    return [moment for part in parts if (moment := connection.scalar(part)) is not None]


def _close(connection: Connection, keys: Iterable[int], moment: datetime) -> None:
    ending = update(releases).where(releases.c.until.is_(None)).values(until=moment)
    for chunk in chunks(keys):
        connection.execute(ending.where(releases.c.version.in_(chunk)))


def _opening(move: Move, key: int, moment: datetime) -> dict[str, Any]:
    return msgspec.structs.asdict(move) | {"version": key, "since": moment}


def _retirement(row: Row[Any], successor: Move, moment: datetime) -> dict[str, Any]:
    return {
        "logical_model": row.logical_model,
        "segment": row.segment,
        "version": row.version,
        "stage": "retired",
        "since": moment,
        "by": successor.by,
        "reason": f"replaced by {successor.version}",
    }
