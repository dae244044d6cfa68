"""Moves of versions between stages: never two champions of a segment, and never a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, func, select, update

from loopcast.api import (
    ConflictError,
    InvalidRecordError,
    Name,
    NotFoundError,
    Record,
    Segment,
    Stage,
    StoreError,
    VersionId,
)
from loopcast.store import audit
from loopcast.store.columns import in_utc
from loopcast.store.registration import chunks, insert
from loopcast.store.switches import refuse_frozen
from loopcast.store.tables import releases, versions


class Move(Record, frozen=True):
    """A version of a logical model and segment enters a stage.

    Attributes
    ----------
    share
        The share of entities that a canary serves.
    """

    logical_model: Name
    segment: Segment
    version: VersionId
    stage: Stage
    by: str
    reason: str
    share: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] | None = None

    def check(self) -> None:
        """Someone answers for each move, and only a canary has a share."""
        self.require(bool(self.by.strip()), "by is empty; name who releases the version")
        self.require(
            self.share is None or self.stage == "canary",
            f"share {self.share} of the stage {self.stage}; only a canary has one",
        )


class Return(Record, frozen=True):
    """A rollback: the champion of a segment gives way to one that was champion before.

    Attributes
    ----------
    champion
        The champion that goes; a rollback that finds another one changes nothing.
    version
        The one that comes back, as :func:`reigns` lists it.
    """

    logical_model: Name
    segment: Segment
    champion: VersionId
    version: VersionId


def apply_moves(
    connection: Connection, moves: Sequence[Move], at: datetime, *, policy: str = ""
) -> frozenset[VersionId]:
    """Apply moves of different versions, all or none.

    A version that becomes champion retires the champion of its segment in the same
    transaction, at the same moment. A version that is in the stage already stays as it is. No
    entry begins before those that went before, even if clocks differ between machines.

    Parameters
    ----------
    policy
        Name of the policy that let them; empty where none was asked.

    Returns
    -------
    frozenset of str
        The versions that were not where they were to go.

    Raises
    ------
    NotFoundError
        When a version is not in the catalog.
    InvalidRecordError
        When a version belongs to another logical model or segment, or two moves contradict.
    SwitchError
        When a segment is frozen.
    StoreError
        When a segment would be left without its champion, or have two canaries.
    """
    _refuse_contradictions(moves)
    keys = _version_keys(connection, moves)
    stages = _open_stages(connection, keys.values())
    pending = [move for move in moves if stages.get(keys[move.version]) != (move.stage, move.share)]
    refuse_frozen(connection, map(_place, pending))
    champions = {key for key, (stage, _) in stages.items() if stage == "champion"}
    _refuse_gaps(pending, keys, champions)
    _refuse_second_canaries(connection, pending, keys)
    _carry_out(connection, pending, keys, at, act="release", policy=policy)
    return frozenset(move.version for move in pending)


def apply_returns(
    connection: Connection, returns: Sequence[Return], at: datetime, *, by: str, reason: str
) -> None:
    """Roll segments back, all or none.

    Raises
    ------
    ConflictError
        When another champion was released, or the return is not to one of its predecessors.
    SwitchError
        When a segment is frozen.
    """
    refuse_frozen(connection, map(_place, returns))
    for item in returns:
        reign = reigns(connection, item.logical_model, [item.segment]).get(item.segment, ())
        if item.champion not in reign[:1] or item.version not in reign[1:]:
            raise ConflictError(
                f"{item.logical_model} {item.segment!r} has {reign[0] if reign else 'no'} "
                f"champion by now, not {item.champion}; look at its history and try again"
            )
    moves = [
        Move(
            logical_model=item.logical_model,
            segment=item.segment,
            version=item.version,
            stage="champion",
            by=by,
            reason=reason,
        )
        for item in returns
    ]
    _carry_out(connection, moves, _version_keys(connection, moves), at, act="rollback")


def reigns(
    connection: Connection, logical_model: str, segments: Iterable[Segment] | None = None
) -> dict[Segment, tuple[VersionId, ...]]:
    """Return the champion of each segment and those that a rollback can return to.

    Returns
    -------
    dict
        By segment: the champion, then its predecessors, the last one first. One that was rolled
        back from is not among them, unless it was released again.
    """
    query = (
        select(releases.c.segment, versions.c.id, releases.c.rollback)
        .join(versions, releases.c.version == versions.c.number)
        .where(releases.c.logical_model == logical_model, releases.c.stage == "champion")
        .order_by(releases.c.number)
    )
    parts = (
        [query]
        if segments is None
        else [query.where(releases.c.segment.in_(chunk)) for chunk in chunks(segments)]
    )
    found: dict[Segment, list[VersionId]] = {}
    for segment, version, rollback in (row for part in parts for row in connection.execute(part)):
        reign = found.setdefault(segment, [])
        if rollback:
            del reign[: reign.index(version) if version in reign else 1]
        if version in reign:
            reign.remove(version)
        reign.insert(0, version)
    return {segment: tuple(reign) for segment, reign in found.items()}


def _carry_out(
    connection: Connection,
    moves: Sequence[Move],
    keys: Mapping[VersionId, int],
    at: datetime,
    *,
    act: Literal["release", "rollback"],
    policy: str = "",
) -> None:
    """Write moves that were found to be right, and the entry of the audit log."""
    if not moves:
        return
    replacing = {_place(move): move for move in moves if move.stage == "champion"}
    moved = {keys[move.version] for move in moves}
    displaced = [
        row for row in _in_stage(connection, "champion", replacing) if row.version not in moved
    ]
    moment = max([in_utc(at), *_latest(connection, moves)])
    _close(connection, [*moved, *(row.version for row in displaced)], moment)
    entry = audit.next_number(connection)
    common = {"since": moment, "rollback": act == "rollback", "entry": entry}
    retired = [
        _retirement(row, replacing[row.logical_model, row.segment], act) for row in displaced
    ]
    opened = [msgspec.structs.asdict(move) | {"version": keys[move.version]} for move in moves]
    insert(connection, releases, (row | common for row in (*retired, *opened)))
    audit.append(
        connection,
        entry,
        act,
        by=", ".join(sorted({move.by for move in moves})),
        at=moment,
        subjects=[move.logical_model for move in moves],
        details=audit.named([msgspec.structs.asdict(move) for move in moves])
        | ({"policy": policy} if policy else {}),
    )


def _place(move: Move | Return) -> tuple[str, str]:
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


def _open_stages(
    connection: Connection, keys: Iterable[int]
) -> dict[int, tuple[Stage, float | None]]:
    columns = (releases.c.version, releases.c.stage, releases.c.share)
    query = select(*columns).where(releases.c.until.is_(None))
    return {
        version: (stage, share)
        for chunk in chunks(keys)
        for version, stage, share in connection.execute(query.where(releases.c.version.in_(chunk)))
    }


def _refuse_gaps(
    pending: Sequence[Move], keys: Mapping[VersionId, int], champions: set[int]
) -> None:
    served = {_place(move) for move in pending if move.stage == "champion"}
    for move in pending:
        if keys[move.version] in champions and _place(move) not in served:
            raise StoreError(
                f"version {move.version} is champion of {move.logical_model} {move.segment!r}, "
                "which would be left without one; release its successor, which retires it"
            )


def _refuse_second_canaries(
    connection: Connection, pending: Sequence[Move], keys: Mapping[VersionId, int]
) -> None:
    entering = {_place(move): move for move in pending if move.stage == "canary"}
    leaving = {keys[move.version] for move in pending}
    for row in _in_stage(connection, "canary", entering):
        if row.version not in leaving:
            move = entering[row.logical_model, row.segment]
            raise StoreError(
                f"{move.logical_model} {move.segment!r} has a canary already; release that one on, "
                f"or back to staging, before {move.version}"
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


def _in_stage(
    connection: Connection, stage: Stage, places: Iterable[tuple[str, str]]
) -> list[Row[Any]]:
    query = select(releases.c.logical_model, releases.c.segment, releases.c.version).where(
        releases.c.stage == stage, releases.c.until.is_(None)
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


def _retirement(row: Row[Any], successor: Move, act: str) -> dict[str, Any]:
    rolled_back = f"rolled back to {successor.version}: {successor.reason}"
    return {
        "logical_model": row.logical_model,
        "segment": row.segment,
        "version": row.version,
        "stage": "retired",
        "by": successor.by,
        "reason": rolled_back if act == "rollback" else f"replaced by {successor.version}",
        "share": None,
    }
