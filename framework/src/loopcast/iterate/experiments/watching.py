"""What to look at in running experiments: how entities are divided, and whether arms serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loopcast.api import Alert, MetricDefinition, Segment
from loopcast.iterate.experiments.evaluation import Evaluated, divided
from loopcast.iterate.experiments.ratio import MISMATCH
from loopcast.monitor.alerts import AlertBook

if TYPE_CHECKING:
    from loopcast.store.home import Home

DIVISION, INTERRUPTION = "sample_ratio", "experiment_interrupted"
KINDS = (DIVISION, INTERRUPTION)


def check_all(
    logical_model: str,
    home: Home,
    metrics: Mapping[str, MetricDefinition],
    now: datetime,
    segments: Sequence[Segment] | None = None,
) -> tuple[int, tuple[Alert, ...]]:
    """Look at each segment in which an experiment runs or ran, and raise or close its alerts.

    Parameters
    ----------
    segments
        These only; all where it is left out.

    Returns
    -------
    int, tuple of Alert
        How many run, and the alerts that are to be delivered.
    """
    trials = home.catalog.experiments(logical_model, segments)
    running = {t.experiment.segment: t for t in trials if t.state == "running"}
    found = [divided(trial, home, metrics, now) for trial in running.values()]
    raised = [alert for each in found for alert in alerts(each, now)]
    looked_at = {trial.experiment.segment for trial in trials}
    return len(running), alert_book(home).update_all(logical_model, looked_at, KINDS, raised)


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
    name, raised = found.trial.experiment.name, []
    if found.interrupted:
        cause = f"experiment {name} is interrupted: {found.interrupted}"
        raised.append(_alert(found, now, kind=INTERRUPTION, severity="warning", cause=cause))
    progress = found.progress if found.units is not None else None
    if progress is not None and progress.mismatch is not None and progress.mismatch < MISMATCH:
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
