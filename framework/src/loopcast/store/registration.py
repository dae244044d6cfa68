"""Registration: versions with all that is known about them, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, Connection, Table, select

from loopcast.api import (
    Dataset,
    Digest,
    Evaluation,
    GateResult,
    IntegrityError,
    InvalidRecordError,
    LogicalModel,
    NotFoundError,
    Record,
    Version,
    VersionId,
)
from loopcast.store import audit
from loopcast.store.columns import text_digest
from loopcast.store.tables import (
    comparisons,
    datasets,
    evaluations,
    gate_results,
    logical_models,
    metrics,
    version_datasets,
    versions,
)

_CHUNK = 10_000  # below the limits of bound parameters: 32,766 in SQLite, 65,535 in PostgreSQL

Row = dict[str, Any]
ItemT = TypeVar("ItemT")


class Registration(Record, frozen=True):
    """A version and what was measured when it was made.

    Attributes
    ----------
    datasets
        Those the version was trained and tested on.
    evaluations
        Of the version itself; the first one is shown in lists.
    baselines
        Of the other contenders that it was compared with.
    gates
        Results of checks made before registration.
    """

    version: Version
    datasets: tuple[Dataset, ...]
    evaluations: tuple[Evaluation, ...] = ()
    baselines: tuple[Evaluation, ...] = ()
    gates: tuple[GateResult, ...] = ()

    def check(self) -> None:
        """Whatever is named is there, and each metric is one number."""
        known = {dataset.fingerprint for dataset in self.datasets}
        self.require(
            self.version.dataset in known,
            f"version {self.version.id} was trained on {self.version.dataset}, "
            "which is not among its datasets",
        )
        for evaluation in (*self.evaluations, *self.baselines):
            self.require(
                evaluation.dataset in known,
                f"{evaluation.contender} was evaluated on {evaluation.dataset}, "
                f"which is not among the datasets of version {self.version.id}",
            )
            _check_metrics(self.version.id, evaluation)


def _check_metrics(version: VersionId, evaluation: Evaluation) -> None:
    where = f"version {version}, evaluation of {evaluation.contender}"
    seen = {(metric.name, metric.subset) for metric in evaluation.metrics}
    if len(seen) < len(evaluation.metrics):
        raise InvalidRecordError(f"{where}: a metric appears twice for the same subset")


@dataclass(frozen=True)
class _Keys:
    """Integer keys of what the rows of a batch refer to."""

    versions: Mapping[VersionId, int]
    datasets: Mapping[Digest, int]
    comparisons: Mapping[tuple[Digest, str], int]


def put_logical_model(
    connection: Connection, model: LogicalModel, *, by: str, at: datetime
) -> None:
    """Store the record of a logical model, in place of an earlier one that differs."""
    record = msgspec.json.encode(model, order="sorted").decode()
    here = logical_models.c.name == model.name
    before = connection.scalar(select(logical_models.c.record).where(here))
    if before == record:
        return
    if before is None:
        connection.execute(logical_models.insert().values(name=model.name, record=record))
    else:
        connection.execute(logical_models.update().where(here).values(record=record))
    audit.append(
        connection,
        audit.next_number(connection),
        "describe",
        by=by,
        at=at,
        subjects=[model.name],
        details={"name": model.name, "record": text_digest(record)},
    )


def register(
    connection: Connection, registrations: Sequence[Registration], *, by: str, at: datetime
) -> tuple[VersionId, ...]:
    """Insert versions that the catalog does not hold yet, with everything that belongs to them.

    Returns
    -------
    tuple of str
        The ids that are new, in order; a version that is there already stays as it is.

    Raises
    ------
    NotFoundError
        When a logical model is not in the catalog.
    IntegrityError
        When an id is taken by a version with another manifest.
    """
    new = _unregistered(connection, registrations)
    if not new:
        return ()
    _require_logical_models(connection, {item.version.logical_model for item in new})
    dataset_keys = _put_datasets(connection, new)
    comparison_keys = _put_comparisons(connection, new, dataset_keys)
    entry = audit.next_number(connection)
    rows = (_version_row(item.version, dataset_keys) | {"entry": entry} for item in new)
    insert(connection, versions, rows)
    numbers = version_keys(connection, [item.version.id for item in new])
    keys = _Keys(numbers, dataset_keys, comparison_keys)
    for table, table_rows in (
        (version_datasets, _dataset_links),
        (evaluations, _evaluation_rows),
        (metrics, _metric_rows),
        (gate_results, _gate_rows),
    ):
        insert(connection, table, (row for item in new for row in table_rows(item, keys)))
    audit.append(
        connection,
        entry,
        "register",
        by=by,
        at=at,
        subjects=[item.version.logical_model for item in new],
        details=audit.named([{"version": item.version.id} for item in new]),
    )
    return tuple(item.version.id for item in new)


def chunks(values: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    """Cut values into lists that fit into one statement."""
    remaining = iter(values)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows, whatever their number."""
    for chunk in chunks(rows):
        connection.execute(table.insert(), chunk)


def version_keys(connection: Connection, ids: Iterable[VersionId]) -> dict[VersionId, int]:
    """Return the integer keys of versions.

    Raises
    ------
    NotFoundError
        When one is not in the catalog.
    """
    wanted = list(ids)
    found = _keys(connection, versions.c.id, wanted)
    absent = [identifier for identifier in wanted if identifier not in found]
    if absent:
        raise NotFoundError(f"version {absent[0]} is not in the catalog")
    return found


