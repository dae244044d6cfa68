"""The best versions by a metric, among those that were judged alike."""

from __future__ import annotations

from sqlalchemy import Connection, select

from loopcast.api import Digest, Direction, NotFoundError, StoreError, Version
from loopcast.store.queries import VERSION, version_of_row
from loopcast.store.tables import comparisons, datasets, metrics, versions


def best_versions(
    connection: Connection,
    dataset: Digest,
    metric: str,
    direction: Direction,
    *,
    protocol: str | None,
    subset: str,
    limit: int,
) -> list[tuple[Version, float]]:
    """Return the best versions by one metric, among those judged alike on one dataset.

    Raises
    ------
    NotFoundError
        When nothing was judged on the dataset, or not by the protocol.
    StoreError
        When several protocols were used and none is named.
    """
    comparison = _comparison(connection, dataset, protocol)
    value = metrics.c.value
    ranked = (
        select(metrics.c.version, value)
        .where(
            metrics.c.comparison == comparison,
            metrics.c.metric == metric,
            metrics.c.subset == subset,
            metrics.c.baseline.is_(False),
            value.is_not(None),
        )
        .order_by(value if direction == "lower" else value.desc())
        .limit(limit)
        .subquery()
    )
    query = VERSION.join(ranked, ranked.c.version == versions.c.number).add_columns(ranked.c.value)
    in_order = ranked.c.value if direction == "lower" else ranked.c.value.desc()
    rows = connection.execute(query.order_by(in_order, versions.c.number))
    return [(version_of_row(row), row.value) for row in rows]


def _comparison(connection: Connection, dataset: Digest, protocol: str | None) -> int:
    query = (
        select(comparisons.c.protocol, comparisons.c.number)
        .join(datasets, comparisons.c.dataset == datasets.c.number)
        .where(datasets.c.fingerprint == dataset)
    )
    keys = {row.protocol: row.number for row in connection.execute(query)}
    known = "; ".join(sorted(keys))
    if not keys:
        raise NotFoundError(f"no version was evaluated on a dataset with fingerprint {dataset}")
    if protocol is None and len(keys) > 1:
        raise StoreError(f"versions were judged on {dataset} in several ways; name one of: {known}")
    if protocol is not None and protocol not in keys:
        raise NotFoundError(f"no version was judged on {dataset} by {protocol!r}, only by: {known}")
    number: int = keys[protocol] if protocol is not None else next(iter(keys.values()))
    return number
