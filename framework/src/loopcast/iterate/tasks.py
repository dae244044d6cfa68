"""The steps of a training by task: one implementation each, behind the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from loopcast.api import (
    Dataset,
    Engine,
    Evaluation,
    GateResult,
    Judged,
    LoopcastError,
    Scenario,
    Task,
)
from loopcast.develop.course import Advance, Course
from loopcast.develop.holdout import Split
from loopcast.develop.known import Known

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import LogicalModel
    from loopcast.develop.checks.inputs import Inputs
    from loopcast.develop.checks.run import Checked
    from loopcast.settings import DataSettings


@dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """The contest of a training, in memory: nothing that is at hand is computed or read again.

    Attributes
    ----------
    judged
        What it left behind.
    split
        How the data was cut for it; ``None`` where a task cuts otherwise, or nobody needs it.
    model
        The scorer or ranker of the bundle, loaded from its files; ``None`` of a forecast.
    scenario
        The test scenario of the bundle, with what that model answered; ``None`` of a forecast.
    """

    judged: Judged
    split: Split[Any] | None = None
    model: Any = None
    scenario: Scenario | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """What a training gave for one segment, ready to be bundled and registered.

    Attributes
    ----------
    datasets
        The training data, and what it was judged on where that is apart.
    files
        Of the bundle, by name, as the task has them.
    evaluations
        By contender, the candidate first.
    contest
        Its judged rows become a file when the bundle is put together.
    doubt
        Why the champion could not be judged beside it, where that was tried.
    note
        What a remedy did to its data, for the report.
    """

    datasets: tuple[Dataset, ...]
    files: Mapping[str, bytes]
    evaluations: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]
    contest: Contest
    doubt: str = ""
    note: str = ""

    def after(self, checked: Checked) -> Made:
        """Return the same with what the checks of its data have measured, without its split."""
        contest = replace(self.contest, split=None)
        return replace(self, gates=(*self.gates, *checked.gates), contest=contest)


@dataclass(frozen=True, eq=False, kw_only=True)
class Champion:
    """A version that serves, loaded to be judged on data that it was not trained on.

    Attributes
    ----------
    name
        For messages: its id.
    model
        A scorer, a ranker, or a forecast's models with what joins them.
    schema
        Its inputs, as they were when it was trained.
    files
        Of its bundle.
    """

    name: str
    model: Any
    schema: Any
    files: Mapping[str, bytes]


Outcomes: TypeAlias = Iterator[tuple[str, Made | LoopcastError]]


@dataclass(frozen=True)
class TaskSteps:
    """The steps of one task.

    Attributes
    ----------
    know
        Check the table of one segment and shape it: table, settings of the data, logical model,
        where the table comes from, and the first day to forecast if it is set.
    inputs
        What the checks see of training data.
    make
        Judge all contenders on each segment, fit the candidate, and pack it: the course, what is
        known by segment, the engine, and what is called after each piece of work. An error is
        the outcome of its segment, and stops no other.
    judge
        Ask a champion about the rows that a training was judged on: the course, what is known,
        the champion, the training's own contest, and the engine.
    """

    know: Callable[[pd.DataFrame, DataSettings, LogicalModel, str, str | None], Known[Any]]
    inputs: Callable[[Any], Inputs]
    make: Callable[[Course[Any], Mapping[str, Known[Any]], Engine, Advance], Outcomes]
    judge: Callable[[Course[Any], Known[Any], Champion, Contest, Engine], tuple[Judged, Evaluation]]


def steps_of(task: Task) -> TaskSteps:
    """Return the steps of a task; what the others need is not imported."""
    steps: TaskSteps = import_module(f"loopcast.iterate.{task}").STEPS
    return steps