def _keys(connection: Connection, column: Column[str], values: Iterable[str]) -> dict[str, int]:
    """Look up the integer keys of rows by another unique column."""
    number = column.table.c.number
    return {
        value: key
        for chunk in chunks(values)
        for value, key in connection.execute(select(column, number).where(column.in_(chunk)))
    }


def _unregistered(
    connection: Connection, registrations: Sequence[Registration]
) -> list[Registration]:
    by_id = {item.version.id: item for item in registrations}
    known = {
        identifier: manifest
        for chunk in chunks(by_id)
        for identifier, manifest in connection.execute(
            select(versions.c.id, versions.c.manifest).where(versions.c.id.in_(chunk))
        )
    }
    for identifier, manifest in known.items():
        if by_id[identifier].version.manifest != manifest:
            raise IntegrityError(
                f"version {identifier} is in the catalog with the manifest {manifest}, not "
                f"{by_id[identifier].version.manifest}: two manifests begin alike"
            )
    return [item for identifier, item in by_id.items() if identifier not in known]


def _require_logical_models(connection: Connection, names: set[str]) -> None:
    found = select(logical_models.c.name).where(logical_models.c.name.in_(names))
    missing = sorted(names.difference(connection.scalars(found)))
    if missing:
        raise NotFoundError(
            f"logical model {missing[0]!r} is not in the catalog; put its record there first"
        )


def _put_datasets(connection: Connection, items: Sequence[Registration]) -> dict[Digest, int]:
    """Insert datasets that are new; one that is known keeps its first name and origin."""
    wanted = {dataset.fingerprint: dataset for item in items for dataset in item.datasets}
    known = _keys(connection, datasets.c.fingerprint, wanted)
    missing = [dataset for fingerprint, dataset in wanted.items() if fingerprint not in known]
    insert(connection, datasets, map(msgspec.structs.asdict, missing))
    return known | _keys(connection, datasets.c.fingerprint, (item.fingerprint for item in missing))


def _put_comparisons(
    connection: Connection, items: Sequence[Registration], dataset_keys: Mapping[Digest, int]
) -> dict[tuple[Digest, str], int]:
    wanted = {
        (evaluation.dataset, evaluation.protocol)
        for item in items
        for evaluation in (*item.evaluations, *item.baselines)
    }
    known = _comparison_keys(connection, wanted)
    missing = sorted(wanted - known.keys())
    rows = ({"dataset": dataset_keys[data], "protocol": protocol} for data, protocol in missing)
    insert(connection, comparisons, rows)
    return known | _comparison_keys(connection, missing)


def _comparison_keys(
    connection: Connection, pairs: Iterable[tuple[Digest, str]]
) -> dict[tuple[Digest, str], int]:
    query = select(datasets.c.fingerprint, comparisons.c.protocol, comparisons.c.number).join(
        datasets, comparisons.c.dataset == datasets.c.number
    )
    return {
        (fingerprint, protocol): key
        for chunk in chunks({fingerprint for fingerprint, _ in pairs})
        for fingerprint, protocol, key in connection.execute(
            query.where(datasets.c.fingerprint.in_(chunk))
        )
    }


def _version_row(version: Version, dataset_keys: Mapping[Digest, int]) -> Row:
    return msgspec.structs.asdict(version) | {"dataset": dataset_keys[version.dataset]}


def _dataset_links(item: Registration, keys: _Keys) -> Iterator[Row]:
    version = keys.versions[item.version.id]
    for position, dataset in enumerate(item.datasets):
        yield {
            "version": version,
            "position": position,
            "dataset": keys.datasets[dataset.fingerprint],
        }


def _placed(item: Registration) -> Iterator[tuple[int, bool, Evaluation]]:
    """Number a registration's evaluations: the version's own first, then the baselines'."""
    for position, evaluation in enumerate((*item.evaluations, *item.baselines)):
        yield position, position >= len(item.evaluations), evaluation


def _evaluation_rows(item: Registration, keys: _Keys) -> Iterator[Row]:
    for position, baseline, evaluation in _placed(item):
        yield {
            "version": keys.versions[item.version.id],
            "position": position,
            "contender": evaluation.contender,
            "baseline": baseline,
            "comparison": keys.comparisons[evaluation.dataset, evaluation.protocol],
        }


def _metric_rows(item: Registration, keys: _Keys) -> Iterator[Row]:
    version = keys.versions[item.version.id]
    for place, baseline, evaluation in _placed(item):
        comparison = keys.comparisons[evaluation.dataset, evaluation.protocol]
        for position, metric in enumerate(evaluation.metrics):
            yield {
                "version": version,
                "evaluation": place,
                "metric": metric.name,
                "subset": metric.subset,
                "position": position,
                "comparison": comparison,
                "baseline": baseline,
                "value": metric.value,
                "count": metric.count,
            }


def _gate_rows(item: Registration, keys: _Keys) -> Iterator[Row]:
    for position, gate in enumerate(item.gates):
        yield {
            "version": keys.versions[item.version.id],
            "position": position,
            **msgspec.structs.asdict(gate),
        }
