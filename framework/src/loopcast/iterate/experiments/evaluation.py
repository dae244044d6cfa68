"""Progress of an experiment while it is sealed, and its result once it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import (
    DataError,
    GateError,
    Kpi,
    LogicalModel,
    MetricDefinition,
    VersionId,
)
from loopcast.iterate.experiments import ab, values
from loopcast.iterate.experiments.impressions import Impressions, impressions
from loopcast.iterate.experiments.ratio import MISMATCH, mismatch
from loopcast.iterate.experiments.results import (
    ArmResult,
    Contrast,
    Progress,
    Result,
    Validity,
    judge,
    winner_of,
)
from loopcast.iterate.experiments.shadow import Pairs, compare_pairs, pairs_of
from loopcast.iterate.experiments.units import Units, enrolled

if TYPE_CHECKING:
    from loopcast.develop.compare import Difference
    from loopcast.store.home import Home
    from loopcast.store.trials import Trial


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluated:
    """An experiment, the logical model it is about, and what its entities were offered.

    Attributes
    ----------
    metrics
        Of the task, by name.
    units, pairs, impressions
        Of an A/B test, of each shadow, or of a bandit.
    """

    trial: Trial
    model: LogicalModel
    metrics: Mapping[str, MetricDefinition]
    interrupted: str
    units: Units | None = None
    pairs: Mapping[VersionId, Pairs] | None = None
    impressions: Impressions | None = None

    @property
    def progress(self) -> Progress:
        """Counts only."""
        return _progress(self)


def evaluate(
    trial: Trial, home: Home, metrics: Mapping[str, MetricDefinition], now: datetime
) -> Evaluated:
    """Read what happened in an experiment.

    Raises
    ------
    DataError
        When it has not begun.
    """
    found, kind = divided(trial, home, metrics, now), trial.experiment.kind
    return replace(
        found,
        pairs=pairs_of(trial, found.model, home, now) if kind == "shadow" else None,
        impressions=impressions([trial], home, now) if kind == "bandit" else None,
    )


def divided(
    trial: Trial, home: Home, metrics: Mapping[str, MetricDefinition], now: datetime
) -> Evaluated:
    """Read how an experiment is served: whether it is, and of an A/B test the entities.

    Raises
    ------
    DataError
        When it has not begun.
    """
    experiment = trial.experiment
    if trial.begun is None:
        raise DataError(f"experiment {experiment.name} of {experiment.place} has not begun")
    return Evaluated(
        trial=trial,
        model=home.catalog.logical_model(experiment.logical_model),
        metrics=metrics,
        interrupted=_interruption(trial, home),
        units=enrolled(trial, home, now) if experiment.kind == "ab" else None,
    )


def _interruption(trial: Trial, home: Home) -> str:
    """Say why a running experiment is not served as it was declared."""
    item = trial.experiment
    if trial.state != "running":
        return ""
    setting = home.catalog.switches(item.logical_model, [item.segment]).get(item.segment)
    if setting is not None and setting.switch != "on":
        return f"{item.place} is switched to {setting.switch} {setting.circumstances}"
    return home.catalog.experiment_obstacle(item)


def _progress(found: Evaluated) -> Progress:
    trial, item, units = found.trial, found.trial.experiment, found.units
    planned = None
    if trial.begun is not None and item.days is not None:
        planned = trial.begun + timedelta(days=item.days + item.wait_days)
    counts, known = _counts(found)
    return Progress(
        state=trial.state,
        begun=trial.begun,
        ended=trial.ended,
        planned=planned,
        enrolled=counts,
        known=known,
        needed=item.sample_size,
        mismatch=_mismatch(units, len(item.arms)) if units is not None else None,
        crossed=units.crossed if units is not None else 0,
        interrupted=found.interrupted,
    )


def _counts(found: Evaluated) -> tuple[dict[VersionId, int], dict[VersionId, int]]:
    """Count entities, pairs or impressions of each arm, and those whose outcome is known."""
    arms = found.trial.experiment.arms
    if found.pairs is not None:
        pairs = found.pairs
        return (
            {version: own.blocks for version, own in pairs.items()},
            {version: own.known_blocks for version, own in pairs.items()},
        )
    if found.impressions is not None:
        served = dict(zip(arms, found.impressions.served[0].tolist(), strict=True))
        return served, _by_arm(found.impressions.arm, arms)
    assert found.units is not None
    units = found.units
    return _by_arm(units.arm, arms), _by_arm(units.arm[units.known], arms)


def _mismatch(units: Units, arms: int) -> float:
    weight = 1.0 / units.rows["inclusion"].to_numpy()
    return mismatch(units.arm, weight, arms)


def _by_arm(arm: NDArray[np.intp], arms: tuple[VersionId, ...]) -> dict[VersionId, int]:
    counts = np.bincount(arm, minlength=len(arms)).tolist()
    return dict(zip(arms, counts, strict=True))


def result_of(found: Evaluated) -> Result:
    """Return the result, where it is not sealed.

    Raises
    ------
    GateError
        While it is sealed: saying what is missing until the horizon, and when it is expected.
    """
    item, progress = found.trial.experiment, found.progress
    if found.impressions is not None:
        return _bandit_result(found)
    if not (item.sequential or progress.complete or progress.state == "stopped"):
        raise GateError(_sealed(found))
    return _shadow_result(found) if found.pairs is not None else _ab_result(found)


def _sealed(found: Evaluated) -> str:
    item, progress = found.trial.experiment, found.progress
    least = min(progress.known.values())
    expected = f", expected on {progress.planned:%Y-%m-%d}" if progress.planned else ""
    unit = "pairs" if item.kind == "shadow" else "entities of each arm"
    return (
        f"the result of experiment {item.name} of {item.place} is sealed until the outcomes of "
        f"{item.sample_size:,} {unit} are known: {least:,} are{expected}. Looking earlier would "
        "find differences that are none"
    )


def _ab_result(found: Evaluated) -> Result:
    item, progress, units = found.trial.experiment, found.progress, found.units
    assert units is not None
    assert item.sample_size is not None
    sample = ab.Sample(
        experiment=item,
        units=ab.first_of_each_arm(units, item.sample_size, len(item.arms)),
        model=found.model,
        metrics=found.metrics,
        anytime=item.sequential or not progress.complete,
    )
    contrasts, rails = ab.contrasts(sample), ab.guardrails(sample)
    doubts = _doubts(progress)
    return Result(
        experiment=item,
        progress=progress,
        arms=ab.arm_results(sample),
        contrasts=contrasts,
        guardrails=rails,
        course=ab.course(sample),
        validity="always" if sample.anytime else "fixed",
        winner=None if doubts else winner_of(contrasts, rails, item.direction),
        doubts=doubts,
    )


def _doubts(progress: Progress) -> tuple[str, ...]:
    """Say what forbids to trust a result."""
    if progress.mismatch is not None and progress.mismatch < MISMATCH:
        return (
            f"entities are not divided as they were meant to be (p = {progress.mismatch:.2g}); "
            "find out why before you believe any difference",
        )
    return ()


def _shadow_result(found: Evaluated) -> Result:
    item, progress = found.trial.experiment, found.progress
    assert found.pairs is not None
    if item.metric not in found.metrics:
        known = ", ".join(found.metrics)
        raise DataError(
            f"a shadow is judged by a metric of the task, not by {item.metric!r}: {known}"
        )
    kpi = Kpi(metric=item.metric, direction=item.direction, minimum_effect=item.minimum_effect)
    # Metrics of a whole catalogue say nothing of the pairs of lists that were answered.
    is_rank = found.model.task == "rank"
    usable = [m for m in found.metrics.values() if m.rows is not None or not is_rank]
    definitions = sorted(usable, key=lambda metric: metric.name != item.metric)
    differences = {
        version: compare_pairs(
            pairs,
            version,
            found.model,
            definitions,
            kpi,
            blocks=item.sample_size or 0,
            confidence=1.0 - item.significance / len(found.pairs),
        )
        for version, pairs in found.pairs.items()
    }
    contrasts = tuple(
        _contrast(v, own[0], item.minimum_effect, kpi) for v, own in differences.items()
    )
    validity: Validity = "fixed" if progress.complete else "none"
    return Result(
        experiment=item,
        progress=progress,
        arms=_arms(item.arms[0], {v: own[0] for v, own in differences.items()}),
        contrasts=contrasts,
        validity=validity,
        winner=winner_of(contrasts, (), item.direction) if progress.complete else None,
        others={v: own[1:] for v, own in differences.items()},
    )


def _bandit_result(found: Evaluated) -> Result:
    item, seen = found.trial.experiment, found.impressions
    assert seen is not None
    contrasts, uplift = values.contrasts(seen, item), values.uplift(seen, item)
    return Result(
        experiment=item,
        progress=found.progress,
        arms=values.arm_results(seen, item),
        contrasts=contrasts,
        validity="adaptive",
        winner=winner_of(contrasts, (), item.direction),
        notes=(uplift,) if uplift else (),
    )


def _contrast(version: VersionId, found: Difference, minimum_effect: float, kpi: Kpi) -> Contrast:
    interval = None
    if found.low is not None and found.high is not None:
        interval = (found.low, found.high)
    return Contrast(
        version=version,
        metric=found.metric,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        verdict=judge(interval, minimum_effect, kpi.direction),
    )


def _arms(champion: VersionId, found: Mapping[VersionId, Difference]) -> tuple[ArmResult, ...]:
    """Return the arms' own values; pairs say something of differences, not of these."""
    first = next(iter(found.values()))
    own = [(champion, first.first, first.rows)]
    own += [(version, each.second, each.rows) for version, each in found.items()]
    return tuple(
        ArmResult(version=version, count=rows, value=value, low=None, high=None)
        for version, value, rows in own
    )
