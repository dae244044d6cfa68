"""Verification of the audit log, and of the rows that it tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from loopcast.api import Digest, IntegrityError
from loopcast.api.formats import json_bytes
from loopcast.store.audit import CONTENT, GENESIS, entry_of, rows_digest
from loopcast.store.audit import head as audit_head
from loopcast.store.columns import text_digest
from loopcast.store.governance_tables import audit, switches
from loopcast.store.tables import logical_models, releases, versions


def verify(connection: Connection, expect: tuple[int, Digest] | None = None) -> tuple[int, Digest]:
    """Check the whole log, and the rows it tells of.

    Parameters
    ----------
    expect
        A head that was exported before; without it, a log whose end was cut off is a log.

    Returns
    -------
    int, str
        The head.

    Raises
    ------
    IntegrityError
        Saying the first thing that is not as it was written.
    """
    try:
        _verify_head(_verify_chain(connection), expect)
        for check in (_verify_rows, _verify_models, _verify_intervals):
            check(connection)
    except ValueError as error:
        raise IntegrityError(f"catalog: a value cannot be what was written: {error}") from None
    return audit_head(connection)


def _verify_head(chained: Mapping[int, Digest], expect: tuple[int, Digest] | None) -> None:
    number, digest = expect or (0, GENESIS)
    if number and chained.get(number) != digest:
        raise IntegrityError(
            f"audit log: entry {number} is not the one with the digest {digest} that was "
            "exported; the log was cut off or rewritten"
        )


def _verify_chain(connection: Connection) -> dict[int, Digest]:
    previous, found = GENESIS, dict[int, Digest]()
    for position, row in enumerate(connection.execute(select(audit).order_by(audit.c.number)), 1):
        if row.number != position:
            raise IntegrityError(f"audit log: entry {position} is missing")
        _verify_entry(row, previous)
        previous = found[position] = row.digest
    return found


def _verify_entry(row: Row[Any], previous: Digest) -> None:
    where = f"audit log: entry {row.number}"
    if row.previous != previous:
        raise IntegrityError(f"{where} does not follow the one before it; entries were exchanged")
    try:
        entry = entry_of(row)
        whole = json_bytes(entry.details).decode() == row.details
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError(f"{where} was changed: {error}") from None
    if not whole or entry.expected != row.digest:
        raise IntegrityError(f"{where} ({entry.act} by {entry.by}) was changed after it was made")


def _verify_rows(connection: Connection) -> None:
    """Compare each act's rows with the digests in its entry."""
    said: dict[tuple[str, int], Digest] = {}
    older: Counter[str] = Counter()
    for number, text in connection.execute(select(audit.c.number, audit.c.details)):
        details = msgspec.json.decode(text)
        said |= {(name, number): value for name, value in details.get("content", {}).items()}
        older.update(details.get("before", {}))
    found, unclaimed = _found_digests(connection)
    for name in sorted(CONTENT):
        if unclaimed[name] != older[name]:
            raise IntegrityError(
                f"catalog: {unclaimed[name]} {_words(name)} are in no entry of the audit log, and "
                f"{older[name]} are older than it"
            )
    wrong = [key for key in said.keys() | found.keys() if _differ(said.get(key), found.get(key))]
    if wrong:
        name, number = min(wrong, key=lambda key: key[1])
        raise IntegrityError(
            f"catalog: the {_words(name)} of audit entry {number} are not those it was made with"
        )


def _found_digests(
    connection: Connection,
) -> tuple[dict[tuple[str, int], Digest], Counter[str]]:
    """Return the digest of each entry's rows, and how many rows of a table have no entry."""
    found: dict[tuple[str, int], Digest] = {}
    unclaimed: Counter[str] = Counter()
    for name, query in CONTENT.items():
        for number, rows in groupby(connection.execute(query), key=lambda row: row.entry):
            if number is None:
                unclaimed[name] += sum(1 for _ in rows)
            else:
                found[name, number] = rows_digest(rows)
    return found, unclaimed


def _differ(said: Digest | None, found: Digest | None) -> bool:
    nothing = rows_digest(())
    return (said or nothing) != (found or nothing)


def _words(table: str) -> str:
    return table.replace("sign_offs", "sign-offs").replace("_", " ")


def _verify_models(connection: Connection) -> None:
    """The record of each logical model is the one that the newest entry about it tells of."""
    query = select(audit.c.details).where(audit.c.act == "describe").order_by(audit.c.number)
    said = {
        details["name"]: details["record"]
        for details in map(msgspec.json.decode, connection.scalars(query))
    }
    found = {
        name: text_digest(record) for name, record in connection.execute(select(logical_models))
    }
    for name, record in said.items():
        if found.get(name) != record:
            raise IntegrityError(f"catalog: the record of {name} is not the one that was put there")


def _verify_intervals(connection: Connection) -> None:
    """Each interval ends where the next one of the same subject begins."""
    for table, subject in (
        (releases, (releases.c.version,)),
        (switches, (switches.c.logical_model, switches.c.segment)),
    ):
        columns = (*subject, table.c.since, table.c.until)
        rows = connection.execute(select(*columns).order_by(*subject, table.c.number))
        for key, group in groupby(rows, key=_key_of(len(subject))):
            entries = list(group)
            ends = [*(row.since for row in entries[1:]), None]
            if [row.until for row in entries] != ends:
                raise IntegrityError(
                    f"catalog: the intervals of {table.name} {_shown(connection, key)} do not "
                    "follow one another; an end was changed"
                )


def _key_of(length: int) -> Callable[[Row[Any]], tuple[Any, ...]]:
    return lambda row: tuple(row)[:length]


def _shown(connection: Connection, key: Sequence[Any]) -> str:
    if len(key) > 1:
        return "/".join(filter(None, key))
    return str(connection.scalar(select(versions.c.id).where(versions.c.number == key[0])))
