"""Reading experiments from the catalog: which there are, which run, and how far they have come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select

from loopcast.api import (
    BanditState,
    Experiment,
    ExperimentStep,
    Segment,
    Stage,
    StepName,
    VersionId,
)
from loopcast.store import governance
from loopcast.store.experiment_tables import bandit_states, experiment_steps, experiments
from loopcast.store.registration import chunks


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An experiment and how far it has come.

    Attributes
    ----------
    steps
        By name, of what was done with it.
    bandit
        What it has learned; ``None`` where it has not learned yet, or is no bandit.
    """

    experiment: Experiment
    steps: Mapping[StepName, ExperimentStep] = field(default_factory=dict)
    bandit: BanditState | None = None

    @property
    def begun(self) -> datetime | None:
        """When it began."""
        return self.steps["begun"].at if "begun" in self.steps else None

    @property
    def ended(self) -> datetime | None:
        """When it was stopped or concluded."""
        ends = [self.steps[name].at for name in ("stopped", "concluded") if name in self.steps]
        return min(ends, default=None)

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of entities that each arm serves now."""
        if self.bandit is not None:
            return self.bandit.shares
        arms = len(self.experiment.arms)
        return (1.0 / arms,) * arms

    @property
    def salt(self) -> str:
        """What keys the assignment; a bandit draws anew with each update."""
        updates = self.bandit.updates if self.bandit else 0
        return self.experiment.salt + (f"/{updates}" if self.experiment.kind == "bandit" else "")

    @property
    def state(self) -> str:
        """One word: declared, running, stopped or concluded."""
        for name in ("concluded", "stopped"):
            if name in self.steps:
                return name
        return "running" if self.steps else "declared"


_DECLARED = select(
    experiments.c.number,
    experiments.c.logical_model,
    experiments.c.segment,
    experiments.c.name,
    experiments.c.record,
).order_by(experiments.c.number)

Key = tuple[str, Segment, str]
"""Logical model, segment and name of an experiment."""


def key_of(item: Experiment) -> Key:
    """Return what names an experiment."""
    return item.logical_model, item.segment, item.name


def find(connection: Connection, items: Sequence[Experiment]) -> dict[Key, tuple[int, Trial]]:
    """Return those that are known by the names of experiments, each with its key in the table."""
    segments: dict[tuple[str, str], list[Segment]] = defaultdict(list)
    for item in items:
        segments[item.logical_model, item.name].append(item.segment)
    found: dict[Key, tuple[int, Trial]] = {}
    for (logical_model, name), places in segments.items():
        query = _DECLARED.where(
            experiments.c.logical_model == logical_model, experiments.c.name == name
        )
        rows = _newest(_rows(connection, query, places))
        for row, trial in zip(rows, _trials(connection, rows), strict=True):
            found[key_of(trial.experiment)] = (row.number, trial)
    return found


def trials(
    connection: Connection, logical_model: str | None, segments: Sequence[Segment] | None = None
) -> tuple[Trial, ...]:
    """Return every experiment, the newest declaration of each name, the oldest first."""
    query = _DECLARED
    if logical_model is not None:
        query = query.where(experiments.c.logical_model == logical_model)
    return tuple(_trials(connection, _newest(_rows(connection, query, segments))))


def _newest(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return the last row of each name, the oldest name first."""
    return list({(row.logical_model, row.segment, row.name): row for row in rows}.values())


def running(
    connection: Connection, logical_model: str, segments: Sequence[Segment] | None = None
) -> dict[Segment, Trial]:
    """Return the experiment that runs in each segment where one does."""
    found = running_rows(connection, logical_model, segments)
    return {trial.experiment.segment: trial for _, trial in found}


def active(
    connection: Connection, logical_model: str, segments: Sequence[Segment] | None = None
) -> dict[Segment, Trial]:
    """Return those that run and whose arms still stand where they have to.

    A release or a rollback ends what an experiment compares at once, without asking it.
    """
    found = running(connection, logical_model, segments)
    arms = {arm for trial in found.values() for arm in trial.experiment.arms}
    stages = governance.stages_of(connection, arms)
    return {s: trial for s, trial in found.items() if not obstacle(trial.experiment, stages)}


def obstacle(item: Experiment, stages: Mapping[VersionId, Stage]) -> str:
    """Say which arm does not stand where it has to; the empty string where all do."""
    champion, *others = item.arms
    if stages[champion] != "champion":
        return f"its first arm {champion} is {stages[champion]}, not champion"
    for arm in others:
        if item.kind == "shadow" and stages[arm] == "retired":
            return f"its arm {arm} is retired"
        if item.kind != "shadow" and stages[arm] != "challenger":
            return f"its arm {arm} is {stages[arm]}; an arm that serves is a challenger"
    return ""


def running_rows(
    connection: Connection, logical_model: str, segments: Sequence[Segment] | None
) -> list[tuple[int, Trial]]:
    """Return those that run, each with its key."""
    ends = experiment_steps.alias()
    ended = select(ends.c.experiment).where(ends.c.step != "begun")
    query = (
        select(experiments.c.number, experiments.c.record)
        .join(experiment_steps, experiment_steps.c.experiment == experiments.c.number)
        .where(experiments.c.logical_model == logical_model, experiment_steps.c.step == "begun")
        .where(experiments.c.number.not_in(ended))
    )
    rows = _rows(connection, query, segments)
    return [(row.number, trial) for row, trial in zip(rows, _trials(connection, rows), strict=True)]


def _rows(
    connection: Connection, query: Select[Any], segments: Sequence[Segment] | None
) -> list[Row[Any]]:
    if segments is None:
        return list(connection.execute(query))
    return [
        row
        for chunk in chunks(segments)
        for row in connection.execute(query.where(experiments.c.segment.in_(chunk)))
    ]


def _trials(connection: Connection, rows: Sequence[Row[Any]]) -> list[Trial]:
    numbers = [row.number for row in rows]
    steps = _steps(connection, numbers)
    states = _states(connection, numbers)
    return [
        Trial(
            experiment=msgspec.json.decode(row.record, type=Experiment),
            steps=steps.get(row.number, {}),
            bandit=states.get(row.number),
        )
        for row in rows
    ]


def _steps(
    connection: Connection, numbers: Iterable[int]
) -> Mapping[int, dict[StepName, ExperimentStep]]:
    names = ExperimentStep.__struct_fields__
    query = select(experiment_steps.c.experiment, *(experiment_steps.c[name] for name in names))
    found: dict[int, dict[StepName, ExperimentStep]] = defaultdict(dict)
    for chunk in chunks(numbers):
        for number, *values in connection.execute(
            query.where(experiment_steps.c.experiment.in_(chunk))
        ):
            step = ExperimentStep(**dict(zip(names, values, strict=True)))
            found[number][step.step] = step
    return found


def _states(connection: Connection, numbers: Iterable[int]) -> dict[int, BanditState]:
    return {
        row.experiment: msgspec.json.decode(row.record, type=BanditState)
        for chunk in chunks(numbers)
        for row in connection.execute(
            select(bandit_states).where(bandit_states.c.experiment.in_(chunk))
        )
    }
