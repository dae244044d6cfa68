"""What to look at in running experiments: how entities are divided, and whether arms serve."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import Alert, MetricDefinition
from loopcast.iterate.experiments.evaluation import Evaluated, evaluate
from loopcast.iterate.experiments.ratio import MISMATCH
from loopcast.monitor.alerts import AlertBook

if TYPE_CHECKING:
    from loopcast.store.home import Home

DIVISION, INTERRUPTION = "sample_ratio", "experiment_interrupted"
KINDS = (DIVISION, INTERRUPTION)


def check_all(
    logical_model: str, home: Home, metrics: Mapping[str, MetricDefinition], now: datetime
) -> tuple[int, tuple[Alert, ...]]:
    """Look at each segment in which an experiment runs or ran, and raise or close its alerts.

    Returns
    -------
    int, tuple of Alert
        How many run, and the alerts that are to be delivered.
    """
    trials = home.catalog.experiments(logical_model)
    running = {t.experiment.segment: t for t in trials if t.state == "running"}
    due: list[Alert] = []
    for segment in dict.fromkeys(trial.experiment.segment for trial in trials):
        if segment in running:
            due += raise_alerts(evaluate(running[segment], home, metrics, now), home, now)
        else:
            alert_book(home).update(logical_model, segment, KINDS, ())
    return len(running), tuple(due)


def raise_alerts(found: Evaluated, home: Home, now: datetime) -> tuple[Alert, ...]:
    """Raise the alerts of an experiment that runs, and close those whose cause is gone.

    Returns
    -------
    tuple of Alert
        Those that are to be delivered.
    """
    item = found.trial.experiment
    if found.trial.state != "running":
        return ()
    raised = alerts(found, now)
    return alert_book(home).update(item.logical_model, item.segment, KINDS, raised)


def alert_book(home: Home) -> AlertBook:
    """Return the alerts of a home."""
    return AlertBook(f"{home.folder}/alerts")


def alerts(found: Evaluated, now: datetime) -> list[Alert]:
    """Return what is to be looked at in an experiment."""
    progress, name, raised = found.progress, found.trial.experiment.name, []
    if progress.interrupted:
        cause = f"experiment {name} is interrupted: {progress.interrupted}"
        raised.append(_alert(found, now, kind=INTERRUPTION, severity="warning", cause=cause))
    if progress.mismatch is not None and progress.mismatch < MISMATCH:
        said = ", ".join(f"{count:,} by {arm}" for arm, count in progress.enrolled.items())
        cause = (
            f"experiment {name}: entities are served {said}, which is no equal division "
            f"(p = {progress.mismatch:.2g}); its result cannot be trusted"
        )
        evidence = {"p_value": progress.mismatch, **progress.enrolled}
        raised.append(
            _alert(found, now, kind=DIVISION, severity="critical", cause=cause, evidence=evidence)
        )
    return raised


def _alert(found: Evaluated, now: datetime, **fields: Any) -> Alert:
    item = found.trial.experiment
    return Alert(
        logical_model=item.logical_model,
        segment=item.segment,
        subject=item.name,
        remedy="look",
        raised=now,
        seen=now,
        **fields,
    )
