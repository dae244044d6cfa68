"""Training: contest of the template and its baselines, then a model on all data.

The result of both is everything that a bundle holds. Nothing is registered here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import (
    Engine,
    Evaluation,
    FitContext,
    ForecastData,
    Forecaster,
    ForecastSchema,
    GateResult,
    Judged,
)
from loopcast.develop.baselines import beats_baselines
from loopcast.develop.course import Advance, Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.backtest import Predictions, backtest
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.covered import Covered, fit_alone, fit_one
from loopcast.develop.forecast.hierarchy import Hierarchy, errors_by_slot, reconcile_backtest
from loopcast.develop.forecast.horizon import backtest_origins
from loopcast.develop.forecast.intervals import Intervals, calibrate
from loopcast.develop.forecast.judging import Reconciled, judge_all
from loopcast.develop.forecast.measured import filled_levels, measured_alone
from loopcast.develop.forecast.panel import at_step, bottom_members, site_weights, with_aggregates


@dataclass(frozen=True, eq=False, kw_only=True)
class Preparation:
    """What turns a panel into the panels of every level; part of the version.

    Attributes
    ----------
    hierarchy
        Series and steps.
    weights
        Weight of each site in the weather of each aggregate.
    nonnegative
        Whether forecasts are kept at zero and above.
    """

    hierarchy: Hierarchy
    weights: Mapping[str, Mapping[str, float]]
    nonnegative: bool

    def levels(self, data: ForecastData) -> dict[str, ForecastData]:
        """Return the panel with aggregates at each step, the finest first."""
        full = with_aggregates(data, self.hierarchy.members, self.weights)
        return {
            step: at_step(full, step, self.hierarchy.over_time) for step in self.hierarchy.steps
        }


def prepare_levels(data: ForecastData, schema: ForecastSchema, before: pd.Timestamp) -> Preparation:
    """Learn the preparation from data before a moment."""
    members = bottom_members(schema, data.series)
    past = data.until(before, before)
    hierarchy = Hierarchy(
        bottom=data.series,
        members=members,
        steps=schema.resolutions or (schema.step,),
        horizon=schema.horizon,
        over_time=schema.over_time,
    )
    return Preparation(
        hierarchy=hierarchy,
        weights=site_weights(past, members),
        nonnegative=not schema.negative,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Backtested:
    """Backtest of all contenders on the same origins.

    Attributes
    ----------
    origins
        All origins; the last ``plan.origins`` of them are judged.
    base, reconciled
        Predictions by contender and step, before and after reconciliation.
    judged
        The judged origins at the finest step, with honest quantiles; of many series, some.
    evaluations
        By contender, in the order of the contenders.
    """

    origins: tuple[pd.Timestamp, ...]
    base: Mapping[str, Mapping[str, Predictions]]
    reconciled: Mapping[str, Mapping[str, Predictions]]
    judged: Judged
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """How a template did, and what its past errors say, before it is fitted to all data.

    Attributes
    ----------
    judged, evaluations
        As :class:`Backtested` has them.
    errors : ndarray, shape (origins, slot nodes)
        Of the candidate's predictions before reconciliation.
    intervals
        Of its predictions after it, by step.
    """

    preparation: Preparation
    judged: Judged
    evaluations: tuple[Evaluation, ...]
    errors: NDArray[np.float32]
    intervals: Mapping[str, Intervals]
    gates: tuple[GateResult, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A model on all data, with how its template did in the contest.

    Attributes
    ----------
    stand_ins
        The fallback of all series by step, where it answers beyond the domain of the model.
    """

    contest: Contest
    models: Mapping[str, Covered]
    stand_ins: Mapping[str, Forecaster]


def run_backtest(
    course: ForecastCourse,
    data: ForecastData,
    dataset: str,
    engine: Engine,
    advance: Advance,
    *,
    filled: pd.DataFrame | None = None,
    keep: Collection[str] = (),
) -> tuple[Preparation, Backtested]:
    """Backtest, reconcile and score all contenders in the same way.

    Parameters
    ----------
    filled : DataFrame, shape (time, series), bool
        Which actuals were not measured but filled in: learned from, and judged by nobody.
    keep
        Series whose judged rows are kept; where it is empty, those that decide.
    """
    plan = course.plan
    origins = backtest_origins(data, plan.calibration + plan.origins, plan.every)
    preparation = prepare_levels(data, course.schema, origins[0])
    levels = preparation.levels(data)
    fine = levels[preparation.hierarchy.steps[0]]
    base = backtest(course, levels, origins, engine, advance)
    if filled is not None:
        base = measured_alone(base, filled_levels(preparation.hierarchy, fine, filled, origins[0]))
    reconciled = {
        label: reconcile_backtest(
            preparation.hierarchy,
            course.reconciler,
            predictions,
            origins,
            nonnegative=preparation.nonnegative,
        )
        for label, predictions in base.items()
    }
    predictions = {label: by_step[fine.step] for label, by_step in reconciled.items()}
    judged, evaluations = judge_all(
        Reconciled(
            predictions=predictions,
            heads=preparation.hierarchy.heads,
            day_type=day_types(predictions[course.candidate.label].times, fine),
            nonnegative=preparation.nonnegative,
        ),
        course,
        dataset,
        keep=keep,
    )
    return preparation, Backtested(
        origins=origins, base=base, reconciled=reconciled, judged=judged, evaluations=evaluations
    )


