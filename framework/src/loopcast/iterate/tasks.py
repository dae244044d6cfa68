"""The steps of a training by task: one implementation each, behind the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

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
from loopcast.deploy.loaded import Opened
from loopcast.develop.course import Advance, Course
from loopcast.develop.known import Known

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from loopcast.api import LogicalModel
    from loopcast.develop.checks.inputs import Inputs
    from loopcast.iterate.verdict import Verdict
    from loopcast.settings import DataSettings

OutcomeT = TypeVar("OutcomeT")


@dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """The contest of a training, in memory: nothing that is at hand is computed or read again.

    Attributes
    ----------
    judged
        Of its contenders, and of the champion where that was judged beside them.
    evaluations
        Likewise, the candidate first; of scorers and rankers by the KPI alone, which decides
        whether there is to be a version.
    gates
        Whether the candidate beats its baselines.
    own
        What the task goes on with after it.
    verdict
        On the candidate beside the champion; ``None`` where no champion was asked.
    """

    judged: Judged
    evaluations: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]
    own: Any
    verdict: Verdict | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """What a training gave for one segment, ready to be bundled and registered.

    Attributes
    ----------
    datasets
        The training data, and what it was judged on where that is apart.
    files
        Of the bundle, by name, as the task has them.
    contest
        With evaluations by all metrics and subpopulations; its judged rows become a file when the
        bundle is put together.
    model
        The scorer or ranker of the bundle, loaded from its files; ``None`` of a forecast.
    scenario
        The test scenario of the bundle, with what that model answered; ``None`` of a forecast.
    """

    datasets: tuple[Dataset, ...]
    files: Mapping[str, bytes]
    contest: Contest
    model: Any = None
    scenario: Scenario | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Champion(Opened):
    """A version that serves, loaded to be judged on data that it was not trained on.

    Attributes
    ----------
    name
        For messages: its id.
    template
        Name of the one that it is of.
    """

    name: str
    template: str


Contests: TypeAlias = Iterator[tuple[str, Contest | LoopcastError]]
Outcomes: TypeAlias = Iterator[tuple[str, Made | LoopcastError]]


class Know(Protocol):
    """Checks the table of one segment and shapes it."""

    def __call__(
        self,
        table: pd.DataFrame,
        settings: DataSettings,
        model: LogicalModel,
        source: str,
        *,
        day: str | None,
        at: datetime | None,
    ) -> Known[Any]:
        """Return what a table says.

        Parameters
        ----------
        source
            Where the table comes from, for messages.
        day
            The first day to forecast, if it is set.
        at
            The moment of the training, after which nothing was chosen; ``None`` where that was
            checked before.
        """
        ...


@dataclass(frozen=True)
class TaskSteps:
    """The steps of one task.

    Attributes
    ----------
    know
        Check the table of one segment and shape it.
    asked
        From what is known of a table, what the same table asks when it is served.
    inputs
        What the checks see of training data.
    contest
        Judge all contenders on each segment: the course, what is known by segment, the engine,
        and what is called after each piece of work. An error is the outcome of its segment, and
        stops no other.
    finish
        Fit the candidate on all data of each segment, and pack it: the course, the contests by
        segment, of which there is at least one, the engine, and what is called after each piece
        of work. An error is the outcome of its segment, as before.
    judge
        Ask a champion about the rows that a training was judged on: the course, what is known,
        the champion, the training's own contest, and the engine.
    """

    know: Know
    asked: Callable[[Any], Any]
    inputs: Callable[[Any], Inputs]
    contest: Callable[[Course[Any], Mapping[str, Known[Any]], Engine, Advance], Contests]
    finish: Callable[[Course[Any], Mapping[str, Contest], Engine, Advance], Outcomes]
    judge: Callable[[Course[Any], Known[Any], Champion, Contest, Engine], tuple[Judged, Evaluation]]


def alone(outcomes: Iterator[tuple[str, OutcomeT | LoopcastError]]) -> OutcomeT:
    """Return the outcome of a step that was taken for one segment.

    Raises
    ------
    LoopcastError
        What stopped it.
    """
    [(_, found)] = outcomes
    if isinstance(found, LoopcastError):
        raise found
    return found


def steps_of(task: Task) -> TaskSteps:
    """Return the steps of a task; what the others need is not imported."""
    steps: TaskSteps = import_module(f"loopcast.iterate.{task}").STEPS
    return steps
