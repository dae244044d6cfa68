"""Metrics of what is decided by a score, where its logical model says how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import (
    DecisionSettings,
    Direction,
    LogicalModel,
    MetricDefinition,
    Profits,
    ScoreOutcome,
    ScoreSchema,
    hookimpl,
)
from loopcast.api.score import BOTH, EVENT, OTHER
from loopcast.develop.decision import Decision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

ANY = (-math.inf, math.inf)
EVENTS_AMOUNT = "share of events among amounts granted"


def decision_of(settings: DecisionSettings) -> Decision | None:
    """Return the decision at the configured cut-off; ``None`` where there is none."""
    if settings.threshold is None:
        return None
    return Decision(cutoff=settings.threshold, favourable=settings.favourable)


def profits_of(outcome: ScoreOutcome, granted: NDArray[np.bool_], profits: Profits) -> FloatArray:
    """Return what each case earned, by its amount where one is known, shape (n,)."""
    with_event = np.where(granted, profits.granted_event, profits.refused_event)
    without = np.where(granted, profits.granted_other, profits.refused_other)
    earned = np.where(outcome.actual == 1.0, with_event, without)
    return earned if outcome.amount is None else earned * outcome.amount


def by_amount(outcome: ScoreOutcome) -> ScoreOutcome | None:
    """Return rows that count by how much is at stake in each; ``None`` where nothing says it."""
    if outcome.amount is None:
        return None
    return replace(outcome, weight=outcome.weight * outcome.amount)


def _profit(
    outcome: ScoreOutcome, decision: Decision, profits: Profits, *, amounts: bool
) -> FloatArray:
    if amounts and outcome.amount is None:
        return np.full(len(outcome.actual), np.nan)
    return profits_of(outcome, decision.granted(outcome.probability), profits)


def _granted(outcome: ScoreOutcome, decision: Decision) -> FloatArray:
    return decision.granted(outcome.probability).astype(np.float64)


def _events_granted(outcome: ScoreOutcome, decision: Decision) -> float:
    weight = outcome.weight * decision.granted(outcome.probability)
    return float(outcome.actual @ weight / weight.sum()) if weight.sum() else float("nan")


def _of_amounts(outcome: ScoreOutcome, of: Callable[[ScoreOutcome], float]) -> float:
    counted = by_amount(outcome)
    return float("nan") if counted is None else of(counted)


def _mean(outcome: ScoreOutcome, rows: Callable[[ScoreOutcome], FloatArray]) -> float:
    total = outcome.weight.sum()
    return float(rows(outcome) @ outcome.weight / total) if total else float("nan")


def _covered(outcome: ScoreOutcome) -> FloatArray:
    """1 where the decision set holds what happened, else 0; undefined without sets."""
    if outcome.sets is None:
        return np.full(len(outcome.actual), np.nan)
    happened = np.where(outcome.actual == 1.0, EVENT, OTHER)
    return np.asarray((outcome.sets & happened) > 0, np.float64)


def _decided(outcome: ScoreOutcome) -> FloatArray:
    """1 where the decision set holds one outcome only, else 0; undefined without sets."""
    if outcome.sets is None:
        return np.full(len(outcome.actual), np.nan)
    return np.asarray(outcome.sets != BOTH, np.float64)


def _metric(
    name: str,
    title: str,
    direction: Direction,
    within: tuple[float, float] = (0.0, 1.0),
    **way: Any,
) -> MetricDefinition:
    return MetricDefinition(
        name=name, title=title, task="score", direction=direction, within=within, **way
    )


def _bind_profit(model: LogicalModel) -> MetricDefinition | None:
    decision, profits = decision_of(model.decision), model.decision.profits
    if decision is None or profits is None:
        return None
    title = "profit a case" + (f", {profits.unit}" if profits.unit else "")
    rows = partial(_profit, decision=decision, profits=profits, amounts=_amount(model) is not None)
    return _metric("profit", title, "higher", ANY, rows=rows)


def _bind_granted(model: LogicalModel) -> MetricDefinition | None:
    decision = decision_of(model.decision)
    if decision is None:
        return None
    return _metric("granted", "share granted", "higher", rows=partial(_granted, decision=decision))


def _bind_events_granted(model: LogicalModel) -> MetricDefinition | None:
    decision = decision_of(model.decision)
    if decision is None:
        return None
    whole = partial(_events_granted, decision=decision)
    direction: Direction = "lower" if decision.favourable == "low" else "higher"
    return _metric("events_granted", "share of events among granted", direction, whole=whole)


def _amount(model: LogicalModel) -> str | None:
    return model.schema.amount if isinstance(model.schema, ScoreSchema) else None


def _bind_granted_amount(model: LogicalModel) -> MetricDefinition | None:
    decision = decision_of(model.decision)
    if decision is None or _amount(model) is None:
        return None
    granted = partial(_mean, rows=partial(_granted, decision=decision))
    whole = partial(_of_amounts, of=granted)
    return _metric("granted_amount", "share of amounts granted", "higher", whole=whole)


def _bind_events_granted_amount(model: LogicalModel) -> MetricDefinition | None:
    decision = decision_of(model.decision)
    if decision is None or _amount(model) is None:
        return None
    whole = partial(_of_amounts, of=partial(_events_granted, decision=decision))
    direction: Direction = "lower" if decision.favourable == "low" else "higher"
    return _metric("events_granted_amount", EVENTS_AMOUNT, direction, whole=whole)


def _bind_decided_amount(model: LogicalModel) -> MetricDefinition | None:
    if model.decision.sets is None or _amount(model) is None:
        return None
    whole = partial(_of_amounts, of=partial(_mean, rows=_decided))
    return _metric("set_decided_amount", "share of amounts decided by sets", "higher", whole=whole)


def _bind_sets(
    model: LogicalModel, *, name: str, title: str, rows: Callable[[ScoreOutcome], FloatArray]
) -> MetricDefinition | None:
    return None if model.decision.sets is None else _metric(name, title, "higher", rows=rows)


@hookimpl
def loopcast_metrics() -> Sequence[MetricDefinition]:
    """Offer what a decision earns, whom it grants, and whether decision sets keep their promise."""
    coverage = partial(
        _bind_sets, name="set_coverage", title="coverage of decision sets", rows=_covered
    )
    decided = partial(_bind_sets, name="set_decided", title="share decided by sets", rows=_decided)
    return [
        _metric("profit", "profit a case", "higher", ANY, bind=_bind_profit),
        _metric("granted", "share granted", "higher", bind=_bind_granted),
        _metric(
            "events_granted", "share of events among granted", "lower", bind=_bind_events_granted
        ),
        _metric("granted_amount", "share of amounts granted", "higher", bind=_bind_granted_amount),
        _metric("events_granted_amount", EVENTS_AMOUNT, "lower", bind=_bind_events_granted_amount),
        _metric("set_coverage", "coverage of decision sets", "higher", bind=coverage),
        _metric("set_decided", "share decided by sets", "higher", bind=decided),
        _metric(
            "set_decided_amount",
            "share of amounts decided by sets",
            "higher",
            bind=_bind_decided_amount,
        ),
    ]