def day_types(times: pd.DatetimeIndex, data: ForecastData) -> NDArray[np.str_]:
    """Tell working days, weekends and holidays apart, by the calendar of the last site.

    A day is a holiday where the covariate ``holiday`` is set, or ``working_day`` is not set
    between Monday and Friday. The last site is the top aggregate's where there is one.
    """
    kind = np.where(times.day_of_week >= 5, "weekend", "working day").astype("<U12")
    for name, holiday_value in (("holiday", 1.0), ("working_day", 0.0)):
        if name in data.covariates:
            flag = data.covariates[name].iloc[:, -1].reindex(times).to_numpy()
            kind[(flag == holiday_value) & (kind == "working day")] = "holiday"
    return kind


def run_contest(
    course: ForecastCourse,
    data: ForecastData,
    dataset: str,
    engine: Engine,
    advance: Advance = lambda _: None,
    *,
    filled: pd.DataFrame | None = None,
) -> Contest:
    """Judge the candidate beside its baselines, and learn from its errors.

    Parameters
    ----------
    data
        Actuals until the end of training, and covariates over the same time.
    dataset
        Fingerprint of the data.
    advance
        Called with a contender's label after each piece of its work.
    filled
        As :func:`run_backtest` has it.
    """
    preparation, found = run_backtest(course, data, dataset, engine, advance, filled=filled)
    label = course.candidate.label
    errors = errors_by_slot(preparation.hierarchy, found.base[label], len(found.origins))
    return Contest(
        preparation=preparation,
        judged=found.judged,
        evaluations=found.evaluations,
        errors=errors.astype(np.float32),
        intervals={
            step: calibrate(p, course.schema.horizon) for step, p in found.reconciled[label].items()
        },
        gates=beats_baselines(
            found.evaluations, course.logical_model.kpi, [c.label for c in course.baselines]
        ),
    )


def train_on_all(
    course: ForecastCourse,
    data: ForecastData,
    contest: Contest,
    engine: Engine,
    advance: Advance = lambda _: None,
) -> Trained:
    """Fit the candidate on all data after its contest.

    Parameters
    ----------
    data
        As the contest had it.
    advance
        Called with the candidate's label after each step.
    """
    levels = contest.preparation.levels(data)
    return Trained(
        contest=contest,
        models=fit_levels(course, levels, engine, advance),
        stand_ins=_fit_stand_ins(course, levels, engine),
    )


def _fit_stand_ins(
    course: ForecastCourse, levels: Mapping[str, ForecastData], engine: Engine
) -> dict[str, Forecaster]:
    if course.stand_in is None:
        return {}
    context = FitContext(seed=course.seed, engine=engine)
    return {
        step: fit_alone(course.stand_in, level, course.segment, context)
        for step, level in levels.items()
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class _Fit:
    contender: Contender
    fallback: Contender | None
    data: ForecastData
    segment: str
    seed: int


def _fit(job: _Fit, engine: Engine | None = None) -> Covered:
    context = FitContext(seed=job.seed, engine=engine or LocalEngine())
    return fit_one(job.contender, job.fallback, job.data, job.segment, context)


def fit_levels(
    course: ForecastCourse, levels: Mapping[str, ForecastData], engine: Engine, advance: Advance
) -> dict[str, Covered]:
    """Fit the candidate at each step, on everything that is known.

    Steps are fitted beside each other; where there is one, the template has the engine.
    """
    jobs = [
        _Fit(
            contender=course.candidate,
            fallback=course.fallback,
            data=data,
            segment=course.segment,
            seed=course.seed,
        )
        for data in levels.values()
    ]
    fitted = engine.map(_fit, jobs) if len(jobs) > 1 else (_fit(job, engine) for job in jobs)
    models: dict[str, Covered] = {}
    for step, model in zip(levels, fitted, strict=True):
        advance(course.candidate.label)
        models[step] = model
    return models
