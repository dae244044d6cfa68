"""A board: the versions of a logical model that were judged alike, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import (
    Evaluation,
    LogicalModel,
    Manifest,
    MetricDefinition,
    NotFoundError,
    Segment,
    Stage,
    Version,
    place_name,
)
from loopcast.deploy.bundle import read_manifest
from loopcast.deploy.comparison import CONFIDENCE, judged_of, settings_of
from loopcast.develop.compare import Difference, compare
from loopcast.develop.metrics import known_of
from loopcast.develop.pairing import pair
from loopcast.store.catalog import VersionFilter

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One version.

    Attributes
    ----------
    values
        Its metrics overall, by name.
    against_best
        The KPI's difference to the best version, row by row; ``None`` for the best itself.
    settings
        What differs between the versions of the board, as it is for this one.
    """

    version: Version
    stage: Stage
    values: Mapping[str, float | None]
    against_best: Difference | None
    settings: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Board:
    """Versions that were judged on one dataset by one protocol.

    Attributes
    ----------
    rows
        The best by the KPI first.
    left_out
        Versions that were judged otherwise.
    """

    logical_model: LogicalModel
    dataset: str
    protocol: str
    metrics: Sequence[MetricDefinition]
    rows: tuple[BoardRow, ...]
    left_out: int


@dataclass(frozen=True, eq=False, kw_only=True)
class _Entry:
    version: Version
    stage: Stage
    evaluation: Evaluation
    manifest: Manifest


def board(
    home: Home,
    plugins: PluginManager,
    logical_model: str,
    segment: Segment = "",
    *,
    limit: int = 20,
) -> Board:
    """Set the newest versions side by side that were judged as the newest one was.

    Raises
    ------
    NotFoundError
        When there is no version, or the newest was never judged by the KPI.
    IntegrityError
        Where a bundle lacks its judged rows.
    """
    model = home.catalog.logical_model(logical_model)
    which = VersionFilter(logical_model=logical_model, segment=segment)
    summaries = home.catalog.versions(which, limit=limit)
    judged = {s.version.id: home.catalog.evaluations(s.version.id)[:1] for s in summaries}
    ways = [(e.dataset, e.protocol) for found in judged.values() for e in found]
    if not ways:
        place = place_name(logical_model, segment)
        raise NotFoundError(f"{place} has no version that was judged; train one first")
    entries = [
        _Entry(
            version=summary.version,
            stage=summary.stage,
            evaluation=evaluation,
            manifest=read_manifest(home.artifacts, summary.version.manifest),
        )
        for summary in summaries
        for evaluation in judged[summary.version.id]
        if (evaluation.dataset, evaluation.protocol) == ways[0]
    ]
    metrics = plugins.metrics_of(model)
    return Board(
        logical_model=model,
        dataset=ways[0][0],
        protocol=ways[0][1],
        metrics=known_of(metrics, [entry.evaluation for entry in entries]),
        rows=_rows(home, model, metrics, _sorted(model, entries)),
        left_out=len(summaries) - len(entries),
    )


def _sorted(model: LogicalModel, entries: list[_Entry]) -> list[_Entry]:
    sign = 1.0 if model.kpi.direction == "lower" else -1.0

    def place(entry: _Entry) -> float:
        value = entry.evaluation.value(model.kpi.metric)
        return float("inf") if value is None else sign * value

    return sorted(entries, key=place)


def _rows(
    home: Home, model: LogicalModel, metrics: Sequence[MetricDefinition], entries: list[_Entry]
) -> tuple[BoardRow, ...]:
    settings = _differing([settings_of(entry.manifest) for entry in entries])
    best = entries[0]
    judged = judged_of(home, best.version)
    kpi = [metric for metric in metrics if metric.name == model.kpi.metric]
    rows = []
    for entry, own in zip(entries, settings, strict=True):
        difference = None
        if entry is not best:
            theirs = judged_of(home, entry.version)
            ids = (best.version.id, entry.version.id)
            both = pair(judged, theirs, ids)
            found = compare(both, *ids, kpi, model.kpi, by=(), confidence=CONFIDENCE)
            difference = found[0] if found else None
        rows.append(
            BoardRow(
                version=entry.version,
                stage=entry.stage,
                values={m.name: entry.evaluation.value(m.name) for m in metrics},
                against_best=difference,
                settings=own,
            )
        )
    return tuple(rows)


def _differing(settings: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Keep the settings that are not the same for all."""
    names = dict.fromkeys(name for each in settings for name in each)
    differing = [n for n in names if len({each.get(n) for each in settings}) > 1]
    return [{name: each.get(name, "") for name in differing} for each in settings]
