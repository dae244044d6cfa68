"""Whom a version serves how well, from the rows that it was judged on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import NotFoundError, ScoreOutcome, ScoreSchema, VersionId, take
from loopcast.deploy.comparison import judged_of
from loopcast.develop.fairness.groups import MOST_GROUPS, declared, groups_of, ways
from loopcast.develop.fairness.measures import (
    Decided,
    Fairness,
    Plan,
    decided,
    measure_fairness,
)
from loopcast.develop.fairness.sweep import Sweep, sweep
from loopcast.develop.fairness.thresholds import Alternative, by_group
from loopcast.develop.groups import GroupDifference, difference_of_groups
from loopcast.store.catalog import VersionFilter

if TYPE_CHECKING:
    from loopcast.api import Judged, MetricDefinition, Rows
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.decision import Decision
    from loopcast.plugins import PluginManager
    from loopcast.store.home import Home


MOST_BESIDE = 20
"""Newest versions among which those are looked for that were judged on the same rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class KpiOfGroup:
    """The KPI of a group beside that of all others.

    Attributes
    ----------
    found
        First the group, then all others.
    """

    attribute: str
    group: str
    rows: int
    found: GroupDifference


@dataclass(frozen=True, eq=False, kw_only=True)
class Beside:
    """Another version that was judged on the same rows.

    Attributes
    ----------
    label
        Its contender's: template, and what it is an alternative by.
    decisions
        By each attribute.
    profit
        NaN where the logical model does not say what decisions earn.
    """

    version: VersionId
    label: str
    decisions: tuple[Fairness, ...]
    correct: float
    profit: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FairnessReport:
    """How a version treats the groups of its judged rows.

    Attributes
    ----------
    kpi
        The KPI by group, for any task.
    decisions
        Of a score: by each attribute, and by pairs of them.
    sweeps, alternatives
        Of a score, by attribute: what each cut-off costs, and rules with a cut-off by group.
    correct
        Of a score: the share of decisions that the outcome bears out.
    profit_unit
        Of what decisions earn.
    beside
        The newest versions that were judged on the same rows, this one among them.
    outcomes
        Of a score: by attribute, the judged rows of each group that is large enough.
    """

    attributes: tuple[str, ...]
    decision: Decision
    plan: Plan
    kpi: tuple[KpiOfGroup, ...]
    decisions: tuple[Fairness, ...] = ()
    sweeps: Mapping[str, Sweep]
    alternatives: Mapping[str, Sequence[Alternative]]
    correct: float | None = None
    profit_unit: str = ""
    beside: tuple[Beside, ...] = ()
    outcomes: Mapping[str, Mapping[str, ScoreOutcome]] = field(default_factory=dict)


def fairness_report(
    home: Home,
    loaded: LoadedVersion,
    plugins: PluginManager,
    decision: Decision,
    *,
    attributes: Sequence[str] = (),
    plan: Plan | None = None,
) -> FairnessReport:
    """Measure how a version treats groups.

    Parameters
    ----------
    attributes
        By which; those that the schema declares as protected where empty, and of other tasks than
        scores all that rows were judged by.

    Raises
    ------
    NotFoundError
        Where no attribute is declared, or rows were not judged by one that was asked for.
    """
    judged, plan = loaded.judged(), plan or Plan()
    chosen = _attributes(loaded, judged, attributes)
    outcome = next(iter(judged.outcomes.values()))
    metrics = {metric.name: metric for metric in plugins.metrics_of(loaded.logical_model)}
    metric = metrics[loaded.logical_model.kpi.metric]
    kpi = tuple(one for name in chosen for one in _kpi(judged, name, metric, plan))
    if not isinstance(outcome, ScoreOutcome):
        return FairnessReport(
            attributes=chosen, decision=decision, plan=plan, kpi=kpi, sweeps={}, alternatives={}
        )
    profits = loaded.logical_model.decision.profits
    found = decided(judged, outcome, decision, profits)
    large = {name: _large(judged, name, plan) for name in chosen}
    compared = {name: groups for name, groups in large.items() if len(groups) > 1}
    return FairnessReport(
        attributes=chosen,
        decision=decision,
        plan=plan,
        kpi=kpi,
        decisions=tuple(measure_fairness(found, way, plan) for way in ways(chosen)),
        sweeps={name: sweep(found, groups) for name, groups in compared.items()},
        alternatives=_alternatives(compared, found, plan),
        correct=_correct(found),
        profit_unit=profits.unit if profits else "",
        beside=tuple(_beside(home, loaded, chosen, decision, plan)),
        outcomes={
            name: {group: take(outcome, rows) for group, rows in groups.items()}
            for name, groups in compared.items()
        },
    )


def _attributes(
    loaded: LoadedVersion, judged: Judged, attributes: Sequence[str]
) -> tuple[str, ...]:
    schema = loaded.schema
    known = {name for name, c in judged.attributes.items() if len(c.categories) <= MOST_GROUPS}
    asked = attributes or (declared(schema) if isinstance(schema, ScoreSchema) else sorted(known))
    if not asked:
        raise NotFoundError(
            f"{loaded.logical_model.name} declares no protected attribute; say by which fairness "
            "is measured, for example features.sex: {kind: category, protected: true, used: false}"
        )
    for name in asked:
        groups_of(judged, [name])  # refuses what rows were not judged by
    return tuple(asked)


def _large(judged: Judged, attribute: str, plan: Plan) -> dict[str, Rows]:
    groups = groups_of(judged, [attribute])
    return {name: rows for name, rows in groups.items() if len(rows) >= plan.fewest}


def _kpi(
    judged: Judged, attribute: str, metric: MetricDefinition, plan: Plan
) -> Iterator[KpiOfGroup]:
    groups, own = _large(judged, attribute, plan), next(iter(judged.outcomes))
    if len(groups) < 2:
        return
    for name, rows in groups.items():
        others = np.concatenate([part for other, part in groups.items() if other != name])
        yield KpiOfGroup(
            attribute=attribute,
            group=name,
            rows=len(rows),
            found=difference_of_groups(judged, own, metric, rows, others),
        )


def _correct(found: Decided) -> float:
    counted = found.judged.overall
    right = (found.granted == found.deserving)[counted]
    return float(np.average(right, weights=found.outcome.weight[counted]))


def _beside(
    home: Home,
    loaded: LoadedVersion,
    attributes: Sequence[str],
    decision: Decision,
    plan: Plan,
) -> Iterator[Beside]:
    own, profits = loaded.version, loaded.logical_model.decision.profits
    alike = {(e.dataset, e.protocol) for e in home.catalog.evaluations(own.id)}
    which = VersionFilter(logical_model=own.logical_model, segment=own.segment)
    for summary in home.catalog.versions(which, limit=MOST_BESIDE):
        version = summary.version
        evaluations = home.catalog.evaluations(version.id)[:1]
        if not any((e.dataset, e.protocol) in alike for e in evaluations):
            continue
        judged = judged_of(home, version)
        outcome = next(iter(judged.outcomes.values()))
        assert isinstance(outcome, ScoreOutcome)
        found = decided(judged, outcome, decision, profits)
        yield Beside(
            version=version.id,
            label=evaluations[0].contender,
            decisions=tuple(measure_fairness(found, (name,), plan) for name in attributes),
            correct=_correct(found),
            profit=found.profit(found.granted, np.flatnonzero(judged.overall)),
        )


def _alternatives(
    compared: Mapping[str, Mapping[str, Rows]], found: Decided, plan: Plan
) -> dict[str, list[Alternative]]:
    return {name: by_group(name, groups, found, plan) for name, groups in compared.items()}
