"""What was measured of one version: datasets, evaluations and gate results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from loopcast.api import Dataset, Evaluation, GateResult, Metric, VersionId
from loopcast.store.tables import (
    comparisons,
    datasets,
    evaluations,
    gate_results,
    metrics,
    version_datasets,
    versions,
)


def list_evaluations(
    connection: Connection, version: VersionId, *, baselines: bool
) -> tuple[Evaluation, ...]:
    """Return a version's own evaluations, or those of its baselines, as they were registered."""
    query = (
        select(
            evaluations.c.position,
            evaluations.c.contender,
            datasets.c.fingerprint,
            comparisons.c.protocol,
        )
        .join(versions, evaluations.c.version == versions.c.number)
        .join(comparisons, evaluations.c.comparison == comparisons.c.number)
        .join(datasets, comparisons.c.dataset == datasets.c.number)
        .where(versions.c.id == version, evaluations.c.baseline.is_(baselines))
        .order_by(evaluations.c.position)
    )
    values = _metrics_by_evaluation(connection, version)
    return tuple(
        Evaluation(
            contender=row.contender,
            dataset=row.fingerprint,
            protocol=row.protocol,
            metrics=tuple(values[row.position]),
        )
        for row in connection.execute(query)
    )


def _metrics_by_evaluation(
    connection: Connection, version: VersionId
) -> Mapping[int, list[Metric]]:
    query = (
        select(
            metrics.c.evaluation,
            metrics.c.metric,
            metrics.c.value,
            metrics.c.subset,
            metrics.c.count.label("observations"),
        )
        .join(versions, metrics.c.version == versions.c.number)
        .where(versions.c.id == version)
        .order_by(metrics.c.evaluation, metrics.c.position)
    )
    found: dict[int, list[Metric]] = defaultdict(list)
    for evaluation, name, value, subset, count in connection.execute(query):
        found[evaluation].append(Metric(name=name, value=value, subset=subset, count=count))
    return found


def list_gates(connection: Connection, version: VersionId) -> tuple[GateResult, ...]:
    """Return the gate results of a version, in order."""
    columns = [gate_results.c[name] for name in GateResult.__struct_fields__]
    query = (
        select(*columns)
        .join(versions, gate_results.c.version == versions.c.number)
        .where(versions.c.id == version)
        .order_by(gate_results.c.position)
    )
    return tuple(GateResult(**row._mapping) for row in connection.execute(query))


def list_datasets(connection: Connection, version: VersionId) -> tuple[Dataset, ...]:
    """Return the datasets that a version was trained and tested on, in order."""
    query = (
        select(*(datasets.c[name] for name in Dataset.__struct_fields__))
        .join(version_datasets, version_datasets.c.dataset == datasets.c.number)
        .join(versions, version_datasets.c.version == versions.c.number)
        .where(versions.c.id == version)
        .order_by(version_datasets.c.position)
    )
    return tuple(Dataset(**row._mapping) for row in connection.execute(query))
